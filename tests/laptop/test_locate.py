"""The race of all ways, against name servers, DNS over HTTPS and a captive portal on loopback."""

import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import pytest

from ipwatch.core.address import Address, Family
from ipwatch.core.candidate import Spot, Way
from ipwatch.core.locating import HIJACKED
from ipwatch.laptop.locate import SYSTEM, Around, Locator, Race, Word, is_literal
from ipwatch.net.dns import DnspythonResolver
from ipwatch.net.http import RequestsHttp
from ipwatch.ports import DnsChange, Endpoint, NameServer, Secret, TsigKey, Unreachable, Zone
from ipwatch.settings.laptop_model import Laptop
from tests.fakes.ca import Authority
from tests.fakes.dns_server import Answer, DnsServer, answer, zone
from tests.fakes.doh_server import DohServer
from tests.fakes.http_server import FakeHttpServer, Reply, Seen
from tests.fakes.laptop_world import laptop_world
from tests.fakes.named import SECRET, bind
from tests.fakes.ports import free_port
from tests.fakes.waiting import wait

NAME = "home.example.org"
HOME = zone({(f"{NAME}.", "A"): ["203.0.113.7"], (f"{NAME}.", "AAAA"): ["2001:db8::7"],
             (f"{NAME}.", "SOA"): ["ns. admin. 17 1 1 1 1"]})  # fmt: skip


class Nobody(DnspythonResolver):
    """A resolver on a machine whose own resolver does not work; it still asks any server it is told to."""

    def lookup(self, host: str, within: timedelta, family: Family | None = None) -> tuple[str, ...]:
        raise Unreachable(f"{host} has no address: temporary failure")

    def zone(self, name: str, within: timedelta) -> Zone:
        raise Unreachable("the resolver could not answer")


NOBODY = Nobody()


class Zones(Nobody):
    """The same, but it knows where zones are served; what it was asked is in `asked`."""

    def __init__(self, zones: dict[str, list[NameServer]]) -> None:
        super().__init__()
        self._zones = zones
        self.asked: list[str] = []

    def zone(self, name: str, within: timedelta) -> Zone:
        self.asked.append(name)
        cut = next(cut for cut in self._zones if name.endswith(cut))
        return Zone(cut, tuple(self._zones[cut]))


def locator(folder: Path, *servers: Endpoint, nowhere: Endpoint | None = None, doh: tuple[str, ...] = (),
            probe: str = "", **parts: Any) -> Locator:  # fmt: skip
    own = tuple(Spot(server.host, server.port) for server in servers)
    settings = Laptop(None, folder / "state", {}, nameservers=own, doh=doh, probe=probe)
    world = laptop_world(folder, settings=settings, **({"resolver": NOBODY} | parts))
    return Locator(world, Around(nowhere or Endpoint("127.0.0.1", free_port())))


def heard(race: Race) -> list[Word]:
    """Everything that is said until every way has ended."""
    assert wait(lambda: race.done)
    return race.words(0)


def claims(race: Race, way: Way = Way.ZONE) -> set[tuple[str, str]]:
    return {(word.claim.who, word.ip) for word in heard(race) if word.claim and word.ip and word.claim.way is way}


def silences(race: Race, way: Way = Way.ZONE) -> list[str]:
    return [word.text for word in heard(race) if word.claim and not word.ip and word.claim.way is way]


def moved(server: Endpoint, ip: str) -> None:
    """The record changes at the primary."""
    key = TsigKey("home-key", "hmac-sha256", Secret(SECRET))
    change = DnsChange(NAME, Address.parse(ip), timedelta(seconds=60))
    assert NOBODY.update("example.org", [change], server, key, timedelta(seconds=5)) == "NOERROR"


