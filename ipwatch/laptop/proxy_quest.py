"""The proxy's search: what is known by heart first, then everything; and when nothing answers, a wake.

Standard library only until `_begin_search`: what is imported inside functions is heavy, or not needed for the first
packet.
"""

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from ipwatch.core.candidate import Spot
from ipwatch.core.trouble import Kind, Trouble
from ipwatch.laptop.proxy_memory import Glances
from ipwatch.net.dial import Dialled, Dialler
from ipwatch.settings.laptop_quick import Quick

if TYPE_CHECKING:
    from ipwatch.laptop.proxy_find import Search
    from ipwatch.laptop.proxy_look import Looker
    from ipwatch.settings.laptop_model import Laptop

_SOON = 0.3  # seconds; then the full search begins
_STAGGER = 0.1  # between two attempts; what is known by heart is little
_ASLEEP = 4.0  # nothing answered for so long: it is to be woken
_LIMIT = 9.0  # of a search without a wake; VS Code gives up after 15 s and shows what was said until then
_LOOK = timedelta(seconds=8)  # below _LIMIT; a loaded sshd takes seconds to show its key, and ssh alone would wait
_CONNECT = 5.0
_TICK = 0.1
_ROUND = 3.0  # while it boots
_AGAIN = 20.0  # between the begins of two full searches while it boots
_PROGRESS = 10.0
_SLEEPS = frozenset({Kind.UNREACHABLE, Kind.NOT_SSH})  # how a machine looks that is asleep behind a router


def dialled(spot: Spot, within: float) -> socket.socket:
    """A connection; raises OSError. ssh sets no options on a socket that it did not make itself."""
    sock = socket.create_connection((spot.ip, spot.port), within)
    sock.settimeout(None)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return sock


