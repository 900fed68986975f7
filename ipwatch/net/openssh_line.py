"""A connection to ssh's control socket in proxy mode, which carries the messages of some channels."""

from typing import TYPE_CHECKING

from ipwatch.net.openssh_mux import MuxConnection
from ipwatch.protocols import ssh_connection as wire

if TYPE_CHECKING:
    from ipwatch.net.openssh_stream import Stream

BUFFER = 256 * 1024
_FULL = 256 * 1024  # bytes that wait for ssh before clients are no longer read


class Line:
    """Runs in the pump's thread. users: streams that have it. busy: ssh takes no more at present. failures: channels
    that were not opened. over: ssh has ended."""

    def __init__(self, mux: MuxConnection, buffer: bytearray) -> None:
        """buffer: of BUFFER bytes, free whenever a line has its turn."""
        self.sock = mux.sock
        self.sock.setblocking(False)
        self.users = 1
        self.failures = 0
        self.busy = self.over = False
        self.streams: dict[int, Stream] = {}
        self._in, self._rest, self._out = buffer, mux.rest(), bytearray()
        self._current: Stream | None = None  # whose content comes
        self._left = 0  # bytes of content of the current message that are still to come
        self._pieces: list[memoryview] = []  # of it, to be given to it at once

    @property
    def waiting(self) -> bool:
        """Whether something waits for ssh to take it."""
        return bool(self._out)

    def say(self, data: bytes | memoryview) -> None:
        """Send it to ssh, soon."""
        if self._out:
            self._out += data
        elif (sent := self._sent(data)) < len(data):
            self._out += data[sent:]
        self.busy = len(self._out) >= _FULL

    def flush(self) -> None:
        """ssh takes more."""
        del self._out[: self._sent(self._out)]
        if self.busy and not self._out:
            self.busy = False
            for stream in tuple(self.streams.values()):
                stream.look_again()

    def _sent(self, data: bytes | bytearray | memoryview) -> int:
        try:
            return self.sock.send(data)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError:
            self.over = True
            return len(data)

    def receive(self) -> None:
        """Read once and pass everything on; raises BadMessage."""
        buffer, rest = self._in, self._rest
        buffer[: len(rest)] = rest
        try:
            count = self.sock.recv_into(memoryview(buffer)[len(rest) :])
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            count = 0
        self.over = self.over or count == 0
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
        stream = self.streams.get(wire.channel_of(view))
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
