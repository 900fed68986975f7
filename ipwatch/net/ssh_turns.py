"""The turns of a connection's one thread: it waits for the SSH socket, for every client's, and for calls of others."""

import selectors
import socket
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from ipwatch.net.ssh_packets import Packets

_LOOK = 0.5  # seconds between two looks at whoever waits for a word of the far end's


class Client(Protocol):
    """Whoever owns a client's socket."""

    def ready(self, events: int) -> None:
        """It can be read or written."""
        ...

    def unpark(self) -> None:
        """The line takes more."""
        ...

    def look_again(self) -> None:
        """Some time has passed."""
        ...


class Turns:
    """Made for one SSH socket, which does not block."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._lock = threading.Lock()
        self._calls: deque[Callable[[], None]] = deque()
        self._ended = False
        self._parked: deque[Client] = deque()
        self.capped: set[Client] = set()  # who waits for the far end's word although its window is open
        self._writing = False
        self._selector = selectors.DefaultSelector()
        self._awake, self._waker = socket.socketpair()
        for end in (self._awake, self._waker):
            end.setblocking(False)
        self._selector.register(sock, selectors.EVENT_READ)
        self._selector.register(self._awake, selectors.EVENT_READ)

    def turn(self, packets: Packets, busy: Callable[[], bool]) -> None:
        """Send what waits, wait until something can be done, and do it. busy: nobody may send more at present. Raises
        EOFError at the end of the connection."""
        packets.flush()
        if self._parked and not busy():
            self._unpark(packets, busy)
        self._watch_line(packets.stuck)
        for key, events in self._selector.select(_LOOK if self.capped else None):
            if key.data is not None:
                key.data.ready(events)
            elif key.fileobj is self._awake:
                self._wake()
            elif events & selectors.EVENT_READ:
                packets.fill()
        if self.capped:
            for client in tuple(self.capped):
                client.look_again()

    def _watch_line(self, writing: bool) -> None:
        if writing is not self._writing:
            self._writing = writing
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if writing else 0)
            self._selector.modify(self._sock, events)

    def _unpark(self, packets: Packets, busy: Callable[[], bool]) -> None:
        """In turns: each sends one packet, until the line is full again."""
        for _ in range(len(self._parked)):
            if busy():
                return
            self._parked.popleft().unpark()
            packets.flush()

    def _wake(self) -> None:
        with suppress(BlockingIOError, InterruptedError):
            while len(self._awake.recv(4096)) == 4096:
                pass
        while self._calls:
            self._calls.popleft()()

    def post(self, call: Callable[[], None]) -> None:
        """Have the thread do that soon, unless it has ended."""
        with self._lock:
            if not self._ended:
                self._calls.append(call)
                self._nudge()

    def nudge(self) -> None:
        """Make the thread take another turn."""
        with self._lock:
            if not self._ended:
                self._nudge()

    def _nudge(self) -> None:
        with suppress(BlockingIOError):  # it has not even seen the last ones
            self._waker.send(b"\0")

    def park(self, client: Client) -> None:
        """Serve that client again as soon as the line takes more."""
        self._parked.append(client)

    def watch(self, sock: socket.socket, events: int, before: int, owner: Client) -> None:
        """Call owner.ready at these events. before: what was watched until now."""
        if events == before:
            return
        if not events:
            self._selector.unregister(sock)
        elif not before:
            self._selector.register(sock, events, owner)
        else:
            self._selector.modify(sock, events, owner)

    def end(self) -> None:
        """Take no more calls."""
        with self._lock:
            self._ended = True
            self._calls.clear()

    def close(self) -> None:
        """Let go of everything; no client is watched any more."""
        self._selector.close()
        self._awake.close()
        self._waker.close()
