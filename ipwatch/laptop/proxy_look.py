"""Which of the machines that answer is the host: a look at the key each shows, before ssh is let near one.

ssh proves the key itself, but once it has a connection it can not go on to another candidate. Standard library only.
"""

import socket
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from enum import StrEnum
from typing import NamedTuple

from ipwatch.core.candidate import Spot
from ipwatch.core.host import HostKey, Pins, Verdict
from ipwatch.core.ssh_faults import NotSsh
from ipwatch.net.glance import shown_key

_SHUN_STRANGER = 30.0  # seconds
_SHUN_OTHER = 4.0  # OpenSSH 9.8 counts a connection without a login as a second's penalty


class Fate(StrEnum):
    """What a look saw."""

    PINNED = "pinned"
    STRANGER = "stranger"
    REVOKED = "revoked"
    NOT_SSH = "not ssh"


_OTHERS = frozenset({Fate.STRANGER, Fate.REVOKED})


class Look(NamedTuple):
    """at: by the monotonic clock. text: a clause for what is not the host."""

    fate: Fate
    at: float
    text: str = ""
    key: HostKey | None = None


class Looker:
    """Looks from any number of threads, once a spot: who comes second waits for the first, and the connection it
    brought is ssh's if the spot is the host's. ring: called after each look. tell: takes a sentence."""

    def __init__(self, pins: Pins, ring: Callable[[], None], tell: Callable[[str], None]) -> None:
        self._pins, self._ring, self._tell = pins, ring, tell
        self._lock = threading.Lock()
        self._under_way: dict[Spot, threading.Event] = {}
        self._spare: list[tuple[Spot, socket.socket]] = []
        self._looks: dict[Spot, Look] = {}
        self.found: Spot | None = None

    @property
    def busy(self) -> bool:
        """Whether a look is under way."""
        with self._lock:
            return bool(self._under_way)

    @property
    def latest(self) -> float:
        """When the last look ended, by the monotonic clock."""
        with self._lock:
            return max((look.at for look in self._looks.values()), default=0.0)

    def look(self, sock: socket.socket, spot: Spot, within: timedelta) -> Look:
        """Whose key is shown there. Takes the socket over."""
        mine = threading.Event()
        with self._lock:
            known = self._looks.get(spot)
            if known is not None and (spot == self.found or _is_young(known)):  # the full search comes after
                sock.close()
                return known
            before = self._under_way.setdefault(spot, mine)
            if before is not mine:
                self._spare.append((spot, sock))
        if before is not mine:
            before.wait(within.total_seconds())
            return self._looks.get(spot) or Look(Fate.NOT_SSH, time.monotonic(), "it says nothing")
        look = self._seen(sock, within)
        with self._lock:
            self._looks[spot] = look
            self._under_way.pop(spot)
            if look.fate is Fate.PINNED and self.found is None:
                self.found = spot
        mine.set()
        if look.fate in _OTHERS and (known is None or known.fate is not look.fate):
            self._tell(f"another machine is at {spot}: {look.text}; it is passed over")
        self._ring()
        return look

    def _seen(self, sock: socket.socket, within: timedelta) -> Look:
        try:
            key = shown_key(sock, self._pins.kinds, within)
        except NotSsh as other:
            return Look(Fate.NOT_SSH, time.monotonic(), str(other))
        text = f"its host key is {key.kind} {key.fingerprint}"
        match self._pins.judge(key):
            case Verdict.PINNED:
                return Look(Fate.PINNED, time.monotonic(), key=key)
            case Verdict.REVOKED:
                return Look(Fate.REVOKED, time.monotonic(), f"{text}, which is revoked", key)
            case _:
                return Look(Fate.STRANGER, time.monotonic(), text, key)

    def forget(self, spot: Spot) -> None:
        """It is not there any more."""
        with self._lock:
            self._looks.pop(spot, None)
            self.found = None

    def shunned(self) -> set[Spot]:
        """Spots that are not to be looked at again yet."""
        with self._lock:
            return {spot for spot, look in self._looks.items() if _is_young(look)}

    def strangers(self) -> set[Spot]:
        """Those of them at which another machine is."""
        with self._lock:
            return {s for s, look in self._looks.items() if _is_young(look) and look.fate in _OTHERS}

    def spare(self, spot: Spot | None) -> socket.socket | None:
        """A connection to that spot on which nothing was said yet; all others are closed."""
        with self._lock:
            held, self._spare = self._spare, []
        chosen = next((sock for where, sock in held if where == spot), None)
        for _, sock in held:
            if sock is not chosen:
                sock.close()
        return chosen


def _is_young(look: Look) -> bool:
    return time.monotonic() - look.at < (_SHUN_OTHER if look.fate is Fate.NOT_SSH else _SHUN_STRANGER)
