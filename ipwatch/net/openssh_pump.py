"""Carries every connection of one ssh: one thread, and turns by whoever is ready.

Each stream has a line to ssh's control socket to itself while there are few: ssh's buffer for a line that many share
grows with their windows, and it is copied whenever it grows (sshbuf.c, OpenSSH 9.2).

A line is closed with the link only, and a channel is given up only when its answer has come: ssh ends when a client
goes away whose channel was not opened (channels.c, chan_send_close2, OpenSSH 9.2 to 10.2), and never forgets one that
the far end did not open.
"""

import itertools
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from ipwatch.core.forward import Target
from ipwatch.net.openssh_line import BUFFER, Line
from ipwatch.net.openssh_mux import MuxConnection
from ipwatch.net.openssh_stream import LARGEST, TURN, Stream
from ipwatch.ports import Unreachable
from ipwatch.protocols import ssh_connection as wire
from ipwatch.protocols.ssh_connection import BadMessage, NotOpened

_GONE = "the link is lost"
_RTT = 0.05  # seconds: what a round trip is taken for before one was measured
_LOOK = 0.5  # seconds between two looks at whoever waits for a word of the far end's
_LINES = 64
_FAILURES = 4000  # channels not opened, of the 10,000 that make ssh end (channels.c): then the link is made anew


class Pump:
    """The thread. first: a connection in proxy mode, this pump's own from now on. lost: called when all is over, in
    this thread. rtt: the smallest round trip to the far end's sshd so far, not that of TCP, which may end at a relay
    on the way."""

    def __init__(self, first: MuxConnection, lost: Callable[[], None]) -> None:
        self.up = bytearray(TURN * (wire.HEAD + wire.LARGEST))
        self.rtt = _RTT
        self.capped: set[Stream] = set()
        self._trips = self._failures = 0
        self._lost = lost
        self._buffer = bytearray(BUFFER)
        self._lines: list[Line] = []
        self._watched: dict[Line, int] = {}
        self._numbers = itertools.count(1)
        self._calls: deque[Callable[[], None]] = deque()
        self._lock = threading.Lock()
        self._over = False
        self._looked = time.monotonic()
        self._selector = selectors.DefaultSelector()
        self._bell, self._ear = socket.socketpair()
        for sock in (self._bell, self._ear):
            sock.setblocking(False)
        self._selector.register(self._ear, selectors.EVENT_READ)
        self.grow(first).users = 0
        self.post(lambda: None)
        self._thread = threading.Thread(target=self._run, name="openssh-pump", daemon=True)
        self._thread.start()

    # From any thread.

    def spare(self) -> Line | None:
        """A line for one more stream; None: make one and have the pump `grow`."""
        with self._lock:
            line = min(self._lines, key=lambda one: one.users)
            if line.users and len(self._lines) < _LINES:
                return None
            line.users += 1
            return line

    def grow(self, mux: MuxConnection) -> Line:
        """Take one more connection in proxy mode, for the stream the caller opens next; raises Unreachable."""
        line = Line(mux, self._buffer)
        with self._lock:
            if self._over:
                mux.close()
                raise Unreachable(_GONE)
            self._lines.append(line)
        return line

    def open(self, line: Line, client: socket.socket, target: Target, ended: Callable[[], None]) -> Stream:
        """Ask for a channel; `settled` of the stream tells. Raises Unreachable."""
        stream = Stream(self, line, next(self._numbers), client, ended)
        ask = wire.open_channel(stream.number, target.host, target.port, stream.window.size, LARGEST)

        def begin() -> None:
            line.streams[stream.number] = stream
            line.say(ask)

        self.post(begin)
        return stream

    def post(self, call: Callable[[], None]) -> None:
        """Have the thread do that soon; raises Unreachable when it has ended."""
        with self._lock:
            if self._over:
                raise Unreachable(_GONE)
            self._calls.append(call)
            with suppress(BlockingIOError):  # it has been rung already
                self._bell.send(b"\0")

    def took(self, seconds: float) -> None:
        """A channel was opened in that time: a round trip, and what the far end took to connect."""
        self.rtt = min(self.rtt, seconds) if self._trips else seconds
        self._trips += 1

    def join(self, within: float) -> None:
        """Wait for its end."""
        self._thread.join(within)

    # Of openssh_stream.Pump.

    def watch(self, stream: Stream, events: int, before: int) -> None:
        """See there."""
        if not events:
            self._selector.unregister(stream.client)
        elif not before:
            self._selector.register(stream.client, events, stream)
        else:
            self._selector.modify(stream.client, events, stream)

    def drop(self, stream: Stream) -> None:
        """See there."""
        if stream.line.streams.pop(stream.number, None) is not None:
            with self._lock:
                stream.line.users -= 1
                self._failures += isinstance(stream.answer, NotOpened)

    # The thread.

    def _run(self) -> None:
        try:
            while not self._over:
                self._turn()
        except BadMessage:  # nothing that comes after it can be understood
            pass
        finally:
            self._finish()
            self._lost()

    def _turn(self) -> None:
        for key, events in self._selector.select(_LOOK if self.capped else None):
            if isinstance(key.data, Stream):
                key.data.ready(events)
                self._watch_line(key.data.line)
            elif isinstance(key.data, Line):
                self._line_ready(key.data, events)
            else:
                self._act()
        now = time.monotonic()
        if now - self._looked >= _LOOK:
            self._looked = now
            capped, self.capped = self.capped, set()
            for stream in capped:
                stream.look_again()

    def _act(self) -> None:
        with suppress(BlockingIOError):
            self._ear.recv(4096)
        while self._calls:
            self._calls.popleft()()
        for line in self._lines:
            self._watch_line(line)

    def _line_ready(self, line: Line, events: int) -> None:
        if events & selectors.EVENT_WRITE and line.waiting:
            line.flush()
        if events & selectors.EVENT_READ:
            line.receive()
        self._watch_line(line)
        self._over = self._over or line.over or self._failures >= _FAILURES

    def _watch_line(self, line: Line) -> None:
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if line.waiting else 0)
        before = self._watched.get(line, 0)
        if events != before:
            self._watched[line] = events
            if before:
                self._selector.modify(line.sock, events, line)
            else:
                self._selector.register(line.sock, events, line)

    def _finish(self) -> None:
        with self._lock:
            self._over = True
        self._act()
        for line in self._lines:
            for stream in tuple(line.streams.values()):
                stream.lost()
            line.sock.close()
        self._selector.close()
        for sock in (self._bell, self._ear):
            sock.close()
