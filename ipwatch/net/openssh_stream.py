"""One carried connection: a client's socket on one side, a channel through ssh's proxy mode on the other.

All of it but `wait` runs in the pump's thread. What the client does not take at once is kept; the window bounds that.
"""

import selectors
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

from ipwatch.core.window import Window
from ipwatch.net.openssh_line import Line
from ipwatch.protocols import ssh_connection as wire
from ipwatch.protocols.ssh_connection import Asked, Ended, Message, NotOpened, Opened, Other

LARGEST = 128 * 1024  # bytes of content we take at once
TURN = 6  # messages that are sent at once: as many as a socket to ssh holds, and others have their turn (unix(7))
_PIECES = 512  # in one call, of the 1024 POSIX systems take (IOV_MAX)
_PATIENCE = 1.0  # seconds without a word from the far end after which its whole window is used again
_READ, _WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


class Pump(Protocol):
    """The pump, as a stream sees it. up: a buffer that is free whenever a stream has its turn. rtt: the link's smallest
    round trip in seconds. capped: whom the far end would take more of, but should say something first; `look_again` is
    called of them from time to time."""

    up: bytearray
    rtt: float
    capped: "set[Stream]"

    def watch(self, stream: "Stream", events: int, before: int) -> None:
        """Call `stream.ready` at these events of its client. before: what was watched until now."""
        ...

    def drop(self, stream: "Stream") -> None:
        """Its channel is no more."""
        ...


