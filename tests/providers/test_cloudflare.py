"""The Cloudflare provider against a strict imitation of its API."""

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import pytest

from ipwatch.core.address import Family
from ipwatch.core.outcome import Kind, Scope
from ipwatch.net.http import RequestsHttp
from ipwatch.ports import Provider, Secret, Update
from ipwatch.providers.cloudflare import PLUGIN, RecordOptions, Settings
from tests.contracts.provider import NEW4, V4, V6, HttpBench, HttpProviderContract, http_tools, publish
from tests.fakes.cloudflare_server import CloudflareServer
from tests.fakes.http_server import Reply

NAMES = tuple(f"h{i}.example.org" for i in range(100))


class _Bench(HttpBench):
    def held(self) -> Mapping[str, Mapping[Family, str]]:
        found: dict[str, dict[Family, str]] = {}
        for (name, rdtype), content in _of(self).contents().items():
            if rdtype in {"A", "AAAA"}:
                found.setdefault(name, {})[Family.IPV4 if rdtype == "A" else Family.IPV6] = content
        return found


def _of(bench: HttpBench) -> CloudflareServer:
    assert isinstance(bench.server, CloudflareServer)
    return bench.server


class TestCloudflare(HttpProviderContract):
    """Cloudflare."""

    @pytest.fixture
    def bench(self) -> Iterator[HttpBench]:
        with CloudflareServer() as server:
            zone = server.zone("example.org")
            server.zone("example.net")
            for name in (*NAMES[:4], "other.example.org"):
                server.record(zone, name, "198.51.100.1")
            server.record(zone, NAMES[0], "v=spf1 -all", rdtype="TXT")
            yield _Bench(server, PLUGIN, {"token": Secret(server.token)}, "api", "/client/v4", NAMES, (server.token,))

    def test_a_patch_holds_only_the_content(self, bench: HttpBench, provider: Provider) -> None:
        """A change is one PATCH of the content; TTL, proxied and comment stay; what is equal already is not sent."""
        publish(provider, [Update(NAMES[0], (V4,))])
        publish(provider, [Update(NAMES[0], (V4,))])
        sent = [s for s in bench.server.seen if s.method != "GET"]
        assert [(s.method, s.json) for s in sent] == [("PATCH", {"content": str(V4)})]
        record = next(r for r in _of(bench).records.values() if r["name"] == NAMES[0] and r["type"] == "A")
        assert (record["ttl"], record["proxied"], record["comment"]) == (300, False, "hands off")

    def test_ttl_and_proxied_are_sent_where_configured(self, bench: HttpBench, provider: Provider) -> None:
        """A configured TTL or proxied is sent when it differs, also where the address is right already."""
        minute = timedelta(minutes=1)
        publish(provider, [Update(NAMES[0], (V4,), ttl=minute)])
        publish(provider, [Update(NAMES[0], (V4,), ttl=minute)])
        outcome = publish(provider, [Update(NAMES[0], (V4,), ttl=minute, options=RecordOptions(proxied=True))])
        sent = [s.json for s in bench.server.seen if s.method != "GET"]
        assert sent == [{"content": str(V4), "ttl": 60}, {"content": str(V4), "proxied": True}]
        assert "proxied" in outcome[NAMES[0], Family.IPV4].text

    def test_a_missing_record_is_made(self, bench: HttpBench, provider: Provider) -> None:
        """A name without a record gets one: automatic TTL, not proxied."""
        assert publish(provider, [Update("new.example.org", (V6,))])["new.example.org", Family.IPV6].held
        assert bench.server.seen[-1].json == {
            "type": "AAAA", "name": "new.example.org", "content": str(V6), "ttl": 1, "proxied": False
        }  # fmt: skip

    def test_a_hundred_names_take_few_requests(self, bench: HttpBench, provider: Provider) -> None:
        """A full batch is the zones' list, the records' pages and one batch call per family."""
        outcomes = publish(provider, [Update(name, (V4,)) for name in NAMES])
        assert {o.kind for o in outcomes.values()} == {Kind.CHANGED}
        assert [s.method for s in bench.server.seen] == ["GET", "GET", "POST"]
        publish(provider, [Update(name, (NEW4,)) for name in NAMES])
        assert [s.method for s in bench.server.seen[3:]] == ["GET", "GET", "GET", "POST"]
        assert not bench.server.faults

    def test_a_refused_batch_goes_one_by_one(self, bench: HttpBench, provider: Provider) -> None:
        """One bad record does not keep the others from being published: the batch is all or nothing."""
        _of(bench).record("0" * 31 + "1", "alias.example.org", "x.example.org", rdtype="CNAME")
        names = ("alias.example.org", *NAMES[:2])
        outcomes = publish(provider, [Update(name, (V4,)) for name in names])
        assert [outcomes[n, Family.IPV4].kind for n in names] == [Kind.REFUSED, Kind.CHANGED, Kind.CHANGED]
        assert "CNAME" in outcomes[names[0], Family.IPV4].text
        assert outcomes[names[0], Family.IPV4].scope is Scope.RECORD

    def test_several_records_are_not_guessed_at(self, bench: HttpBench, provider: Provider) -> None:
        """Two A records of one name are refused for that record, and neither is changed."""
        _of(bench).record("0" * 31 + "1", NAMES[0], "198.51.100.2")
        outcome = publish(provider, [Update(NAMES[0], (V4,))])[NAMES[0], Family.IPV4]
        assert (outcome.kind, outcome.scope, outcome.code) == (Kind.REFUSED, Scope.RECORD, "ambiguous")
        assert {s.method for s in bench.server.seen} == {"GET"}

    def test_the_longest_zone_is_taken(self, bench: HttpBench, provider: Provider) -> None:
        """With a zone inside a zone the inner one is changed, and zones are listed once."""
        inner = _of(bench).zone("sub.example.org")
        publish(provider, [Update("a.sub.example.org", (V4,))])
        publish(provider, [Update("b.sub.example.org", (V4,))])
        made = [r for r in _of(bench).records.values() if r["name"].endswith("sub.example.org")]
        assert [r["zone"] for r in made] == [inner, inner]
        assert [s.path for s in bench.server.seen].count("/client/v4/zones") == 1

    def test_a_name_in_no_zone(self, bench: HttpBench, provider: Provider) -> None:
        """A name in none of the token's zones is refused, the others of the batch go on."""
        outcomes = publish(provider, [Update("x.example.com", (V4,)), Update(NAMES[0], (V4,))])
        assert [o.code for o in outcomes.values()] == ["no zone", "changed"]

    def test_unicode_zones_are_the_same(self, bench: HttpBench, provider: Provider) -> None:
        """A zone and a record the API spells in Unicode are found by their A-labels."""
        zone = _of(bench).zone("bücher.example")
        _of(bench).record(zone, "büro.bücher.example", "198.51.100.1")
        name = "xn--bro-hoa.xn--bcher-kva.example"
        assert publish(provider, [Update(name, (V4,))])[name, Family.IPV4].kind is Kind.CHANGED
        assert _of(bench).contents()["büro.bücher.example", "A"] == str(V4)

    def test_a_wrong_token_reaches_the_account(self, bench: HttpBench, provider: Provider) -> None:
        """Error 10000 latches the account after one request."""
        _of(bench).token = "another"
        outcomes = publish(provider, [Update(NAMES[0], (V4, V6))])
        assert {(o.kind, o.scope, o.code) for o in outcomes.values()} == {(Kind.REFUSED, Scope.ACCOUNT, "10000")}
        assert len(bench.server.seen) == 1

    def test_a_zone_that_went_is_looked_up_again(self, bench: HttpBench, provider: Provider) -> None:
        """A 404 for a remembered zone is busy, and the next call asks for the zones again."""
        publish(provider, [Update(NAMES[0], (V4,))])
        server = _of(bench)
        server.zones = {"f" * 32: "example.org"}
        assert publish(provider, [Update(NAMES[0], (NEW4,))])[NAMES[0], Family.IPV4].kind is Kind.BUSY
        assert publish(provider, [Update(NAMES[0], (NEW4,))])[NAMES[0], Family.IPV4].kind is Kind.CHANGED

    def test_the_answer_proves_the_change(self, bench: HttpBench, provider: Provider) -> None:
        """An answer with another content than the one sent is no success."""
        body = '{"success":true,"result":{"id":"a1","name":"%s","type":"A","content":"198.51.100.9"}}' % NAMES[0]  # noqa: UP031
        publish(provider, [Update(NAMES[0], (V4,))])
        bench.server.scripted = [Reply(200, '{"success":true,"result":[]}'), Reply(200, body)]
        outcome = publish(provider, [Update(NAMES[0], (NEW4,))])[NAMES[0], Family.IPV4]
        assert outcome.kind is Kind.UNSURE
        assert "198.51.100.9" in outcome.text

    @pytest.mark.parametrize(("at", "kind"), [(0, Kind.BUSY), (2, Kind.UNSURE)])
    def test_an_error_of_the_server(self, bench: HttpBench, provider: Provider, at: int, kind: Kind) -> None:
        """A 502 for a question is busy; for a change nothing is known."""
        questions = ['{"success":true,"result":[{"id":"a","name":"example.org"}]}', '{"success":true,"result":[]}']
        bench.server.scripted = [*(Reply(200, q) for q in questions[:at]), Reply(502, "bad gateway")]
        assert publish(provider, [Update(NAMES[0], (V4,))])[NAMES[0], Family.IPV4].kind is kind

    def test_zone_id_needs_no_list(self, bench: HttpBench, http: RequestsHttp) -> None:
        """With `zone_id` the zones are not listed; with `zone` only that one is used."""
        bench.settings["zone_id"] = "0" * 31 + "1"
        provider = self.at(bench, http, bench.server.url)
        assert publish(provider, [Update(NAMES[0], (V4,))])[NAMES[0], Family.IPV4].held
        assert all("dns_records" in s.path for s in bench.server.seen)
        bench.settings |= {"zone_id": None, "zone": "Example.NET"}
        outcomes = publish(self.at(bench, http, bench.server.url), [Update(NAMES[0], (V4,))])
        assert outcomes[NAMES[0], Family.IPV4].code == "no zone"


