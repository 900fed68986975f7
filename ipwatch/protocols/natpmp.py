"""NAT-PMP's one question that changes nothing: which address a router has on its outside (RFC 6886 3.2)."""

from ipaddress import IPv4Address
from struct import Struct

from ipwatch.core.address import Address

PORT = 5351  # of the router, UDP (RFC 6886 3)
REQUEST = bytes((0, 0))  # version 0, opcode 0 (RFC 6886 3.2)
_ANSWER = Struct("!BBHI4s")  # version, opcode + 128, result, seconds since the router's start, address (RFC 6886 3.2)
_OPCODE = 128
_NETWORK = 3
_RESULTS = {
    1: "it does not know this version",
    2: "it is switched off",
    4: "it is out of resources",
    5: "it does not know the question",
}  # fmt: skip  RFC 6886 3.5


class BadNatPmp(ValueError):
    """The answer names no address; str() is a clause that says why. nowhere: the router says that it has none."""

    def __init__(self, message: str, *, nowhere: bool = False) -> None:
        super().__init__(message)
        self.nowhere = nowhere


def answers(datagram: bytes) -> bool:
    """Whether this is an answer to the question; a refusal may be shorter (RFC 6886 3.5)."""
    return len(datagram) >= 4 and datagram[0] == 0 and datagram[1] == _OPCODE


def read(datagram: bytes) -> Address:
    """The router's address outside, whatever it is; raises BadNatPmp."""
    if not answers(datagram):
        raise BadNatPmp("it is no answer to our question")
    result = int.from_bytes(datagram[2:4])
    if result == _NETWORK:  # also what some routers say behind carrier NAT: no address worth the name
        raise BadNatPmp("it says that it has no public address", nowhere=True)
    if result:
        raise BadNatPmp(_RESULTS.get(result, f"it answered with error {result}"))
    if len(datagram) != _ANSWER.size:
        raise BadNatPmp("its answer has the wrong length")
    address = IPv4Address(_ANSWER.unpack(datagram)[4])
    if int(address) == 0:
        raise BadNatPmp("it says that it has no public address", nowhere=True)
    return Address(address)
