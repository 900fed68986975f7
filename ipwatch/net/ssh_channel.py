"""Channels (RFC 4254 5): a carried connection, and a command that runs there.

Every method of a channel but `wait` and `give_up` runs in the connection's one thread (ssh_transport).
"""

import queue
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from paramiko.message import Message

from ipwatch.core.window import Window
from ipwatch.net.ssh_packets import HEAD, LOAD
from ipwatch.net.ssh_socket import reset
from ipwatch.net.ssh_transport import Transport

_PATIENCE = 1.0  # seconds without a word from the far end after which its whole window is used again
_RTT = 0.05  # seconds: what a round trip is taken for before one was measured


class Failure(NamedTuple):
    """Why the far end did not open it: the reason of RFC 4254 5.1 (0: the link is gone) and its words."""

    code: int
    text: str


class Channel:
    """What every channel does: it opens, counts windows both ways and closes."""

    def __init__(self, link: Transport) -> None:
        self.link = link
        self.peer = -1  # the other side's number
        self.room = 0  # bytes the other side still takes
        self.largest = LOAD
        self.failure: Failure | None = None
        self.window = Window()
        self.granted = self.window.size  # bytes the other side may still send
        self.waiting = 0  # bytes received that went nowhere yet
        self.number = link.add(self)
        self._settled = threading.Event()
        self._lock = threading.Lock()
        self._given_up = False
        self._sent_eof = self._sent_close = False
        self._asked = time.monotonic()

    def message(self, number: int) -> Message:
        """The begin of a message to the other side's end of it."""
        message = Message()
        message.add_byte(bytes((number,)))
        message.add_int(self.peer)
        return message

    # Opening.

    def ask(self, kind: str, *fields: str | int) -> None:
        """Ask the far end to open it. Raises EOFError."""
        message = Message()
        message.add_byte(b"\x5a")
        message.add_string(kind)
        for value in (self.number, self.granted, LOAD):
            message.add_int(value)
        for field in fields:
            message.add_int(field) if isinstance(field, int) else message.add_string(field)
        self.link._send_user_message(message)  # noqa: SLF001 - our own class, named by paramiko

    def accept(self, peer: int, room: int, largest: int) -> None:
        """Open the one the far end asked for."""
        self.peer, self.room, self.largest = peer, room, min(largest, LOAD)
        message = self.message(91)
        for value in (self.number, self.granted, LOAD):
            message.add_int(value)
        self.link.say(message)
        self.begin()

    def wait(self, within: float) -> bool:
        """Whether it opened or failed in time; when not it is given up."""
        if self._settled.wait(max(0.0, within)):
            return True
        with self._lock:
            if self._settled.is_set():
                return True
            self._given_up = True
            return False

    def opened(self, peer: int, room: int, largest: int) -> None:
        """The far end opened it."""
        self.link.took(time.monotonic() - self._asked)
        self.peer, self.room, self.largest = peer, room, min(largest, LOAD)
        with self._lock:
            if not self._given_up:
                self.begin()
                self._settled.set()
                return
        self.close()

    def failed(self, code: int, text: str) -> None:
        """The far end did not open it."""
        self.failure = Failure(code, text)
        self.link.drop(self.number)
        self._settled.set()

    def begin(self) -> None:
        """It is open."""

    # Windows.

    def credit(self, count: int) -> None:
        """So many bytes went where they belong: let the other side send more."""
        self.waiting -= count
        size = self.window.delivered(time.monotonic(), count, self.link.rtt or _RTT)
        more = size - self.granted - self.waiting
        if more >= size // 8 and not self._sent_close:
            self.granted += more
            message = self.message(93)
            message.add_int(more)
            self.link.say(message)

    def grew(self, count: int) -> None:
        """The other side takes so many more."""
        self.room += count

    def data(self, view: memoryview) -> None:
        """Bytes came."""

    def extended(self, _kind: int, content: bytes) -> None:
        """Bytes of another stream came; a carried connection has none."""
        self.granted -= len(content)
        self.waiting += len(content)
        self.credit(len(content))

    # Ending.

    def send_eof(self) -> None:
        """Nothing more will be sent."""
        if not (self._sent_eof or self._sent_close):
            self._sent_eof = True
            self.link.say(self.message(96))

    def close(self) -> None:
        """Close our side; it is over when the other side has closed, too."""
        if not self._sent_close:
            self._sent_close = True
            self.link.say(self.message(97))

    def eof(self) -> None:
        """The other side sends nothing more."""

    def closed(self) -> None:
        """The other side closed it."""
        self.close()
        self.link.drop(self.number)

    def lost(self) -> None:
        """The connection is gone."""
        self.failure = self.failure or Failure(0, self.link.reason())
        self._settled.set()

    def request(self, _kind: str, want: bool, _m: Message) -> None:
        """The other side asks something of it."""
        if want:
            self.link.say(self.message(100))

    def reply(self, ok: bool) -> None:
        """The answer to a request of ours."""


