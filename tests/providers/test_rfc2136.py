import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ipwatch.core.address import Address, Family
from ipwatch.core.outcome import Kind, Outcome, Scope
from ipwatch.net.dns import DnspythonResolver
from ipwatch.ports import (
    DnsAnswer,
    DnsChange,
    Endpoint,
    PortError,
    Refused,
    Resolver,
    Secret,
    TsigKey,
    Unreachable,
    Update,
    Zone,
)
from ipwatch.providers.rfc2136 import PLUGIN, Rfc2136, Rfc2136Options
from tests.fakes.named import SECRET, bind, knot

SOON = timedelta(seconds=5)
V4, V6 = Address.parse("198.51.100.1"), Address.parse("2001:db8::77")


class Time:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> timedelta:
        return timedelta(seconds=time.monotonic())

    def sleep(self, time_: timedelta) -> None:
        time.sleep(time_.total_seconds())


@dataclass
class Server:
    """A resolver in front of a server: names in `denied` are refused, addresses in `dead` do not answer."""

    rcode: str = "NOERROR"
    denied: frozenset[str] = frozenset()
    dead: dict[str, bool] = field(default_factory=dict)
    addresses: tuple[str, ...] = ("192.0.2.53",)
    error: PortError | None = None
    sent: list[tuple[str, str, tuple[DnsChange, ...]]] = field(default_factory=list)

    def ask(self, name: str, rdtype: str, server: Endpoint, within: timedelta, *, rdclass: str = "IN",
            recurse: bool = False) -> DnsAnswer:  # fmt: skip
        return DnsAnswer("REFUSED", False, ())

    def lookup(self, host: str, within: timedelta, family: Family | None = None) -> tuple[str, ...]:
        return self.addresses

    def zone(self, name: str, within: timedelta) -> Zone:
        labels = name.split(".")
        if labels[-1] == "lost":
            raise Unreachable("no DNS")
        return Zone(".".join(labels[-2:]), ())

    def update(self, zone: str, changes: Sequence[DnsChange], server: Endpoint, key: TsigKey | None,
               within: timedelta) -> str:  # fmt: skip
        self.sent.append((zone, server.host, tuple(changes)))
        if server.host in self.dead:
            raise Unreachable(f"{server.host} did not answer", sent=self.dead[server.host])
        if self.error is not None:
            raise self.error
        return "REFUSED" if any(c.name in self.denied for c in changes) else self.rcode


def provider(resolver: Resolver, server: str = "ns.example.org", zone: str | None = None, *,
             secret: str = SECRET) -> Rfc2136:  # fmt: skip
    options = Rfc2136Options(server=server, zone=zone, key_name="home-key", key_secret=Secret(secret))
    return Rfc2136(options, resolver, Time())


def updates(*names: str, addresses: tuple[Address, ...] = (V4,), ttl: timedelta | None = None) -> list[Update]:
    return [Update(name, addresses, ttl=ttl) for name in names]


def test_one_message_per_zone() -> None:
    """Names of two zones travel in two messages, with every family, and 60 s where no TTL is configured."""
    server = Server()
    found = provider(server).publish(
        updates("a.example.org", "b.example.net", "c.example.org", addresses=(V4, V6)), SOON
    )
    assert {o.kind for o in found.values()} == {Kind.CHANGED}
    assert len(found) == 6
    assert [(zone, len(changes)) for zone, _, changes in server.sent] == [("example.org", 4), ("example.net", 2)]
    assert {c.ttl for _, _, changes in server.sent for c in changes} == {timedelta(seconds=60)}


def test_configured_ttl_and_zone() -> None:
    """A configured TTL and zone are used; a name outside the zone is refused without asking."""
    server = Server()
    names = updates("a.sub.example.org", "other.net", ttl=timedelta(minutes=5))
    found = provider(server, zone="Sub.Example.org.").publish(names, SOON)
    assert server.sent == [
        ("sub.example.org", "192.0.2.53", (DnsChange("a.sub.example.org", V4, timedelta(minutes=5)),))
    ]
    outside = found["other.net", Family.IPV4]
    assert (outside.kind, outside.code, outside.scope) == (Kind.REFUSED, "NOTZONE", Scope.RECORD)


def test_zone_not_found() -> None:
    """A name whose zone can not be found waits, and the others are published."""
    server = Server()
    found = provider(server).publish(updates("a.lost", "a.example.org"), SOON)
    assert found["a.lost", Family.IPV4].kind is Kind.BUSY
    assert found["a.example.org", Family.IPV4].kind is Kind.CHANGED
    assert provider(Server()).publish(updates("a.lost"), SOON)["a.lost", Family.IPV4].kind is Kind.BUSY


@pytest.mark.parametrize(
    ("rcode", "kind", "scope"),
    [
        ("NOERROR", Kind.CHANGED, Scope.RECORD),
        ("REFUSED", Kind.REFUSED, Scope.RECORD),
        ("NOTZONE", Kind.REFUSED, Scope.RECORD),
        ("NOTAUTH", Kind.REFUSED, Scope.ACCOUNT),
        ("NOTIMP", Kind.REFUSED, Scope.ACCOUNT),
        ("SERVFAIL", Kind.BUSY, Scope.RECORD),
        ("FORMERR", Kind.BUSY, Scope.RECORD),
    ],
)
def test_each_code(rcode: str, kind: Kind, scope: Scope) -> None:
    """Each code of the server has its kind, reach and sentence."""
    (found,) = provider(Server(rcode)).publish(updates("a.example.org"), SOON).values()
    assert (found.kind, found.code, found.scope) == (kind, rcode, scope)
    assert "{" not in found.text


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (Refused("wrong", code="BADSIG"), Kind.REFUSED),
        (Unreachable("silent", sent=True), Kind.UNSURE),
        (Unreachable("closed"), Kind.BUSY),
    ],
)
def test_port_errors(error: PortError, kind: Kind) -> None:
    """What the port raises becomes the outcome of every record of the message."""
    found = provider(Server(error=error)).publish(updates("a.example.org", "b.example.org"), SOON)
    assert [o.kind for o in found.values()] == [kind, kind]


