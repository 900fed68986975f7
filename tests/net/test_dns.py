import contextlib
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import dns.flags
import dns.message
import dns.tsig
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ipwatch.core.address import Address, Family
from ipwatch.net.dns import DnspythonResolver
from ipwatch.ports import Busy, DnsChange, Endpoint, Garbled, PortError, Refused, Secret, TsigKey, Unreachable
from tests.fakes.dns_server import DnsServer, answer, zone
from tests.fakes.named import KEYS, SECRET, bind, knot, nsd
from tests.fakes.ports import free_port

SOON, SHORT = timedelta(seconds=5), timedelta(seconds=0.3)
NAME = "home.example.org"
KEY = TsigKey("home-key", "hmac-sha256", Secret(SECRET))
KEYRING = {dns.name.from_text("home-key"): dns.tsig.Key("home-key", SECRET, "hmac-sha256")}
RESOLVER = DnspythonResolver()
HOME = zone({(f"{NAME}.", "A"): ["192.0.2.1"], (f"{NAME}.", "TXT"): ['"two " "parts"'],
             (f"{NAME}.", "AAAA"): ["2001:0db8:0:0::1"],
             (f"{NAME}.", "SOA"): ["ns. admin. 17 1 1 1 1"]})  # fmt: skip


def change(name: str = NAME, address: str = "198.51.100.1") -> DnsChange:
    return DnsChange(name, Address.parse(address), timedelta(seconds=60))


def test_asks_without_recursion() -> None:
    """A question carries RD only when recursion is wanted, and the answer comes back as canonical text."""
    with DnsServer(HOME) as server:
        found = RESOLVER.ask(NAME, "AAAA", server.endpoint, SOON)
        RESOLVER.ask(NAME, "A", server.endpoint, SOON, recurse=True)
        assert [bool(q.flags & dns.flags.RD) for _, q in server.queries] == [False, True]
    assert (found.rcode, found.authoritative, found.texts) == ("NOERROR", True, ("2001:db8::1",))
    assert found.ttl == timedelta(seconds=60)


def test_texts_and_serial() -> None:
    """TXT strings are joined, and an SOA gives its serial."""
    with DnsServer(HOME) as server:
        assert RESOLVER.ask(NAME, "TXT", server.endpoint, SOON).texts == ("two parts",)
        assert RESOLVER.ask(NAME, "SOA", server.endpoint, SOON).serial == 17


def test_an_authoritative_no_gives_the_serial_too(tmp_path: Path) -> None:
    """A server that says with authority that there is none shows its zone's serial (RFC 2308 3)."""
    with bind(tmp_path) as server:
        found = RESOLVER.ask(NAME, "SOA", server, SOON)
        missing = RESOLVER.ask(f"no.{NAME}", "A", server, SOON)
    assert (found.rcode, found.texts, found.serial) == ("NOERROR", (), 1)
    assert (missing.rcode, missing.authoritative, missing.serial) == ("NXDOMAIN", True, 1)


def test_a_resolver_is_told_from_an_authority() -> None:
    """RA tells that the other side resolves for others: no name server of a zone's does."""

    def resolver(query: dns.message.Message, _transport: str) -> dns.message.Message:
        made = answer(query, f"{NAME}. 60 IN A 192.0.2.1", aa=False)
        made.flags |= dns.flags.RA
        return made

    with DnsServer(resolver) as server, DnsServer(HOME) as authority:
        found = RESOLVER.ask(NAME, "A", server.endpoint, SOON)
        assert (found.authoritative, found.recursion) == (False, True)
        assert not RESOLVER.ask(NAME, "A", authority.endpoint, SOON).recursion


def test_chaos_class() -> None:
    """Another class than IN can be asked."""
    with DnsServer(lambda q, _: answer(q, 'whoami. 0 CH TXT "192.0.2.1"')) as server:
        assert RESOLVER.ask("whoami", "TXT", server.endpoint, SOON, rdclass="CH").texts == ("192.0.2.1",)


def test_chain_inside_the_answer() -> None:
    """A CNAME chain is followed as far as the answer goes."""
    rrs = (f"{NAME}. 60 IN CNAME b.example.org.", "b.example.org. 60 IN CNAME c.example.org.")
    with DnsServer(lambda q, _: answer(q, *rrs, "c.example.org. 60 IN A 192.0.2.1")) as server:
        found = RESOLVER.ask(NAME, "A", server.endpoint, SOON)
        assert (found.texts, found.cname) == (("192.0.2.1",), "c.example.org")
    with DnsServer(lambda q, _: answer(q, *rrs)) as server:
        found = RESOLVER.ask(NAME, "A", server.endpoint, SOON)
        assert (found.texts, found.cname) == ((), "c.example.org")


