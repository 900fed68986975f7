"""A tunnel's searches: find its host, prove it, log in. Each runs in a thread of its own, one at a time."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import NamedTuple

from ipwatch.core import tunnel as table
from ipwatch.core.candidate import Spot
from ipwatch.core.trouble import Kind, Trouble
from ipwatch.laptop.find import Finding, Sight
from ipwatch.laptop.remember import Remembering
from ipwatch.laptop.report import Report
from ipwatch.laptop.vain import reason
from ipwatch.laptop.world import World
from ipwatch.ports.remote import Link, Login
from ipwatch.settings.laptop_model import Host

_SEARCH = timedelta(seconds=20)
_LOGIN = timedelta(seconds=30)
_SHUN = timedelta(seconds=60)  # a stranger is not called again so soon: it will not have changed


class Arrived(NamedTuple):
    """A search ended with a link."""

    link: Link
    finding: Finding


class Seeker:
    """Searches for one host. post: takes what happens. cancel: set when the tunnel is to end."""

    def __init__(self, world: World, host: Host, report: Report, post: Callable[[table.Happening | Arrived], None],
                 cancel: threading.Event) -> None:  # fmt: skip
        self._world, self._host = world, host
        self._report, self._post, self._cancel = report, post, cancel
        self._shunned: dict[Spot, timedelta] = {}
        self._answers: dict[str, str] = {}
        self._who: Callable[[], Login] | None = None  # who logs in, begun to be asked for

    def forgive(self) -> None:
        """The host was found: strangers are called again."""
        self._shunned.clear()

    def search(self, was_up: bool) -> None:
        """Whatever comes of it is posted, a fault of our own too. was_up: the tunnel has been up before."""
        told: table.Happening | Arrived | None = None
        try:
            told = self._found(was_up)
        except Exception as error:
            kind, sentence = reason(error, self._host.name)
            told = None if self._world.ending.is_set() else self._vain(kind, sentence)  # that is why it failed
            if kind is Kind.NOT_WELL and not isinstance(error, Trouble):
                raise
        finally:
            if told is not None:
                self._post(told)

    def _found(self, was_up: bool) -> Arrived:
        now, self._who = self._world.now(), None
        shun = [spot for spot, at in self._shunned.items() if now - at < _SHUN] if was_up else []
        finder = self._world.finder(self._world)
        finding = finder.find(self._host, _SEARCH, self._sighted, shun=shun, cancel=self._cancel)
        if self._cancel.is_set():
            finding.session.close()
            raise Trouble(Kind.INTERRUPTED, "the tunnel was ended")
        who = self._begin_login()()
        remembering = Remembering(who.ask, self._answers, self._cancel)
        return Arrived(finding.session.login(who._replace(ask=remembering), _LOGIN), finding)

    def _begin_login(self) -> Callable[[], Login]:
        """Ask who logs in, unless that was begun."""
        from ipwatch.laptop.login import begin_login  # noqa: PLC0415 - runs `ssh -G`, not before something answers

        if self._who is None:
            self._who = begin_login(self._world, self._host)
        return self._who

    def _vain(self, kind: Kind, sentence: str) -> table.Vain:
        return table.Vain(self._world.now(), kind, sentence, self._world.chance())

    def _sighted(self, sight: Sight) -> None:
        now = self._world.now()
        if sight.what == "dialling":
            self._post(table.Found(now))
        elif sight.what == "connected":
            self._post(table.Connected(now))
            self._begin_login()  # while the key is asked for
        elif sight.what == "stranger" and sight.spot is not None:
            self._shunned[sight.spot] = now
        self._report.sighted(sight)