def test_two_servers_of_the_zone_are_asked_for_both_families(tmp_path: Path) -> None:
    """Two servers of the zone name the addresses of both families, with serial and TTL."""
    with bind(tmp_path / "1") as one, bind(tmp_path / "2", secondary_of=one) as two:
        race = locator(tmp_path, one, two).race([NAME])
        found = claims(race)
    assert found == {(str(server), ip) for server in (one, two) for ip in ("192.0.2.1", "2001:db8::1")}
    assert {word.claim.detail for word in heard(race) if word.claim and word.ip} == {"serial 1, TTL 60 s"}
    assert not race.hijacked
    assert race.answered


def test_the_newer_serial_wins(tmp_path: Path) -> None:
    """A secondary that lags names nothing; what it shows is told, with its serial."""
    with bind(tmp_path / "1") as one, bind(tmp_path / "2", secondary_of=one) as two:
        moved(one, "203.0.113.50")
        race = locator(tmp_path, two, one).race([NAME])
        assert claims(race) == {(str(one), "203.0.113.50"), (str(one), "2001:db8::1")}
        (late,) = silences(race)
    assert late == "it lags behind: serial 1, TTL 60 s, shows 192.0.2.1, 2001:db8::1"


def test_a_dead_server_leaves_the_others(tmp_path: Path) -> None:
    """Servers that do not answer are passed over; as soon as enough did, the zone's way ends."""
    dead = Endpoint("127.0.0.1", free_port())
    with DnsServer(lambda _query, _: None) as mute, DnsServer(HOME) as one, DnsServer(HOME) as two:
        race = locator(tmp_path, dead, mute.endpoint, one.endpoint, two.endpoint).race([NAME])
        assert {who for who, _ in claims(race)} == {str(one.endpoint), str(two.endpoint)}
        assert silences(race) == [f"{dead} can not be reached (Connection refused)"]


def test_one_answer_alone_is_believed_soon(tmp_path: Path) -> None:
    """With one server out of two alive, its answer is there long before the other one is given up."""
    with DnsServer(lambda _query, _: None) as mute, DnsServer(HOME) as one:
        race = locator(tmp_path, mute.endpoint, one.endpoint).race([NAME])
        assert wait(lambda: any(word.ip for word in race.words(0)))
        assert not race.done
        assert claims(race) == {(str(one.endpoint), "203.0.113.7"), (str(one.endpoint), "2001:db8::7")}


def test_an_alias_is_followed_into_another_zone(tmp_path: Path) -> None:
    """A CNAME that leads out of the zone is followed to the servers of the other one, which are looked up."""
    alias: Answer = lambda query, _: answer(query, f"{NAME}. 60 IN CNAME box.dyn.example.")  # noqa: E731
    there = zone({("box.dyn.example.", "A"): ["203.0.113.8"]})
    with DnsServer(alias) as first, DnsServer(there) as second:
        resolver = Zones({"example.org": [NameServer("ns1.example.org", first.endpoint)],
                          "dyn.example": [NameServer("ns1.dyn.example", second.endpoint)]})  # fmt: skip
        race = locator(tmp_path, resolver=resolver).race([NAME])
        assert claims(race) == {("ns1.dyn.example", "203.0.113.8")}
    assert [w.claim.detail for w in heard(race) if w.claim and w.ip] == ["TTL 60 s, by way of box.dyn.example"]


def test_aliases_without_end_are_given_up(tmp_path: Path) -> None:
    """A circle of aliases ends in a sentence."""

    def circle(query: dns.message.Message, _transport: str) -> dns.message.Message:
        name = query.question[0].name.to_text()
        return answer(query, f"{name} 60 IN CNAME {'b' if name.startswith('a') else 'a'}.example.org.")

    with DnsServer(circle) as server:
        race = locator(tmp_path, server.endpoint).race(["a.example.org"])
        assert "alias without end" in silences(race)[-1]


