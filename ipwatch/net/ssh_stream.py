"""A carried connection: a client's socket on one side, a channel on the other.

Nothing is queued but what the far end was allowed to send; a client that does not read stops its own channel only.
"""

import selectors
import socket
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from ipwatch.core.window import Window
from ipwatch.net.ssh_channel import RTT, Channel
from ipwatch.net.ssh_connection import Connection
from ipwatch.net.ssh_packets import HEAD, LOAD
from ipwatch.net.ssh_socket import reset

_PATIENCE = 1.0  # seconds without a word from the far end after which its whole window is used again


class Stream(Channel):
    """A carried connection: what the client sends goes there, what comes from there goes to the client."""

    def __init__(self, link: Connection, client: socket.socket, greeting: bytes, ended: Callable[[], None], *,
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
                self.link.turns.capped.add(self)
            return min(allowed, held)
        return allowed

    def _read(self) -> None:
        if self.link.busy():
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
            self.link.turns.park(self)
        self._look()

    def unpark(self) -> None:
        """The line takes more."""
        self._parked = False
        self._go_on()

    def look_again(self) -> None:
        """The far end may never tell: do not wait for it for ever."""
        if not self._serving or self._allowed() > 0:
            self.link.turns.capped.discard(self)
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
        self._sending.delivered(self._heard, count, self.link.rtt or RTT)
        self.link.turns.capped.discard(self)
        self._go_on()

    # The end.

    def _look(self) -> None:
        events = 0
        if self._serving:
            events = selectors.EVENT_READ if self._reading and not self._paused else 0
            events |= selectors.EVENT_WRITE if self._backlog else 0
        before, self._watched = self._watched, events
        self.link.turns.watch(self._client, events, before, self)

    def _let_go(self) -> None:
        self._serving = self._reading = False
        self._backlog.clear()
        self.link.turns.capped.discard(self)
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
