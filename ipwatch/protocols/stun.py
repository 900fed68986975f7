"""STUN binding requests and responses (RFC 8489), as far as learning one's own public address needs them."""

from binascii import crc32
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from struct import Struct

from ipwatch.core.address import Address

MAGIC_COOKIE = 0x2112A442  # RFC 8489 5
TRANSACTION_LENGTH = 12  # octets, RFC 8489 5
_HEADER = Struct("!HHI12s")  # type, length, cookie, transaction (RFC 8489 5)
_ATTRIBUTE = Struct("!HH")  # type, length (RFC 8489 14)
_REQUEST, _SUCCESS, _ERROR = 0x0001, 0x0101, 0x0111  # method binding with each class (RFC 8489 5)

_MAPPED = 0x0001  # RFC 8489 14.1
_ERROR_CODE = 0x0009  # RFC 8489 14.8
_XOR_MAPPED = 0x0020  # RFC 8489 14.2
_XOR_MAPPED_OLD = 0x8020  # the number of the drafts before RFC 5389; some servers still send it
_FINGERPRINT = 0x8028  # RFC 8489 14.7
_FINGERPRINT_XOR = 0x5354554E  # RFC 8489 14.7
# Attributes a client must understand that we may pass over: RFC 8489 18.3.1, and those of RFC 3489 11.2 which old
# servers add to every response (SOURCE-ADDRESS, CHANGED-ADDRESS ...).
_PASSED_OVER = frozenset(range(0x0001, 0x000C)) | {0x0014, 0x0015, 0x001C, 0x001D, 0x001E, 0x0020}


class BadStun(ValueError):
    """The datagram is not a usable response; str() is a clause that says why."""


@dataclass(frozen=True, slots=True)
class Mapped:
    """Where the server saw the request come from. address: any, not yet judged."""

    address: Address
    port: int


def request(transaction: bytes) -> bytes:
    """A binding request without attributes (RFC 8489 6.1). transaction: 12 octets, random for every question."""
    if len(transaction) != TRANSACTION_LENGTH:
        raise ValueError("a transaction id has 12 octets")
    return _HEADER.pack(_REQUEST, 0, MAGIC_COOKIE, transaction)


def answers(datagram: bytes, transaction: bytes) -> bool:
    """Whether this is a response, good or bad, to the request with that id; all else is passed over (RFC 8489 6.3)."""
    if len(datagram) < _HEADER.size:
        return False
    kind, _, cookie, its = _HEADER.unpack_from(datagram)
    return kind in {_SUCCESS, _ERROR} and cookie == MAGIC_COOKIE and its == transaction


def read(datagram: bytes, transaction: bytes) -> Mapped:
    """The mapped address of a binding response (RFC 8489 6.3.3); raises BadStun, for error responses too."""
    if not answers(datagram, transaction):
        raise BadStun("it is no response to our request")
    kind, length, _, _ = _HEADER.unpack_from(datagram)
    if length % 4 or length != len(datagram) - _HEADER.size:
        raise BadStun("the length in its header is wrong")
    attributes = list(_attributes(datagram))
    if kind == _ERROR:
        raise BadStun(_error(attributes))
    return _mapped(attributes, transaction)


def _attributes(datagram: bytes) -> Iterator[tuple[int, bytes]]:
    at = _HEADER.size
    while at < len(datagram):
        kind, length = _ATTRIBUTE.unpack_from(datagram, at)  # always there: both length and `at` are multiples of four
        value = datagram[at + 4 : at + 4 + length]
        if len(value) != length:
            raise BadStun("an attribute is longer than the message")
        if kind == _FINGERPRINT:
            _check_fingerprint(datagram[:at], value)
        yield kind, value
        at += 4 + (length + 3) // 4 * 4  # padded to 32 bits (RFC 8489 14)


def _check_fingerprint(before: bytes, value: bytes) -> None:
    if value != (crc32(before) ^ _FINGERPRINT_XOR).to_bytes(4):
        raise BadStun("its fingerprint is wrong")


def _error(attributes: list[tuple[int, bytes]]) -> str:
    """The clause for an error response: code and reason of ERROR-CODE (RFC 8489 14.8)."""
    for kind, value in attributes:
        if kind == _ERROR_CODE and len(value) >= 4:
            code = (value[2] & 0x07) * 100 + value[3]
            reason = "".join(c if c.isprintable() else " " for c in value[4:84].decode("utf-8", "replace"))
            return f"it answered with error {code} {reason}".rstrip()
    return "it answered with an error and no code"


def _mapped(attributes: list[tuple[int, bytes]], transaction: bytes) -> Mapped:
    """XOR-MAPPED-ADDRESS first: some routers rewrite every address they see in a packet (RFC 8489 14.2)."""
    masked: set[Mapped] = set()
    plain: set[Mapped] = set()
    for kind, value in attributes:
        if kind in {_XOR_MAPPED, _XOR_MAPPED_OLD}:
            masked.add(_address(value, MAGIC_COOKIE.to_bytes(4) + transaction))
        elif kind == _MAPPED:
            plain.add(_address(value, bytes(16)))
        elif kind < 0x8000 and kind not in _PASSED_OVER:
            raise BadStun(f"it demands that we understand attribute 0x{kind:04x}")
    found = masked or plain
    if len(found) != 1:
        raise BadStun("it names no address" if not found else "it names several addresses")
    return found.pop()


def _address(value: bytes, mask: bytes) -> Mapped:
    """One address attribute, its port and address under a mask (RFC 8489 14.1, 14.2)."""
    size = {1: 4, 2: 16}.get(value[1]) if len(value) > 4 else None
    if size is None or len(value) != 4 + size:
        raise BadStun("an address in it has no known family or the wrong length")
    port = int.from_bytes(value[2:4]) ^ int.from_bytes(mask[:2])
    raw = bytes(a ^ b for a, b in zip(value[4:], mask, strict=False))
    return Mapped(Address(ip_address(raw)), port)
