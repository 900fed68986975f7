"""The dyndns2 provider against a strict server."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from ipwatch.core.address import Address, Family
from ipwatch.core.outcome import Kind, Scope
from ipwatch.net.http import RequestsHttp
from ipwatch.ports import Provider, Secret, Update
from ipwatch.providers._dyndns2_services import SERVICES
from ipwatch.providers.dyndns2 import PLUGIN, Settings
from tests.contracts.provider import NEW4, V4, V6, HttpBench, HttpProviderContract, http_tools, publish
from tests.fakes.dyndns2_server import Dyndns2Server
from tests.fakes.http_server import Reply

PASSWORD = "s3cret-pass%&word"
NAMES = tuple(f"h{i}.example.org" for i in range(25))


class _Bench(HttpBench):
    def held(self) -> Mapping[str, Mapping[Family, str]]:
        server = self.server
        assert isinstance(server, Dyndns2Server)
        families = {4: Family.IPV4, 6: Family.IPV6}
        return {name: {families[v]: a for v, a in held.items()} for name, held in server.hosts.items()}


def _bench(server: Dyndns2Server, **settings: Any) -> _Bench:
    server.hosts = {name: {4: "198.51.100.1", 6: "2001:db8::1"} for name in (*NAMES, "other.example.org")}
    keys = {"username": "me", "password": Secret(PASSWORD)} | settings
    return _Bench(server, PLUGIN, keys, "server", "", NAMES, (PASSWORD,))


class TestComma(HttpProviderContract):
    """myip=v4,v6."""

    @pytest.fixture
    def bench(self) -> Iterator[HttpBench]:
        with Dyndns2Server(password=PASSWORD) as server:
            yield _bench(server)


class TestKeeping(HttpProviderContract):
    """A server that deletes what is left out, as deSEC does."""

    @pytest.fixture
    def bench(self) -> Iterator[HttpBench]:
        with Dyndns2Server(password=PASSWORD, path="/", dialect="params", erases=True) as server:
            yield _bench(server, service="desec", path="/")


class TestSeparate(HttpProviderContract):
    """One request per family, both at once being abuse."""

    @pytest.fixture
    def bench(self) -> Iterator[HttpBench]:
        with Dyndns2Server(password=PASSWORD, dialect="separate") as server:
            yield _bench(server, dual_stack="separate")


@pytest.fixture
def http() -> Iterator[RequestsHttp]:
    http = RequestsHttp("ipwatch-tests/1 tests@example.org")
    yield http
    http.close()


@pytest.fixture
def server() -> Iterator[Dyndns2Server]:
    with Dyndns2Server(password=PASSWORD) as server:
        _bench(server)
        yield server


def _provider(server: Dyndns2Server, http: RequestsHttp, **keys: Any) -> Provider:
    account = {"username": "me", "password": Secret(PASSWORD), "server": server.url, "allow_insecure": True} | keys
    return PLUGIN.build(Settings(**account), http_tools(http))


def test_twenty_names_go_in_one_request(server: Dyndns2Server, http: RequestsHttp) -> None:
    """A batch is one GET with the names in order, the address, and Basic authentication sent at once."""
    provider = _provider(server, http)
    outcomes = publish(provider, [Update(name, (V4,)) for name in NAMES[: provider.batch]])
    assert provider.batch == 20
    assert [o.kind for o in outcomes.values()] == [Kind.CHANGED] * 20
    assert [s.params for s in server.seen] == [(("hostname", ",".join(NAMES[:20])), ("myip", str(V4)))]


def test_a_bad_password_reaches_the_account(server: Dyndns2Server, http: RequestsHttp) -> None:
    """badauth refuses the account, after one request also where families go apart."""
    provider = _provider(server, http, password=Secret("wrong"), dual_stack="separate")
    outcomes = publish(provider, [Update(NAMES[0], (V4, V6))])
    assert {(o.kind, o.scope, o.code) for o in outcomes.values()} == {(Kind.REFUSED, Scope.ACCOUNT, "badauth")}
    assert len(server.seen) == 1


@pytest.mark.parametrize(("first", "kind", "after"), [
    (Reply(500, "911"), Kind.BUSY, timedelta(minutes=30)),
    (Reply(200, "abuse"), Kind.BUSY, None),
    (Reply(200, "<html>"), Kind.BUSY, None),
])  # fmt: skip
def test_after_a_failed_first_family_the_second_is_not_sent(
    server: Dyndns2Server, http: RequestsHttp, first: Reply, kind: Kind, after: timedelta | None
) -> None:
    """The second request of a pair is not sent to a server that did not take the first."""
    server.scripted = [first]
    outcomes = publish(_provider(server, http, dual_stack="separate"), [Update(NAMES[0], (V4, V6))])
    second = outcomes[NAMES[0], Family.IPV6]
    assert (second.kind, second.after, second.code) == (kind, after, "not sent")
    assert len(server.seen) == 1


def test_a_refused_first_family_does_not_stop_the_second(server: Dyndns2Server, http: RequestsHttp) -> None:
    """What is refused for one family's record alone is still tried for the other."""
    server.scripted = [Reply(200, "nohost")]
    outcomes = publish(_provider(server, http, dual_stack="separate"), [Update(NAMES[0], (V4, V6))])
    assert [o.code for o in outcomes.values()] == ["nohost", "good"]