def test_a_name_that_does_not_exist_is_told_with_authority(tmp_path: Path) -> None:
    """NXDOMAIN and "no address" from a server of the zone are the reason why there is none."""
    with bind(tmp_path) as server:
        here = locator(tmp_path, server)
        gone, empty = here.race(["none.example.org"]), here.race(["example.org"])
        assert silences(gone) == ["none.example.org does not exist (serial 1)"]
        assert gone.missing == f"none.example.org does not exist, says {server}"
        assert silences(empty) == ["example.org has no address (serial 1)"]
        assert "has no address, says" in empty.missing


def test_a_dangling_alias_names_where_it_leads(tmp_path: Path) -> None:
    """When an alias leads to a name that does not exist, both names are told."""
    alias: Answer = lambda query, _: answer(query, f"{NAME}. 60 IN CNAME gone.dyn.example.")  # noqa: E731
    with DnsServer(alias) as first, DnsServer(zone({})) as second:
        resolver = Zones({"example.org": [NameServer("ns1.example.org", first.endpoint)],
                          "dyn.example": [NameServer("ns1.dyn.example", second.endpoint)]})  # fmt: skip
        race = locator(tmp_path, resolver=resolver).race([NAME])
        heard(race)
    assert race.missing == f"{NAME}, an alias of gone.dyn.example, does not exist, says ns1.dyn.example"


def unauthoritative(recursion: bool, rcode: int = 0) -> Answer:
    def reply(query: dns.message.Message, _transport: str) -> dns.message.Message:
        made = answer(query, f"{NAME}. 60 IN A 198.51.100.66", aa=False, rcode=rcode)
        made.flags |= dns.flags.RA if recursion else 0
        return made

    return reply


def test_a_resolver_in_the_place_of_the_zones_server_is_an_interception(tmp_path: Path) -> None:
    """An answer without authority from what resolves for others names nothing, and the network is named as one that
    answers in everybody's place."""
    with DnsServer(unauthoritative(recursion=True)) as server:
        race = locator(tmp_path, server.endpoint).race([NAME])
        assert claims(race) == set()
        assert "a resolver answers in its place" in silences(race)[0]
    assert race.hijacked
    assert [word.text for word in heard(race) if word.claim is None] == [HIJACKED]


def but(rdtype: str, rcode: int, *, aa: bool) -> Answer:
    """The zone, from a server that fails when it is asked for that type."""

    def reply(query: dns.message.Message, transport: str) -> Any:
        asked = dns.rdatatype.to_text(query.question[0].rdtype)
        return answer(query, rcode=rcode, aa=aa) if asked == rdtype else HOME(query, transport)

    return reply


@pytest.mark.parametrize(("rcode", "aa"), [(2, True), (4, False), (5, False), (3, True)])
def test_a_server_that_fails_for_one_family_names_the_other(tmp_path: Path, rcode: int, aa: bool) -> None:
    """A server that answers SERVFAIL, NOTIMP, REFUSED or wrongly NXDOMAIN for AAAA still names the name's A."""
    with DnsServer(but("AAAA", rcode, aa=aa)) as server:
        race = locator(tmp_path, server.endpoint).race([NAME])
        assert claims(race) == {(str(server.endpoint), "203.0.113.7")}
        assert race.missing == ""


def test_no_address_is_not_told_while_one_family_fails(tmp_path: Path) -> None:
    """No A, and SERVFAIL for AAAA, is a server that fails, and no name without an address."""
    records = zone({(f"{NAME}.", "SOA"): ["ns. admin. 17 1 1 1 1"]})

    def reply(query: dns.message.Message, transport: str) -> Any:
        six = dns.rdatatype.to_text(query.question[0].rdtype) == "AAAA"
        return answer(query, rcode=2) if six else records(query, transport)

    with DnsServer(reply) as server:
        race = locator(tmp_path, server.endpoint).race([NAME])
        assert silences(race) == [f"{server.endpoint} answers SERVFAIL"]
        assert race.missing == ""


