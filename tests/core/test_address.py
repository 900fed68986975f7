"""Addresses: reading, ordering, and which of them can be a house's public one."""

from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipwatch.core.address import Address, BadAddress, Family, confined, proxied, public, refusal
from tests.core.strategies import A6, A

v4 = st.integers(0, 2**32 - 1).map(lambda n: Address(IPv4Address(n)))
v6 = st.integers(0, 2**128 - 1).map(lambda n: Address(IPv6Address(n)))

REFUSED = [
    ("0.0.0.0", "reserved"), ("0.255.1.1", "this network"), ("10.1.2.3", "private"), ("172.16.0.1", "private"),
    ("172.31.255.255", "private"), ("192.168.255.255", "private"), ("100.64.0.0", "carrier NAT"),
    ("100.127.255.255", "carrier NAT"), ("127.0.0.1", "loopback"), ("169.254.7.7", "link-local"),
    ("192.0.2.1", "documentation"), ("198.51.100.9", "documentation"), ("203.0.113.200", "documentation"),
    ("192.88.99.1", "6to4"), ("192.0.0.8", "reserved"), ("198.18.0.1", "benchmarks"), ("198.19.255.255", "benchmarks"),
    ("224.0.0.251", "multicast"), ("239.255.255.255", "multicast"), ("240.0.0.1", "reserved"),
    ("255.255.255.255", "reserved"), ("::", "unspecified"), ("::1", "loopback"), ("::ffff:8.8.8.8", "IPv4-mapped"),
    ("64:ff9b::808:808", "NAT64"), ("64:ff9b:1::1", "NAT64"), ("100::1", "discard"), ("2001::1", "Teredo"),
    ("2001:2::1", "benchmarks"), ("2001:db8::1", "documentation"), ("3fff::1", "documentation"),
    ("2001:10::1", "ORCHID"), ("2001:2f:ffff::1", "ORCHID"), ("2001:100::1", "reserved for protocols"),
    ("2002:808:808::1", "6to4"), ("fc00::1", "unique local"), ("fdff::1", "unique local"), ("fe80::1", "link-local"),
    ("fec0::1", "site-local"), ("ff02::1", "multicast"), ("4000::1", "2000::/3"), ("::8.8.8.8", "2000::/3"),
    ("104.16.0.1", "Cloudflare"), ("172.67.1.1", "Cloudflare"), ("188.114.97.3", "Cloudflare"),
    ("2606:4700::1", "Cloudflare"), ("2a06:98c7::1", "Cloudflare"),
]  # fmt: skip
PUBLIC = ["8.8.8.8", "1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "172.15.255.255",
          "172.32.0.0", "192.167.1.1", "192.169.0.0", "198.17.0.1", "198.20.0.0", "223.255.255.255",
          "2001:200::1", "2001:4860:4860::8888", "2003:db::1", "2a02:8071::1", "3ffe::1"]  # fmt: skip


@pytest.mark.parametrize(("text", "why"), REFUSED)
def test_special_addresses_are_refused_with_their_kind(text: str, why: str) -> None:
    """Each special-purpose and content range is refused, and the reason names the range."""
    found = refusal(Address.parse(text))
    assert found is not None
    assert why in found
    with pytest.raises(BadAddress, match="can not be the public address"):
        public(text, Address.parse(text).family)


@pytest.mark.parametrize("text", PUBLIC)
def test_neighbours_of_special_ranges_are_public(text: str) -> None:
    """The addresses right beside the refused ranges are a house's to have."""
    address = Address.parse(text)
    assert refusal(address) is None
    assert public(text, address.family) == address


@pytest.mark.parametrize("text", [
    "", " ", "8.8.8.8 ", " 8.8.8.8", "8.8.8.8\n", "8.8.8.8:80", "[2a00::1]", "8.8.8", "8.8.8.8.8",
    "08.8.8.8", "256.1.1.1", "8.8.8.8/32", "0x08080808", "134744072", "2a00::1%eth0", "2a00:::1", "٨.٨.٨.٨",
    "8.8.8.8,9.9.9.9", "home.example.org",
])  # fmt: skip
def test_anything_else_than_one_plain_address_is_refused(text: str) -> None:
    """White space, ports, zones, masks, other bases and several addresses are no address."""
    with pytest.raises(BadAddress):
        Address.parse(text)