def test_one_denied_name_does_not_latch_the_others() -> None:
    """Where the server refuses a message for one name, the halves are sent apart until that name stands alone."""
    server = Server(denied=frozenset({"h5.example.org"}))
    found = provider(server).publish(updates(*(f"h{i}.example.org" for i in range(8))), SOON)
    assert [n for (n, _), o in found.items() if o.kind is Kind.REFUSED] == ["h5.example.org"]
    assert [o.kind for o in found.values()].count(Kind.CHANGED) == 7
    assert len(server.sent) == 7


def test_next_address_of_the_server() -> None:
    """A server that is dead at its first address is asked at the next; silence everywhere is unsure once sent."""
    addresses = ("2001:db8::53", "192.0.2.53")
    server = Server(dead={"2001:db8::53": True}, addresses=addresses)
    (found,) = provider(server).publish(updates("a.example.org"), SOON).values()
    assert found.kind is Kind.CHANGED
    server = Server(dead={"2001:db8::53": True, "192.0.2.53": False}, addresses=addresses)
    (found,) = provider(server).publish(updates("a.example.org"), SOON).values()
    assert found.kind is Kind.UNSURE


def test_no_time() -> None:
    """Without time left nothing is sent."""
    server = Server()
    with pytest.raises(Unreachable):
        provider(server, zone="example.org").publish(updates("a.example.org"), timedelta(0))
    assert not server.sent


@pytest.mark.parametrize(
    ("keys", "clause"),
    [
        ({}, "can be forged"),
        ({"key_name": "k"}, "belong together"),
        ({"key_name": "k", "key_secret": Secret("no base64!")}, "not base64"),
        ({"allow_insecure": True, "server": ":53"}, "is not a host"),
        ({"allow_insecure": True, "zone": "a..b"}, "not a DNS label"),
    ],
)
def test_faulty_settings(keys: dict[str, object], clause: str) -> None:
    """A configuration that can not work, or is not safe unasked, is refused with a clause and without the secret."""
    with pytest.raises(ValueError, match=clause) as caught:
        Rfc2136Options(**{"server": "ns.example.org", **keys})  # type: ignore[arg-type]
    assert "no base64!" not in str(caught.value)


def test_plugin() -> None:
    """The plugin builds a provider that repairs, needs no refresh and may be without key where that is allowed."""
    assert PLUGIN.settings is Rfc2136Options
    made = Rfc2136(Rfc2136Options(server="[::1]:54", allow_insecure=True), Server(), Time())
    assert (made.service, made.batch, made.repairs, made.refresh, made.pause) == ("::1", 100, True, None, timedelta(0))


@pytest.fixture
def primary(tmp_path: Path) -> Iterator[Endpoint]:
    with bind(tmp_path, ("example.org", "example.net")) as server:
        yield server


def outcomes(server: Endpoint, *names: str, secret: str = SECRET, addresses: tuple[Address, ...] = (V4,)
             ) -> dict[str, Outcome]:  # fmt: skip
    made = provider(DnspythonResolver(), str(server), "example.org", secret=secret)
    found = made.publish(updates(*names, addresses=addresses), SOON)
    return {f"{name} {family.rdtype}": outcome for (name, family), outcome in found.items()}


@pytest.mark.real
def test_bind(primary: Endpoint) -> None:
    """At BIND only the named RRset changes; a name that is not granted is refused alone."""
    found = outcomes(primary, "home.example.org", "alias.example.org")
    assert {n: (o.kind, o.code) for n, o in found.items()} == {
        "home.example.org A": (Kind.CHANGED, "NOERROR"), "alias.example.org A": (Kind.REFUSED, "REFUSED")}  # fmt: skip
    ask = DnspythonResolver().ask
    shown = {t: ask("home.example.org", t, primary, SOON).texts for t in ("A", "AAAA", "TXT")}
    assert shown == {"A": (str(V4),), "AAAA": ("2001:db8::1",), "TXT": ("stays",)}
    assert ask("other.example.org", "A", primary, SOON).texts == ("192.0.2.7",)
    assert outcomes(primary, "home.example.org", addresses=(V6,))["home.example.org AAAA"].kind is Kind.CHANGED
    assert ask("home.example.org", "A", primary, SOON).texts == (str(V4),)


@pytest.mark.real
def test_bind_refuses_a_wrong_key(primary: Endpoint) -> None:
    """A wrong secret latches the account with a clear sentence, and changes nothing."""
    (found,) = outcomes(primary, "home.example.org", secret="AAAA").values()
    assert (found.kind, found.code, found.scope) == (Kind.REFUSED, "BADSIG", Scope.ACCOUNT)
    assert "check key_secret" in found.text
    assert DnspythonResolver().ask("home.example.org", "A", primary, SOON).texts == ("192.0.2.1",)


@pytest.mark.real
def test_knot(tmp_path: Path) -> None:
    """Knot takes the same messages, a hundred names at once included."""
    with knot(tmp_path) as server:
        names = [f"a-name-that-makes-it-long-{i}.example.org" for i in range(100)]
        found = outcomes(server, *names, addresses=(V4, V6))
        assert {o.kind for o in found.values()} == {Kind.CHANGED}
        assert len(found) == 200
        assert DnspythonResolver().ask(names[-1], "AAAA", server, SOON).texts == (str(V6),)
