"""What every provider owes its callers: tests to inherit. `Bench` is what a provider's own test brings along."""

import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

import pytest

from ipwatch.core.address import Address, Family
from ipwatch.core.outcome import Kind, Outcome
from ipwatch.net.clock import SystemClock
from ipwatch.net.http import RequestsHttp
from ipwatch.ports import AccountOptions, Plugin, PortError, Provider, Tools, Update, outcome_of
from tests.fakes.http_server import FakeHttpServer, Reply

V4, V6 = Address.parse("203.0.113.7"), Address.parse("2001:db8::7")
NEW4 = Address.parse("203.0.113.8")
SECOND = timedelta(seconds=1)
Outcomes = dict[tuple[str, Family], Outcome]
GARBAGE = (
    "", "\n\n", "<html><body>good</body></html>", "<html>\ngood\nnochg\nOK\n</html>", "goodness", "good morning", "OK",
    "notgood 203.0.113.7", "null", "[]", "{}", '{"success": true}', '{"success":true,"result":7}', "[" * 5000,
    '{"success":true,"result":{"id":"../../x","name":"a","type":"A"}}', "\x00\xff", "Apache is functioning normally",
)  # fmt: skip


def http_tools(http: RequestsHttp) -> Tools:
    """Tools with a real clock and real HTTP; a provider that reaches for another port fails."""
    none = cast(Any, None)
    return Tools(SystemClock(), http, none, none, none, none, none, none)


def publish(
    provider: Provider, updates: list[Update], within: timedelta = 5 * SECOND
) -> dict[tuple[str, Family], Outcome]:
    """The outcomes, as the rounds see them: an error stands for all of them."""
    try:
        return dict(provider.publish(updates, within))
    except PortError as error:
        return {(u.name, a.family): outcome_of(error) for u in updates for a in u.addresses}


class Bench:
    """What a provider's test brings along. names: known to the server, beside others. secrets: never to be seen."""

    names: tuple[str, ...]
    secrets: tuple[str, ...]

    def held(self) -> Mapping[str, Mapping[Family, str]]:
        """name -> family -> address, of all that the server has."""
        raise NotImplementedError

    def faults(self) -> list[str]:
        """What the requests so far had wrong by the manual."""
        raise NotImplementedError

    def hang(self) -> None:
        """From now on the server takes requests and says nothing."""
        raise NotImplementedError


@dataclass
class HttpBench(Bench):
    """server: a fake. settings: an account's keys there, without the place's key; place: that key."""

    server: FakeHttpServer
    plugin: Plugin[Any, Provider]
    settings: dict[str, Any]
    place: str
    path: str
    names: tuple[str, ...]
    secrets: tuple[str, ...]

    def faults(self) -> list[str]:
        return self.server.faults

    def hang(self) -> None:
        self.server.scripted = [Reply(hang=20) for _ in range(9)]


class ProviderContract:
    """For providers of any kind. Inherit, and give the fixtures `bench`, `provider` (an account there) and `lost` (the
    same, where nobody listens)."""

    def test_each_name_and_family_gets_an_outcome(self, bench: Bench, provider: Provider) -> None:
        """Every (name, family) that was to be published has an outcome, and the server holds the address."""
        names = bench.names[: provider.batch]
        outcomes = publish(provider, [Update(name, (V4, V6)) for name in names])
        assert set(outcomes) == {(name, family) for name in names for family in Family}
        assert {o.kind for o in outcomes.values()} == {Kind.CHANGED}, outcomes
        assert all(bench.held()[n] == {Family.IPV4: str(V4), Family.IPV6: str(V6)} for n in names)
        assert not bench.faults()

    def test_nothing_else_is_touched(self, bench: Bench, provider: Provider) -> None:
        """Publishing one family of one name leaves the name's other family and all other names as they were."""
        name = bench.names[0]
        publish(provider, [Update(name, (V4, V6))])
        before = {n: dict(f) for n, f in bench.held().items()}
        outcome = publish(provider, [Update(name, (NEW4,), (V6,))])[name, Family.IPV4]
        before[name][Family.IPV4] = str(NEW4)
        assert outcome.kind is Kind.CHANGED, outcome
        assert bench.held() == before
        assert not bench.faults()

    def test_ipv6_alone_leaves_ipv4_alone(self, bench: Bench, provider: Provider) -> None:
        """A first IPv6 address is published without a guess at IPv4."""
        name = bench.names[0]
        publish(provider, [Update(name, (V4,))])
        outcomes = publish(provider, [Update(name, (V6,), (V4,))])
        assert outcomes[name, Family.IPV6].kind is Kind.CHANGED, outcomes
        assert bench.held()[name] == {Family.IPV4: str(V4), Family.IPV6: str(V6)}
        assert not bench.faults()

    def test_a_repeat_is_held(self, bench: Bench, provider: Provider) -> None:
        """An address the provider holds already can be sent again: it stays held."""
        update = [Update(bench.names[0], (V4,))]
        publish(provider, update)
        assert publish(provider, update)[bench.names[0], Family.IPV4].held

    def test_a_hanging_server_is_left_at_the_deadline(self, bench: Bench, provider: Provider) -> None:
        """A server that takes the request and says nothing costs the deadline and not more, and is not success."""
        bench.hang()
        started = time.monotonic()
        outcomes = publish(provider, [Update(bench.names[0], (V4, V6))], SECOND / 2)
        assert time.monotonic() - started < 2.5
        assert {o.kind for o in outcomes.values()} <= {Kind.UNSURE, Kind.BUSY}

    def test_nobody_listens(self, bench: Bench, lost: Provider) -> None:
        """With nothing at the address the outcome is busy: nothing was sent; and no secret is in its text."""
        outcomes = publish(lost, [Update(bench.names[0], (V4, V6))])
        assert {o.kind for o in outcomes.values()} == {Kind.BUSY}
        assert not any(secret in o.text for o in outcomes.values() for secret in bench.secrets)


