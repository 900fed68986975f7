"""Candidates for the house, from all ways at once.

The ways are raced, not chained: each is a thread with its own deadline, and what it says is there as soon as it says
it. Whoever listens decides when enough has been heard.
"""

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, NamedTuple

from ipwatch.core.address import Family
from ipwatch.core.candidate import Claim, Way
from ipwatch.core.locating import HIJACKED, dialable, seconds
from ipwatch.laptop.authority import Authority, Failed, NotAuthoritative, Seen
from ipwatch.net.dial import routed
from ipwatch.ports import Endpoint, Garbled, HttpRequest, PortError, Refused
from ipwatch.protocols.portal import portal

if TYPE_CHECKING:
    from ipwatch.laptop.world import World

# The longest any way may take; together they end within the zone's: servers found, then asked, an alias followed.
_ZONE = timedelta(seconds=7)
_DOH = timedelta(seconds=5)
_SYSTEM = timedelta(seconds=5)  # the system's own resolvers give up a server after 5 s (resolv.conf(5))
_NOWHERE = timedelta(seconds=1.5)
_NEAR = timedelta(seconds=0.4)  # a hijacker sits near: so long is waited for one when all other ways have ended
_PORTAL = timedelta(seconds=3)
SYSTEM = "this machine's resolver"


class Around(NamedTuple):
    """The network's surroundings. nowhere: an address at which no name server can be, for documentation only
    (TEST-NET-1, RFC 5737 3). routed: whether the system knows a way out."""

    nowhere: Endpoint = Endpoint("192.0.2.53", 53)
    routed: Callable[[], bool] = routed


class Word(NamedTuple):
    """What one way said: an address (claim and ip), why it has none (claim and text), or a remark (text)."""

    claim: Claim | None = None
    ip: str = ""
    text: str = ""


class Locator:
    """Begins races. Remembers the zones' servers from one to the next."""

    def __init__(self, world: "World", around: Around) -> None:
        self.world, self.around = world, around
        self.authority = Authority(world.resolver, world.clock, world.chance, world.settings.nameservers)

    def race(self, names: Sequence[str]) -> "Race":
        """Begin to ask for these names; literal addresses among them are no business of the race's."""
        return Race(self, tuple(name for name in names if not is_literal(name)))


def is_literal(name: str) -> bool:
    """Whether the name is an address."""
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def is_public(name: str) -> bool:
    """Whether the name is an address beyond this network, at which a captive portal stands in the way."""
    return is_literal(name) and ip_address(name).is_global