def test_a_lame_server_that_is_a_resolver_is_no_interception(tmp_path: Path) -> None:
    """Where one server of the zone answers with authority and the other as a resolver, nobody sits in between."""
    with DnsServer(HOME) as one, DnsServer(unauthoritative(recursion=True)) as other:
        race = locator(tmp_path, other.endpoint, one.endpoint).race([NAME])
        assert claims(race) == {(str(one.endpoint), ip) for ip in ("203.0.113.7", "2001:db8::7")}
        assert f"{other.endpoint}: a resolver answers in its place" in silences(race)
        assert not race.hijacked


@pytest.mark.parametrize(("rcode", "clause"), [(0, "it answers without authority"), (5, "answers REFUSED")])
def test_a_lame_server_is_no_interception(tmp_path: Path, rcode: int, clause: str) -> None:
    """A server that merely does not know the zone is passed over."""
    with DnsServer(unauthoritative(recursion=False, rcode=rcode)) as server:
        race = locator(tmp_path, server.endpoint).race([NAME])
        assert clause in silences(race)[0]
    assert not race.hijacked


@pytest.mark.parametrize("reply", [HOME, lambda _query, _: b"\0\1\2"], ids=["an answer", "rubbish"])
def test_an_answer_from_where_nobody_is_shows_the_hijacking(tmp_path: Path, reply: Answer) -> None:
    """Whatever comes back from an address at which no name server can be shows that port 53 is hijacked; then it is
    looked for a captive portal, too."""
    with DnsServer(reply) as hijacker, Portal(Reply(204)) as probe:
        race = locator(tmp_path, nowhere=hijacker.endpoint, probe=probe.url).race([NAME])
        assert wait(lambda: HIJACKED in [word.text for word in race.words(0)])
        assert race.looked.wait(5)
    assert race.hijacked
    assert race.portal == ""


def test_two_operators_are_asked_over_https(tmp_path: Path) -> None:
    """Both operators of DNS over HTTPS are asked, each for both families; who fails is told, with the reason."""
    with DohServer(HOME, Age="20") as one, DohServer(zone({})) as two, DohServer(HOME) as broken:
        broken.scripted = [Reply(503), Reply(503)]
        race = locator(tmp_path, doh=(one.doh, two.doh, broken.doh)).race([NAME])
        assert claims(race, Way.DOH) == {("127.0.0.1", "203.0.113.7"), ("127.0.0.1", "2001:db8::7")}
        assert sorted(silences(race, Way.DOH)) == ["127.0.0.1 answers HTTP 503", "it answers NXDOMAIN"]
    assert "TTL 40 s" in {word.claim.detail for word in heard(race) if word.claim and word.ip}


def test_an_operator_that_knows_no_address_is_told(tmp_path: Path) -> None:
    """An empty answer, and a closed port, are told as what they are."""
    mail = zone({(f"{NAME}.", "MX"): ["10 mail."]})
    with DohServer(mail) as server:
        race = locator(tmp_path, doh=(server.doh, f"http://127.0.0.1:{free_port()}/")).race([NAME])
        silent = silences(race, Way.DOH)
    assert f"{NAME} has no address" in silent
    assert len(silent) == 2


def test_the_systems_resolver_is_asked(tmp_path: Path) -> None:
    """What this machine's own resolver says is a claim like any other."""
    with DnsServer(HOME) as server:
        race = locator(tmp_path, resolver=DnspythonResolver(system=(server.endpoint,))).race([NAME])
        assert claims(race, Way.SYSTEM) == {(SYSTEM, "203.0.113.7"), (SYSTEM, "2001:db8::7")}


def test_addresses_of_no_machine_are_no_claims(tmp_path: Path) -> None:
    """0.0.0.0 and multicast, with which some networks answer, are passed over."""
    with DnsServer(zone({(f"{NAME}.", "A"): ["0.0.0.0", "224.0.0.1"]})) as server:
        race = locator(tmp_path, server.endpoint).race([NAME])
        assert claims(race) == set()
        assert silences(race) == [f"{NAME} has no address"]


