"""A line between two loopback ports: so many bytes a second, so much delay, and a queue that holds so much, first in
first out. Each direction is a line of its own, shared by all connections through it, like a router's uplink."""

import selectors
import socket
import threading
import time
from collections import deque
from contextlib import suppress
from typing import NamedTuple

_SLACK = 0.001  # seconds early that a piece may arrive: the machine's clock is no finer


class Line(NamedTuple):
    """rate: bytes a second, 0 for no limit. delay: seconds one way. queue: bytes that wait for the line at most."""

    rate: float = 0
    delay: float = 0.0
    queue: int = 4 * 1024 * 1024


class _Way:
    """One direction of the line: when what waits now has left, and how many bytes are on their way."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.free_at = 0.0
        self.held = 0

    @property
    def full(self) -> bool:
        return self.held >= self.line.queue + self.line.rate * self.line.delay

    def enter(self, now: float, size: int) -> float:
        """When a piece that enters now arrives at the other side."""
        self.held += size
        if not self.line.rate:
            return now + self.line.delay
        self.free_at = max(self.free_at, now) + size / self.line.rate
        return self.free_at + self.line.delay


class _End:
    """One side of a connection. travelling: what is on its way to it, and when it arrives; b"" is the end."""

    def __init__(self, sock: socket.socket, out: _Way, back: _Way) -> None:
        self.sock, self.out, self.back = sock, out, back
        self.other: _End = self
        self.travelling: deque[tuple[float, bytes]] = deque()
        self.reading = self.said = True  # said: it may still say something
        self.stuck = False


class SlowLine:
    """Relays connections to `target`; `port` is where to connect. `silent`: nothing passes any more, nobody is told."""

    def __init__(self, target: tuple[str, int], line: Line) -> None:
        self._target = target
        self._ways = _Way(line), _Way(line)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.silent = False
        self._ends: list[_End] = []
        self._ending = False
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, name="slow line", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it and every connection."""
        self._ending = True
        self._thread.join()
        self._listener.close()
        self._selector.close()
        for end in self._ends:
            end.sock.close()

    def __enter__(self) -> "SlowLine":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        while not self._ending:
            if self.silent:
                time.sleep(0.02)
                continue
            now = time.monotonic()
            due = min((end.travelling[0][0] for end in self._ends if end.travelling), default=now + 0.1)
            least = 0.001 if any(end.stuck for end in self._ends) else 0.0
            for key, _ in self._selector.select(max(least, min(0.1, due - now - _SLACK))):
                if key.data is None:
                    self._accept()
                else:
                    self._read(key.data)
            for end in self._ends:
                self._deliver(end)

    def _accept(self) -> None:
        near, _ = self._listener.accept()
        far = socket.create_connection(self._target)
        there, back = self._ways
        ends = _End(near, there, back), _End(far, back, there)
        ends[0].other, ends[1].other = ends[1], ends[0]
        for end in ends:
            end.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            end.sock.setblocking(False)
            self._ends.append(end)
            self._selector.register(end.sock, selectors.EVENT_READ, end)

    def _read(self, end: _End) -> None:
        piece = b""
        if not end.out.full:
            try:
                piece = end.sock.recv(16 * 1024 if end.out.line.rate else 256 * 1024)
            except BlockingIOError:
                return
            except OSError:
                pass
            end.said = bool(piece)
            end.other.travelling.append((end.out.enter(time.monotonic(), len(piece)), piece))
        if not piece:
            end.reading = False
            self._selector.unregister(end.sock)

    def _deliver(self, end: _End) -> None:
        """Hand over what has arrived; and let it speak again when the line has room."""
        end.stuck = False
        while end.travelling and end.travelling[0][0] <= time.monotonic() + _SLACK:
            arrives, piece = end.travelling.popleft()
            try:
                count = end.sock.send(piece) if piece else end.sock.shutdown(socket.SHUT_WR) or 0
            except BlockingIOError:
                count = 0
            except OSError:
                count = len(piece)
            end.back.held -= count
            if count < len(piece):
                end.travelling.appendleft((arrives, piece[count:]))
                end.stuck = True
                break
        if not end.reading and end.said and not end.out.full:
            end.reading = True
            with suppress(OSError):
                self._selector.register(end.sock, selectors.EVENT_READ, end)
