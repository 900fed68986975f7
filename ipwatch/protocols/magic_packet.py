"""The magic packet: six bytes of 0xFF, the sleeper's MAC address 16 times, and its SecureOn password if it has one.

AMD, Magic Packet Technology (white paper 20213, 1995), section 2; the password of 4 or 6 bytes as `ethtool -s ...
sopass` (6, written like a MAC address) and Wireshark's dissector of it (4, written like an IPv4 address) know it.
"""

import re

_MAC = re.compile(r"[0-9a-f]{2}([: -]?)[0-9a-f]{2}(\1[0-9a-f]{2}){4}|([0-9a-f]{4}\.){2}[0-9a-f]{4}")
_SECUREON = re.compile(r"[0-9a-f]{2}([: -]?)[0-9a-f]{2}(\1[0-9a-f]{2}){2}((\1[0-9a-f]{2}){2})?")
_SYNC = b"\xff" * 6
_REPEATS = 16


class BadMac(ValueError):
    """The text is no MAC address or no SecureOn password; str() is a clause that says why and does not repeat it."""


def parse_mac(text: str) -> str:
    """The address as "aa:bb:cc:dd:ee:ff"; written with colons, hyphens, spaces, dots (aabb.ccdd.eeff) or
    nothing between. Raises BadMac, also for addresses that no machine has: those of groups (IEEE 802-2014 8.2.2, the
    I/G bit; so broadcast) and zero."""
    low = text.strip().lower()
    if not low.isascii() or not _MAC.fullmatch(low):
        raise BadMac('a MAC address is twelve hexadecimal digits, as in "aa:bb:cc:dd:ee:ff"')
    raw = bytes.fromhex(re.sub("[:. -]", "", low))
    if raw[0] & 1:
        raise BadMac("this is the MAC address of a group of machines, not of one (its first byte is odd)")
    if not any(raw):
        raise BadMac("no machine has a MAC address of zeros alone")
    return raw.hex(":")


def parse_secureon(text: str) -> bytes:
    """A SecureOn password: 4 or 6 bytes in hex, as one sets it with `ethtool -s eth0 wol gs sopass`; "" for none.
    Raises BadMac."""
    low = text.strip().lower()
    if not low:
        return b""
    if not low.isascii() or not _SECUREON.fullmatch(low):
        raise BadMac('a SecureOn password is 4 or 6 bytes in hexadecimal, as in "0a:1b:2c:3d:4e:5f"')
    return bytes.fromhex(re.sub("[: -]", "", low))


def is_for(payload: bytes, mac: str, secureon: bytes = b"") -> bool:
    """Whether this payload wakes the machine with that address and password: the pattern may stand anywhere in it."""
    return _SYNC + bytes.fromhex(mac.replace(":", "")) * _REPEATS + secureon in payload
