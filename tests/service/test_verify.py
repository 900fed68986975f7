import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ipwatch.core.address import Address, Family
from ipwatch.core.state import Shown
from ipwatch.core.verification import Verification
from ipwatch.net.dns import DnspythonResolver
from ipwatch.ports import (
    DnsAnswer,
    DnsChange,
    Endpoint,
    Garbled,
    NameServer,
    PortError,
    Refused,
    Secret,
    TsigKey,
    Unreachable,
    Zone,
)
from ipwatch.service.verify import Verifier
from tests.fakes.dns_server import DnsServer, answer, zone
from tests.fakes.named import SECRET, bind, knot, nsd

SOON, SHORT = timedelta(seconds=5), timedelta(seconds=0.4)
NAME = "home.example.org"
NEW, OLD = Address.parse("193.0.14.129"), Address.parse("192.0.2.1")


class Time:
    """A clock that goes on with the machine's and can be put forward."""

    ahead = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> timedelta:
        return timedelta(seconds=time.monotonic()) + self.ahead

    def sleep(self, time_: timedelta) -> None:
        time.sleep(time_.total_seconds())


class Zones:
    """A resolver whose servers are functions; counts the zone look-ups."""

    def __init__(self, servers: dict[tuple[str, str], Callable[[], DnsAnswer]]) -> None:
        self.servers, self.walks, self.fault = servers, 0, None
        self.asked: list[tuple[str, bool]] = []

    fault: PortError | None

    def ask(self, name: str, rdtype: str, server: Endpoint, within: timedelta, *, rdclass: str = "IN",
            recurse: bool = False) -> DnsAnswer:  # fmt: skip
        self.asked.append((rdtype, recurse))
        return next(reply for (_, host), reply in self.servers.items() if host == server.host)()

    def lookup(self, host: str, within: timedelta, family: Family | None = None) -> tuple[str, ...]:
        raise Unreachable(f"{host} can not be looked up")

    def zone(self, name: str, within: timedelta) -> Zone:
        self.walks += 1
        if self.fault is not None:
            raise self.fault
        return Zone("example.org", tuple(NameServer(name, Endpoint(host, 53)) for name, host in self.servers))

    def update(self, zone: str, changes: Sequence[DnsChange], server: Endpoint, key: TsigKey | None,
               within: timedelta) -> str:  # fmt: skip
        return "REFUSED"


def shows(*texts: str) -> Callable[[], DnsAnswer]:
    return lambda: DnsAnswer("NOERROR", True, texts)


def fails(error: PortError) -> Callable[[], DnsAnswer]:
    def reply() -> DnsAnswer:
        raise error

    return reply


def check(resolver: Zones) -> Verification:
    verifier = Verifier(resolver, Time())
    try:
        return verifier.check(NAME, Family.IPV4, NEW, (), SOON)
    finally:
        verifier.close()


@pytest.fixture
def verifier() -> Iterator[Verifier]:
    made = Verifier(DnspythonResolver(), Time())
    yield made
    made.close()


def at(verifier: Verifier, *servers: Endpoint | str, name: str = NAME, wanted: Address = NEW) -> Verification:
    return verifier.check(name, wanted.family, wanted, tuple(map(str, servers)), SOON)


def test_every_server_is_asked_without_recursion() -> None:
    """Each address of each server is asked once, for the family's type, without recursion."""
    resolver = Zones({("a", "192.0.2.1"): shows(str(NEW)), ("b", "192.0.2.2"): shows(str(NEW))})
    assert check(resolver) == Verification(Shown.SEEN, "a and b show 193.0.14.129")
    assert resolver.asked == [("A", False)] * 2


def test_unreachable_ipv6_is_no_silence() -> None:
    """A server whose IPv4 address answers is not silent because this house has no IPv6."""
    resolver = Zones({("a", "192.0.2.1"): shows(str(NEW)), ("a", "2001:db8::1"): fails(Unreachable("no route"))})
    assert check(resolver) == Verification(Shown.SEEN, "a shows 193.0.14.129")


