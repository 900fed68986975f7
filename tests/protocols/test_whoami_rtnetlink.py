"""protocols.whoami and protocols.rtnetlink."""

import struct
from contextlib import suppress
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipwatch.core.address import Family
from ipwatch.protocols import rtnetlink, whoami
from ipwatch.protocols.rtnetlink import BadMessage, Flag, Kind


def test_whoami_table_is_whole() -> None:
    """OpenDNS, Cloudflare, Google and Akamai are there, of different operators, all but Akamai for both families."""
    assert set(whoami.SERVICES) == {"opendns", "cloudflare", "google", "akamai"}
    assert len({service.operator for service in whoami.SERVICES.values()}) == 4
    for name, service in whoami.SERVICES.items():
        assert set(service.questions) == ({Family.IPV4} if name == "akamai" else set(Family))
        assert service.manual.startswith("https://")
    assert whoami.SERVICES["cloudflare"].questions[Family.IPV4].rdclass == "CH"


def test_whoami_answer_is_read() -> None:
    """One record with one public address is the answer."""
    assert str(whoami.read("NOERROR", ("25.1.2.3",), Family.IPV4)) == "25.1.2.3"


@pytest.mark.parametrize(
    ("rcode", "texts"),
    [
        ("REFUSED", ("25.1.2.3",)),
        ("NOERROR", ()),
        ("NOERROR", ("25.1.2.3", "25.1.2.4")),
        ("NOERROR", ("25.1.2.3", "edns0-client-subnet 25.1.2.0/24")),
        ("NOERROR", ("2a02:db9::1",)),
        ("NOERROR", ("10.0.0.1",)),
        ("NOERROR", ("172.253.1.1 ",)),
    ],
)
def test_other_whoami_answers_are_refused(rcode: str, texts: tuple[str, ...]) -> None:
    """A failure, no record, a second record, the other family or a private address is BadWhoami."""
    with pytest.raises(whoami.BadWhoami):
        whoami.read(rcode, texts, Family.IPV4)


@given(st.text(max_size=20), st.lists(st.text(max_size=60), max_size=3), st.sampled_from(Family))
def test_any_whoami_answer_is_an_address_or_bad(rcode: str, texts: list[str], family: Family) -> None:
    """Any texts give an address or BadWhoami."""
    for code in (rcode, "NOERROR"):
        with suppress(whoami.BadWhoami):
            assert whoami.read(code, texts, family).family is family


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def netlink(kind: int, payload: bytes, flags: int = 2) -> bytes:
    return struct.pack("=IHHII", 16 + len(payload), kind, flags, 1, 0) + payload + bytes(-len(payload) % 4)


def ifaddr(family: int, flags: int, *attributes: bytes, prefix: int = 24) -> bytes:
    return struct.pack("=BBBBI", family, prefix, flags, 0, 5) + b"".join(attributes)


def test_requests_are_dumps() -> None:
    """Both requests have the lengths the kernel's strict checking demands."""
    assert rtnetlink.dump(Kind.GET_ADDRESS, 7) == struct.pack("=IHHIIBBBBI", 24, 22, 0x301, 7, 0, 0, 0, 0, 0, 0)
    assert len(rtnetlink.dump(Kind.GET_LINK, 7)) == 32


def test_messages_are_taken_apart() -> None:
    """Several messages in one datagram, padded to four octets, with the mark of an interrupted dump."""
    found = list(rtnetlink.messages(netlink(20, b"abcde") + netlink(3, b"\0\0\0\0", 0x10)))
    assert [(m.kind, m.payload, m.interrupted) for m in found] == [(20, b"abcde", False), (3, b"\0\0\0\0", True)]


def test_errors_are_told() -> None:
    """ERROR carries a negative errno; DONE may carry nothing."""
    assert rtnetlink.error_of(rtnetlink.Message(2, 1, False, struct.pack("=i", -13) + bytes(16))) == 13
    assert rtnetlink.error_of(rtnetlink.Message(3, 1, False, b"")) == 0
    with pytest.raises(BadMessage):
        rtnetlink.error_of(rtnetlink.Message(2, 1, False, b"\0"))


def test_link_is_read() -> None:
    """Index, name and state of a link."""
    payload = struct.pack("=BxHiII", 0, 1, 5, 0x1003, 0) + attribute(3, b"eth0\0")
    assert rtnetlink.link(payload) == rtnetlink.Link(5, "eth0", up=True)


def test_address_is_read() -> None:
    """The local end counts on a point-to-point link, and the wide flags where there are any."""
    four = ifaddr(2, 0x80, attribute(1, bytes([25, 0, 0, 1])), attribute(2, bytes([25, 1, 2, 3])))
    found = rtnetlink.address(four)
    assert found == rtnetlink.LinkAddress(5, ip_address("25.1.2.3"), 24, Flag.PERMANENT)
    wide = attribute(8, struct.pack("=I", 0x841))
    six = rtnetlink.address(ifaddr(10, 0, attribute(1, ip_address("2a02:db9::1").packed), wide))
    assert six is not None
    assert six.flags == Flag.STABLE_PRIVACY | Flag.TENTATIVE | Flag.TEMPORARY
    assert rtnetlink.address(ifaddr(28, 0)) is None


@pytest.mark.parametrize(
    "act",
    [
        lambda: list(rtnetlink.messages(b"\0" * 5)),
        lambda: list(rtnetlink.messages(struct.pack("=IHHII", 15, 3, 0, 0, 0))),
        lambda: list(rtnetlink.messages(struct.pack("=IHHII", 17, 3, 0, 0, 0))),
        lambda: rtnetlink.link(b"\0" * 15),
        lambda: rtnetlink.link(b"\0" * 16),
        lambda: rtnetlink.address(b"\0" * 7),
        lambda: rtnetlink.address(ifaddr(2, 0)),
        lambda: rtnetlink.address(ifaddr(2, 0, attribute(1, bytes(16)))),
        lambda: rtnetlink.address(ifaddr(2, 0, attribute(1, bytes(4)), prefix=33)),
        lambda: rtnetlink.address(ifaddr(2, 0, struct.pack("=HH", 3, 1))),
        lambda: rtnetlink.address(ifaddr(2, 0, struct.pack("=HH", 9, 1) + bytes(4))),
    ],
)
def test_malformed_messages(act: object) -> None:
    """Anything cut off or of the wrong length is BadMessage."""
    with pytest.raises(BadMessage):
        act()  # type: ignore[operator]


@given(st.binary(max_size=100), st.sampled_from([rtnetlink.link, rtnetlink.address, rtnetlink.messages]))
def test_any_bytes_give_values_or_bad_message(data: bytes, reader: object) -> None:
    """Any bytes give values or BadMessage, with a right header before them, too."""
    for content in (data, b"\2\x18" + data, netlink(20, data)):
        try:
            found = reader(content)  # type: ignore[operator]
            list(found) if reader is rtnetlink.messages else None
        except BadMessage:
            pass
