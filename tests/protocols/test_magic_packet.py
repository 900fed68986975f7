"""protocols.magic_packet: what counts as a MAC address, a SecureOn password and a magic packet."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipwatch.protocols.magic_packet import BadMac, is_for, parse_mac, parse_secureon

MAC = "aa:bb:cc:dd:ee:0f"


@pytest.mark.parametrize(
    "text", [MAC, "AA-BB-CC-DD-EE-0F", "aabb.ccdd.ee0f", "aabbccddee0f", "aa bb cc dd ee 0f", "  aA:bB:cC:dD:eE:0F\n"]
)  # fmt: skip
def test_ways_to_write_it(text: str) -> None:
    """Every usual way to write a MAC address means the same address."""
    assert parse_mac(text) == MAC


@pytest.mark.parametrize(
    "text",
    ["", "aa:bb:cc:dd:ee", "aa:bb:cc:dd:ee:ff:00", "aa:bb-cc:dd:ee:00", "aa:bb:cc:dd:ee:gg", "aabb.ccdd:ee0f",
     "aa:bb:cc:dd:ee:0f; reboot", "$(reboot)", "aa:bb:cc:dd:ee:0f\nx", "\uff41a:bb:cc:dd:ee:0f"],
)  # fmt: skip
def test_no_mac(text: str) -> None:
    """What is not exactly one MAC address is refused, so nothing can ride along into a command."""
    with pytest.raises(BadMac, match="a MAC address is twelve hexadecimal digits"):
        parse_mac(text)


@pytest.mark.parametrize(
    ("text", "clause"),
    [("ff:ff:ff:ff:ff:ff", "of a group of machines"), ("01:00:5e:00:00:01", "of a group of machines"),
     ("00:00:00:00:00:00", "no machine has a MAC address of zeros alone")],
)  # fmt: skip
def test_nobodys_mac(text: str, clause: str) -> None:
    """Broadcast, multicast and the zero address belong to no machine."""
    with pytest.raises(BadMac, match=clause):
        parse_mac(text)


@given(st.binary(min_size=6, max_size=6).map(lambda raw: bytes([raw[0] & 0xFE | 2]) + raw[1:]))
def test_round_trip(raw: bytes) -> None:
    """An address is read as what it is, and reading its canonical form changes nothing."""
    assert bytes.fromhex(parse_mac(raw.hex()).replace(":", "")) == raw
    assert parse_mac(parse_mac(raw.hex("-"))) == raw.hex(":")


@given(st.text(max_size=30))
def test_any_text(text: str) -> None:
    """Any text is either a canonical address of hex digits and colons, or refused."""
    with contextlib.suppress(BadMac):
        assert set(parse_mac(text)) <= set("0123456789abcdef:")


@pytest.mark.parametrize(
    ("text", "raw"),
    [("", b""), ("01:23:45:67:89:ab", b"\x01\x23\x45\x67\x89\xab"), ("01-23-45-67", b"\x01\x23\x45\x67"),
     ("0123456789AB", b"\x01\x23\x45\x67\x89\xab"), ("01234567", b"\x01\x23\x45\x67")],
)  # fmt: skip
def test_secureon(text: str, raw: bytes) -> None:
    """A SecureOn password is 0, 4 or 6 bytes in hex: bytes, not characters."""
    assert parse_secureon(text) == raw


@pytest.mark.parametrize(
    "text", ["secret", "01:23:45", "01:23:45:67:89", "01:23:45:67:89:ab:cd", "01:23-45:67", "٠١٢٣"]
)
def test_no_secureon(text: str) -> None:
    """Anything else is refused in a sentence that does not repeat the password."""
    with pytest.raises(BadMac, match="4 or 6 bytes in hexadecimal") as caught:
        parse_secureon(text)
    assert text not in str(caught.value)


def test_packet() -> None:
    """A packet wakes the one machine it names, and only with the right password."""
    packet = b"\xff" * 6 + bytes.fromhex("aabbccddee0f") * 16 + b"\x01\x02\x03\x04"
    assert is_for(packet, MAC)
    assert is_for(b"before" + packet, MAC, b"\x01\x02\x03\x04")
    assert not is_for(packet, MAC, b"\x01\x02\x03\x05")
    assert not is_for(packet, "aa:bb:cc:dd:ee:0e")
    assert not is_for(packet[:80], MAC)
