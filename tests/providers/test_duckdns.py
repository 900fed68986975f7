"""The DuckDNS provider against a strict server."""

from collections.abc import Iterator, Mapping

import pytest

from ipwatch.core.address import Family
from ipwatch.core.outcome import Kind, Scope
from ipwatch.ports import Provider, Secret, Update
from ipwatch.providers.duckdns import PLUGIN, Settings
from tests.contracts.provider import V4, V6, HttpBench, HttpProviderContract, publish
from tests.fakes.duckdns_server import DuckDnsServer
from tests.fakes.http_server import Reply

NAMES = tuple(f"h{i}.duckdns.org" for i in range(4))


class _Bench(HttpBench):
    def held(self) -> Mapping[str, Mapping[Family, str]]:
        server = self.server
        assert isinstance(server, DuckDnsServer)
        families = {4: Family.IPV4, 6: Family.IPV6}
        return {f"{n}.duckdns.org": {families[v]: a for v, a in held.items()} for n, held in server.hosts.items()}


class TestDuckDns(HttpProviderContract):
    """DuckDNS."""

    @pytest.fixture
    def bench(self) -> Iterator[HttpBench]:
        with DuckDnsServer() as server:
            server.hosts = {name.partition(".")[0]: {4: "198.51.100.1"} for name in (*NAMES, "other")}
            yield _Bench(server, PLUGIN, {"token": Secret(server.token)}, "server", "", NAMES, (server.token,))

    def test_ko_reaches_the_account(self, bench: HttpBench, provider: Provider) -> None:
        """KO tells nothing, so both causes are named and nothing more is sent for the account."""
        outcome = publish(provider, [Update("unknown.duckdns.org", (V4,))])["unknown.duckdns.org", Family.IPV4]
        assert (outcome.kind, outcome.scope, outcome.code) == (Kind.REFUSED, Scope.ACCOUNT, "KO")
        assert "token" in outcome.text
        assert "names" in outcome.text

    def test_other_names_are_refused_unasked(self, bench: HttpBench, provider: Provider) -> None:
        """A name that can not be DuckDNS's is refused without a request; the others of the batch go on."""
        names = ("home.example.org", "www.h0.duckdns.org", NAMES[0])
        outcomes = publish(provider, [Update(name, (V4,)) for name in names])
        assert [outcomes[n, Family.IPV4].kind for n in names] == [Kind.REFUSED, Kind.REFUSED, Kind.CHANGED]
        assert [s.param("domains") for s in bench.server.seen] == ["h0"]
        publish(provider, [Update("home.example.org", (V4,))])
        assert len(bench.server.seen) == 1

    def test_another_address_is_an_alarm(self, bench: HttpBench, provider: Provider) -> None:
        """An answer that shows another address than the one sent latches the record."""
        bench.server.scripted = [Reply(200, "OK\n198.51.100.99\n\nUPDATED")]
        assert publish(provider, [Update(NAMES[0], (V4,))])[NAMES[0], Family.IPV4].code == "mismatch"

    @pytest.mark.parametrize("body", ["OK", "OK\nUPDATED", "OK\n\n\nUPDATED", "OK\nx\nUPDATED", f"OK\n{V4}\n\nMAYBE"])
    def test_a_short_ok_is_no_success(self, bench: HttpBench, provider: Provider, body: str) -> None:
        """Without the address and UPDATED or NOCHANGE nothing is known."""
        bench.server.scripted = [Reply(200, body)]
        assert publish(provider, [Update(NAMES[0], (V4,))])[NAMES[0], Family.IPV4].kind is Kind.UNSURE

    def test_ipv6_without_a_known_ipv4(self, bench: HttpBench, provider: Provider) -> None:
        """With IPv6 only, the address stands in `ip`, so that the server never guesses one."""
        assert publish(provider, [Update(NAMES[0], (V6,))])[NAMES[0], Family.IPV6].kind is Kind.CHANGED
        assert bench.server.seen[0].param("ip") == str(V6)
        assert not bench.server.faults


def test_an_empty_token_is_a_fault() -> None:
    """An empty token is a fault of the configuration."""
    with pytest.raises(ValueError, match="token"):
        Settings(token=Secret(""))