class Race:
    """All ways for some names under way. Several searches may listen to one race; attributes only ever become true."""

    def __init__(self, locator: Locator, names: tuple[str, ...]) -> None:
        self._world, self._around, self._authority = locator.world, locator.around, locator.authority
        self._lock = threading.Lock()
        self._words: list[Word] = []
        self._listeners: list[Callable[[], None]] = []
        self._open = 0  # ways under way
        self._nowhere_open = False
        self._begun = self._world.now()
        self._probed = False
        self._open_line = False  # somebody far away proved by TLS who they are: no portal stands in between
        self.names = names
        self.missing = ""  # the clause of a server that says with authority that there is no address
        self.hijacked = False
        self.answered = False  # somebody answered, whatever it was
        self.portal = ""
        self.looked = threading.Event()  # the question whether there is a captive portal is settled
        for name in names:
            self._begin_ways(name)

    @property
    def done(self) -> bool:
        """Whether every way has ended. That nobody answers from nowhere is the rule, and not waited for."""
        with self._lock:
            patient = self._nowhere_open and self._world.now() - self._begun < _NEAR
            return self._open == 0 and not patient

    def words(self, since: int) -> list[Word]:
        """What was said after the first `since` words."""
        with self._lock:
            return self._words[since:]

    def listen(self, ring: Callable[[], None]) -> None:
        """Have `ring` called whenever there is something new."""
        with self._lock:
            self._listeners.append(ring)
        ring()

    def unlisten(self, ring: Callable[[], None]) -> None:
        """No more."""
        with self._lock, suppress(ValueError):
            self._listeners.remove(ring)

    def probe(self) -> None:
        """Find out (once) whether a captive portal stands in between; `looked` is set in the end."""
        with self._lock:
            first, self._probed = not self._probed, True
        if first and self._open_line:
            self.looked.set()
        elif first:
            threading.Thread(target=self._look_for_portal, name="locate portal", daemon=True).start()

    def again(self) -> None:
        """Ask once more: the record may have followed its address meanwhile."""
        for name in self.names:
            self._begin_questions(name)

    def _begin_ways(self, name: str) -> None:
        if name == self.names[0]:
            self._begin("nowhere", lambda: self._ask_nowhere(name))
        self._begin_questions(name)

    def _begin_questions(self, name: str) -> None:
        self._begin("zone", lambda: self._ask_zone(name))
        for url in self._world.settings.doh:
            self._begin("doh", lambda url=url: self._ask_doh(name, url))  # type: ignore[misc]
        self._begin("system", lambda: self._ask_system(name))

    def _begin(self, what: str, way: Callable[[], None]) -> None:
        def count(by: int) -> None:
            with self._lock:
                if what == "nowhere":
                    self._nowhere_open = by > 0
                else:
                    self._open += by

        def run() -> None:
            try:
                way()
            finally:
                count(-1)
                self._ring()

        count(1)

        threading.Thread(target=run, name=f"locate {what}", daemon=True).start()

    def _ring(self) -> None:
        with self._lock:
            listeners = tuple(self._listeners)
        for ring in listeners:
            ring()

    def _say(self, word: Word) -> None:
        with self._lock:
            self._words.append(word)
            self.answered = self.answered or bool(word.ip)
        self._ring()

    def _claim(self, way: Way, who: str, ips: Sequence[str], detail: str) -> None:
        for ip in ips:
            self._say(Word(Claim(way, who, self._world.clock.now(), detail), ip))

    def _silent(self, way: Way, who: str, why: str) -> None:
        self._say(Word(Claim(way, who), text=why))

    def _hijack(self) -> None:
        with self._lock:
            first, self.hijacked, self.answered = not self.hijacked, True, True
        if first:
            self._say(Word(text=HIJACKED))
            self.probe()

    def _ask_nowhere(self, name: str) -> None:
        """Whoever answers from where nobody is answers everything."""
        try:
            self._world.resolver.ask(name, "A", self._around.nowhere, _NOWHERE)
        except Garbled:
            self._hijack()
        except PortError:
            return
        else:
            self._hijack()

    def _ask_zone(self, name: str) -> None:
        seen = intercepted = False

        def tell(said: Seen | Failed) -> None:
            nonlocal seen, intercepted
            if isinstance(said, Failed):
                if isinstance(said.error, NotAuthoritative):
                    self.answered = True
                    intercepted = intercepted or said.error.intercepted
                who = said.server or f"the zone of {name}"
                self._silent(Way.ZONE, who, str(said.error))
            else:
                seen = True
                self._tell_view(name, said)

        self._authority.seek(name, self._world.clock.monotonic() + _ZONE, tell)
        if intercepted and not seen:  # where one speaks with authority the other is lame, and nobody sits in between
            self._hijack()

    def _tell_view(self, name: str, seen: Seen) -> None:
        view = seen.view
        self.answered = True
        if seen.behind:
            shows = ", ".join(view.ips) or "no address"
            self._silent(Way.ZONE, view.server, f"it lags behind: {view.detail}, shows {shows}")
        elif view.ips:
            said = ", ".join(text for text in (view.detail, f"by way of {seen.alias}" if seen.alias else "") if text)
            self._claim(Way.ZONE, view.server, view.ips, said)
        elif not view.alias:
            asked = f"{name}, an alias of {seen.alias}," if seen.alias else name
            why = f"{asked} does not exist" if view.missing else f"{asked} has no address"
            with self._lock:
                self.missing = self.missing or f"{why}, says {view.server}"
            self._silent(Way.ZONE, view.server, why + (f" ({view.detail})" if view.detail else ""))

    def _ask_doh(self, name: str, url: str) -> None:
        from ipwatch.net.doh import Doh, operator  # noqa: PLC0415 - only when asked

        doh, who, end = Doh(self._world.http), operator(url), self._world.clock.monotonic() + _DOH
        found, why = False, ""
        for family in Family:
            try:
                left = max(timedelta(0), end - self._world.clock.monotonic())
                answer = doh.ask(name, family.rdtype, url, left)
            except PortError as error:
                self.answered = self.answered or isinstance(error, Refused | Garbled)
                why = str(error)
                break  # the other question would fare no better
            self.answered = True
            self._open_line = self._open_line or url.startswith("https:")
            ips = [ip for text in answer.texts if (ip := dialable(text))]
            found = found or bool(ips)
            self._claim(Way.DOH, who, ips, f"TTL {seconds(answer.ttl)}" if answer.ttl is not None else "")
            if not ips and not why:
                why = f"{name} has no address" if answer.rcode == "NOERROR" else f"it answers {answer.rcode}"
        if not found:
            self._silent(Way.DOH, who, why)

    def _ask_system(self, name: str) -> None:
        try:
            found = self._world.resolver.lookup(name, _SYSTEM)
        except PortError as error:
            self._silent(Way.SYSTEM, SYSTEM, str(error))
            return
        ips = [ip for text in found if (ip := dialable(text))]
        self._claim(Way.SYSTEM, SYSTEM, ips, "")

    def _look_for_portal(self) -> None:
        url = self._world.settings.probe
        try:
            if url:
                request = HttpRequest(url, insecure=True)  # nothing is told or believed; a portal shows itself only so
                answer = self._world.http.send(request, _PORTAL)
                self.portal = portal(answer.status, answer.headers.get("location", ""), answer.body)
        except PortError:
            pass
        finally:
            self.looked.set()
            self._ring()