def test_good_with_another_address_is_an_alarm(server: Dyndns2Server, http: RequestsHttp) -> None:
    """`good 127.0.0.1` means that the service ignored us: the record is latched."""
    server.scripted = [Reply(200, "good 127.0.0.1")]
    outcome = publish(_provider(server, http), [Update(NAMES[0], (V4,))])[NAMES[0], Family.IPV4]
    assert (outcome.kind, outcome.scope, outcome.code) == (Kind.REFUSED, Scope.RECORD, "mismatch")
    assert "ignores" in outcome.text


@pytest.mark.parametrize(("service", "addresses", "held", "sent"), [
    ("noip", (V4, V6), (), [{"hostname": "a.example.org", "myip": f"{V4},{V6}"}]),
    ("noip", (V4,), (V6,), [{"hostname": "a.example.org", "myip": str(V4)}]),
    ("strato", (V4,), (V6,), [{"hostname": "a.example.org", "myip": f"{V4},{V6}"}]),
    ("desec", (V4,), (V6,), [{"hostname": "a.example.org", "myipv4": str(V4), "myipv6": "preserve"}]),
    ("desec", (V6,), (), [{"hostname": "a.example.org", "myipv4": "preserve", "myipv6": str(V6)}]),
    ("dynu", (V6,), (V4,), [{"hostname": "a.example.org", "myip": "no", "myipv6": str(V6)}]),
    ("inwx", (V4,), (V6,), [{"myip": str(V4), "myipv6": str(V6)}]),
    ("ovh", (V4,), (), [{"system": "dyndns", "hostname": "a.example.org", "myip": str(V4)}]),
    ("he", (V6, V4), (), [{"hostname": "a.example.org", "myip": str(a)} for a in (V4, V6)]),
])  # fmt: skip
def test_each_service_is_asked_in_its_own_way(
    server: Dyndns2Server, http: RequestsHttp, service: str, addresses: tuple[Address, ...],
    held: tuple[Address, ...], sent: list[dict[str, str]],
) -> None:  # fmt: skip
    """The table's habits, keeping values and constant parameters reach the request; no family is ever empty."""
    server.scripted = [Reply(200, f"good {a}") for a in (V4, V6)]
    publish(_provider(server, http, service=service), [Update("a.example.org", addresses, held)])
    assert [dict(s.params) for s in server.seen] == sent


def test_parameters_of_the_configuration_join_the_request(server: Dyndns2Server, http: RequestsHttp) -> None:
    """They replace the service's constant ones, and never the program's own."""
    server.scripted = [Reply(200, f"good {V4}")]
    given = {"key": "k&y of 14 char", "system": "other", "myip": "192.0.2.9", "hostname": "x"}
    parameters = {name: Secret(text) for name, text in given.items()}
    publish(_provider(server, http, service="ovh", parameters=parameters), [Update(NAMES[0], (V4,))])
    assert dict(server.seen[0].params) == given | {"myip": str(V4), "hostname": NAMES[0]}


