"""sources.web against real servers."""

import time
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from ipwatch.core.address import Family
from ipwatch.ports import Garbled, PortError, Source, Unreachable
from ipwatch.protocols.echo import Form
from ipwatch.protocols.operators import operator_of
from ipwatch.sources.web import PAGES, PLUGIN, WebOptions
from tests.contracts.source import WITHIN, SourceContract
from tests.fakes.raw_http_server import HttpServer, drip, page, raw
from tests.fakes.source_tools import tools


@pytest.fixture
def servers() -> Iterator[dict[Family, HttpServer]]:
    with HttpServer() as four, HttpServer("::1") as six:
        yield {Family.IPV4: four, Family.IPV6: six}


class TestWeb(SourceContract):
    """A page in each family keeps the contract."""

    @pytest.fixture(autouse=True)
    def _servers(self, servers: dict[Family, HttpServer]) -> None:
        self.servers = servers

    def make(self, shown: str, family: Family) -> Source:
        url = self.servers[family].serve(page(shown + "\n"))
        [source] = PLUGIN.build(WebOptions(url=url, allow_insecure=True), tools())
        return source


def observe(server: HttpServer, answer: object, **options: object) -> str:
    url = server.serve(answer)  # type: ignore[arg-type]
    [source] = PLUGIN.build(WebOptions(url=url, allow_insecure=True, **options), tools())  # type: ignore[arg-type]
    return str(source.observe(Family.IPV4, WITHIN))


@pytest.mark.parametrize(
    "answer",
    [
        page("25.1.2.3", "500 Oops"),
        page("25.1.2.3", "404 Not Found"),
        page("<html>25.1.2.3</html>"),
        page("25.1.2.3 25.1.2.4"),
        page("2a02:db9::1"),
        page(""),
        page("", "302 Found", Location="http://127.0.0.1:1/"),
        page("25.1.2.3" + " " * 70000),
        raw(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 8\r\n\r\n25.1.2.3"),
        lambda sock, _: (sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n25.1.2.3"), sock.shutdown(1)),
        lambda sock, _: sock.shutdown(2),
    ],
    ids=["500", "404", "html", "two", "family", "empty", "redirect", "huge", "gzip", "truncated", "hangup"],
)
def test_bad_pages_give_no_address(servers: dict[Family, HttpServer], answer: object) -> None:
    """No lie, error page or torn answer gives an address."""
    with pytest.raises(PortError):
        observe(servers[Family.IPV4], answer)


@pytest.mark.parametrize("kind", ["drip", "hang"])
def test_slow_pages_are_left_in_time(servers: dict[Family, HttpServer], kind: str) -> None:
    """The source's own timeout bounds a page that drips or hangs."""
    server = servers[Family.IPV4]
    answer = drip(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n25.1.2.3") if kind == "drip" else server.hang
    began = time.monotonic()
    with pytest.raises(Unreachable):
        observe(server, answer, timeout=timedelta(seconds=0.3))
    assert time.monotonic() - began < 5


def test_forms_and_excerpt(servers: dict[Family, HttpServer]) -> None:
    """JSON and trace pages are read, and a page that does not fit is quoted."""
    four = servers[Family.IPV4]
    assert observe(four, page('{"query": "25.1.2.3"}'), form=Form.JSON, key="query") == "25.1.2.3"
    assert observe(four, page("h=a\nip=25.1.2.3\n"), form=Form.TRACE) == "25.1.2.3"
    with pytest.raises(Garbled) as caught:
        observe(four, page("<p>hi</p>"))
    assert caught.value.excerpt == "<p>hi</p>"


def test_built_in_table() -> None:
    """At least 12 pages of 6 operators, https only, each with manual and pause; ids differ; both families are there."""
    sources = PLUGIN.build(WebOptions(), tools())
    assert len(sources) == len(PAGES) >= 12
    assert len({source.id for source in sources}) == len(sources)
    for family in Family:
        assert len({source.operator for source in sources if family in source.families}) >= 6
    for source, row in zip(sources, PAGES, strict=True):
        assert row.manual.startswith("https://")
        assert source.min_interval >= timedelta(minutes=5)
        assert set(source.urls) == source.families
        assert all(url.startswith("https://") for url in source.urls.values())
        assert {operator_of(urlsplit(url).hostname or "") for url in source.urls.values()} == {source.operator}
    only = PLUGIN.build(WebOptions(families=(Family.IPV6,), min_interval=timedelta(hours=1)), tools())
    assert {source.families for source in only} == {frozenset({Family.IPV6})}
    assert {source.min_interval for source in only} == {timedelta(hours=1)}


def test_identity_of_an_own_page() -> None:
    """The id names host, port and path, never the query; the operator is the registrable domain unless given."""
    [source] = PLUGIN.build(WebOptions(url="https://a.example.org:8443/ip?key=geheim"), tools())
    assert (source.id, source.operator) == ("web:a.example.org:8443/ip", "example.org")
    assert source.families == frozenset(Family)
    [source] = PLUGIN.build(WebOptions(url="https://[2a02:db9::1]/", operator="me"), tools())
    assert (source.id, source.operator, source.families) == ("web:[2a02:db9::1]", "me", frozenset({Family.IPV6}))


@pytest.mark.parametrize(
    "options",
    [
        {"url": "http://example.org"},
        {"url": "ftp://example.org"},
        {"url": "example.org"},
        {"url": "https://me:pw@example.org"},
        {"url": "https://[::1/"},
        {"url": "https://25.1.2.3", "families": (Family.IPV6,)},
        {"operator": "me"},
    ],
)
def test_faulty_options(options: dict[str, object]) -> None:
    """What can not work is told while the configuration is read, and a password is not repeated."""
    with pytest.raises(ValueError, match=r"url|operator") as caught:
        WebOptions(**options)  # type: ignore[arg-type]
    assert "pw" not in str(caught.value)