@pytest.mark.parametrize(
    ("reply", "note"),
    [
        (fails(Unreachable("x")), "timed out or unreachable"),
        (fails(Garbled("x")), "an answer that does not fit"),
        (fails(Refused("no way")), "no way"),
        (shows("rubbish"), "'rubbish' is not an IP address"),
        (lambda: DnsAnswer("NOERROR", False, (str(NEW),)), "not authoritative"),
        (lambda: DnsAnswer("REFUSED", False, ()), "REFUSED"),
    ],
)
def test_what_is_no_answer(reply: Callable[[], DnsAnswer], note: str) -> None:
    """Errors, caches and lame servers say nothing about the record, and are named with the reason."""
    assert check(Zones({("a", "192.0.2.1"): reply})) == Verification(Shown.UNKNOWN, f"a did not answer ({note})")


@pytest.mark.parametrize(
    ("reply", "note"),
    [
        (DnsAnswer("NXDOMAIN", True, ()), "no address (NXDOMAIN)"),
        (DnsAnswer("NOERROR", True, ()), "no address"),
        (DnsAnswer("NOERROR", True, (), cname="home.example.net"), "no address (an alias of home.example.net)"),
    ],
)
def test_what_shows_nothing(reply: DnsAnswer, note: str) -> None:
    """A missing name, a missing record and an alias to elsewhere are wrong, not silent."""
    assert check(Zones({("a", "192.0.2.1"): lambda: reply})) == Verification(Shown.WRONG, f"a shows {note}")


def test_no_zone() -> None:
    """Without the zone nothing is known, and the reason is told."""
    resolver = Zones({})
    resolver.fault = Unreachable("no DNS")
    assert check(resolver).detail == f"the name servers of {NAME} could not be found: no DNS"


def test_zone_is_kept_for_an_hour() -> None:
    """The zone's servers are looked up again after an hour, or after one of them failed."""
    clock, resolver = Time(), Zones({("a", "192.0.2.1"): shows(str(NEW))})
    verifier = Verifier(resolver, clock)
    for ahead, walks in ((0, 1), (59, 1), (61, 2)):
        clock.ahead = timedelta(minutes=ahead)
        verifier.check(NAME, Family.IPV4, NEW, (), SOON)
        assert resolver.walks == walks
    resolver.servers["a", "192.0.2.1"] = fails(Unreachable("gone"))
    verifier.check(NAME, Family.IPV4, NEW, (), SOON)
    verifier.check(NAME, Family.IPV4, NEW, (), SOON)
    assert resolver.walks == 3
    verifier.close()


def test_remembers_a_bounded_number_of_zones() -> None:
    """Thousands of names do not grow the memory without end."""
    resolver = Zones({})
    verifier = Verifier(resolver, Time())
    for i in range(1100):
        verifier.check(f"h{i}.example.org", Family.IPV4, NEW, (), SOON)
    verifier.check("h0.example.org", Family.IPV4, NEW, (), SOON)
    assert resolver.walks == 1101
    verifier.close()


def test_from_within_a_full_pool() -> None:
    """Checks that fill the caller's whole pool all end: the questions have a pool of their own."""
    verifier = Verifier(Zones({("a", "192.0.2.1"): shows(str(NEW))}), Time())
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(verifier.check, NAME, Family.IPV4, NEW, (), SOON) for _ in range(8)]
        assert {run.result(10).shown for run in runs} == {Shown.SEEN}
    verifier.close()


def test_a_question_that_hangs() -> None:
    """A resolver that overstays its deadline is left behind, and its server named silent."""
    release = threading.Event()

    def hang() -> DnsAnswer:
        release.wait(10)
        return DnsAnswer("NOERROR", True, (str(OLD),))

    verifier = Verifier(Zones({("a", "192.0.2.1"): shows(str(NEW)), ("b", "192.0.2.2"): hang}), Time())
    found = verifier.check(NAME, Family.IPV4, NEW, (), SHORT)
    release.set()
    verifier.close()
    verifier.close()
    assert found == Verification(
        Shown.SEEN, "a shows 193.0.14.129; b did not answer (timed out or unreachable)")  # fmt: skip


