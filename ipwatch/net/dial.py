"""Staggered TCP connects (RFC 8305 5): several addresses tried soon after one another, not one after the other's end.

Standard library only, so that a command which has to start fast can use it.
"""

import errno
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import NamedTuple, Self

from ipwatch.core.candidate import Spot

# An attempt older than this takes no place of the `most` any more, though it goes on: a first SYN is repeated after
# 1 s and 3 s (RFC 6298 2 and 5.5), and what did not answer two of them must not keep a late address waiting. It is then
# made once more beside the first: routers choose a path by whatever identifies a flow (RFC 2992 1), the port we come
# from among it, and a path that swallows everything is not left by waiting.
_FRESH = 2.0
_AT_ONCE = 32  # sockets under way at most, whatever their age

REFUSED = "connection refused"
NO_ANSWER = "no answer"
NO_NETWORK = "the network is unreachable"
_REASONS = {
    errno.ECONNREFUSED: REFUSED,
    errno.ETIMEDOUT: NO_ANSWER,
    errno.EHOSTUNREACH: "no route to it",
    errno.ENETUNREACH: NO_NETWORK,
    errno.EADDRNOTAVAIL: NO_NETWORK,  # no local address of that family
    errno.EAFNOSUPPORT: NO_NETWORK,
    errno.ECONNRESET: "connection reset",
}
_BEGUN = {0, errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EAGAIN}  # EWOULDBLOCK: Windows


class Dialled(NamedTuple):
    """The end of one attempt: a connected socket (blocking, TCP_NODELAY), or why there is none."""

    spot: Spot
    sock: socket.socket | None
    reason: str = ""


class _Waiting(NamedTuple):
    rank: int
    number: int
    spot: Spot


class _Attempt(NamedTuple):
    spot: Spot
    sock: socket.socket
    begun: float


