"""paramiko's Transport with one thread that serves the whole connection: SSH's packets and every carried client.

Of paramiko it keeps the key exchange; packets (ssh_packets), channels, global requests and authentication are ours.
The thread runs paramiko's loop, which asks Packets for the next message, which runs `_turn` while there is none.
"""

import logging
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import paramiko
from paramiko.message import Message
from paramiko.ssh_exception import SSHException

from ipwatch.core.host import HostKey
from ipwatch.net.ssh_packets import Packets
from ipwatch.net.ssh_socket import abort
from ipwatch.net.ssh_turns import Turns

_LINES = 100  # lines before the version (RFC 4253 4.2 allows any; nobody sends more)
_LINE = 2048  # bytes of one (RFC 4253 4.2: the version itself has at most 255)

# paramiko tells every lost connection to its logger; what is worth telling is in our exceptions.
_logger = logging.getLogger("paramiko")
_logger.addHandler(logging.NullHandler())
_logger.propagate = False
_logger.setLevel(logging.CRITICAL + 1)


class Alien(SSHException):
    """No SSH server; str() is a clause."""


_Base: Any = paramiko.Transport  # its stubs lack half of what is used here


class Transport(_Base):  # type: ignore[misc]
    """One connection. `ready` is set when the host key is known or the connection has ended."""

    # RFC 5647 as OpenSSH has it first: one pass instead of two. Nothing with SHA-1, MD5, CBC or 3DES.
    _preferred_ciphers = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes128-ctr", "aes192-ctr", "aes256-ctr")
    _preferred_macs = ("hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com", "hmac-sha2-256",
                       "hmac-sha2-512")  # fmt: skip
    _preferred_compression = ("none",)
    _CLIENT_ID = "ipwatch"

    def __init__(self, sock: socket.socket, algorithms: tuple[str, ...], rekey: int) -> None:
        self._algorithms = algorithms
        super().__init__(sock, packetizer_class=partial(Packets, turn=self._turn, rekey=rekey))
        self.name = "ssh"
        sock.setblocking(False)
        self.packets: Packets = self.packetizer
        self.ready = threading.Event()
        self.shown: HostKey | None = None
        self.greeted: Callable[[], None] | None = None  # called when the other side has named its version
        self.farewell = ""  # what the other side said when it ended the connection
        self.offered: dict[str, list[str]] = {}  # its algorithms, under paramiko's names for the lists
        self.ended = False
        self._held: list[Message] = []
        self._lock = threading.RLock()
        self._lost: list[Callable[[str], None]] = []
        self._silent = False
        self.turns = Turns(sock)
        self.packets.nudge = self.turns.nudge

    # The key exchange.

    @property
    def preferred_keys(self) -> tuple[str, ...]:
        """Host key algorithms, best first; no host certificates."""
        return self._algorithms

    def begin(self) -> None:
        """Start the thread."""
        self.start_client(event=threading.Event())

    def _check_banner(self) -> None:
        """Read the version line (RFC 4253 4.2)."""
        for _ in range(_LINES):
            while (line := self.packets.line(_LINE)) is None:
                self._turn()
            text = line.decode("utf-8", "replace").rstrip("\r\n")
            if text.startswith("SSH-"):
                if not text.startswith(("SSH-2.0-", "SSH-1.99-")):
                    raise Alien(f'it speaks an old version of SSH: "{text[:40]}"')
                self.remote_version = text
                self.farewell = ""
                if self.greeted is not None:
                    self.greeted()
                return
            self.farewell = self.farewell or text
            if text.startswith("HTTP/"):
                raise Alien("it speaks HTTP")
        raise Alien(alien(self.farewell))

    def _really_parse_kex_init(self, m: Message, ignore_first_byte: bool = False) -> Any:
        parsed = super()._really_parse_kex_init(m, ignore_first_byte)
        self.offered = self.offered or {name: list(names) for name, names in parsed.items() if name.endswith("_list")}
        return parsed

    def _verify_key(self, host_key: bytes, sig: bytes) -> None:
        super()._verify_key(host_key, sig)
        size = int.from_bytes(host_key[:4], "big")
        shown = HostKey(host_key[4 : 4 + size].decode("ascii", "replace"), host_key)
        if self.shown is not None and shown != self.shown:
            raise SSHException("another host key in the middle of the connection")
        self.shown = shown

    def _parse_newkeys(self, m: Message) -> None:
        super()._parse_newkeys(m)
        with self.clear_to_send_lock:
            held, self._held = self._held, []
            for message in held:
                self._send_message(message)
        self.ready.set()

    def _parse_disconnect(self, m: Message) -> None:
        m.get_int()
        self.farewell = m.get_text()

    def _send_user_message(self, data: Message) -> None:
        """Send, or hold back until the new keys are in use (RFC 4253 7.1). Raises EOFError."""
        with self.clear_to_send_lock:
            if self.ended:
                raise EOFError
            if not self.clear_to_send.is_set():
                self._held.append(data)
                return
            self._send_message(data)

    def send(self, data: Message) -> None:
        """See _send_user_message, which is paramiko's name for it."""
        self._send_user_message(data)

    def say(self, data: Message) -> None:
        """Send, if anybody is there."""
        with suppress(EOFError):
            self.send(data)

    def _log(self, level: int, msg: Any, *args: Any) -> None:
        """Nothing is logged."""

    # The thread.

    def run(self) -> None:
        """Serve until the connection ends."""
        self.packets.reader = threading.get_ident()
        try:
            super().run()
        finally:
            self._over()

    def _turn(self) -> None:
        """Wait until something can be done, and do it. Raises EOFError at the end of the connection."""
        self.turns.turn(self.packets, self.busy)

    def busy(self) -> bool:
        """Whether clients have to wait before they may send more."""
        return self.packets.stuck or not self.clear_to_send.is_set()

    # The end.

    def reason(self) -> str:
        """Why the connection ended, a clause."""
        fault = self.saved_exception
        if self.farewell:
            return f'it ended the connection: "{self.farewell[:120]}"'
        if fault is None or isinstance(fault, EOFError):
            return "it closed the connection"
        words = (fault.strerror or "error").lower() if isinstance(fault, OSError) else str(fault)
        return f"the connection broke: {words[:120]}"

    def on_loss(self, lost: Callable[[str], None]) -> None:
        """Call that at the end, at once if it has come."""
        with self._lock:
            if not self.ended:
                self._lost.append(lost)
                return
        if not self._silent:
            lost(self.reason())

    def cut(self, *, silent: bool = True) -> None:
        """End the connection at once. silent: nobody is told of a loss."""
        self._silent = self._silent or silent
        with self.packets.lock:
            if not self.packets.closed:
                abort(self.sock)

    def _over(self) -> None:
        with self._lock:
            with self.clear_to_send_lock:
                self.ended = True
            lost = list(self._lost)
        self.turns.end()
        self.packets.close()
        self.ready.set()
        self.left()
        if not self._silent:
            for call in lost:
                call(self.reason())
        self.turns.close()

    def left(self) -> None:
        """The connection has ended: nothing that was carried by it goes on."""


def alien(said: str) -> str:
    """The clause for a machine that says something else than SSH's version."""
    text = "".join(c if c.isprintable() else " " for c in said[:60]).strip()
    return f'it is no SSH server: it says "{text}"' if text else "it is no SSH server"