class HttpProviderContract(ProviderContract):
    """For providers that speak HTTP. Inherit, and give a fixture `bench`."""

    @pytest.fixture
    def http(self) -> Iterator[RequestsHttp]:
        http = RequestsHttp("ipwatch-tests/1 tests@example.org")
        yield http
        http.close()

    @pytest.fixture
    def provider(self, bench: HttpBench, http: RequestsHttp) -> Provider:
        return self.at(bench, http, bench.server.url)

    @pytest.fixture
    def lost(self, bench: HttpBench, http: RequestsHttp) -> Iterator[Provider]:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            yield self.at(bench, http, f"http://127.0.0.1:{taken.getsockname()[1]}")

    def at(self, bench: HttpBench, http: RequestsHttp, url: str) -> Provider:
        keys = bench.settings | {bench.place: url + bench.path, "allow_insecure": True}
        return bench.plugin.build(bench.plugin.settings(**keys), http_tools(http))

    def test_a_repeat_is_unchanged(self, bench: HttpBench, provider: Provider) -> None:
        """An address the provider holds already is unchanged, not changed."""
        update = [Update(bench.names[0], (V4,))]
        publish(provider, update)
        assert publish(provider, update)[bench.names[0], Family.IPV4].kind is Kind.UNCHANGED

    @pytest.mark.parametrize("status", [200, 404, 500])
    @pytest.mark.parametrize("body", GARBAGE)
    def test_garbage_is_never_success(self, bench: HttpBench, provider: Provider, body: str, status: int) -> None:
        """An answer that is none of the protocol's is never taken for success, whatever words are in it."""
        bench.server.scripted = [Reply(status, body.encode("latin-1")) for _ in range(9)]
        outcomes = publish(provider, [Update(bench.names[0], (V4, V6))])
        assert len(outcomes) == 2
        assert not any(o.held for o in outcomes.values()), outcomes

    @pytest.mark.parametrize("status", [200, 401, 403, 500])
    def test_secrets_never_print(self, bench: HttpBench, provider: Provider, status: int) -> None:
        """A server that repeats our secrets, even cut at an awkward place, does not get them into an outcome."""
        for pad in (0, 70):
            bench.server.scripted = [Reply(status, "x" * pad + " ".join(bench.secrets)) for _ in range(9)]
            outcomes = publish(provider, [Update(bench.names[0], (V4, V6))])
            text = " ".join(f"{o.code} {o.text}" for o in outcomes.values()) + repr(provider)
            assert not any(secret[:6] in text for secret in bench.secrets), text

    def test_no_redirect_is_followed(self, bench: HttpBench, provider: Provider) -> None:
        """Credentials are not carried to where a redirect points."""
        with _Trap() as trap:
            bench.server.scripted = [Reply(302, "", {"Location": trap.url + "/nic/update"}) for _ in range(9)]
            outcomes = publish(provider, [Update(bench.names[0], (V4, V6))])
            assert not trap.seen
        assert not any(o.held for o in outcomes.values())

    def test_retry_after_is_kept(self, bench: HttpBench, provider: Provider) -> None:
        """A 429 with Retry-After is busy for exactly that long, and nothing more is sent."""
        bench.server.scripted = [Reply(429, "slow down", {"Retry-After": "123"})]
        outcomes = publish(provider, [Update(bench.names[0], (V4, V6))])
        assert {(o.kind, o.after) for o in outcomes.values()} == {(Kind.BUSY, timedelta(seconds=123))}
        assert len(bench.server.seen) == 1

    def test_plain_http_needs_consent(self, bench: HttpBench) -> None:
        """Plain http is refused by the settings unless allow_insecure says otherwise."""
        with pytest.raises(ValueError, match="plain http"):
            bench.plugin.settings(**bench.settings, **{bench.place: "http://dyn.example.net"})

    @pytest.mark.parametrize("place", ["https://me:pw@dyn.example.net", "ftp://dyn.example.net", "https://x:99999999",
                                       "https://x/?a=b", "https://"])  # fmt: skip
    def test_odd_places_are_refused(self, bench: HttpBench, place: str) -> None:
        """A place that can not be meant, or that holds a password, is a configuration fault without the password."""
        with pytest.raises(ValueError, match=bench.place) as caught:
            bench.plugin.settings(**bench.settings, **{bench.place: place})
        assert "pw" not in str(caught.value)

    def test_the_attributes_are_set(self, bench: HttpBench, provider: Provider) -> None:
        """Batch, pause, refresh and service are there, and the settings are documented key by key."""
        assert provider.batch >= 1
        assert provider.pause >= timedelta(0)
        assert provider.refresh is None or provider.refresh > timedelta(days=1)
        assert provider.service == bench.server.url.partition("://")[2]
        own = set(bench.plugin.settings.__struct_fields__) - set(AccountOptions.__struct_fields__)
        assert set(getattr(bench.plugin.settings, "DOC")) == own  # noqa: B009


class _Trap(FakeHttpServer):
    def answer(self, seen: object) -> Reply:
        return Reply(200, "good 203.0.113.7")