def test_named_servers_take_the_place_of_the_zone(verifier: Verifier) -> None:
    """Servers named in the configuration are asked and no others; one that can not be found is told."""
    records = {(f"{NAME}.", "A"): [str(NEW)]}
    with DnsServer(zone(records)) as one, DnsServer(zone(records), "::1") as two:
        found = at(verifier, one.endpoint, two.endpoint)
        assert found.shown is Shown.SEEN
        assert str(two.endpoint) in found.detail
        assert "a b did not answer ('a b' is not a host such as " in at(verifier, one.endpoint, "a b").detail


def test_recursive_and_silent_servers(verifier: Verifier) -> None:
    """Beside a right server, a cache that answers without authority and a silent server change nothing."""
    right = zone({(f"{NAME}.", "A"): [str(NEW)]})
    with (
        DnsServer(right) as one,
        DnsServer(lambda q, _: answer(q, f"{NAME}. 60 IN A {OLD}", aa=False)) as cache,
        DnsServer(lambda _q, _t: None) as mute,
    ):
        servers = tuple(str(s.endpoint) for s in (one, cache, mute))
        found = verifier.check(NAME, Family.IPV4, NEW, servers, SHORT)
    assert found.shown is Shown.SEEN
    assert f"{cache.endpoint} did not answer (not authoritative)" in found.detail
    assert f"{mute.endpoint} did not answer (timed out or unreachable)" in found.detail


@pytest.mark.real
def test_lagging_secondary(verifier: Verifier, tmp_path: Path) -> None:
    """While a real secondary lags the record is late; after its transfer the record is seen."""
    key, resolver = TsigKey("home-key", "hmac-sha256", Secret(SECRET)), DnspythonResolver()
    with (
        bind(tmp_path / "one", zone_options="allow-query { any; };") as primary,
        bind(tmp_path / "two", secondary_of=primary, options="allow-notify { 127.0.0.1; };") as secondary,
    ):
        assert at(verifier, primary, secondary, wanted=OLD).shown is Shown.SEEN
        change = DnsChange(NAME, NEW, timedelta(seconds=60))
        assert resolver.update("example.org", [change], primary, key, SOON) == "NOERROR"
        late = at(verifier, primary, secondary)
        assert late == Verification(Shown.LATE, late.detail)
        assert f"{secondary} shows {OLD}" in late.detail
        _notify(secondary)
        end = time.monotonic() + 20
        while (found := at(verifier, primary, secondary)).shown is not Shown.SEEN and time.monotonic() < end:
            time.sleep(0.05)
        assert found.shown is Shown.SEEN


def _notify(server: Endpoint) -> None:
    """Tell the secondary that the zone changed (RFC 1996), as its primary would have."""
    import dns.message
    import dns.opcode
    import dns.query

    notify = dns.message.make_query("example.org", "SOA")
    notify.set_opcode(dns.opcode.NOTIFY)
    dns.query.udp(notify, server.host, 5, server.port)


@pytest.mark.real
@pytest.mark.parametrize("make", [bind, knot, nsd])
def test_real_makes(make: object, verifier: Verifier, tmp_path: Path) -> None:
    """At BIND, Knot and NSD alike: seen, seen through an alias and a wildcard, wrong, missing, aliased elsewhere."""
    wild = Address.parse("192.0.2.9")
    with make(tmp_path) as server:  # type: ignore[operator]
        assert at(verifier, server, wanted=OLD).shown is Shown.SEEN
        assert at(verifier, server, wanted=Address.parse("2001:db8::1")).shown is Shown.SEEN
        assert at(verifier, server, name="alias.example.org", wanted=OLD).shown is Shown.SEEN
        assert at(verifier, server, name="*.wild.example.org", wanted=wild).shown is Shown.SEEN
        assert at(verifier, server, name="any.wild.example.org", wanted=wild).shown is Shown.SEEN
        assert at(verifier, server).shown is Shown.WRONG
        assert "NXDOMAIN" in at(verifier, server, name="none.example.org").detail
        assert "an alias of home.example.net" in at(verifier, server, name="outside.example.org").detail
        lame = at(verifier, server, name="home.example.com")
        assert lame == Verification(Shown.UNKNOWN, f"{server} did not answer (REFUSED)")
