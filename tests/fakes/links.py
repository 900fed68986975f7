"""A link without SSH: it connects to the targets itself. It can be cut, fall silent, refuse and be slow."""

import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

from ipwatch.core.candidate import Candidate, Claim, Spot, Way
from ipwatch.core.forward import Forward, Target
from ipwatch.core.host import HostKey
from ipwatch.ports import Refused, Unreachable
from ipwatch.ports.remote import Login, LoginRefused

KEY = HostKey("ssh-ed25519", b"\x00\x00\x00\x0bssh-ed25519" + b"\x00\x00\x00\x20" + bytes(32))
SPOT = Spot("127.0.0.1", 22)


class PlainLink:
    """ports.remote.Link. silent: nothing is heard and nothing opens any more."""

    spot = SPOT

    def __init__(self) -> None:
        self.silent = False
        self.refuses = ""
        self.remotes: list[Forward] = []
        self.pings = 0
        self.is_cut = threading.Event()
        self._heard = time.monotonic()
        self._lost: Callable[[str], None] = lambda _why: None
        self._lock = threading.Lock()
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._threads: list[threading.Thread] = []

    def heard(self) -> timedelta:
        return timedelta(seconds=self._heard)

    def ping(self) -> None:
        self.pings += 1
        if not self.silent:
            self._heard = time.monotonic()

    def watch(self, lost: Callable[[str], None]) -> None:
        self._lost = lost

    def die(self, why: str = "the other side hung up") -> None:
        """End by itself."""
        self.cut()
        self._lost(why)

    def carry(self, client: socket.socket, target: Target, within: timedelta, *, greeting: bytes = b"",
              ended: Callable[[], None] = lambda: None) -> None:  # fmt: skip
        if self.silent and not self.is_cut.wait(within.total_seconds()):
            raise Unreachable("the channel did not open in time")
        if self.is_cut.is_set():
            raise Unreachable("the link is gone")
        if self.refuses:
            raise Refused(self.refuses)
        try:
            far = self.reach(target, within)
        except OSError as error:
            raise Refused(f"connect failed: {error.strerror}") from None
        client.settimeout(None)
        far.settimeout(None)
        client.sendall(greeting)
        pair = (client, far)
        left = [2]

        def copy(one: socket.socket, other: socket.socket) -> None:
            with suppress(OSError):
                while data := one.recv(65536):
                    other.sendall(data)
            with suppress(OSError):
                other.shutdown(socket.SHUT_WR)
            with self._lock:
                left[0] -= 1
                last = left[0] == 0
                self._pairs.discard(pair) if last else None
            if last:
                client.close()
                far.close()
                ended()

        with self._lock:
            if self.is_cut.is_set():
                far.close()
                raise Unreachable("the link is gone")
            self._pairs.add(pair)
            for a, b in (pair, pair[::-1]):
                thread = threading.Thread(target=copy, args=(a, b), daemon=True)
                thread.start()
                self._threads.append(thread)

    def reach(self, target: Target, within: timedelta) -> socket.socket:
        """The connection at the far end; raises OSError."""
        return socket.create_connection((target.host, target.port), within.total_seconds())

    def remote(self, forward: Forward) -> None:
        if self.refuses:
            raise Refused(self.refuses)
        self.remotes.append(forward)

    def run(self, command: str, within: timedelta, *, stdin: bytes = b"", limit: int = 65536,
            said: Callable[[bytes], None] | None = None) -> tuple[int, bytes, bytes]:  # fmt: skip
        raise Unreachable("this link runs nothing")

    def cut(self) -> None:
        with self._lock:
            self.is_cut.set()
            pairs, threads = list(self._pairs), list(self._threads)
        for pair in pairs:
            for sock in pair:
                with suppress(OSError):
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    sock.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(5)


class PlainSession:
    """ports.remote.Session that logs in to a PlainLink, or refuses."""

    key = KEY

    def __init__(self, link: PlainLink, refuses: str = "") -> None:
        self._link = link
        self._refuses = refuses

    def login(self, who: Login, within: timedelta) -> PlainLink:
        if self._refuses:
            raise LoginRefused(self._refuses)
        return self._link

    def close(self) -> None:
        self._link.cut()


def candidate(spot: Spot = SPOT) -> Candidate:
    """A candidate with one claim."""
    return Candidate(spot, (Claim(Way.ZONE, "ns1.example.org"),))