def test_chain_that_loops() -> None:
    """A CNAME loop is garbled, not an endless walk."""
    rrs = (f"{NAME}. 60 IN CNAME b.example.org.", f"b.example.org. 60 IN CNAME {NAME}.")
    with DnsServer(lambda q, _: answer(q, *rrs)) as server, pytest.raises(Garbled):
        RESOLVER.ask(NAME, "A", server.endpoint, SOON)


def test_truncated_answer_comes_by_tcp() -> None:
    """An answer cut off on UDP is asked for again by TCP."""

    def reply(query: dns.message.Message, transport: str) -> dns.message.Message:
        response = answer(query, *([f"{NAME}. 60 IN A 192.0.2.1"] if transport == "tcp" else []))
        response.flags |= dns.flags.TC if transport == "udp" else 0
        return response

    with DnsServer(reply) as server:
        assert RESOLVER.ask(NAME, "A", server.endpoint, SOON).texts == ("192.0.2.1",)
        assert [transport for transport, _ in server.queries] == ["udp", "tcp"]


def _forged(query: dns.message.Message) -> list[bytes]:
    """A wrong number, another question, a question in place of an answer, and rubbish."""
    number = answer(query, f"{NAME}. 60 IN A 203.0.113.9")
    number.id = query.id ^ 1
    other = answer(
        dns.message.make_query("evil.example.org", "A", id=query.id), "evil.example.org. 60 IN A 203.0.113.9"
    )
    cut = answer(query)
    cut.id, cut.flags = query.id ^ 1, cut.flags | dns.flags.TC
    return [number.to_wire(), other.to_wire(), cut.to_wire(), query.to_wire(), b"\x00", b"x" * 40]


def test_forged_answers_are_passed_over() -> None:
    """Answers with a wrong number or question do not count, and the true one after them does."""
    true = f"{NAME}. 60 IN A 192.0.2.1"
    with DnsServer(lambda q, _: [*_forged(q), answer(q, true).to_wire()]) as server:
        assert RESOLVER.ask(NAME, "A", server.endpoint, SOON).texts == ("192.0.2.1",)


def test_only_forged_answers() -> None:
    """A server that sends nothing that fits is garbled at the deadline."""
    with DnsServer(lambda q, _: _forged(q)) as server, pytest.raises(Garbled, match="no answer that fits"):
        RESOLVER.ask(NAME, "A", server.endpoint, SHORT)


def test_lost_datagram_is_sent_again() -> None:
    """A lost question is asked again, with the same number, within the deadline."""
    with DnsServer(lambda q, t: HOME(q, t) if len(server.queries) > 1 else None) as server:
        assert RESOLVER.ask(NAME, "A", server.endpoint, SOON).texts == ("192.0.2.1",)
        assert len({query.id for _, query in server.queries}) == 1


def test_silent_server() -> None:
    """A server that says nothing is unreachable, at the deadline and not after."""
    with DnsServer(lambda _q, _t: None) as server:
        began = time.monotonic()
        with pytest.raises(Unreachable, match="did not answer in time"):
            RESOLVER.ask(NAME, "A", server.endpoint, SHORT)
        assert time.monotonic() - began < 2


def test_closed_port() -> None:
    """A closed port is known at once, and nothing was sent."""
    with pytest.raises(Unreachable) as caught:
        RESOLVER.update("example.org", [change()], Endpoint("127.0.0.1", free_port()), KEY, SOON)
    assert not caught.value.sent


def test_no_deadline_left() -> None:
    """Without time nothing is asked."""
    with DnsServer(HOME) as server:
        with pytest.raises(Unreachable):
            RESOLVER.ask(NAME, "A", server.endpoint, timedelta(0))
        assert not server.queries


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=80), st.booleans())
def test_any_octets(rubbish: bytes, with_number: bool) -> None:
    """Any octets from the server give an answer or one of the named errors."""
    with (
        DnsServer(lambda q, _: q.to_wire()[:2] + rubbish if with_number else rubbish) as server,
        contextlib.suppress(Garbled, Unreachable),
    ):
        RESOLVER.ask(NAME, "A", server.endpoint, timedelta(seconds=0.02))


def test_ipv6_server() -> None:
    """A server is reached over IPv6 too."""
    with DnsServer(HOME, "::1") as server:
        assert RESOLVER.ask(NAME, "A", server.endpoint, SOON).texts == ("192.0.2.1",)