@pytest.mark.parametrize(
    "keys", [{"token": Secret("")}, {"token": Secret("a b")}, {"zone": "a..b"}, {"zone_id": "../x"}]
)
def test_faults_of_the_configuration(keys: dict[str, Any]) -> None:
    """A token, zone or identifier that can not be one is a fault of the configuration."""
    with pytest.raises(ValueError, match=r"token|zone|label"):
        Settings(**({"token": Secret("abc")} | keys))


class TestFailingChanges:
    """Changes that go wrong half way."""

    @pytest.fixture
    def server(self) -> Iterator[CloudflareServer]:
        with CloudflareServer() as server:
            zone = server.zone("example.org")
            for name in NAMES[:3]:
                server.record(zone, name, "198.51.100.1")
            yield server

    @pytest.fixture
    def provider(self, server: CloudflareServer) -> Iterator[Provider]:
        http = RequestsHttp("ipwatch-tests/1 tests@example.org")
        settings = Settings(token=Secret(server.token), api=server.url + "/client/v4", allow_insecure=True)
        yield PLUGIN.build(settings, http_tools(http))
        http.close()

    def change(self, server: CloudflareServer, provider: Provider, *replies: Reply) -> list[tuple[Kind, str]]:
        """Publish three names; what differs is known, then come these replies."""
        publish(provider, [Update(NAMES[0], (V4,))])
        rows = json.dumps([{k: v for k, v in r.items() if k != "zone"} for r in server.records.values()])
        server.scripted = [Reply(200, '{"success":true,"result":%s}' % rows), *replies]  # noqa: UP031
        outcomes = publish(provider, [Update(n, (NEW4,)) for n in (*NAMES[:3], "x.example.org")])
        return [(o.kind, o.code) for o in outcomes.values()]

    def test_an_unanswered_batch_is_unsure(self, server: CloudflareServer, provider: Provider) -> None:
        """A batch that was sent and not answered may have been done."""
        assert self.change(server, provider, Reply(520)) == [(Kind.UNSURE, "no answer")] * 4

    def test_a_batch_without_the_right(self, server: CloudflareServer, provider: Provider) -> None:
        """A batch the token may not do latches the account and is not tried one by one."""
        denied = Reply(403, '{"success":false,"errors":[{"code":10000,"message":"Authentication error"}]}')
        assert self.change(server, provider, denied) == [(Kind.REFUSED, "10000")] * 4
        assert server.seen[-1].path.endswith("/batch")

    def test_a_batch_that_mentions_less(self, server: CloudflareServer, provider: Provider) -> None:
        """A record the batch's answer leaves out is unsure."""
        done = Reply(200, '{"success":true,"result":{"patches":null}}')
        assert self.change(server, provider, done) == [(Kind.UNSURE, "garbled")] * 4

    def test_one_by_one_ends_at_a_limit(self, server: CloudflareServer, provider: Provider) -> None:
        """After a 429 in the middle the rest is not sent."""
        bad = Reply(400, '{"success":false,"errors":[{"code":9005,"message":"Content is invalid"}]}')
        outcomes = self.change(server, provider, bad, bad, Reply(429, "", {"Retry-After": "9"}))
        assert outcomes == [
            (Kind.REFUSED, "9005"),
            (Kind.BUSY, "http 429"),
            (Kind.BUSY, "not sent"),
            (Kind.BUSY, "not sent"),
        ]

    def test_an_outage_that_names_its_end(self, server: CloudflareServer, provider: Provider) -> None:
        """A 503 with Retry-After to a question is busy for that long."""
        server.scripted = [Reply(503, "", {"Retry-After": "60"})]
        outcome = publish(provider, [Update(NAMES[0], (V4,))])[NAMES[0], Family.IPV4]
        assert (outcome.kind, outcome.after) == (Kind.BUSY, timedelta(seconds=60))
