"""The SSH connection protocol (RFC 4254) as a multiplexing ssh passes it on in its proxy mode (OpenSSH's PROTOCOL.mux,
section 9, 2024-01): a length of four bytes, a padding length of 0, a message.

Only what a forwarded connection needs. Numbers of our ends of channels are ours to choose: ssh translates them.
"""

import struct
from collections.abc import Callable
from typing import NamedTuple

from ipwatch.protocols.ssh_fields import Fields

HEAD = 14  # bytes before the content of a data message
LARGEST = 32 * 1024  # bytes of content we send at once: what OpenSSH takes of a forwarded connection (channels.h, 9.2)

DATA, ADJUST = 94, 93  # 5.2
_OPEN, _OPENED, _FAILED, _EXTENDED, _EOF, _CLOSE = 90, 91, 92, 95, 96, 97  # 5.1 to 5.3
_REQUEST, _CHANNEL_FAILURE = 98, 100  # 5.4
_REASONS = {1: "its sshd does not allow it", 3: "its sshd does not know how to", 4: "it has no room for more"}  # 5.1
_HEAD = struct.Struct(">IxBII")
_DIRECT = "direct-tcpip"  # 7.2
_DIRECT_PATH = "direct-streamlocal@openssh.com"  # OpenSSH's PROTOCOL, section 2.4, 2023-12


class BadMessage(ValueError):
    """What came does not fit the protocol; str() is a clause."""


class Opened(NamedTuple):
    """The far end has connected. room: bytes it takes; largest: at once."""

    peer: int
    room: int
    largest: int


class NotOpened(NamedTuple):
    """It has not; a clause."""

    reason: str


class Ended(NamedTuple):
    """It sends no more; closed: the channel is gone altogether."""

    closed: bool


class Asked(NamedTuple):
    """It asks something that none of our channels knows; reply: it waits for an answer."""

    reply: bool


class Other(NamedTuple):
    """A message that means nothing here; content: bytes of the window it used."""

    content: int


Message = Opened | NotOpened | Ended | Asked | Other


def open_channel(number: int, host: str, port: int, window: int, largest: int) -> bytes:
    """Ask for a connection to a host and port, or (port 0) to a Unix socket. number: of our end of the channel."""
    head = (_number(number), _number(window), _number(largest), _text(host))
    if port == 0:
        return _packet(_OPEN, _text(_DIRECT_PATH), *head, _text(""), _number(0))
    return _packet(_OPEN, _text(_DIRECT), *head, _number(port), _text("127.0.0.1"), _number(0))


def data_head(peer: int, count: int) -> bytes:
    """What stands before `count` bytes of content."""
    return _HEAD.pack(count + HEAD - 4, DATA, peer, count)


def adjust(peer: int, count: int) -> bytes:
    """We take so many bytes more."""
    return _packet(ADJUST, _number(peer), _number(count))


def end(peer: int) -> bytes:
    """We send no more."""
    return _packet(_EOF, _number(peer))


def close(peer: int) -> bytes:
    """We are done with it."""
    return _packet(_CLOSE, _number(peer))


def unknown(peer: int) -> bytes:
    """The answer to what was asked."""
    return _packet(_CHANNEL_FAILURE, _number(peer))


def length_of(head: bytes | bytearray | memoryview) -> int:
    """The length of the whole message with its own four bytes; raises BadMessage."""
    length = int.from_bytes(head[:4], "big")
    if not 2 <= length <= 256 * 1024:  # packet.h of OpenSSH 9.2: PACKET_MAX_SIZE
        raise BadMessage(f"a message of {length} bytes")
    return 4 + length


def channel_of(packet: bytes) -> int:
    """The number of our end of the channel a message is about; of one that is about none, some number."""
    return int.from_bytes(packet[6:10], "big")


def head_at(buffer: bytearray, at: int) -> tuple[int, int, int]:
    """Of the message whose first HEAD bytes stand there: its kind, the number of our end of its channel, and what
    follows: of DATA how many bytes of content come, of ADJUST, which ends there, how many more may go; raises
    BadMessage. Of other kinds it says nothing but the kind."""
    length, kind, number, count = _HEAD.unpack_from(buffer, at)
    if (kind == DATA and length != count + HEAD - 4) or (kind == ADJUST and length != HEAD - 4):
        raise BadMessage(f"a message of {length} bytes with {count} in it")
    return kind, number, count


def message(packet: bytes) -> Message:
    """A whole message that `head_at` does not read, or that ended before its head did; raises BadMessage."""
    if packet[5] in {DATA, ADJUST}:
        raise BadMessage("a message shorter than its head")
    read = _READ.get(packet[5])
    if read is None:
        return Other(0)
    body = Fields(packet, 6, fault=BadMessage("a message shorter than it says"))
    body.number()  # our end's
    return read(body)


def _not_opened(body: Fields) -> NotOpened:
    code, text = body.number(), body.text()
    return NotOpened(_REASONS.get(code) or text.lower() or "it does not say why")


def _extended(body: Fields) -> Other:
    body.number()
    return Other(body.number())


def _asked(body: Fields) -> Asked:
    body.text()
    return Asked(body.flag())


_READ: dict[int, Callable[[Fields], Message]] = {
    _OPENED: lambda body: Opened(body.number(), body.number(), body.number()),
    _FAILED: _not_opened,
    _EXTENDED: _extended,
    _EOF: lambda _body: Ended(closed=False),
    _CLOSE: lambda _body: Ended(closed=True),
    _REQUEST: _asked,
}


def _packet(kind: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return _number(len(body) + 2) + bytes((0, kind)) + body


def _number(value: int) -> bytes:
    return value.to_bytes(4, "big")


def _text(value: str) -> bytes:
    data = value.encode("utf-8")
    return _number(len(data)) + data
