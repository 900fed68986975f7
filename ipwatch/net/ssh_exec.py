"""A command that runs at the far end (RFC 4254 6.5)."""

import queue

from paramiko.message import Message

from ipwatch.net.ssh_channel import Channel
from ipwatch.net.ssh_connection import Connection


class Exec(Channel):
    """A command that runs there. Its output waits in `said`: (1 or 2 for the stream, bytes), and None at its end."""

    def __init__(self, link: Connection, command: str, stdin: bytes) -> None:
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
        self.link.turns.post(lambda: self.credit(count))

    def request(self, kind: str, want: bool, m: Message) -> None:
        """How it ended (RFC 4254 6.10); -1 stands for a signal."""
        if kind == "exit-status":
            self.status = m.get_int()
        super().request(kind, want, m)

    def stop(self) -> None:
        """Tell it to end (RFC 4254 6.9), and end the channel; from any thread."""
        self.link.turns.post(self._stop)

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
