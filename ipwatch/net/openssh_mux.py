"""One connection to the control socket of a multiplexing ssh."""

import socket
import time
from collections.abc import Sequence
from pathlib import Path

from ipwatch.ports import Unreachable
from ipwatch.protocols import ssh_mux
from ipwatch.protocols.ssh_mux import Failed, Hello, Reply

_READ = 65536
GONE = "ssh has ended"


class MuxConnection:
    """Requests and replies, in order. Every wait ends at `deadline`, a time of `time.monotonic`."""

    def __init__(self, path: Path, deadline: float) -> None:
        """Connect and exchange hellos; raises Unreachable."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._frames = ssh_mux.Frames()
        self._replies: list[Reply] = []
        try:
            self._limit(deadline)
            self.sock.connect(str(path))
            self.send(ssh_mux.hello())
            reply = self.reply(deadline)
            if not isinstance(reply, Hello) or reply.version != ssh_mux.VERSION:
                raise Unreachable("ssh speaks another version of its multiplexing protocol")
        except OSError:
            self.close()
            raise Unreachable(GONE) from None
        except BaseException:
            self.close()
            raise

    def send(self, message: bytes, descriptors: Sequence[int] = ()) -> None:
        """A message and the descriptors that go with it; raises Unreachable."""
        try:
            self.sock.sendall(message)
            for descriptor in descriptors:  # each with one byte of its own: monitor_fdpass.c of OpenSSH 9.2
                socket.send_fds(self.sock, [b"\0"], [descriptor])
        except OSError:
            raise Unreachable(GONE) from None

    def reply(self, deadline: float) -> Reply:
        """The next reply; raises Unreachable at the deadline, at the end, or when it does not fit."""
        while not self._replies:
            if not self.receive(deadline):
                raise Unreachable(GONE)
        return self._replies.pop(0)

    def receive(self, deadline: float | None) -> bool:
        """Read once, at once when there is no deadline; False at the end. What came is given by `taken`, `reply`."""
        try:
            if deadline is None:
                self.sock.setblocking(False)
            else:
                self._limit(deadline)
            data = self.sock.recv(_READ)
            self._replies += self._frames.feed(data)
        except TimeoutError:
            raise Unreachable("no answer in time") from None
        except BlockingIOError:
            return True
        except OSError:
            return False
        except ssh_mux.BadMux as fault:
            raise Unreachable(f"ssh's control socket said {fault}") from None
        return bool(data)

    def proxied(self, deadline: float) -> None:
        """Go into proxy mode; what comes from then on is left in `rest` and the socket. Raises Unreachable."""
        self.send(ssh_mux.proxy(1))
        reply = self.reply(deadline)
        if isinstance(reply, Failed):
            raise Unreachable(f"ssh does not pass channels on: {reply.reason.lower()}")

    def rest(self) -> bytes:
        """What came after the last reply."""
        return self._frames.rest()

    def taken(self) -> list[Reply]:
        """Every reply that came, once."""
        replies, self._replies = self._replies, []
        return replies

    def close(self) -> None:
        """End it. What was carried for it ends as well."""
        self.sock.close()

    def _limit(self, deadline: float) -> None:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self.sock.settimeout(left)
