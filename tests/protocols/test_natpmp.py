"""protocols.natpmp and protocols.proc_route: what a router answers, and which machine the router is."""

import sys
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipwatch.core.address import Address
from ipwatch.protocols import natpmp
from ipwatch.protocols.proc_route import default_gateway

GOOD = bytes((0, 128, 0, 0)) + (3600).to_bytes(4) + bytes((25, 1, 2, 3))
HEAD = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n"


def test_the_address_outside_is_read() -> None:
    """Version 0, opcode 128, result 0, the router's time, the address: 12 octets (RFC 6886 3.2)."""
    assert natpmp.REQUEST == b"\0\0"
    assert natpmp.read(GOOD) == Address.parse("25.1.2.3")
    assert natpmp.read(GOOD[:8] + bytes((100, 64, 0, 9))) == Address.parse("100.64.0.9")


@pytest.mark.parametrize(
    ("datagram", "said"),
    [
        (b"", "no answer"),
        (b"\0\0\0\0", "no answer"),
        (b"\1\x80\0\0" + bytes(8), "no answer"),
        (bytes((0, 128, 0, 1)) + bytes(4), "version"),
        (bytes((0, 128, 0, 2)) + bytes(8), "switched off"),
        (bytes((0, 128, 0, 9)) + bytes(8), "error 9"),
        (GOOD + b"\0", "length"),
        (GOOD[:11], "length"),
    ],
)
def test_what_names_no_address_is_refused_with_the_reason(datagram: bytes, said: str) -> None:
    """Each refusal says why, and none of these claims that the router has no address."""
    with pytest.raises(natpmp.BadNatPmp, match=said) as caught:
        natpmp.read(datagram)
    assert not caught.value.nowhere


@pytest.mark.parametrize("datagram", [bytes((0, 128, 0, 3)) + bytes(8), bytes((0, 128, 0, 0)) + bytes(8)])
def test_a_router_without_an_address_says_so(datagram: bytes) -> None:
    """ "Network failure" and 0.0.0.0 are the ways to say that there is none."""
    with pytest.raises(natpmp.BadNatPmp, match="no public address") as caught:
        natpmp.read(datagram)
    assert caught.value.nowhere


@given(st.binary(max_size=20))
def test_any_datagram_is_an_address_or_a_reason(datagram: bytes) -> None:
    """Nothing else comes out, whatever comes in."""
    try:
        found: Address | str = natpmp.read(datagram)
    except natpmp.BadNatPmp as error:
        found = str(error)
    assert found


def route(destination: str, gateway: str, flags: int, metric: str = "0", mask: str = "0.0.0.0") -> str:
    hexed = [f"{int.from_bytes(IPv4Address(text).packed, sys.byteorder):08X}" for text in (destination, gateway, mask)]
    return f"eth0\t{hexed[0]}\t{hexed[1]}\t{flags:04X}\t0\t0\t{metric}\t{hexed[2]}\t0\t0\t0\n"


def test_the_preferred_default_gateway_is_found() -> None:
    """Of several default routes the one of the least metric counts; other routes, and such as are down, do not."""
    lan = route("192.168.1.0", "0.0.0.0", 1, mask="255.255.255.0")
    table = HEAD + lan + route("0.0.0.0", "192.168.9.1", 3, "600") + route("0.0.0.0", "192.168.1.1", 3, "100")
    assert default_gateway(table) == IPv4Address("192.168.1.1")
    assert default_gateway(HEAD + lan) is None
    assert default_gateway(HEAD + route("0.0.0.0", "192.168.1.1", 2)) is None
    assert default_gateway(HEAD + route("0.0.0.0", "0.0.0.0", 1)) is None  # a point-to-point line has no gateway
    assert default_gateway(HEAD + route("10.0.0.0", "192.168.1.1", 3, mask="255.0.0.0")) is None


@pytest.mark.parametrize(
    "text", ["", "nonsense", HEAD + "eth0 x y z\n", HEAD + "eth0 0 123456789A 3 0 0 0 0\n", HEAD + "\n"]
)
def test_a_table_that_can_not_be_read_has_no_gateway(text: str) -> None:
    """What does not fit is passed over."""
    assert default_gateway(text) is None
