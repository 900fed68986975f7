"""paramiko's Transport with one thread that serves the whole connection: SSH's packets and every carried client.

Of paramiko it keeps the key exchange; packets (ssh_packets), channels, global requests and authentication are ours.
The thread runs paramiko's loop, which asks Packets for the next message, which runs `_turn` while there is none.
"""

import logging
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import paramiko
from paramiko.message import Message
from paramiko.ssh_exception import SSHException

from ipwatch.core.host import HostKey
from ipwatch.net.ssh_packets import Packets, data_packet
from ipwatch.net.ssh_socket import abort

if TYPE_CHECKING:
    from ipwatch.net.ssh_channel import Channel, Stream

_LINES = 100  # lines before the version (RFC 4253 4.2 allows any; nobody sends more)
_LINE = 2048  # bytes of one (RFC 4253 4.2: the version itself has at most 255)
_LOOK = 0.5  # seconds between two looks at those
_USERAUTH = (6, 51, 52, 53, 60, 61)  # SSH_MSG_SERVICE_ACCEPT, SSH_MSG_USERAUTH_... (RFC 4252 6, RFC 4256 5)

# paramiko tells every lost connection to its logger; what is worth telling is in our exceptions.
_logger = logging.getLogger("paramiko")
_logger.addHandler(logging.NullHandler())
_logger.propagate = False
_logger.setLevel(logging.CRITICAL + 1)

