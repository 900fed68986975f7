"""A connection to ssh's control socket in proxy mode, which carries the messages of some channels."""

from typing import TYPE_CHECKING

from ipwatch.net.openssh_mux import MuxConnection
from ipwatch.protocols import ssh_connection as wire

if TYPE_CHECKING:
    from ipwatch.net.openssh_stream import Stream

BUFFER = 256 * 1024


class Line:
    """Runs in the pump's thread. users: streams that have it. over: ssh has ended."""

    def __init__(self, mux: MuxConnection, buffer: bytearray) -> None:
        """buffer: of BUFFER bytes, free whenever a line has its turn."""
        self.sock = mux.sock
        self.sock.setblocking(False)
        self.users = 1
        self.over = False
        self.streams: dict[int, Stream] = {}
        self._in, self._view, self._rest, self._out = buffer, memoryview(buffer), mux.rest(), bytearray()
        self._current: Stream | None = None  # whose content comes
        self._left = 0  # bytes of content of the current message that are still to come
        self._pieces: list[memoryview] = []  # of it, to be given to it at once

    @property
    def waiting(self) -> bool:
        """Whether something waits for ssh to take it. No client is read meanwhile: what is kept here is copied."""
        return bool(self._out)

    def say(self, data: bytes | memoryview) -> None:
        """Send it to ssh, soon."""
        if self._out:
            self._out += data
        elif (sent := self._sent(data)) < len(data):
            self._out += data[sent:]

    def flush(self) -> None:
        """ssh takes more."""
        del self._out[: self._sent(self._out)]
        if not self._out:
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
        kept = len(self._rest)
        self._in[:kept] = self._rest
        try:
            count = self.sock.recv_into(self._view[kept:])
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            count = 0
        self.over = self.over or count == 0
        self._read(kept + count)

    def _read(self, end: int) -> None:
        """Everything that stands in the buffer up to there; what is not complete is kept."""
        view, at = self._view, self._content(0, end, self._left)
        while at < end:
            kind, number, count = wire.head_at(self._in, at) if end - at >= wire.HEAD else (0, 0, 0)
            if kind == wire.DATA:
                if self._current is None or self._current.number != number:
                    self._pass_on()
                    self._current = self.streams.get(number)
                at = self._content(at + wire.HEAD, end, count)
            elif kind == wire.ADJUST:
                if (stream := self.streams.get(number)) is not None:
                    stream.grew(count)
                at += wire.HEAD
            elif (length := self._whole(view[at:end])) > 0:
                self._act(view[at : at + length].tobytes())
                at += length
            else:
                break
        self._pass_on()
        self._rest = bytes(view[at:end])

    def _content(self, at: int, end: int, count: int) -> int:
        """So many bytes of content begin there; where they end, or what has come of them."""
        here = min(count, end - at)
        if here:
            self._pieces.append(self._view[at : at + here])
        self._left = count - here
        return at + here

    def _pass_on(self) -> None:
        if self._pieces and self._current is not None:
            self._current.data(self._pieces)
        self._pieces.clear()

    def _whole(self, view: memoryview) -> int:
        """The length of the message at the begin, 0 when it is not all there."""
        if len(view) < 10 or len(view) < (length := wire.length_of(view)):
            return 0
        return length

    def _act(self, packet: bytes) -> None:
        self._pass_on()
        if (stream := self.streams.get(wire.channel_of(packet))) is not None:
            stream.heard(wire.message(packet))
        self._current = None
