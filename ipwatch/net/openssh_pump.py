"""Carries every connection of one ssh, over one connection to its control socket in proxy mode: one thread, and turns
by whoever is ready.

That connection is closed with the link only, and a channel is given up only when its answer has come: ssh ends when
its client goes away while a channel is not open (channels.c, chan_send_close2, OpenSSH 9.2 to 10.2), and never forgets
one that the far end did not open.
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
from ipwatch.net.openssh_mux import MuxConnection
from ipwatch.net.openssh_stream import LARGEST, Stream
from ipwatch.ports import Unreachable
from ipwatch.protocols import ssh_connection as wire
from ipwatch.protocols.ssh_connection import BadMessage, NotOpened

_BUFFER = 256 * 1024
_FULL = 256 * 1024  # bytes that wait for ssh before clients are no longer read
_LOOK = 0.5  # seconds between two looks at whoever waits for a word of the far end's
_FAILURES = 4000  # channels not opened, of the 10,000 that make ssh end (channels.c): then the link is made anew


class Pump:
    """The thread. line: a connection in proxy mode, this pump's own: when it ends, ssh has. rtt: the link's smallest
    round trip in seconds. lost: called when all is over, in this thread."""

    def __init__(self, line: MuxConnection, rtt: Callable[[], float], lost: Callable[[], None]) -> None:
        self.up = bytearray(wire.HEAD + wire.LARGEST)
        self.busy = False
        self.rtt = rtt()
        self.capped: set[Stream] = set()
        self._measure, self._measured = rtt, time.monotonic()
        self._line, self._lost = line.sock, lost
        self._in = bytearray(_BUFFER)
        self._rest = line.rest()
        self._out = bytearray()
        self._streams: dict[int, Stream] = {}
        self._current: Stream | None = None  # whose content comes
        self._left = 0  # bytes of content of the current message that are still to come
        self._pieces: list[memoryview] = []  # of it, to be given to it at once
        self._numbers = itertools.count(1)
        self._failures = 0
        self._calls: deque[Callable[[], None]] = deque()
        self._lock = threading.Lock()
        self._over = False
        self._selector = selectors.DefaultSelector()
        self._bell, self._ear = socket.socketpair()
        for sock in (self._bell, self._ear, self._line):
            sock.setblocking(False)
        for sock in (self._ear, self._line):
            self._selector.register(sock, selectors.EVENT_READ)
        self._writing = False
        self._thread = threading.Thread(target=self._run, name="openssh-pump", daemon=True)
        self._thread.start()

    # From any thread.

    def open(self, client: socket.socket, target: Target, ended: Callable[[], None]) -> Stream:
        """Ask for a channel; `settled` of the stream tells. Raises Unreachable."""
        stream = Stream(self, next(self._numbers), client, ended)
        ask = wire.open_channel(stream.number, target.host, target.port, stream.window.size, LARGEST)

        def begin() -> None:
            self._streams[stream.number] = stream
            self.say(ask)

        self.post(begin)
        return stream

    def post(self, call: Callable[[], None]) -> None:
        """Have the thread do that soon; raises Unreachable when it has ended."""
        with self._lock:
            if self._over:
                raise Unreachable("the link is lost")
            self._calls.append(call)
            with suppress(BlockingIOError):  # it has been rung already
                self._bell.send(b"\0")

    def join(self, within: float) -> None:
        """Wait for its end."""
        self._thread.join(within)

    # Of openssh_stream.Pump.

    def say(self, data: bytes | memoryview) -> None:
        """See there. That ssh has ended is found out by reading."""
        if self._out:
            self._out += data
        else:
            sent = self._sent(data)
            if sent < len(data):
                self._out += data[sent:]
        self.busy = len(self._out) >= _FULL

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
        self._streams.pop(stream.number, None)
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
        if self._writing is not bool(self._out):
            self._writing = bool(self._out)
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._writing else 0)
            self._selector.modify(self._line, events)
        for key, events in self._selector.select(_LOOK if self.capped else None):
            if isinstance(key.data, Stream):
                key.data.ready(events)
            elif key.fileobj is self._ear:
                self._act()
            else:
                self._line_ready(events)
        now = time.monotonic()
        if now - self._measured >= _LOOK:
            self._measured, self.rtt = now, self._measure()
            capped, self.capped = self.capped, set()
            for stream in capped:
                stream.look_again()
        if self._failures >= _FAILURES:
            self._over = True

    def _act(self) -> None:
        with suppress(BlockingIOError):
            self._ear.recv(4096)
        while self._calls:
            self._calls.popleft()()

    def _line_ready(self, events: int) -> None:
        if events & selectors.EVENT_WRITE and self._out:
            del self._out[: self._sent(self._out)]
            if self.busy and not self._out:
                self.busy = False
                for stream in tuple(self._streams.values()):
                    stream.look_again()
        if events & selectors.EVENT_READ:
            self._receive()

    def _sent(self, data: bytes | bytearray | memoryview) -> int:
        try:
            return self._line.send(data)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError:
            self._over = True
            return len(data)

    def _receive(self) -> None:
        buffer, rest = self._in, self._rest
        buffer[: len(rest)] = rest
        try:
            count = self._line.recv_into(memoryview(buffer)[len(rest) :])
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            count = 0
        if count == 0:
            self._over = True
            return
        view = memoryview(buffer)[: len(rest) + count]
        at = 0
        while at < len(view):
            if self._left:
                self._pieces.append(view[at : at + self._left])
                at += len(self._pieces[-1])
                self._left -= len(self._pieces[-1])
            elif (whole := self._message(view[at:])) == 0:
                break
            else:
                at += whole
        self._pass_on()
        self._rest = bytes(view[at:])

    def _pass_on(self) -> None:
        if self._pieces and self._current is not None:
            self._current.data(self._pieces)
        self._pieces.clear()

    def _message(self, view: memoryview) -> int:
        """Read the message at the begin, of a data message its head; how long that is, 0 when it is not all there."""
        if len(view) < 10 or (len(view) < wire.HEAD and len(view) < wire.length_of(view)):
            return 0
        stream = self._streams.get(wire.channel_of(view))
        if stream is not self._current or view[5] != wire.DATA:
            self._pass_on()
        if (content := wire.content_of(view)) >= 0:
            self._current, self._left = stream, content
            return wire.HEAD
        length = wire.length_of(view)
        if len(view) < length:
            return 0
        if stream is not None:
            stream.heard(wire.message(view[:length].tobytes()))
        return length

    def _finish(self) -> None:
        with self._lock:
            self._over = True
        with suppress(KeyError, ValueError):
            self._act()
        for stream in tuple(self._streams.values()):
            stream.lost()
        self._selector.close()
        for sock in (self._bell, self._ear, self._line):
            sock.close()