class Dialler:
    """Connects to what it is fed. It has no thread: all work is done inside `next`. `add`, `wake` and `close` may be
    called from other threads.

    stagger: seconds between the begins of two attempts; an attempt that failed is followed at once. most: attempts
    under way that are younger than 2 s. timeout: seconds for one spot. begun: told each spot as it is dialled.
    """

    def __init__(self, stagger: float = 0.25, most: int = 3, timeout: float = 10.0, *,
                 begun: Callable[[Spot], None] = lambda _spot: None) -> None:  # fmt: skip
        self._told = begun
        self._stagger, self._most, self._timeout = stagger, most, timeout
        self._lock = threading.Lock()  # of what `add` and `wake` share with `next`
        self._turn = threading.Lock()  # held during `next`
        self._waiting: list[_Waiting] = []
        self._seen: set[Spot] = set()
        self._left = 0
        self._nudged = self._closed = False
        self._ended: deque[Dialled] = deque()
        self._due = 0.0
        self._version = 4  # of the last attempt: IPv6 goes first (RFC 8305 4)
        self._wake_read, self._wake_write = socket.socketpair()
        self._wake_read.setblocking(False)
        self._wake_write.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._wake_read, selectors.EVENT_READ)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @property
    def left(self) -> int:
        """How many spots were added whose end `next` has not given yet."""
        with self._lock:
            return self._left

    def add(self, spot: Spot, rank: int = 0) -> None:
        """Dial it, too; once, however often it is added. Of those that wait the lowest rank goes first; in one rank
        the families take turns (RFC 8305 4)."""
        with self._lock:
            if spot in self._seen or self._closed:
                return
            self._seen.add(spot)
            self._waiting.append(_Waiting(rank, len(self._seen), spot))
            self._left += 1
        self._ring()

    def wake(self) -> None:
        """Let a `next` that waits, or else the next one, return None at once."""
        with self._lock:
            self._nudged = True
        self._ring()

    def next(self, within: float) -> Dialled | None:
        """The next attempt that ended; None after that many seconds, when woken, and when closed."""
        end = time.monotonic() + within
        with self._turn:
            while not self._closed:
                now = time.monotonic()
                self._begin_due(now)
                self._expire(now)
                self._repeat(now)
                if self._ended:
                    with self._lock:
                        self._left -= 1
                    return self._ended.popleft()
                with self._lock:
                    nudged, self._nudged = self._nudged, False
                if nudged or now >= end:
                    return None
                self._look(min(end, self._next_moment(now)) - now)
        return None

    def close(self) -> None:
        """Give up whatever is under way. Sockets that `next` gave are the caller's."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._ring()
        with self._turn:
            for attempt in self._attempts():
                attempt.sock.close()
            for ended in self._ended:
                if ended.sock is not None:
                    ended.sock.close()
            self._selector.close()
            self._wake_read.close()
            self._wake_write.close()

    def _ring(self) -> None:
        try:
            self._wake_write.send(b"x")
        except OSError:  # full: it rings already; closed: nobody is there
            return

    def _attempts(self) -> list[_Attempt]:
        return [key.data for key in self._selector.get_map().values() if key.data is not None]

    def _pick(self) -> Spot | None:
        with self._lock:
            if not self._waiting:
                return None
            chosen = min(self._waiting, key=lambda w: (w.rank, w.spot.version == self._version, w.number))
            self._waiting.remove(chosen)
            return chosen.spot

    def _begin_due(self, now: float) -> None:
        while self._may_begin(now) and (spot := self._pick()) is not None:
            self._version, self._due = spot.version, now + self._stagger
            self._told(spot)
            self._begin(spot, now)

    def _may_begin(self, now: float) -> bool:
        attempts = self._attempts()
        fresh = sum(now - attempt.begun < _FRESH for attempt in attempts)
        return fresh < self._most and len(attempts) < _AT_ONCE and now >= self._due

    def _begin(self, spot: Spot, now: float) -> None:
        sock = None
        try:
            sock = socket.socket(socket.AF_INET6 if spot.version == 6 else socket.AF_INET, socket.SOCK_STREAM)
            sock.setblocking(False)
            code = sock.connect_ex((spot.ip, spot.port))
            if code not in _BEGUN:
                raise OSError(code, "")
            self._selector.register(sock, selectors.EVENT_WRITE, _Attempt(spot, sock, now))
        except (OSError, UnicodeError) as error:
            if sock is not None:
                sock.close()
            self._fail(spot, reason_of(error))

    def _fail(self, spot: Spot, reason: str) -> None:
        self._forget(spot)
        self._ended.append(Dialled(spot, None, reason))
        self._due = 0.0

    def _forget(self, spot: Spot) -> None:
        for attempt in self._attempts():
            if attempt.spot == spot:
                self._selector.unregister(attempt.sock)
                attempt.sock.close()

    def _expire(self, now: float) -> None:
        late = dict.fromkeys(a.spot for a in self._attempts() if now - a.begun >= self._timeout)
        for spot in late:
            self._fail(spot, NO_ANSWER)

    def _alone(self) -> list[_Attempt]:
        """Those that were not made a second time, and may be."""
        attempts = self._attempts()
        spots = [attempt.spot for attempt in attempts]
        room = len(set(spots)) <= _AT_ONCE // 2
        return [attempt for attempt in attempts if room and spots.count(attempt.spot) == 1]

    def _repeat(self, now: float) -> None:
        for attempt in self._alone():
            if now - attempt.begun >= _FRESH:
                self._begin(attempt.spot, attempt.begun)

    def _next_moment(self, now: float) -> float:
        """When something is to be done although nothing happens."""
        attempts = self._attempts()
        moments = [attempt.begun + self._timeout for attempt in attempts]
        moments += [attempt.begun + _FRESH for attempt in self._alone()]
        with self._lock:
            if self._waiting:
                moments += [m for a in attempts if (m := a.begun + _FRESH) > now]
                moments += [self._due] if self._due > now else []
        return min(moments, default=now + 3600.0)

    def _look(self, seconds: float) -> None:
        for key, _ in self._selector.select(max(0.0, seconds)):
            if key.data is None:
                self._hush()
            else:
                self._end(key.data)

    def _hush(self) -> None:
        try:
            while self._wake_read.recv(4096):
                pass
        except OSError:
            return

    def _end(self, attempt: _Attempt) -> None:
        spot, sock, _ = attempt
        if sock.fileno() < 0:  # the other attempt ended in the same moment
            return
        try:
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                raise OSError(code, "")
            if sock.getsockname() == sock.getpeername():  # nobody listens there: it met itself (RFC 9293 3.5)
                raise ConnectionRefusedError(errno.ECONNREFUSED, "")
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setblocking(True)
        except OSError as error:
            self._fail(spot, reason_of(error))
        else:
            self._selector.unregister(sock)
            self._forget(spot)
            self._ended.append(Dialled(spot, sock))


def reason_of(error: OSError | UnicodeError) -> str:
    """Why a connection could not be made, as a clause."""
    code = error.errno if isinstance(error, OSError) else None
    if isinstance(error, TimeoutError):
        return NO_ANSWER
    if code in _REASONS:
        return _REASONS[code]
    import os  # noqa: PLC0415 - for the rare rest

    return os.strerror(code).lower() if code and code > 0 else "it can not be dialled"


def routed() -> bool:
    """Whether the system knows a way out to the internet, by either family. Nothing is sent: connecting a UDP socket
    only asks the routing table. The addresses are documentation's (RFC 5737 3, RFC 3849 2)."""
    for family, ip in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as sock:
                sock.connect((ip, 9))
        except OSError:
            continue
        return True
    return False


def source_of(ip: str) -> str:
    """This machine's own address on the way to that one; "" where there is no way. Nothing is sent."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect((ip, 9))
            return str(sock.getsockname()[0])
    except OSError:
        return ""