def test_lookup() -> None:
    """An address is its own look-up; names come from the system, or from the servers given."""
    assert RESOLVER.lookup("192.0.2.1", SOON) == ("192.0.2.1",)
    assert "127.0.0.1" in RESOLVER.lookup("localhost", SOON)
    with pytest.raises(Unreachable, match="no IPv6 address"):
        RESOLVER.lookup("192.0.2.1", SOON, Family.IPV6)
    with pytest.raises(Unreachable, match="has no address"):
        RESOLVER.lookup("a" * 64, SOON)
    with DnsServer(HOME) as server:
        resolver = DnspythonResolver((server.endpoint,))
        assert resolver.lookup(NAME, SOON) == ("192.0.2.1", "2001:db8::1")
        assert resolver.lookup(NAME, SOON, Family.IPV6) == ("2001:db8::1",)
        with pytest.raises(Unreachable, match="no such record"):
            resolver.lookup("nowhere.example.org", SOON)


ZONE = {("example.org.", "SOA"): ["ns1.example.org. a. 1 1 1 1 1"],
        ("example.org.", "NS"): ["NS1.example.org.", "ns2.example.net.", "gone.example.net."],
        ("ns1.example.org.", "A"): ["192.0.2.53"], ("ns1.example.org.", "AAAA"): ["2001:db8::53"],
        ("ns2.example.net.", "A"): ["192.0.2.54"], (f"{NAME}.", "A"): ["192.0.2.1"]}  # fmt: skip


def test_zone() -> None:
    """The cut is found upward from the name, with every address of every server that has one."""
    with DnsServer(zone(ZONE)) as server:
        found = DnspythonResolver((server.endpoint,)).zone(NAME, SOON)
    assert found.name == "example.org"
    assert [(s.name, str(s.endpoint)) for s in found.servers] == [
        ("ns1.example.org", "192.0.2.53:53"), ("ns1.example.org", "[2001:db8::53]:53"),
        ("ns2.example.net", "192.0.2.54:53")]  # fmt: skip


@pytest.mark.parametrize(
    ("records", "error"),
    [
        ({}, Unreachable),
        ({(".", "SOA"): ["a. b. 1 1 1 1 1"]}, Garbled),
        ({("example.org.", "SOA"): ["a. b. 1 1 1 1 1"], ("example.org.", "NS"): ["gone."]}, Unreachable),
    ],
)
def test_no_zone(records: dict[tuple[str, str], list[str]], error: type[PortError]) -> None:
    """A name without a zone, or a zone without a server, is an error and never a guess."""
    with DnsServer(zone(records)) as server, pytest.raises(error):
        DnspythonResolver((server.endpoint,)).zone(NAME, SOON)


def _update(reply: object, key: TsigKey | None = KEY, changes: Sequence[DnsChange] = (change(),)) -> str:
    with DnsServer(reply, keyring=KEYRING) as server:  # type: ignore[arg-type]
        return RESOLVER.update("example.org", changes, server.endpoint, key, timedelta(seconds=1.5))


def test_update_is_one_message() -> None:
    """All changes of a zone travel in one message that names the RRsets and nothing else, by TCP when it is big."""
    with DnsServer(lambda q, _: dns.message.make_response(q), keyring=KEYRING) as server:
        changes = [change(), change(address="2001:db8::2")]
        assert RESOLVER.update("example.org", changes, server.endpoint, KEY, SOON) == "NOERROR"
        many = [change(f"a-rather-long-name-{i}.example.org") for i in range(100)]
        assert RESOLVER.update("example.org", many, server.endpoint, KEY, SOON) == "NOERROR"
        (first, message), (second, _) = server.queries
    assert (first, second) == ("udp", "tcp")
    assert [str(rrset) for rrset in message.sections[2]] == [
        f"{NAME}. ANY A", f"{NAME}. 60 IN A 198.51.100.1",
        f"{NAME}. ANY AAAA", f"{NAME}. 60 IN AAAA 2001:db8::2"]  # fmt: skip


def test_unanswered_update_may_have_been_sent() -> None:
    """Silence after an update leaves it open whether it was made."""
    with pytest.raises(Unreachable) as caught:
        _update(lambda _q, _t: None)
    assert caught.value.sent


def test_unsigned_success_is_not_believed() -> None:
    """NOERROR without a signature confirms nothing, while an unsigned error counts when nothing better comes."""

    def unsigned(rcode: int) -> object:
        def reply(query: dns.message.Message, _transport: str) -> bytes:
            response = dns.message.make_response(query)
            response.keyring = response.tsig = None
            response.set_rcode(dns.rcode.Rcode.make(rcode))
            return response.to_wire()

        return reply

    with pytest.raises(Garbled):
        _update(unsigned(0))
    assert _update(unsigned(9)) == "NOTAUTH"
    assert _update(unsigned(0), key=None) == "NOERROR"