class Stream(Channel):
    """A carried connection: what the client sends goes there, what comes from there goes to the client."""

    def __init__(self, link: Transport, client: socket.socket, greeting: bytes, ended: Callable[[], None], *,
                 ours: bool = False) -> None:  # fmt: skip
        """ours: the client is to be closed even if the channel never opens."""
        self._client = client
        self._ended = ended
        self._ours = ours
        self._backlog: deque[memoryview] = deque([memoryview(greeting)] if greeting else [])
        self.begun = False  # the client is, or was, ours
        self._serving = False  # it is now
        self._watched = 0
        self._reading = False  # the client may still send
        self._paused = False  # it may, but nothing takes it at present
        self._parked = False
        self._finishing = False  # the client gets no more than the backlog
        self._over = False  # the far end has closed the channel
        self._sending = Window()
        super().__init__(link)
        self.waiting = len(greeting)
        self._under_way = 0  # bytes sent that the far end did not pass on yet, as far as it tells
        self._heard = 0.0  # when it last told
        self._piece = 0  # the most it told at once

    def begin(self) -> None:
        """Serve the client from now on."""
        self.begun = self._serving = self._reading = True
        self._client.setblocking(False)
        self._drain()

    def ready(self, events: int) -> None:
        """The client's socket can be read or written."""
        if events & selectors.EVENT_WRITE and self._backlog:
            self._drain()
        if events & selectors.EVENT_READ and self._reading:
            self._read()

    # From the far end to the client.

    def data(self, view: memoryview) -> None:
        """Give it to the client, or keep what does not fit; the window bounds that."""
        size = len(view)
        self.granted -= size
        self.waiting += size
        if not self._serving:
            self.credit(size)
            return
        if self._backlog:
            self._backlog.append(view)
            return
        count = self._give(view)
        if 0 <= count < size:
            self._backlog.append(view[count:])
            self._look()

    def _give(self, view: memoryview) -> int:
        """How much of it the client takes now; -1 when the client is gone."""
        try:
            count = self._client.send(view)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError:
            self._end()
            return -1
        self.credit(count)
        return count

    def _drain(self) -> None:
        while self._backlog:
            view = self._backlog[0]
            count = self._give(view)
            if count < 0:
                return
            if count < len(view):
                self._backlog[0] = view[count:]
                break
            self._backlog.popleft()
        if self._finishing and not self._backlog:
            self._finish()
        self._look()

    def eof(self) -> None:
        """The far end sends no more: tell the client once it has everything."""
        self._finishing = True
        if self._serving and not self._backlog:
            self._finish()

    def _finish(self) -> None:
        with suppress(OSError):
            self._client.shutdown(socket.SHUT_WR)
        if not self._reading:
            self._end()

    def closed(self) -> None:
        """The far end is gone: the client gets what is left, and its end."""
        self._over = True
        self.close()
        if not self._serving:
            self.link.drop(self.number)
            return
        self._reading = False
        self._look()
        self.eof()

    # From the client to the far end.

    def _allowed(self) -> int:
        """Bytes that may go now."""
        allowed = min(self.room, self.largest)
        if allowed > 0 and self._piece and time.monotonic() - self._heard < _PATIENCE:
            # The far end tells what it passed on in pieces, OpenSSH of three packets: fewer than two stop the flow.
            held = max(self._sending.size, 2 * self._piece) + LOAD - self._under_way
            if held <= 0:
                self.link.capped.add(self)
            return min(allowed, held)
        return allowed

    def _read(self) -> None:
        if self.link.busy:
            self._pause(parked=True)
            return
        allowed = self._allowed()
        if allowed <= 0:
            self._pause(parked=False)
            return
        try:
            count = self._client.recv_into(memoryview(self.link.buffer)[HEAD : HEAD + allowed])
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._end()
            return
        if count:
            self.room -= count
            self._under_way += count
            self.link.packets.send_data(self.link.buffer, self.peer, count)
        else:
            self._reading = False
            self.send_eof()
            self._look()
            if self._finishing and not self._backlog:
                self._end()

    def _pause(self, *, parked: bool) -> None:
        self._paused, self._parked = True, parked
        if parked:
            self.link.park(self)
        self._look()

    def unpark(self) -> None:
        """The line takes more."""
        self._parked = False
        self._go_on()

    def look_again(self) -> None:
        """The far end may never tell: do not wait for it for ever."""
        if not self._serving or self._allowed() > 0:
            self.link.capped.discard(self)
            self._go_on()

    def _go_on(self) -> None:
        if self._paused and not self._parked:
            self._paused = False
            self._look()
            if self._reading:
                self._read()

    def grew(self, count: int) -> None:
        """The far end passed on so many bytes of the client's."""
        super().grew(count)
        self._heard = time.monotonic()
        self._under_way = max(0, self._under_way - count)
        self._piece = max(self._piece, count)
        self._sending.delivered(self._heard, count, self.link.rtt or _RTT)
        self.link.capped.discard(self)
        self._go_on()

    # The end.

    def _look(self) -> None:
        events = 0
        if self._serving:
            events = selectors.EVENT_READ if self._reading and not self._paused else 0
            events |= selectors.EVENT_WRITE if self._backlog else 0
        before, self._watched = self._watched, events
        self.link.watch(self._client, events, before, self)

    def _let_go(self) -> None:
        self._serving = self._reading = False
        self._backlog.clear()
        self.link.capped.discard(self)
        self._look()

    def _end(self) -> None:
        """The client has everything, or is gone."""
        if not self._serving:
            return
        self._let_go()
        self.close()
        if self._over:
            self.link.drop(self.number)
        self._client.close()
        self._ended()

    def lost(self) -> None:
        """Reset the client, so that it tries again at once."""
        super().lost()
        if self._serving or (self._ours and not self.begun):
            self._let_go()
            reset(self._client)
            self._ended()


