"""The connection protocol (RFC 4254) over ssh_transport: global requests, channels, and the answers of a login."""

import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from paramiko.message import Message

from ipwatch.net.ssh_packets import data_packet
from ipwatch.net.ssh_transport import Transport

if TYPE_CHECKING:
    from ipwatch.net.ssh_channel import Channel

_USERAUTH = (6, 51, 52, 53, 60, 61)  # SSH_MSG_SERVICE_ACCEPT, SSH_MSG_USERAUTH_... (RFC 4252 6, RFC 4256 5)

Reply = Callable[[Message | None], None]


class Connection(Transport):
    """What goes over one transport. incoming: decides about a channel the far end opens."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.answers: deque[tuple[int, Message]] = deque()  # of the authentication
        self.answered = threading.Semaphore(0)
        self.rtt = 0.0  # seconds: the smallest round trip seen, 0 for none yet
        self.buffer = data_packet()  # of the thread, for what clients send
        self.incoming: Callable[[str, int, int, int, Message], None] | None = None
        self._replies: deque[tuple[float, Reply]] = deque()
        self._open: dict[int, Channel] = {}
        self._number = 0
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

    def left(self) -> None:
        """See Transport."""
        with self._lock:
            channels, self._open = list(self._open.values()), {}
            replies = list(self._replies)
            self._replies.clear()
        self.answered.release()
        for channel in channels:
            channel.lost()
        for _, reply in replies:
            reply(None)

    # Global requests and authentication.

    def ask(self, name: str, reply: Reply, *fields: str | int) -> None:
        """Send a global request that wants a reply. Replies come in the order of the requests (RFC 4254 4). Raises
        EOFError."""
        message = Message()
        message.add_byte(b"\x50")
        message.add_string(name)
        message.add_boolean(True)
        add_fields(message, fields)
        with self._lock:
            self.send(message)
            self._replies.append((time.monotonic(), reply))

    def asked(self) -> int:
        """How many requests wait for their reply."""
        return len(self._replies)

    def _on_reply(self, m: Message | None) -> None:
        with self._lock:
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
        with self._lock:
            if self.ended:
                raise EOFError
            while self._number in self._open:
                self._number = (self._number + 1) & 0xFFFFFF
            number, self._number = self._number, (self._number + 1) & 0xFFFFFF
            self._open[number] = channel
            return number

    def drop(self, number: int) -> None:
        """That channel is no more."""
        with self._lock:
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


def add_fields(message: Message, fields: tuple[str | int, ...]) -> None:
    """Strings and numbers of RFC 4251 5."""
    for field in fields:
        if isinstance(field, int):
            message.add_int(field)
        else:
            message.add_string(field)