Reply = Callable[["Message | None"], None]


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
        self.farewell = ""  # what the other side said when it ended the connection
        self.ended = False
        self.answers: deque[tuple[int, Message]] = deque()  # of the authentication
        self.answered = threading.Semaphore(0)
        self.rtt = 0.0  # seconds: the smallest round trip seen, 0 for none yet
        self.buffer = data_packet()  # of the thread, for what clients send
        self.incoming: Callable[[str, int, int, int, Message], None] | None = None
        self._held: list[Message] = []
        self._replies: deque[tuple[float, Reply]] = deque()
        self._channels_lock = threading.RLock()
        self._open: dict[int, Channel] = {}
        self._number = 0
        self._lost: list[Callable[[str], None]] = []
        self._silent = False
        self._calls: deque[Callable[[], None]] = deque()
        self._parked: deque[Stream] = deque()
        self.capped: set[Stream] = set()  # who waits for the far end's word although its window is open
        self._selector = selectors.DefaultSelector()
        self._awake, self._waker = socket.socketpair()
        for end in (self._awake, self._waker):
            end.setblocking(False)
        self._selector.register(sock, selectors.EVENT_READ)
        self._selector.register(self._awake, selectors.EVENT_READ)
        self._writing = False
        self._take_over()

    def _take_over(self) -> None:
        """Our handlers in the place of paramiko's."""
        packets = self.packets
        packets.carry = self._on_data_packet
        self._handler_table.update({
            80: self._on_global_request, 81: self._on_reply, 82: lambda _m: self._on_reply(None),
            90: self._on_open, 91: self._on_opened, 92: self._on_open_failed,
            93: lambda m: self._with(m, lambda c: c.grew(m.get_int())),
            94: lambda m: self._with(m, lambda c: c.data(memoryview(m.get_binary()))),
            95: lambda m: self._with(m, lambda c: c.extended(m.get_int(), m.get_binary())),
            96: lambda m: self._with(m, lambda c: c.eof()),
            97: lambda m: self._with(m, lambda c: c.closed()),
            98: lambda m: self._with(m, lambda c: c.request(m.get_text(), m.get_boolean(), m)),
            99: lambda m: self._with(m, lambda c: c.reply(True)),
            100: lambda m: self._with(m, lambda c: c.reply(False)),
        })  # fmt: skip
        for number in _USERAUTH:
            self._handler_table[number] = partial(self._on_userauth, number)

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
                return
            self.farewell = self.farewell or text
            if text.startswith("HTTP/"):
                raise Alien("it speaks HTTP")
        raise Alien(alien(self.farewell))

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

    def say(self, data: Message) -> None:
        """Send, if anybody is there."""
        with suppress(EOFError):
            self._send_user_message(data)

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
        packets = self.packets
        packets.flush()
        if self._parked and not self.busy:
            self._unpark()
        writing = packets.pending
        if writing is not self._writing:
            self._writing = writing
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if writing else 0)
            self._selector.modify(self.sock, events)
        for key, events in self._selector.select(_LOOK if self.capped else None):
            if key.data is not None:
                key.data.ready(events)
            elif key.fileobj is self.sock:
                if events & selectors.EVENT_READ:
                    packets.fill()
            else:
                self._wake()
        if self.capped:
            for stream in tuple(self.capped):
                stream.look_again()

    def _wake(self) -> None:
        with suppress(BlockingIOError, InterruptedError):
            while len(self._awake.recv(4096)) == 4096:
                pass
        while self._calls:
            self._calls.popleft()()

    def post(self, call: Callable[[], None]) -> bool:
        """Have the thread do that soon; False when it has ended."""
        with self._channels_lock:
            if self.ended:
                return False
            self._calls.append(call)
            self.nudge()
            return True

    def nudge(self) -> None:
        """Make the thread look again."""
        with suppress(OSError):
            self._waker.send(b"\0")

    @property
    def busy(self) -> bool:
        """Whether clients have to wait before they may send more."""
        return self.packets.pending or not self.clear_to_send.is_set()

    def park(self, stream: "Stream") -> None:
        """Serve that client again as soon as the line takes more."""
        self._parked.append(stream)

    def _unpark(self) -> None:
        for _ in range(len(self._parked)):
            if self.busy:
                return
            self._parked.popleft().unpark()
            self.packets.flush()

    def watch(self, sock: socket.socket, events: int, before: int, owner: "Stream") -> None:
        """Call owner.ready at these events. before: what was watched until now."""
        if events == before:
            return
        if not events:
            self._selector.unregister(sock)
        elif not before:
            self._selector.register(sock, events, owner)
        else:
            self._selector.modify(sock, events, owner)

    # The end.

    def reason(self) -> str:
        """Why the connection ended, a clause."""
        fault = self.saved_exception
        if self.farewell:
            return f'it ended the connection: "{self.farewell[:120]}"'
        if isinstance(fault, SSHException):
            return f"the connection broke: {str(fault)[:120]}"
        return "it closed the connection"

    def on_loss(self, lost: Callable[[str], None]) -> None:
        """Call that at the end, at once if it has come."""
        with self._channels_lock:
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
        with self._channels_lock:
            with self.clear_to_send_lock:
                self.ended = True
            channels, self._open = list(self._open.values()), {}
            replies, lost = list(self._replies), list(self._lost)
            self._replies.clear()
            self._calls.clear()
        self.packets.close()
        self.ready.set()
        self.answered.release()
        for channel in channels:
            channel.lost()
        for _, reply in replies:
            reply(None)
        self._selector.close()
        self._awake.close()
        self._waker.close()
        if not self._silent:
            for call in lost:
                call(self.reason())

    # Global requests and authentication.

    def ask(self, name: str, reply: Reply, *fields: "str | int") -> None:
        """Send a global request that wants a reply. Replies come in the order of the requests (RFC 4254 4). Raises
        EOFError."""
        message = Message()
        message.add_byte(b"\x50")
        message.add_string(name)
        message.add_boolean(True)
        for field in fields:
            message.add_int(field) if isinstance(field, int) else message.add_string(field)
        with self._channels_lock:
            self._send_user_message(message)
            self._replies.append((time.monotonic(), reply))

    def asked(self) -> int:
        """How many requests wait for their reply."""
        return len(self._replies)

    def _on_reply(self, m: Message | None) -> None:
        with self._channels_lock:
            if not self._replies:
                return
            asked, reply = self._replies.popleft()
        self.took(time.monotonic() - asked)
        reply(m)

    def took(self, seconds: float) -> None:
        """A round trip was measured."""
        if not self.rtt or seconds < self.rtt:
            self.rtt = seconds

    def _on_global_request(self, m: Message) -> None:
        """None of the server's requests is served (hostkeys-00@openssh.com: keys are pinned by the user alone)."""
        m.get_text()
        if m.get_boolean():
            message = Message()
            message.add_byte(b"\x52")
            self._send_user_message(message)

    def _on_userauth(self, number: int, m: Message) -> None:
        self.answers.append((number, m))
        self.answered.release()

    # Channels.

    def add(self, channel: "Channel") -> int:
        """A number for a channel of ours. Raises EOFError."""
        with self._channels_lock:
            if self.ended:
                raise EOFError
            while self._number in self._open:
                self._number = (self._number + 1) & 0xFFFFFF
            number, self._number = self._number, (self._number + 1) & 0xFFFFFF
            self._open[number] = channel
            return number

    def drop(self, number: int) -> None:
        """That channel is no more."""
        with self._channels_lock:
            self._open.pop(number, None)

    def _on_data_packet(self, packet: bytes) -> bool:
        """A channel's data, the short way: no Message, no copy."""
        if self._expected_packet:
            return False  # in the middle of a key exchange: Transport.run knows what is wrong with it
        channel = self._open.get(int.from_bytes(packet[2:6], "big"))
        if channel is not None:
            size = int.from_bytes(packet[6:10], "big")
            channel.data(memoryview(packet)[10 : 10 + min(size, len(packet) - packet[0] - 10)])
        return True

    def _with(self, m: Message, act: "Callable[[Channel], None]") -> None:
        channel = self._open.get(m.get_int())
        if channel is not None:
            act(channel)

    def _on_open(self, m: Message) -> None:
        kind, peer, room, largest = m.get_text(), m.get_int(), m.get_int(), m.get_int()
        if self.incoming is None:
            self.decline(peer, 1)
        else:
            self.incoming(kind, peer, room, largest, m)

    def decline(self, peer: int, reason: int) -> None:
        """Do not open the channel the other side asks for (RFC 4254 5.1)."""
        message = Message()
        message.add_byte(b"\x5c")
        message.add_int(peer)
        message.add_int(reason)
        message.add_string("")
        message.add_string("")
        self.say(message)

    def _on_opened(self, m: Message) -> None:
        self._with(m, lambda c: c.opened(m.get_int(), m.get_int(), m.get_int()))

    def _on_open_failed(self, m: Message) -> None:
        self._with(m, lambda c: c.failed(m.get_int(), m.get_text()))


def alien(said: str) -> str:
    """The clause for a machine that says something else than SSH's version."""
    text = "".join(c if c.isprintable() else " " for c in said[:60]).strip()
    return f'it is no SSH server: it says "{text}"' if text else "it is no SSH server"