def test_literal_addresses_are_not_asked_for(tmp_path: Path) -> None:
    """An address needs nobody to look it up: no thread begins."""
    assert is_literal("203.0.113.7")
    race = locator(tmp_path).race(["203.0.113.7", "2001:db8::7"])
    assert race.done
    assert race.words(0) == []


def test_a_zones_servers_are_remembered_until_none_answers(tmp_path: Path) -> None:
    """The zone is looked up once for many searches, and again after a search in which none of its servers answered."""
    with DnsServer(HOME) as server:
        resolver = Zones({"example.org": [NameServer("ns1", server.endpoint)]})
        here = locator(tmp_path, resolver=resolver)
        for _ in range(2):
            assert claims(here.race([NAME]))
        assert resolver.asked == [NAME]
    heard(here.race([NAME]))
    heard(here.race([NAME]))
    assert resolver.asked == [NAME, NAME]


def test_a_zone_that_can_not_be_found_is_told(tmp_path: Path) -> None:
    """Without any resolver the zone's servers are unknown, and that is said."""
    race = locator(tmp_path).race([NAME])
    assert silences(race) == ["the resolver could not answer"]
    assert silences(race, Way.SYSTEM) == [f"{NAME} has no address: temporary failure"]
    assert not race.answered


class Portal(FakeHttpServer):
    """Answers every probe alike."""

    def __init__(self, reply: Reply) -> None:
        super().__init__()
        self._reply_always = reply

    def answer(self, seen: Seen) -> Reply:
        return self._reply_always


@pytest.mark.parametrize(
    ("reply", "named"),
    [
        (Reply(302, "", {"Location": "https://login.campus.example/"}), "a captive portal at login.campus.example"),
        (Reply(200, "<html>Please log in"), "a captive portal stands"),
        (Reply(204), ""),
    ],
)
def test_a_captive_portal_is_named(tmp_path: Path, reply: Reply, named: str) -> None:
    """The probe is sent once however often it is asked for, and a portal is named by where it leads."""
    with Portal(reply) as server:
        race = locator(tmp_path, probe=server.url).race(["203.0.113.7"])
        race.probe()
        race.probe()
        assert race.looked.wait(5)
        assert len(server.seen) == 1
    assert race.portal.startswith(named)
    assert bool(race.portal) == bool(named)


def test_no_portal_is_looked_for_where_a_far_server_proved_its_name(tmp_path: Path) -> None:
    """An operator that answered by TLS shows that the line is open: the probe's server is left alone."""
    authority = Authority(tmp_path / "ca")
    http = RequestsHttp(cafile=authority.cafile)
    with DohServer(HOME, authority.issue("127.0.0.1")) as doh, Portal(Reply(302)) as probe:
        race = locator(tmp_path, doh=(doh.doh,), probe=probe.url, http=http).race([NAME])
        assert claims(race, Way.DOH)
        race.probe()
        assert race.looked.wait(5)
        assert probe.seen == []
    http.close()
    assert race.portal == ""


def test_a_probe_that_fails_says_nothing(tmp_path: Path) -> None:
    """A probe that gets no answer is no portal."""
    race = locator(tmp_path, probe=f"http://127.0.0.1:{free_port()}/").race([])
    race.probe()
    assert race.looked.wait(5)
    assert race.portal == ""


def test_listeners_are_rung_until_they_leave(tmp_path: Path) -> None:
    """Who listens is rung at once and at each word; who left is not."""
    rung, gone = threading.Event(), list[int]()
    ring: Callable[[], None] = lambda: gone.append(1)  # noqa: E731
    with DnsServer(HOME) as server:
        race = locator(tmp_path, server.endpoint).race([NAME])
        race.listen(rung.set)
        assert rung.is_set()
        race.listen(ring)
        race.unlisten(ring)
        race.unlisten(ring)
        before = len(gone)
        heard(race)
    assert len(gone) == before or race.words(0)