@pytest.mark.parametrize(
    ("tsig_error", "error", "code"),
    [(16, Refused, "BADSIG"), (17, Refused, "BADKEY"), (18, Busy, "BADTIME"), (22, Refused, "BADTRUNC"),
     (21, Refused, "TSIG")],
)  # fmt: skip
def test_what_the_server_says_of_the_signature(tsig_error: int, error: type[PortError], code: str) -> None:
    """Each TSIG error has its clear sentence; wrong clocks are a wait and not a refusal, for they get set."""

    def reply(query: dns.message.Message, _transport: str) -> dns.message.Message:
        return dns.message.make_response(query, tsig_error=tsig_error)

    with pytest.raises(error) as caught:
        _update(reply)
    assert caught.value.code == code  # type: ignore[attr-defined]
    assert SECRET not in repr(caught.value)


def test_unusable_key() -> None:
    """A secret that is no base64 and an unknown algorithm are refused before anything is sent."""
    for key in (TsigKey("k", "hmac-sha256", Secret("!")), TsigKey("k", "rot13", Secret(SECRET))):
        with pytest.raises(Refused):
            _update(lambda _q, _t: None, key)


def test_import_is_light() -> None:
    """Importing the adapter does not import dnspython: that waits for the first question."""
    code = "import sys, ipwatch.net.dns; sys.exit('dns' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


@pytest.mark.real
def test_bind_takes_updates(tmp_path: Path) -> None:
    """BIND takes an update signed by any algorithm it may use, refuses other names, keys and zones, and only the named
    RRset changes."""
    with bind(tmp_path) as server:
        for name, algorithm in KEYS.items():
            key = TsigKey(name, algorithm, Secret(SECRET))
            assert RESOLVER.update("example.org", [change()], server, key, SOON) == "NOERROR"
        assert RESOLVER.update("example.org", [change("alias.example.org")], server, KEY, SOON) == "REFUSED"
        assert RESOLVER.update("example.org", [change()], server, None, SOON) == "REFUSED"
        assert RESOLVER.update("example.com", [change("home.example.com")], server, KEY, SOON) == "NOTAUTH"
        for key, code in ((TsigKey("home-key", "hmac-sha256", Secret("AAAA")), "BADSIG"),
                          (TsigKey("no-key", "hmac-sha256", Secret(SECRET)), "BADKEY")):  # fmt: skip
            with pytest.raises(Refused) as caught:
                RESOLVER.update("example.org", [change(address="203.0.113.1")], server, key, SOON)
            assert caught.value.code == code
        shown = {t: RESOLVER.ask(NAME, t, server, SOON).texts for t in ("A", "AAAA", "TXT")}
        assert shown == {"A": ("198.51.100.1",), "AAAA": ("2001:db8::1",), "TXT": ("stays",)}
        assert RESOLVER.ask("other.example.org", "A", server, SOON).texts == ("192.0.2.7",)


@pytest.mark.real
def test_knot_takes_updates(tmp_path: Path) -> None:
    """Knot takes the update too, and its unsigned NOTAUTH for a zone it does not hold is understood."""
    with knot(tmp_path) as server:
        assert RESOLVER.update("example.org", [change()], server, KEY, SOON) == "NOERROR"
        assert RESOLVER.ask(NAME, "A", server, SOON).texts == ("198.51.100.1",)
        assert RESOLVER.ask(NAME, "TXT", server, SOON).texts == ("stays",)
        assert RESOLVER.update("example.com", [change("home.example.com")], server, KEY, SOON) == "NOTAUTH"


@pytest.mark.real
@pytest.mark.parametrize("make", [bind, knot, nsd])
def test_makes_agree(make: object, tmp_path: Path) -> None:
    """BIND, Knot and NSD are read alike: address, alias, alias to elsewhere, wildcard, no such name."""
    with make(tmp_path) as server:  # type: ignore[operator]
        asked = {n: RESOLVER.ask(f"{n}.example.org", "A", server, SOON)
                 for n in ("home", "alias", "outside", "*.wild", "x.wild", "nowhere")}  # fmt: skip
    assert all(a.authoritative for a in asked.values())
    assert {n: (a.rcode, a.texts, a.cname) for n, a in asked.items()} == {
        "home": ("NOERROR", ("192.0.2.1",), None), "alias": ("NOERROR", ("192.0.2.1",), NAME),
        "outside": ("NOERROR", (), "home.example.net"), "*.wild": ("NOERROR", ("192.0.2.9",), None),
        "x.wild": ("NOERROR", ("192.0.2.9",), None), "nowhere": ("NXDOMAIN", (), None)}  # fmt: skip