class Exec(Channel):
    """A command that runs there. Its output waits in `said`: (1 or 2 for the stream, bytes), and None at its end."""

    def __init__(self, link: Transport, command: str, stdin: bytes) -> None:
        super().__init__(link)
        self.status = -1
        self.refused = False
        self.said: queue.SimpleQueue[tuple[int, bytes] | None] = queue.SimpleQueue()
        self._command = command
        self._stdin = memoryview(stdin)

    def begin(self) -> None:
        """Have the command started."""
        message = self.message(98)
        message.add_string("exec")
        message.add_boolean(True)
        message.add_string(self._command)
        self.link.say(message)

    def reply(self, ok: bool) -> None:
        """It runs, or the server does not run commands."""
        if ok:
            self._feed()
        else:
            self.refused = True
            self.close()

    def grew(self, count: int) -> None:
        """See Channel."""
        super().grew(count)
        self._feed()

    def _feed(self) -> None:
        while self._stdin and self.room:
            piece = self._stdin[: min(self.room, self.largest)]
            message = self.message(94)
            message.add_string(bytes(piece))
            self.link.say(message)
            self.room -= len(piece)
            self._stdin = self._stdin[len(piece) :]
        if not self._stdin:
            self.send_eof()

    def data(self, view: memoryview) -> None:
        """See Channel."""
        self._take(1, bytes(view))

    def extended(self, kind: int, content: bytes) -> None:
        """Standard error (RFC 4254 5.2)."""
        self._take(2 if kind == 1 else 0, content)

    def _take(self, stream: int, content: bytes) -> None:
        self.granted -= len(content)
        self.waiting += len(content)
        self.said.put((stream, content))

    def used(self, count: int) -> None:
        """The reader took so many bytes; from any thread."""
        self.link.post(lambda: self.credit(count))

    def request(self, kind: str, want: bool, m: Message) -> None:
        """How it ended (RFC 4254 6.10); -1 stands for a signal."""
        if kind == "exit-status":
            self.status = m.get_int()
        super().request(kind, want, m)

    def stop(self) -> None:
        """Tell it to end (RFC 4254 6.9), and end the channel; from any thread."""
        self.link.post(self._stop)

    def _stop(self) -> None:
        message = self.message(98)
        message.add_string("signal")
        message.add_boolean(False)
        message.add_string("TERM")
        self.link.say(message)
        self.close()

    def closed(self) -> None:
        """See Channel."""
        super().closed()
        self.said.put(None)

    def lost(self) -> None:
        """See Channel."""
        super().lost()
        self.said.put(None)
