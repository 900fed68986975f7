"""Locating: serials, ranks and networks as tables; what a failed search means."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipwatch.core.candidate import Claim, Spot, Way
from ipwatch.core.host import HostKey
from ipwatch.core.locating import End, Fate, Search, View, dialable, freshest, judge, marked, newer, rank, same_network
from ipwatch.core.trouble import Kind

KEY = HostKey("ssh-ed25519", b"\0\0\0\x0bssh-ed25519" + b"pinned")
OTHER = HostKey("ssh-ed25519", b"\0\0\0\x0bssh-ed25519" + b"shown")
A, B, C = Spot("203.0.113.7", 2223), Spot("2001:db8::7", 2223), Spot("192.168.1.20", 22)
SERIALS = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize(
    ("text", "dialled"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("127.0.0.1", "127.0.0.1"),
        ("2001:DB8:0::7", "2001:db8::7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("0.0.0.0", None),
        ("::", None),
        ("255.255.255.255", None),
        ("224.0.0.1", None),
        ("ff02::1", None),
        ("home.example.org", None),
    ],
)
def test_only_addresses_of_single_machines_are_dialled(text: str, dialled: str | None) -> None:
    """An address is dialled in its canonical form; what no single machine has is not dialled."""
    assert dialable(text) == dialled


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [(2, 1, True), (1, 2, False), (7, 7, False), (0, 2**32 - 1, True), (2**32 - 1, 0, False), (2**31, 0, False)],
)
def test_serials_are_compared_on_a_circle(one: int, other: int, expected: bool) -> None:
    """After 2^32-1 comes 0; two serials half the circle apart are not comparable (RFC 1982 3.2)."""
    assert newer(one, other) is expected


@given(SERIALS, st.integers(1, 2**31 - 1))
def test_a_serial_that_was_raised_is_newer(serial: int, by: int) -> None:
    """Adding up to half the circle always makes a serial newer, and never the reverse."""
    raised = (serial + by) % 2**32
    assert newer(raised, serial)
    assert not newer(serial, raised)


def test_the_newer_serial_wins_where_servers_differ() -> None:
    """Of two servers the one with the older serial lags behind; one that told no serial is believed."""
    ahead, lagging = View("ns1", ("203.0.113.7",), 7), View("ns2", ("203.0.113.1",), 6)
    untold = View("ns3", ("203.0.113.9",))
    assert freshest([lagging, untold, ahead]) == ((untold, ahead), (lagging,))


@given(st.lists(SERIALS, max_size=4))
def test_no_view_is_lost_and_equals_stay_together(serials: list[int]) -> None:
    """Every view is either current or behind, and views of one serial are judged alike."""
    views = [View(f"ns{i}", (), serial) for i, serial in enumerate(serials)]
    current, behind = freshest(views)
    assert sorted(current + behind) == sorted(views)
    assert not {v.serial for v in current} & {v.serial for v in behind}


def test_a_view_says_what_it_is_worth() -> None:
    """Serial and TTL are told; TTLs in whole seconds, never below zero."""
    assert View("ns1", (), 7, timedelta(seconds=59.7)).detail == "serial 7, TTL 60 s"
    assert View("ns1", ttl=timedelta(seconds=-1)).detail == "TTL 0 s"
    assert View("ns1").detail == ""


def test_the_order_of_dialling() -> None:
    """At home the house's own address goes first, elsewhere nearly last; the zone is dialled last where it may not
    have spoken for itself."""
    abroad = sorted(Way, key=lambda way: rank(way, at_home=False))
    assert abroad == [Way.PROVED, Way.GIVEN, Way.ZONE, Way.DOH, Way.SYSTEM, Way.LAN]
    assert min(Way, key=lambda way: rank(way, at_home=True)) is Way.LAN
    assert max(Way, key=lambda way: rank(way, at_home=False, hijacked=True)) is Way.ZONE


def test_where_dns_is_hijacked_the_zones_claims_are_marked() -> None:
    """What is said in the name of the zone's servers is marked as not trusted, whatever else is known of it."""
    zone, bare, doh = Claim(Way.ZONE, "ns1", detail="serial 7"), Claim(Way.ZONE, "ns2"), Claim(Way.DOH, "1.1.1.1")
    first, second, third = marked([zone, bare, doh])
    assert first.detail == "serial 7, not trusted: this network answers DNS"
    assert second.detail == "not trusted: this network answers DNS"
    assert third == doh


@pytest.mark.parametrize(
    ("ip", "ours", "expected"),
    [
        ("192.168.1.20", [("192.168.1.5", 24)], True),
        ("192.168.1.20", [("10.0.0.5", 8), ("fd00::5", 64)], False),
        ("fd00::20", [("fd00::5", 64)], True),
        ("fe80::1%eth0", [("fe80::5%eth0", 64)], True),
        ("192.168.1.20", [("192.168.1.5", 0)], False),
        ("192.168.1.20", [("192.168.1.20", 32)], False),
        ("192.168.1.20", [], False),
    ],
)
def test_at_home_is_a_network_we_have_an_address_in(ip: str, ours: list[tuple[str, int]], expected: bool) -> None:
    """We are beside an address when an interface of ours is in its network; single addresses and routes to
    everywhere say nothing."""
    assert same_network(ip, ours) is expected


def ends(*fates: tuple[Spot, Fate, str], key: HostKey | None = None, current: bool = True) -> tuple[End, ...]:
    return tuple(End(spot, fate, text, key if fate is Fate.STRANGER else None, current) for spot, fate, text in fates)