@pytest.mark.parametrize("value", ["key-of-14 char", "4711", "s3cret-pass%&word-and-more"])
def test_a_parameter_is_kept_out_of_texts(server: Dyndns2Server, http: RequestsHttp, value: str) -> None:
    """An error page that repeats the request, in any spelling, shows no parameter, and no half of one at its cut."""
    for page in (
        f"no: {value}",
        f"no: ?key={quote(value)}",
        f"no: ?key={quote_plus(value)}",
        f"{'no ' * 22}{value * 3}",
    ):
        server.scripted = [Reply(400, page)]
        said = publish(_provider(server, http, parameters={"key": Secret(value)}), [Update(NAMES[0], (V4,))])
        text = said[NAMES[0], Family.IPV4].text
        assert value[:5] not in text
        assert "no" in text


@pytest.mark.parametrize("value", ["1", "good", str(V6), "good and more"])
def test_a_parameter_does_not_spoil_the_answer(server: Dyndns2Server, http: RequestsHttp, value: str) -> None:
    """A parameter that is an address or a word of the protocol leaves the answer's meaning as it is."""
    server.scripted = [Reply(200, f"good {V4},{V6}")]
    said = publish(_provider(server, http, parameters={"other": Secret(value)}), [Update(NAMES[0], (V4,))])
    assert said[NAMES[0], Family.IPV4].kind is Kind.CHANGED


def test_a_key_per_record_logs_in_as_the_name(server: Dyndns2Server, http: RequestsHttp) -> None:
    """Where a service has a key per record, the user name is the record's name, and each name goes alone."""
    server.user = NAMES[3]
    provider = _provider(server, http, service="he", username=None)
    assert provider.batch == 1
    assert publish(provider, [Update(NAMES[3], (NEW4,))])[NAMES[3], Family.IPV4].kind is Kind.CHANGED


def test_domeneshop_says_nothing_when_well(server: Dyndns2Server, http: RequestsHttp) -> None:
    """204 without a body is success where the service's manual says so, and nowhere else."""
    server.scripted = [Reply(204), Reply(204)]
    update = [Update(NAMES[0], (V4,))]
    assert publish(_provider(server, http, service="domeneshop"), update)[NAMES[0], Family.IPV4].kind is Kind.CHANGED
    assert publish(_provider(server, http, service="dyn"), update)[NAMES[0], Family.IPV4].kind is Kind.UNSURE


@pytest.mark.parametrize(("keys", "says"), [
    ({"service": "no-ip"}, "noip"), ({"service": "google"}, "Squarespace"), ({"service": "namecheap"}, "dyndns2"),
    ({}, "service or server"), ({"service": "noip", "username": None}, "username"),
    ({"service": "noip", "batch": 21}, "batch"),
    ({"service": "noip", "password": Secret("")}, "password"), ({"service": "noip", "username": "a:b"}, "colon"),
    ({"service": "noip", "path": "nic"}, "path"),
])  # fmt: skip
def test_faults_of_the_configuration(keys: dict[str, Any], says: str) -> None:
    """Each fault is told with what to do about it; a misspelt service gets the nearest ones."""
    with pytest.raises(ValueError, match=says):
        Settings(**({"username": "me", "password": Secret("x")} | keys))


def test_the_table_is_sound() -> None:
    """At least 15 services can be used, all over https, each with its manual's address and a batch within the limit."""
    usable = [s for s in SERVICES.values() if not s.closed]
    assert len(usable) >= 15
    for service in SERVICES.values():
        assert service.server.startswith("https://")
        assert service.manual.startswith("https://")
        assert service.path.startswith("/")
        assert 1 <= service.batch <= 20
        assert service.dialect.hostname is not None or service.batch == 1
        assert service.refresh is None or timedelta(days=25) <= service.refresh <= timedelta(days=28)