class Quest:
    """One search. tell: takes sentences, from any thread."""

    def __init__(self, host: Quick, config: str | None, glances: Glances, tell: Callable[[str], None]) -> None:
        self._host, self._config, self._tell = host, config, tell
        self._begun = time.monotonic()
        self._lock = threading.Lock()
        self._known: dict[Spot, None] = {}
        self._dialler = Dialler(stagger=_STAGGER, timeout=_LIMIT)
        self._looker: Looker | None = None
        self._settings: Laptop | None = None
        self._search: Search | None = None
        self._searched = 0.0
        for spot in (*glances.spots(), *([host.lan] if host.lan else [])):
            if spot.port == host.port or spot == host.lan:
                self._learn(spot)
        for name in host.names:
            threading.Thread(target=self._resolve, args=(name,), name=f"resolve {name}", daemon=True).start()

    def found(self) -> tuple[Spot, socket.socket]:
        """Where the host is, and a connection to it on which nothing was said; raises Trouble."""
        first = self._dialler.next(0.0)  # the first packet leaves before anything more is imported
        self._looker = self._make_looker()
        self._take(first)
        limit = _ASLEEP if self._host.wakes else _LIMIT
        if (found := self._looked(self._begun + limit, self._in_vain)) is not None:
            return found
        trouble = self._search.trouble if self._search is not None else None
        if not self._host.wakes or (trouble is not None and trouble.kind not in _SLEEPS):
            raise trouble or Trouble(Kind.UNREACHABLE, f"{self._host.name} does not answer")
        return self._woken()

    def close(self) -> None:
        """Let go of whatever is under way."""
        if self._search is not None:
            self._search.cancel.set()
        self._dialler.close()
        if self._looker is not None:
            self._looker.spare(None)

    def _learn(self, spot: Spot) -> None:
        with self._lock:
            self._known.setdefault(spot)
        self._dialler.add(spot)

    def _resolve(self, name: str) -> None:
        with suppress(OSError, UnicodeError):
            for info in socket.getaddrinfo(name, self._host.port, type=socket.SOCK_STREAM):
                self._learn(Spot(str(info[4][0]), self._host.port))

    def _make_looker(self) -> "Looker":
        from ipwatch.core.host import BadKey, HostKey  # noqa: PLC0415 - after the first packet
        from ipwatch.laptop.memory import Memory  # noqa: PLC0415
        from ipwatch.laptop.proxy_look import Looker  # noqa: PLC0415
        from ipwatch.laptop.sshconfig import keep_configured  # noqa: PLC0415

        name = self._host.name
        try:
            keys = [HostKey.parse(text) for text in self._host.keys]
        except BadKey as bad:
            self._all_settings()  # has a sentence for it
            raise Trouble(Kind.CONFIGURATION, f"a key of {name} can not be read: {bad}") from None
        pins = Memory(self._host.state).pins(name, keys)
        if not pins.keys:
            why = f"no host key is pinned for {name}, so nothing can be proved: run `ipwatch trust {name}`"
            raise Trouble(Kind.NOT_PINNED, why)
        keep_configured(self._host.state, {name: keys})
        return Looker(pins, self._ring, self._tell)

    def _ring(self) -> None:
        self._dialler.wake()

    def _take(self, ended: Dialled | None) -> None:
        """Look at whoever answers, in a thread: one that says nothing must not hold up the others."""
        if ended is not None and ended.sock is not None and self._looker is not None:
            arguments = (ended.sock, ended.spot, _LOOK)
            threading.Thread(target=self._looker.look, args=arguments, name="look", daemon=True).start()

    def _looked(self, until: float, over: Callable[[], bool]) -> tuple[Spot, socket.socket] | None:
        """Dial and look until the host is found, the time is over, or `over` says so."""
        looker = self._looker
        while looker is not None and (left := until - time.monotonic()) > 0:
            if (spot := looker.found) is not None:
                try:
                    return spot, looker.spare(spot) or dialled(spot, _CONNECT)
                except OSError:  # it was there a moment ago
                    looker.forget(spot)
            if over():
                return None
            self._take(self._dialler.next(min(left, _TICK)))
        return None

    def _in_vain(self) -> bool:
        """Whether the full search has ended without the host. It begins here, when nobody answers soon."""
        busy = self._looker is not None and self._looker.busy
        if self._search is None:
            latest = max(self._begun, self._looker.latest if self._looker is not None else 0.0)
            if not busy and time.monotonic() - latest >= _SOON:  # after a stranger the next one is under way
                self._begin_search()
            return False
        return self._search.ended.is_set() and not busy and self._search.trouble is not None

    def _all_settings(self) -> "Laptop":
        from ipwatch.laptop.proxy_find import settings_of  # noqa: PLC0415 - heavy

        self._settings = self._settings or settings_of(self._config)
        return self._settings

    def _begin_search(self) -> None:
        from ipwatch.laptop.proxy_find import Ears, Search  # noqa: PLC0415 - heavy

        if self._looker is not None:
            self._searched = time.monotonic()
            within = timedelta(seconds=max(1.0, _LIMIT - (self._searched - self._begun)))
            settings = self._all_settings()
            host = settings.hosts[self._host.name]._replace(port=self._host.port)
            self._search = Search(settings, host, self._looker, within, Ears(self._learn, self._ring, self._tell))

    def _woken(self) -> tuple[Spot, socket.socket]:
        """Have it woken and try until it answers; raises Trouble WAKE_FAILED."""
        from ipwatch.laptop.memory import Memory  # noqa: PLC0415 - heavy
        from ipwatch.laptop.proxy_wake import Rouse  # noqa: PLC0415

        settings = self._all_settings()
        name = self._host.name
        rouse = Rouse(settings.hosts[name], Memory(settings.state), settings.path)
        self._tell(rouse.start())
        begun = told = time.monotonic()
        while (now := time.monotonic()) < begun + rouse.takes:
            self._again(now)
            if (found := self._looked(min(now + _ROUND, begun + rouse.takes), lambda: False)) is not None:
                self._tell(f"{name} answers after {time.monotonic() - begun:.0f} s")
                return found
            if fault := rouse.fault():
                raise Trouble(Kind.WAKE_FAILED, fault)
            if now - told >= _PROGRESS:
                told = now
                self._tell(f"waiting for {name}: {now - begun:.0f} s of {rouse.lasts}")
        raise Trouble(Kind.WAKE_FAILED, f"{name} did not answer within {rouse.takes:.0f} s after the wake")

    def _again(self, now: float) -> None:
        """Dial everything known once more, and ask for new addresses now and then."""
        self._dialler.close()
        self._dialler = Dialler(stagger=_STAGGER, timeout=_ROUND)
        shunned = self._looker.shunned() if self._looker is not None else set()
        with self._lock:
            known = [spot for spot in self._known if spot not in shunned]
        for spot in known:
            self._dialler.add(spot)
        if self._search is None or (self._search.ended.is_set() and now - self._searched >= _AGAIN):
            self._begun = now
            self._begin_search()
