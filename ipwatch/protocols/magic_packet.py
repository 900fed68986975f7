"""The magic packet: six bytes of 0xFF, the sleeper's MAC address 16 times, and its SecureOn password if it has one.

AMD, Magic Packet Technology (white paper 20213, 1995), section 2; the password of 4 or 6 bytes as `ethtool -s ...
sopass` (6, written like a MAC address) and Wireshark's dissector of it (4, written like an IPv4 address) know it.
"""

import re

_MAC = re.compile(r"[0-9a-f]{2}([:-]?)[0-9a-f]{2}(\1[0-9a-f]{2}){4}|([0-9a-f]{4}\.){2}[0-9a-f]{4}")
_SECUREON = re.compile(r"[0-9a-f]{2}([:-]?)[0-9a-f]{2}(\1[0-9a-f]{2}){2}((\1[0-9a-f]{2}){2})?")
_SYNC = b"\xff" * 6
_REPEATS = 16


class BadMac(ValueError):
    """The text is no MAC address or no SecureOn password; str() is a clause that says why."""


def parse_mac(text: str) -> str:
    """The address as "aa:bb:cc:dd:ee:ff"; written with colons, hyphens, dots (aabb.ccdd.eeff) or nothing between.
    Raises BadMac, also for addresses that no machine has: group addresses (IEEE 802 8.2, so broadcast) and zero."""
    low = text.strip().lower()
    if not low.isascii() or not _MAC.fullmatch(low):
        raise BadMac(f"{text[:40]!r} is not a MAC address like aa:bb:cc:dd:ee:ff")
    raw = bytes.fromhex(re.sub("[:.-]", "", low))
    if raw[0] & 1 or not any(raw):
        raise BadMac(f"{text[:40]!r} is no machine's own MAC address")
    return raw.hex(":")


def parse_secureon(text: str) -> bytes:
    """A SecureOn password: 4 or 6 bytes in hex, as one sets it with `ethtool -s eth0 wol gs sopass`; "" for none.
    Raises BadMac, which does not repeat the text."""
    low = text.strip().lower()
    if not low:
        return b""
    if not low.isascii() or not _SECUREON.fullmatch(low):
        raise BadMac("a SecureOn password is 4 or 6 bytes in hex, like 0a:1b:2c:3d:4e:5f")
    return bytes.fromhex(re.sub("[:-]", "", low))


def is_for(payload: bytes, mac: str, secureon: bytes = b"") -> bool:
    """Whether this payload wakes the machine with that address and password: the pattern may stand anywhere in it."""
    return _SYNC + bytes.fromhex(mac.replace(":", "")) * _REPEATS + secureon in payload
