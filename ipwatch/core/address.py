"""Addresses: one value for both families, and the judgement whether one can be a house's public address."""

from dataclasses import dataclass
from enum import StrEnum
from functools import total_ordering
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network


class Family(StrEnum):
    """An address family; the text is the one users write in the configuration."""

    IPV4 = "ipv4"
    IPV6 = "ipv6"

    @property
    def rdtype(self) -> str:
        """The DNS record type that holds an address of this family (RFC 1035 3.4.1, RFC 3596 2.1)."""
        return "A" if self is Family.IPV4 else "AAAA"

    @property
    def label(self) -> str:
        """The family as people write it."""
        return "IPv4" if self is Family.IPV4 else "IPv6"


class BadAddress(ValueError):
    """The text is not one address in a form we accept; str() is a clause such as "'1.2.3' is not an IP address"."""


@total_ordering
@dataclass(frozen=True, slots=True)
class Address:
    """One IP address. str() is its canonical spelling (RFC 5952 for IPv6)."""

    ip: IPv4Address | IPv6Address

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Read exactly one address; raises BadAddress. White space around it, zones and ports are not accepted."""
        try:
            ip = ip_address(text)
        except ValueError:
            raise BadAddress(f"{text[:80]!r} is not an IP address") from None
        if isinstance(ip, IPv6Address) and ip.scope_id is not None:
            raise BadAddress(f"{text[:80]!r} carries a zone, which has no meaning outside its own machine")
        return cls(ip)

    @property
    def family(self) -> Family:
        """The family the address belongs to."""
        return Family.IPV4 if self.ip.version == 4 else Family.IPV6

    def __str__(self) -> str:
        return str(self.ip)

    def __repr__(self) -> str:
        return f"Address({self})"

    def __lt__(self, other: "Address") -> bool:
        return (self.ip.version, int(self.ip)) < (other.ip.version, int(other.ip))


# Why an address can not be a house's public one. First match wins, so the narrow ranges stand first.
# IANA IPv4 and IPv6 Special-Purpose Address Registries, https://www.iana.org/assignments/iana-ipv4-special-registry
# and .../iana-ipv6-special-registry; the RFC that made each range is named beside it.
_SPECIAL: tuple[tuple[str, str], ...] = (
    ("0.0.0.0/8", "it is reserved: 'this network' (RFC 791 3.2)"),
    ("10.0.0.0/8", "it is private (RFC 1918)"),
    ("172.16.0.0/12", "it is private (RFC 1918)"),
    ("192.168.0.0/16", "it is private (RFC 1918)"),
    ("100.64.0.0/10", "it is a carrier's shared address: the line is behind carrier NAT (RFC 6598)"),
    ("127.0.0.0/8", "it is loopback (RFC 1122 3.2.1.3)"),
    ("169.254.0.0/16", "it is link-local (RFC 3927)"),
    ("192.0.2.0/24", "it is documentation (RFC 5737)"),
    ("198.51.100.0/24", "it is documentation (RFC 5737)"),
    ("203.0.113.0/24", "it is documentation (RFC 5737)"),
    ("192.88.99.0/24", "it is the old 6to4 relay anycast, reserved (RFC 7526)"),
    ("192.0.0.0/24", "it is reserved for protocols (RFC 6890 2.1)"),
    ("198.18.0.0/15", "it is reserved for benchmarks (RFC 2544)"),
    ("224.0.0.0/4", "it is multicast (RFC 5771)"),
    ("240.0.0.0/4", "it is reserved (RFC 1112 4)"),
    ("::/128", "it is the unspecified address (RFC 4291 2.5.2)"),
    ("::1/128", "it is loopback (RFC 4291 2.5.3)"),
    ("::ffff:0:0/96", "it is an IPv4-mapped address (RFC 4291 2.5.5.2)"),
    ("64:ff9b::/96", "it is a NAT64 address (RFC 6052 2.1)"),
    ("64:ff9b:1::/48", "it is a NAT64 address (RFC 8215)"),
    ("100::/64", "it is the discard prefix, reserved (RFC 6666)"),
    ("2001::/32", "it is a Teredo address (RFC 4380 2.6)"),
    ("2001:2::/48", "it is reserved for benchmarks (RFC 5180 8)"),
    ("2001:db8::/32", "it is documentation (RFC 3849)"),
    ("3fff::/20", "it is documentation (RFC 9637)"),
    ("2001:10::/28", "it is an ORCHID, not a locator (RFC 4843)"),
    ("2001:20::/28", "it is an ORCHID, not a locator (RFC 7343)"),
    ("2001::/23", "it is reserved for protocols (RFC 2928)"),
    ("2002::/16", "it is a 6to4 address (RFC 3056 2)"),
    ("fc00::/7", "it is private: a unique local address (RFC 4193)"),
    ("fe80::/10", "it is link-local (RFC 4291 2.5.6)"),
    ("fec0::/10", "it is site-local, deprecated (RFC 3879)"),
    ("ff00::/8", "it is multicast (RFC 4291 2.7)"),
)
_GLOBAL_UNICAST_V6 = IPv6Network("2000::/3")  # RFC 4291 2.4 with the IANA allocation: all else is unassigned

# Content networks: a proxy or a VPN of theirs shows one of these instead of the house.
# https://www.cloudflare.com/ips-v4 and /ips-v6; the day they were last compared with a stored copy of those lists:
CLOUDFLARE_AS_OF = "2026-11-23"
_CONTENT: tuple[tuple[str, str], ...] = tuple(
    (network, "it belongs to Cloudflare's network: a proxy was seen, not the house")
    for network in (
        "173.245.48.0/20",
        "103.21.244.0/22",
        "103.22.200.0/22",
        "103.31.4.0/22",
        "141.101.64.0/18",
        "108.162.192.0/18",
        "190.93.240.0/20",
        "188.114.96.0/20",
        "197.234.240.0/22",
        "198.41.128.0/17",
        "162.158.0.0/15",
        "104.16.0.0/13",
        "104.24.0.0/14",
        "172.64.0.0/13",
        "131.0.72.0/22",
        "2400:cb00::/32",
        "2606:4700::/32",
        "2803:f800::/32",
        "2405:b500::/32",
        "2405:8100::/32",
        "2a06:98c0::/29",
        "2c0f:f248::/32",
    )
)

# What machines really have and only their own network reaches: the carrier's, the house's, a VPN's.
_OWN = "is reached from its own network only: it is"
_CONFINED: tuple[tuple[str, str], ...] = (
    ("10.0.0.0/8", f"{_OWN} private (RFC 1918)"),
    ("172.16.0.0/12", f"{_OWN} private (RFC 1918)"),
    ("192.168.0.0/16", f"{_OWN} private (RFC 1918)"),
    ("100.64.0.0/10", f"{_OWN} one that carriers use behind their NAT (RFC 6598)"),
    ("169.254.0.0/16", f"{_OWN} link-local (RFC 3927)"),
    ("fc00::/7", f"{_OWN} private (RFC 4193)"),
    ("fe80::/10", f"{_OWN} link-local (RFC 4291 2.5.6)"),
)

_Network = IPv4Network | IPv6Network
_REFUSED: tuple[tuple[_Network, str], ...] = tuple((ip_network(n), why) for n, why in _SPECIAL + _CONTENT)
_PROXIES: tuple[_Network, ...] = tuple(ip_network(n) for n, _ in _CONTENT)
_INSIDE: tuple[tuple[_Network, str], ...] = tuple((ip_network(n), why) for n, why in _CONFINED)


def refusal(address: Address) -> str | None:
    """Why this can not be a house's public address, as a clause ("it is private (RFC 1918)"), or None if it can."""
    ip = address.ip
    for network, why in _REFUSED:
        if ip in network:
            return why
    if isinstance(ip, IPv6Address) and ip not in _GLOBAL_UNICAST_V6:
        return "it is outside the global unicast range 2000::/3 (RFC 4291 2.4)"
    return None


def proxied(address: Address) -> bool:
    """Whether the address is one a content network's proxy answers with, so that the zone hides the real one."""
    return any(address.ip in network for network in _PROXIES)


def confined(address: Address) -> str | None:
    """Why a house that shows this address is not found there by everybody, as the words behind the address; None where
    nothing of the kind is known."""
    if proxied(address):
        return "is the address of a proxy at Cloudflare, not of the house"
    return next((why for network, why in _INSIDE if address.ip in network), None)


def public(text: str, family: Family) -> Address:
    """Read one public address of that family; raises BadAddress with the reason."""
    address = Address.parse(text)
    if address.family is not family:
        raise BadAddress(f"{address} is {address.family.label}, not {family.label}")
    if (why := refusal(address)) is not None:
        raise BadAddress(f"{address} can not be the public address: {why}")
    return address