STRANGER = ends((A, Fate.STRANGER, ""), key=OTHER)
REFUSED = ends((A, Fate.CLOSED, "connection refused"))


SHARED, OWN = Spot("100.64.0.9", 2223), Spot("fd12::7%2", 2223)


@pytest.mark.parametrize(
    ("search", "kind", "clause"),
    [
        (
            Search("desktop", ends((SHARED, Fate.CLOSED, "no answer"), (OWN, Fate.CLOSED, "no answer"))),
            Kind.UNREACHABLE,
            (
                "no answer; 100.64.0.9 is reached from its own network only: it is one that carriers use behind their "
                "NAT (RFC 6598); fd12::7 is reached from its own network only: it is private (RFC 4193)"
            ),
        ),
        (
            Search("desktop", ends((C, Fate.STRANGER, "")), pinned=(KEY,)),
            Kind.STRANGER,
            "`ipwatch trust desktop`; 192.168.1.20 is reached from its own network only: it is private (RFC 1918)",
        ),
        (Search("desktop", REFUSED), Kind.UNREACHABLE, "nothing answers at 203.0.113.7:2223: connection refused"),
        (
            Search("desktop", (*REFUSED, *ends((B, Fate.OPEN, "")))),
            Kind.UNREACHABLE,
            "nothing answers at 203.0.113.7:2223 (connection refused), [2001:db8::7]:2223 (no answer)",
        ),
        (
            Search("desktop", (*REFUSED, *ends((B, Fate.CLOSED, "connection refused")))),
            Kind.UNREACHABLE,
            "nothing answers at 203.0.113.7:2223, [2001:db8::7]:2223: connection refused",
        ),
        (
            Search("desktop", (*REFUSED, *ends((B, Fate.NOT_SSH, "it speaks HTTP")))),
            Kind.NOT_SSH,
            "what answers at [2001:db8::7]:2223 (it speaks HTTP) does not prove to be desktop",
        ),
        (
            Search("desktop", ends((A, Fate.NOT_SSH, ""))),
            Kind.NOT_SSH,
            "what answers at 203.0.113.7:2223 does not prove to be desktop",
        ),
        (
            Search("desktop", STRANGER, pinned=(KEY,)),
            Kind.STRANGER,
            (
                f"203.0.113.7:2223 shows the host key ssh-ed25519 {OTHER.fingerprint}, but the pinned key of desktop "
                f"is ssh-ed25519 {KEY.fingerprint}: another machine answers"
            ),
        ),
        (Search("desktop", STRANGER, pinned=(KEY,)), Kind.STRANGER, "run `ipwatch trust desktop`"),
        (Search("desktop", ends((A, Fate.STRANGER, ""))), Kind.STRANGER, "showed another host key a moment ago"),
        (
            Search("desktop", (*ends((C, Fate.STRANGER, ""), key=OTHER, current=False), *REFUSED)),
            Kind.UNREACHABLE,
            "nothing answers at 203.0.113.7:2223: connection refused",
        ),
        (
            Search("desktop", missing="home.example.org does not exist, says ns1", silent=("1.1.1.1: SERVFAIL",)),
            Kind.NO_ADDRESS,
            "no address is known for desktop: home.example.org does not exist, says ns1",
        ),
        (
            Search("desktop", missing="home.example.org does not exist, says ns1", silent=("slow",), hijacked=True),
            Kind.NO_ADDRESS,
            "no address is known for desktop: slow; this network answers DNS in everybody's place",
        ),
        (Search("desktop"), Kind.NO_ADDRESS, "no address is known for desktop: nobody answered"),
        (
            Search("desktop", ends((A, Fate.STRANGER, ""), (B, Fate.OPEN, ""), key=OTHER, current=False)),
            Kind.NO_ADDRESS,
            (
                "nobody answered; another machine is at 203.0.113.7:2223 now; "
                "nothing answers at [2001:db8::7]:2223: no answer"
            ),
        ),
        (Search("desktop", named=False), Kind.NO_ADDRESS, "it has neither a name nor an address"),
        (
            Search("desktop", ends((A, Fate.STRANGER, ""), key=OTHER, current=False), named=False, pinned=(KEY,)),
            Kind.STRANGER,
            "another machine answers",
        ),
        (Search("desktop", REFUSED, routed=False), Kind.OFFLINE, "this machine is offline"),
        (Search("desktop", REFUSED, routed=False, answered=True), Kind.UNREACHABLE, "connection refused"),
        (Search("desktop", REFUSED, routed=False, at_home=True), Kind.UNREACHABLE, "connection refused"),
        (Search("desktop", STRANGER, routed=False, pinned=(KEY,)), Kind.STRANGER, "another machine answers"),
        (
            Search("desktop", REFUSED, portal="a captive portal at login.example stands between"),
            Kind.PORTAL,
            "a captive portal at login.example stands between: open any web page and log in to this network first",
        ),
    ],
)
def test_a_failed_search_is_told_in_one_sentence(search: Search, kind: Kind, clause: str) -> None:
    """Each way to fail has its exit status and says what was tried, what came of it and what to do."""
    judged, sentence = judge(search)
    assert judged is kind
    assert clause in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize("search", [Search("desktop", at_home=True), Search("desktop", named=False)])
def test_the_address_in_the_house_is_no_fault(search: Search) -> None:
    """At home, or where laptop.toml has no name at all, a private address is as it should be."""
    search = search._replace(ends=ends((C, Fate.CLOSED, "no answer")))
    assert judge(search)[1] == "nothing answers at 192.168.1.20:22: no answer"
