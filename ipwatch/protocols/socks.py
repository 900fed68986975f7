"""SOCKS version 5, the server's side (RFC 1928): no authentication, CONNECT only. Names go on as they are."""

from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from ipwatch.core.forward import Target

LARGEST = 2 + 255 + 4 + 1 + 255 + 2  # octets of a greeting and a request together (RFC 1928 3 and 4)


class Reply(IntEnum):
    """RFC 1928 6."""

    SUCCEEDED = 0
    FAILURE = 1
    NOT_ALLOWED = 2
    NETWORK_UNREACHABLE = 3
    HOST_UNREACHABLE = 4
    REFUSED = 5
    BAD_COMMAND = 7
    BAD_ADDRESS_TYPE = 8


class BadSocks(ValueError):
    """The client does not speak SOCKS 5 as we do; str() is a clause. answer: what to send before closing."""

    def __init__(self, message: str, answer: bytes = b"") -> None:
        super().__init__(message)
        self.answer = answer


class Step(NamedTuple):
    """What to do with what has come so far. answer: to be sent now. used: octets done with. target: where to connect,
    once it is known."""

    answer: bytes
    used: int
    target: Target | None = None


ACCEPTED = b"\x05\x00"  # version 5, no authentication (RFC 1928 3)
_NONE_ACCEPTABLE = b"\x05\xff"


def greeting(octets: bytes) -> Step | None:
    """The first message of a client; None while it is not complete. Raises BadSocks."""
    if octets[:1] not in {b"", b"\x05"}:
        if octets[:1] == b"\x04":
            raise BadSocks("the client speaks SOCKS 4, choose SOCKS 5")
        raise BadSocks("the client does not speak SOCKS: this is no proxy for HTTP, choose SOCKS 5")
    if len(octets) < 2 or len(octets) < 2 + octets[1]:
        return None
    end = 2 + octets[1]
    if 0 not in octets[2:end]:
        raise BadSocks("the client wants to authenticate, this proxy knows no users", _NONE_ACCEPTABLE)
    return Step(ACCEPTED, end)


def request(octets: bytes) -> Step | None:
    """The second message of a client (RFC 1928 4); None while it is not complete. Raises BadSocks."""
    if len(octets) < 5:
        return None
    version, command, _, kind, first = octets[:5]
    if version != 5:
        raise BadSocks("the client does not speak SOCKS 5", reply(Reply.FAILURE))
    sizes = {1: 4, 3: 1 + first, 4: 16}  # address types: IPv4, domain name, IPv6 (RFC 1928 5)
    if kind not in sizes:
        raise BadSocks("the client names an unknown type of address", reply(Reply.BAD_ADDRESS_TYPE))
    end = 4 + sizes[kind] + 2
    if len(octets) < end:
        return None
    if command != 1:
        raise BadSocks("the client wants more than to connect", reply(Reply.BAD_COMMAND))
    port = int.from_bytes(octets[end - 2 : end], "big")
    host = _host(kind, octets[4 : end - 2])
    if not host or not port:
        raise BadSocks("the client names no place to connect to", reply(Reply.FAILURE))
    return Step(b"", end, Target(host, port))


def _host(kind: int, octets: bytes) -> str:
    if kind == 1:
        return str(IPv4Address(octets))
    if kind == 4:
        return str(IPv6Address(octets))
    name = octets[1:].decode("utf-8", "replace")
    return name if name.isprintable() and not set(name) & set(" /@") else ""


def reply(code: Reply) -> bytes:
    """The server's answer to a request; the bound address is not told, no client needs it (RFC 1928 6)."""
    return bytes((5, code, 0, 1, 0, 0, 0, 0, 0, 0))
