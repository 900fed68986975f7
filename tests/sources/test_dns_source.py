"""sources.dns with a resolver whose answers are a table."""

from datetime import timedelta

import pytest

from ipwatch.core.address import Family
from ipwatch.ports import DnsAnswer, Endpoint, Garbled, Source, Unreachable
from ipwatch.sources.dns import PLUGIN, DnsOptions
from tests.contracts.source import WITHIN, SourceContract
from tests.fakes.source_tools import TableResolver, tools


class TestDns(SourceContract):
    """A whoami service keeps the contract."""

    def make(self, shown: str, family: Family) -> Source:
        resolver = TableResolver(answer=lambda *_: DnsAnswer("NOERROR", False, (shown,)))
        [source] = PLUGIN.build(DnsOptions(service="cloudflare"), tools(resolver=resolver))
        return source


def test_table_is_the_default() -> None:
    """Without a service all four are there; for IPv6 those that can."""
    assert [s.id for s in PLUGIN.build(DnsOptions(), tools())] == [
        "dns:opendns", "dns:cloudflare", "dns:google", "dns:akamai"
    ]  # fmt: skip
    assert len(PLUGIN.build(DnsOptions(families=(Family.IPV6,)), tools())) == 3


def test_questions_are_those_of_the_table() -> None:
    """Class, type, server and recursion are the service's own, over the wanted family."""
    hosts = {"ns1.google.com": ("216.239.32.10", "2001:4860:4802:32::a"), "resolver1.opendns.com": ("208.67.222.222",)}
    resolver = TableResolver(hosts, lambda *_: DnsAnswer("NOERROR", True, ("25.1.2.3",)))
    for name in ("google", "cloudflare", "opendns"):
        [source] = PLUGIN.build(DnsOptions(service=name), tools(resolver=resolver))
        source.observe(Family.IPV4, WITHIN)
    assert resolver.asked == [
        ("o-o.myaddr.l.google.com", "TXT", "216.239.32.10:53", "IN", False),
        ("whoami.cloudflare", "TXT", "1.1.1.1:53", "CH", True),
        ("myip.opendns.com", "A", "208.67.222.222:53", "IN", True),
    ]


def test_second_server_is_asked_when_the_first_is_silent() -> None:
    """One dead server does not silence the service."""

    def answer(name: str, rdtype: str, server: Endpoint) -> DnsAnswer:
        if server.host == "1.1.1.1":
            raise Unreachable("silent")
        return DnsAnswer("NOERROR", False, ("25.1.2.3",))

    [source] = PLUGIN.build(DnsOptions(service="cloudflare"), tools(resolver=TableResolver(answer=answer)))
    assert str(source.observe(Family.IPV4, WITHIN)) == "25.1.2.3"


def test_silence_refusal_and_no_time() -> None:
    """Nobody answering is Unreachable, a refusal Garbled, and without time nobody is asked."""
    resolver = TableResolver()
    [source] = PLUGIN.build(DnsOptions(service="google"), tools(resolver=resolver))
    with pytest.raises(Unreachable, match="has no address"):
        source.observe(Family.IPV4, WITHIN)
    with pytest.raises(Unreachable, match="no time"):
        source.observe(Family.IPV4, timedelta(0))
    refusing = TableResolver(answer=lambda *_: DnsAnswer("REFUSED", False, ()))
    [source] = PLUGIN.build(DnsOptions(service="cloudflare"), tools(resolver=refusing))
    with pytest.raises(Garbled, match="REFUSED"):
        source.observe(Family.IPV4, WITHIN)


def test_server_of_ones_own() -> None:
    """`server` takes the place of the service's own; one of the other family is Unreachable."""
    resolver = TableResolver(answer=lambda *_: DnsAnswer("NOERROR", False, ("25.1.2.3",)))
    [source] = PLUGIN.build(DnsOptions(service="opendns", server="127.0.0.1:5353"), tools(resolver=resolver))
    source.observe(Family.IPV4, WITHIN)
    assert resolver.asked == [("myip.opendns.com", "A", "127.0.0.1:5353", "IN", True)]
    with pytest.raises(Unreachable, match="no IPv6"):
        source.observe(Family.IPV6, WITHIN)


@pytest.mark.parametrize(
    "options", [{"service": "x"}, {"server": "a:1"}, {"service": "google", "server": "a:x"}, {"operator": "me"}]
)
def test_faulty_options(options: dict[str, str]) -> None:
    """What can not work is told while the configuration is read."""
    with pytest.raises(ValueError, match=r"service|server|operator"):
        DnsOptions(**options)  # type: ignore[arg-type]
