"""Linux rtnetlink: asking the kernel for its links and addresses, and reading what it says.

The numbers are those of linux/netlink.h, linux/rtnetlink.h, linux/if_addr.h and linux/if_link.h (Linux 6.1); the
layout is described in netlink(7) and rtnetlink(7). All integers are in the machine's own byte order.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from ipaddress import IPv4Address, IPv6Address
from struct import Struct

_HEADER = Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port
_ADDRESS = Struct("=BBBBI")  # ifaddrmsg: family, prefix length, flags, scope, index
_LINK = Struct("=BxHiII")  # ifinfomsg: family, type, index, flags, change
_ATTRIBUTE = Struct("=HH")  # rtattr: length, type
_REQUEST_DUMP = 0x0001 | 0x0300  # NLM_F_REQUEST | NLM_F_DUMP
_INTERRUPTED = 0x0010  # NLM_F_DUMP_INTR: the table changed while it was read
_TYPE_MASK = 0x3FFF  # without NLA_F_NESTED and NLA_F_NET_BYTEORDER
_IFLA_IFNAME, _IFA_ADDRESS, _IFA_LOCAL, _IFA_FLAGS = 3, 1, 2, 8
_IFF_UP = 0x1
_AF_INET, _AF_INET6 = 2, 10
_ORDER = sys.byteorder


class BadMessage(ValueError):
    """The bytes are not a well-formed rtnetlink message; str() is a clause that says why."""


class Kind(IntEnum):
    """Message types used here."""

    ERROR = 2
    DONE = 3
    NEW_LINK = 16
    GET_LINK = 18
    NEW_ADDRESS = 20
    GET_ADDRESS = 22


class Flag(IntFlag):
    """Flags of an address (linux/if_addr.h)."""

    TEMPORARY = 0x01  # IPv6: made by RFC 8981; in IPv4 the same bit means "secondary"
    DEPRECATED = 0x20
    TENTATIVE = 0x40
    PERMANENT = 0x80
    MANAGETEMPADDR = 0x100
    STABLE_PRIVACY = 0x800


@dataclass(frozen=True, slots=True)
class Message:
    """One message. kind: a Kind or another number. interrupted: the dump is inconsistent and has to be asked again."""

    kind: int
    sequence: int
    interrupted: bool
    payload: bytes


@dataclass(frozen=True, slots=True)
class Link:
    """One network interface."""

    index: int
    name: str
    up: bool


@dataclass(frozen=True, slots=True)
class LinkAddress:
    """One address of an interface."""

    index: int
    address: IPv4Address | IPv6Address
    prefix: int
    flags: Flag


def dump(kind: Kind, sequence: int) -> bytes:
    """A request for the whole table of links or addresses, both families."""
    body = _LINK.pack(0, 0, 0, 0, 0) if kind is Kind.GET_LINK else _ADDRESS.pack(0, 0, 0, 0, 0)
    return _HEADER.pack(_HEADER.size + len(body), kind, _REQUEST_DUMP, sequence, 0) + body


def messages(datagram: bytes) -> Iterator[Message]:
    """The messages in one datagram; raises BadMessage."""
    at = 0
    while at < len(datagram):
        if len(datagram) - at < _HEADER.size:
            raise BadMessage("a message header is cut off")
        length, kind, flags, sequence, _ = _HEADER.unpack_from(datagram, at)
        if not _HEADER.size <= length <= len(datagram) - at:
            raise BadMessage("a message's length is wrong")
        yield Message(kind, sequence, bool(flags & _INTERRUPTED), datagram[at + _HEADER.size : at + length])
        at += _aligned(length)


def error_of(message: Message) -> int:
    """The errno in an ERROR or DONE message, 0 for success; raises BadMessage."""
    if len(message.payload) < 4:
        if message.kind == Kind.DONE:
            return 0  # kernels before 4.11 send it without a status
        raise BadMessage("an error message is cut off")
    return abs(int.from_bytes(message.payload[:4], _ORDER, signed=True))


def link(payload: bytes) -> Link:
    """The interface in a NEW_LINK message; raises BadMessage."""
    if len(payload) < _LINK.size:
        raise BadMessage("a link message is cut off")
    _, _, index, flags, _ = _LINK.unpack_from(payload)
    name = _attributes(payload, _LINK.size).get(_IFLA_IFNAME, b"").split(b"\0")[0]
    if not name:
        raise BadMessage("a link has no name")
    return Link(index, name.decode("utf-8", "replace"), bool(flags & _IFF_UP))


def address(payload: bytes) -> LinkAddress | None:
    """The address in a NEW_ADDRESS message, None where it is of another family than IP; raises BadMessage.

    On a point-to-point link IFA_ADDRESS is the other end, so IFA_LOCAL goes first (rtnetlink(7)). IFA_FLAGS, 32 bits,
    replaces the 8 bits of the header where it is sent.
    """
    if len(payload) < _ADDRESS.size:
        raise BadMessage("an address message is cut off")
    family, prefix, flags, _, index = _ADDRESS.unpack_from(payload)
    if family not in {_AF_INET, _AF_INET6}:
        return None
    attributes = _attributes(payload, _ADDRESS.size)
    raw = attributes.get(_IFA_LOCAL, attributes.get(_IFA_ADDRESS, b""))
    if len(raw) != (4 if family == _AF_INET else 16):
        raise BadMessage("an address has the wrong length")
    if len(wide := attributes.get(_IFA_FLAGS, b"")) == 4:
        flags = int.from_bytes(wide, _ORDER)
    ip = IPv4Address(raw) if family == _AF_INET else IPv6Address(raw)
    if prefix > ip.max_prefixlen:
        raise BadMessage("a prefix is longer than its address")
    return LinkAddress(index, ip, prefix, Flag(flags))


def _attributes(payload: bytes, at: int) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    while len(payload) - at >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(payload, at)
        if not _ATTRIBUTE.size <= length <= len(payload) - at:
            raise BadMessage("an attribute's length is wrong")
        found.setdefault(kind & _TYPE_MASK, payload[at + _ATTRIBUTE.size : at + length])
        at += _aligned(length)
    return found


def _aligned(length: int) -> int:
    return (length + 3) // 4 * 4  # NLMSG_ALIGN and RTA_ALIGN