class Stream:
    """number: of our end of the channel."""

    def __init__(self, pump: Pump, line: Line, number: int, client: socket.socket, ended: Callable[[], None]) -> None:
        self.line, self.number, self.client = line, number, client
        self.answer: Opened | NotOpened | None = None
        self.settled = threading.Event()
        self.window = Window()
        self._pump, self._ended = pump, ended
        self._granted = self.window.size  # bytes the far end may still send
        self._backlog: deque[bytes] = deque()
        self._waiting = 0  # bytes in it
        self._peer = self._room = self._largest = 0
        self._serving = self._reading = False  # the client is ours; it may still send
        self._given_up = self._eof = self._closing = self._closed = False
        self._sending = Window()
        self._under_way = self._piece = self._watched = 0
        self._heard = 0.0

    def begin(self) -> None:
        """The client is ours from now on."""
        self._serving, self._reading = True, not self._closed
        self.client.setblocking(False)
        self._drain()
        self._look()

    def give_up(self) -> None:
        """Nobody waits for it any more."""
        self._given_up = True
        if isinstance(self.answer, Opened):
            self._close()

    def lost(self) -> None:
        """ssh is gone: reset the client, so that it tries again at once."""
        self.settled.set()
        if self._serving:
            with suppress(OSError):
                self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._let_go()

    def heard(self, message: Message) -> None:
        """A message that is no data."""
        match message:
            case Opened(peer, room, largest):
                self._peer, self._room, self._largest = peer, room, min(largest, wire.LARGEST)
                self._settle(message)
                if self._given_up:
                    self._close()
            case NotOpened():
                self._settle(message)
                self._pump.drop(self)
            case Ended(closed):
                self._far_ended(closed)
            case Asked(reply):
                if reply and not self._closing:
                    self.line.say(wire.unknown(self._peer))
            case Other(content):
                self._granted -= content
                self._credit(content)

    def _settle(self, answer: Opened | NotOpened) -> None:
        self.answer = answer
        self.settled.set()

    def ready(self, events: int) -> None:
        """The client's socket can be read or written."""
        if events & _WRITE and self._backlog:
            self._drain()
        if events & _READ and self._reading:
            self._send()
        self._look()

    def look_again(self) -> None:
        """ssh takes more; or see Pump.capped."""
        if self._serving:
            self._look()

    # From the far end to the client.

    def data(self, pieces: list[memoryview]) -> None:
        """Give them to the client, or keep what does not fit."""
        total = sum(map(len, pieces))
        self._granted -= total
        count = 0 if self._backlog or not self._serving else self._give(pieces)
        if count == total or self._closing:
            return
        for piece in pieces:
            if count < len(piece):
                self._backlog.append(bytes(piece[count:]))
                self._waiting += len(piece) - count
            count = max(0, count - len(piece))
        self._look()

    def _give(self, pieces: Sequence[memoryview | bytes]) -> int:
        """How much of them the client takes now, -1 when it is gone."""
        try:
            count = self.client.sendmsg(pieces[:_PIECES])
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError:
            self._finish()
            return -1
        self._credit(count)
        return count

    def _drain(self) -> None:
        while self._backlog and self._serving:
            piece = self._backlog[0]
            if (count := self._give([piece])) < 0:
                return
            self._waiting -= count
            if count < len(piece):
                self._backlog[0] = piece[count:]
                return
            self._backlog.popleft()
        self._pass_on_the_end()

    def _credit(self, count: int) -> None:
        """So many bytes went where they belong: let the far end send more."""
        size = self.window.delivered(time.monotonic(), count, self._pump.rtt)
        more = size - self._granted - self._waiting
        if more >= size // 8 and not self._closing:
            self._granted += more
            self.line.say(wire.adjust(self._peer, more))

    def _far_ended(self, closed: bool) -> None:
        self._eof = True
        if closed:
            self._closed = True
            self._reading = False
            self._close()
            self._pump.drop(self)
        self._pass_on_the_end()
        self._look()

    def _pass_on_the_end(self) -> None:
        """The client has everything: it gets the end-of-file as well."""
        if self._eof and self._serving and not self._backlog:
            with suppress(OSError):
                self.client.shutdown(socket.SHUT_WR)
            if not self._reading:
                self._finish()

    # From the client to the far end.

    def _allowed(self) -> int:
        """Bytes that may go now. The far end tells what it passed on in pieces: fewer than two stop the flow."""
        allowed = min(self._room, TURN * self._largest)
        if allowed <= 0 or not self._piece or time.monotonic() - self._heard >= _PATIENCE:
            return allowed
        held = max(self._sending.size, 2 * self._piece) + wire.LARGEST - self._under_way
        if held <= 0:
            self._pump.capped.add(self)
        return min(allowed, held)

    def _send(self) -> None:
        """One turn."""
        if self.line.waiting or (allowed := self._allowed()) <= 0:
            return
        view, largest = memoryview(self._pump.up), self._largest
        heads = range(0, TURN * (wire.HEAD + largest), wire.HEAD + largest)  # where they stand, each before its content
        sizes = [min(largest, left) for left in range(allowed, 0, -largest)]
        places = [view[at + wire.HEAD : at + wire.HEAD + size] for at, size in zip(heads, sizes, strict=False)]
        try:
            count = self.client.recvmsg_into(places)[0]
        except (BlockingIOError, InterruptedError):
            return
        except OSError:  # the client is gone
            self._finish()
            return
        if count == 0:
            self._reading = False
            self.line.say(wire.end(self._peer))
            self._pass_on_the_end()
            return
        self._room -= count
        self._under_way += count
        end = 0
        for at, left in zip(heads, range(count, 0, -largest), strict=False):
            view[at : at + wire.HEAD] = wire.data_head(self._peer, min(largest, left))
            end = at + wire.HEAD + min(largest, left)
        self.line.say(view[:end])

    def grew(self, count: int) -> None:
        """The far end takes so many bytes more."""
        self._room += count
        self._heard = time.monotonic()
        self._under_way = max(0, self._under_way - count)
        self._piece = max(self._piece, count)
        self._sending.delivered(self._heard, count, self._pump.rtt)
        self._look()

    # The end.

    def _finish(self) -> None:
        """The client has everything, or is gone."""
        self._close()
        self._let_go()

    def _close(self) -> None:
        """Our side of the channel is done; it is over when the far end says so, too."""
        if not self._closing:
            self._closing = True
            self.line.say(wire.close(self._peer))

    def _let_go(self) -> None:
        if self._serving:
            self._serving = self._reading = False
            self._look()
            self.client.close()
            self._backlog.clear()
            self._pump.capped.discard(self)
            self._ended()

    def _look(self) -> None:
        """Watch the client for what can be done."""
        reads = self._serving and self._reading and not self.line.waiting and self._allowed() > 0
        events = (_READ if reads else 0) | (_WRITE if self._serving and self._backlog else 0)
        if events != self._watched:
            before, self._watched = self._watched, events
            self._pump.watch(self, events, before)
