"""The full search for `ipwatch proxy`: all ways of `locate`, with a look in the place of a proof.

Imports everything; only for when what is known by heart does not answer.
"""

import io
import os
import socket
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple, NoReturn

from ipwatch.core.candidate import Spot
from ipwatch.core.host import HostKey, Pins
from ipwatch.core.trouble import Kind, Trouble
from ipwatch.laptop.main import world_of
from ipwatch.laptop.memory import Memory
from ipwatch.laptop.proxy_look import Fate, Looker
from ipwatch.laptop.say import Say
from ipwatch.laptop.sight import Sight
from ipwatch.laptop.world import unknown_host
from ipwatch.ports.remote import Login, NotSsh, Session, Stranger
from ipwatch.settings.faults import SettingsFault
from ipwatch.settings.laptop_load import load
from ipwatch.settings.laptop_model import Host, Laptop
from ipwatch.settings.laptop_quick import Quick


class _Unproved(Memory):
    """A memory in which a look is not noted as a proof."""

    def note_proved(self, *_what: object) -> None:
        """Nothing was proved."""


class _Seen:
    """What a look gives in the place of a session: nobody logs in with it."""

    def __init__(self, key: HostKey) -> None:
        self.key = key

    def login(self, who: Login, within: timedelta) -> NoReturn:
        """Never called."""
        raise NotImplementedError((who, within))

    def close(self) -> None:
        """Nothing is held."""


class _Prover:
    """ports.remote.Prover by looks."""

    def __init__(self, looker: Looker) -> None:
        self._looker = looker

    def prove(self, sock: socket.socket, spot: Spot, _pins: Pins, within: timedelta,
              _greeted: Callable[[], None] | None = None) -> Session:  # fmt: skip
        """Look; the pins are the looker's own."""
        look = self._looker.look(sock, spot, within)
        if look.key is None:
            raise NotSsh(look.text)
        if look.fate is not Fate.PINNED:
            raise Stranger(look.key, revoked=look.fate is Fate.REVOKED)
        return _Seen(look.key)


def settings_of(config: str | None) -> Laptop:
    """The whole configuration; its faults become one Trouble."""
    try:
        return load(config, os.environ, Path.cwd())
    except SettingsFault as fault:
        raise Trouble(Kind.CONFIGURATION, "\nipwatch: ".join(str(one) for one in fault.faults)) from None


def quick_of(settings: Laptop, name: str) -> Quick:
    """What the full loader made of a host that the quick reader left to it."""
    if name not in settings.hosts:
        raise Trouble(Kind.CONFIGURATION, unknown_host(name, tuple(settings.hosts), str(settings.path or "")))
    host = settings.hosts[name]
    keys = tuple(key.text for key in host.keys)
    return Quick(name, settings.state, host.port, host.names, host.lan, keys, host.wake is not None)


class Ears(NamedTuple):
    """Who hears of a search. learn: takes each address that is named; ring: called when it has ended; tell: takes
    sentences."""

    learn: Callable[[Spot], None]
    ring: Callable[[], None]
    tell: Callable[[str], None]


class Search:
    """One search in a thread of its own."""

    def __init__(self, settings: Laptop, host: Host, looker: Looker, within: timedelta, ears: Ears) -> None:
        self._settings, self._host, self._looker, self._within, self._ears = settings, host, looker, within, ears
        self.trouble: Trouble | None = None
        self.ended = threading.Event()
        self.cancel = threading.Event()
        threading.Thread(target=self._run, name="search", daemon=True).start()

    def _run(self) -> None:
        try:
            world = world_of(self._settings, Say(io.StringIO(), quiet=True))
            world = replace(world, memory=_Unproved(self._settings.state), ending=self.cancel)
            shun = self._looker.strangers()
            found = world.finder(world).find(
                self._host, self._within, self._seen, prover=_Prover(self._looker), shun=shun
            )
            found.session.close()
        except Trouble as trouble:
            self.trouble = trouble
        except Exception as error:  # noqa: BLE001 - a thread must not print a traceback into ssh's terminal
            self.trouble = Trouble(Kind.NOT_WELL, f"the search failed: {type(error).__name__}: {error}")
        finally:
            self.ended.set()
            self._ears.ring()

    def _seen(self, sight: Sight) -> None:
        if sight.what == "claim" and sight.spot is not None:
            self._ears.learn(sight.spot)
        elif sight.what == "note":
            self._ears.tell(sight.text)
