"""DNS over HTTPS, against a server on loopback, with TLS and without."""

from datetime import timedelta
from pathlib import Path

import dns.message
import pytest

from ipwatch.net.doh import Doh, operator
from ipwatch.net.http import RequestsHttp
from ipwatch.ports import Garbled, Refused, Unreachable
from tests.fakes.ca import Authority
from tests.fakes.dns_server import answer, zone
from tests.fakes.doh_server import TYPE, DohServer
from tests.fakes.http_server import Reply
from tests.fakes.ports import free_port

SOON = timedelta(seconds=5)
ZONE = zone({("home.example.org.", "A"): ["203.0.113.7"], ("home.example.org.", "AAAA"): ["2001:db8::7"]})


def test_it_asks_by_https_and_reads_both_families(tmp_path: Path) -> None:
    """By TLS with a certificate for the address itself, addresses of both families and their TTL are read; the
    question wants recursion and has the number 0."""
    authority = Authority(tmp_path)
    http = RequestsHttp(cafile=authority.cafile)
    with DohServer(ZONE, authority.issue("127.0.0.1")) as server:
        doh = Doh(http)
        four, six = (doh.ask("home.example.org", t, server.doh, SOON) for t in ("A", "AAAA"))
        http.close()
    assert (four.texts, six.texts) == (("203.0.113.7",), ("2001:db8::7",))
    assert four.ttl == timedelta(seconds=60)
    assert server.faults == []
    assert all("RD" in dns.flags.to_text(question.flags) for question in server.questions)


def test_a_server_that_can_not_prove_its_name_is_refused(tmp_path: Path) -> None:
    """Without a certificate for the address nothing is asked: somebody may sit in between."""
    authority = Authority(tmp_path)
    http = RequestsHttp(cafile=authority.cafile)
    with DohServer(ZONE, authority.issue("dns.example.net")) as server:
        with pytest.raises(Refused, match=r"127\.0\.0\.1"):
            Doh(http).ask("home.example.org", "A", server.doh, SOON)
        http.close()
    assert server.questions == []


def test_what_a_cache_has_held_is_taken_off_the_ttl() -> None:
    """The time an answer spent in HTTP's caches (Age) is no longer left of its TTL (RFC 8484 5.1)."""
    for age, left in (("45", 15), ("90", 0), ("soon", 60)):
        with DohServer(ZONE, Age=age) as server:
            found = Doh(RequestsHttp()).ask("home.example.org", "A", server.doh, SOON)
        assert found.ttl == timedelta(seconds=left)


def test_a_name_that_does_not_exist_is_an_answer() -> None:
    """NXDOMAIN is told as such, an alias at its end."""
    with DohServer(ZONE) as server:
        assert Doh(RequestsHttp()).ask("other.example.org", "A", server.doh, SOON).rcode == "NXDOMAIN"
    alias = ("a.example.org. 9 IN CNAME b.example.net.", "b.example.net. 5 IN A 203.0.113.9")
    with DohServer(lambda query, _: answer(query, *alias, aa=False)) as server:
        found = Doh(RequestsHttp()).ask("a.example.org", "A", server.doh, SOON)
    assert (found.texts, found.cname, found.ttl) == (("203.0.113.9",), "b.example.net", timedelta(seconds=5))


@pytest.mark.parametrize(
    ("reply", "clause"),
    [
        (Reply(502, "bad gateway"), "answers HTTP 502"),
        (Reply(200, "<html>", {"Content-Type": "text/html"}), "something else than a DNS message"),
        (Reply(200, b"\0\0\1", {"Content-Type": TYPE}), "no answer that fits"),
        (
            Reply(200, dns.message.make_query("x.example", "A", id=0).to_wire(), {"Content-Type": TYPE}),
            "no answer that fits",
        ),
    ],
)
def test_what_is_no_answer_is_garbled(reply: Reply, clause: str) -> None:
    """Errors, web pages, torn messages and answers to other questions are no answers."""
    with DohServer(ZONE) as server:
        server.scripted.append(reply)
        with pytest.raises(Garbled, match=clause):
            Doh(RequestsHttp()).ask("home.example.org", "A", server.doh, SOON)


def test_plain_http_goes_to_this_machine_alone() -> None:
    """A question is sent without TLS to a loopback address only; not to another machine, and not to a name."""
    for url in ("http://192.0.2.1/dns-query", "http://localhost/dns-query"):
        with pytest.raises(Refused, match="plain http"):
            Doh(RequestsHttp()).ask("home.example.org", "A", url, SOON)


def test_a_closed_port_is_unreachable() -> None:
    """Nobody there is no answer, and a name that is none is told."""
    with pytest.raises(Unreachable):
        Doh(RequestsHttp()).ask("home.example.org", "A", f"http://127.0.0.1:{free_port()}/dns-query", SOON)
    with pytest.raises(Garbled):
        Doh(RequestsHttp()).ask("home..example.org", "A", "http://127.0.0.1/dns-query", SOON)


def test_the_operator_is_the_urls_host() -> None:
    """Users are told the host that was asked."""
    assert operator("https://1.1.1.1/dns-query") == "1.1.1.1"
    assert operator("nonsense") == "nonsense"