def test_a_zone_has_its_own_reason() -> None:
    """An address with a zone is refused because it means nothing elsewhere; long rubbish is cut."""
    with pytest.raises(BadAddress, match="carries a zone"):
        Address.parse("fe80::1%eth0")
    with pytest.raises(BadAddress) as caught:
        Address.parse("x" * 5000)
    assert len(str(caught.value)) < 120


@given(st.text(max_size=60))
def test_any_text_is_an_address_or_bad_address(text: str) -> None:
    """Any text gives an address whose spelling reads back, or the one named error."""
    try:
        address = Address.parse(text)
    except BadAddress:
        return
    assert Address.parse(str(address)) == address


@given(v4 | v6)
def test_the_spelling_is_canonical(address: Address) -> None:
    """An address prints in one spelling, which reads back as itself; judging it never fails."""
    assert Address.parse(str(address)) == address
    assert str(address) == str(address).lower()
    assert repr(address) == f"Address({address})"
    why = refusal(address)
    assert why is None or why.startswith("it ")
    assert not proxied(address) or why is not None


def test_ipv6_is_spelt_as_rfc_5952_says() -> None:
    """Different spellings of one IPv6 address are one address, printed the RFC 5952 way."""
    assert str(Address.parse("2A00:0db8:0000:0000:0001:0000:0000:0001")) == "2a00:db8::1:0:0:1"
    assert len({Address.parse("2A00::0001"), Address.parse("2a00:0::1")}) == 1


@given(st.lists(v4 | v6, max_size=8))
def test_addresses_have_a_total_order(some: list[Address]) -> None:
    """Sorting puts IPv4 first and is the same whatever the order was."""
    mirrored = some[::-1]
    assert sorted(mirrored) == sorted(some)
    families = [a.family for a in sorted(some)]
    assert families == sorted(families)


def test_families_know_their_type_and_name() -> None:
    """A family gives the record type and the name people write."""
    assert [(f.rdtype, f.label, f.value) for f in Family] == [("A", "IPv4", "ipv4"), ("AAAA", "IPv6", "ipv6")]
    assert (A.family, A6.family) == (Family.IPV4, Family.IPV6)


def test_families_never_mix() -> None:
    """A public address of the other family is refused by name."""
    with pytest.raises(BadAddress, match="is IPv6, not IPv4"):
        public(str(A6), Family.IPV4)
    with pytest.raises(BadAddress, match="is IPv4, not IPv6"):
        public(str(A), Family.IPV6)


def test_a_proxy_is_recognised() -> None:
    """A content network's address is known as a proxy's; a private or public one is not."""
    assert proxied(Address.parse("104.21.5.6"))
    assert proxied(Address.parse("2606:4700:3033::1"))
    assert not proxied(A)
    assert not proxied(Address.parse("192.168.1.1"))
    assert Address.parse("1.0.0.1").ip not in ip_network("104.16.0.0/13")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("10.8.0.5", "private"), ("172.31.0.1", "private"), ("192.168.1.1", "private"), ("100.127.255.254", "carriers"),
        ("169.254.7.7", "link-local"), ("fd12::1", "private"), ("fe80::1", "link-local"), ("104.16.1.1", "proxy"),
        ("25.7.31.10", None), ("100.128.0.1", None), ("2600::1", None), ("127.0.0.1", None), ("192.0.2.1", None),
    ],
)  # fmt: skip
def test_what_not_everybody_reaches(text: str, why: str | None) -> None:
    """Private and carriers' addresses and a proxy's are told from those where a house may be found."""
    found = confined(Address.parse(text))
    assert (found is None) is (why is None)
    assert why is None or (found is not None and why in found)
