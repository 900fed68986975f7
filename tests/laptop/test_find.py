"""Finding a host: real SSH servers with their own keys, name servers and listeners on loopback."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dns.message
import pytest

from ipwatch.core.candidate import Spot, Way
from ipwatch.core.host import HostKey
from ipwatch.core.locating import HIJACKED
from ipwatch.core.trouble import Kind, Trouble
from ipwatch.laptop.find import Finder, Finding, Sight
from ipwatch.laptop.locate import Around
from ipwatch.laptop.world import World
from ipwatch.net.dns import DnspythonResolver
from ipwatch.net.interfaces import NetlinkInterfaces
from ipwatch.ports import Endpoint, InterfaceAddress, Unreachable, Zone
from ipwatch.settings.laptop_model import Host, Laptop
from tests.fakes.dns_server import DnsServer, zone
from tests.fakes.doh_server import DohServer
from tests.fakes.http_server import FakeHttpServer, Reply, Seen
from tests.fakes.laptop_world import laptop_world
from tests.fakes.named import bind
from tests.fakes.ports import free_port
from tests.fakes.sshd import Sshd, sshd
from tests.fakes.waiting import wait

NAME = "home.example.org"
SOON = timedelta(seconds=10)
SHORT = timedelta(seconds=1.5)


class Alone(DnspythonResolver):
    """A machine whose own resolver does not work."""

    def lookup(self, host: str, within: timedelta, family: Any = None) -> tuple[str, ...]:
        raise Unreachable(f"{host} has no address")

    def zone(self, name: str, within: timedelta) -> Zone:
        raise Unreachable("the resolver could not answer")


class Following(Alone):
    """A machine whose own resolver alone knows the name, and shows a new address from the second question on."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def lookup(self, host: str, within: timedelta, family: Any = None) -> tuple[str, ...]:
        self.asked += 1
        return ("127.0.0.3",) if self.asked == 1 else ("127.0.0.1",)


class Elsewhere:
    """Interfaces in some other network than the loopback."""

    def addresses(self) -> tuple[InterfaceAddress, ...]:
        return ()


class Untold:
    """Interfaces on a system that does not tell them."""

    def addresses(self) -> tuple[InterfaceAddress, ...]:
        raise Unreachable("the interfaces can be read on Linux only")


class Quiet(FakeHttpServer):
    """Answers every request alike."""

    def __init__(self, reply: Reply) -> None:
        super().__init__()
        self._always = reply

    def answer(self, seen: Seen) -> Reply:
        return self._always


class SlowDoh(DohServer):
    """Answers after half a second."""

    def answer(self, seen: Seen) -> Reply:
        reply = super().answer(seen)
        reply.hang = 0.5
        return reply


@pytest.fixture(scope="module")
def desktop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """Listens at three of the loopback's addresses: 1, 6 and 7. At its port the others are free."""
    port = free_port()
    more = f"ListenAddress 127.0.0.6:{port}\nListenAddress 127.0.0.7:{port}"
    with sshd(tmp_path_factory.mktemp("desktop"), port=port, options=more) as server:
        yield server


@contextmanager
def serving(*ips: str) -> Iterator[DnsServer]:
    """The zone's name server: the name has these IPv4 addresses, or does not exist."""
    with DnsServer(zone({(f"{NAME}.", "A"): list(ips)} if ips else {})) as server:
        yield server


def world(folder: Path, *servers: DnsServer, doh: tuple[str, ...] = (), probe: str = "", **parts: Any) -> World:
    own = tuple(Spot(*(server.endpoint.host, server.endpoint.port)) for server in servers)
    settings = Laptop(None, folder / "state", {}, nameservers=own, doh=doh, probe=probe)
    usual: dict[str, Any] = {"resolver": Alone(), "interfaces": Elsewhere()}
    return laptop_world(folder, settings=settings, **(usual | parts))


def host(server: Sshd, **more: Any) -> Host:
    usual: dict[str, Any] = {"name": "desktop", "port": server.port, "names": (NAME,), "keys": server.keys}
    return Host(**(usual | more))


def around(*, routed: bool = True, nowhere: Endpoint | None = None) -> Around:
    return Around(nowhere or Endpoint("127.0.0.1", free_port()), lambda: routed)


def found(world: World, host: Host, within: timedelta = SOON, **more: Any) -> tuple[Finding, list[Sight]]:
    """The finding, its session closed again, and all that was seen."""
    sights: list[Sight] = []
    finding = Finder(world, around()).find(host, within, sights.append, **more)
    finding.session.close()
    return finding, sights


def trouble(world: World, host: Host, within: timedelta = SOON, where: Around | None = None, **more: Any) -> Trouble:
    with pytest.raises(Trouble) as caught:
        Finder(world, where or around()).find(host, within, **more)
    return caught.value


def seen(sights: list[Sight], what: str) -> list[Spot | None]:
    return [sight.spot for sight in sights if sight.what == what]


@contextmanager
def hanging(ip: str, port: int) -> Iterator[None]:
    """Nobody answers there: the queue of the listener is full."""
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((ip, port))
        server.listen(0)
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex((ip, port))
        time.sleep(0.05)
        try:
            yield
        finally:
            for filler in fillers:
                filler.close()


@contextmanager
def listening(ip: str, port: int, says: bytes = b"") -> Iterator[list[bytes]]:
    """Accepts, says that, and keeps what it hears."""
    heard: list[bytes] = []
    with socket.create_server((ip, port)) as server:
        server.settimeout(0.1)
        ending = threading.Event()

        def serve() -> None:
            while not ending.is_set():
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    continue
                with connection:
                    connection.settimeout(5)
                    connection.sendall(says)
                    try:
                        while data := connection.recv(4096):
                            heard.append(data)
                            if says:
                                break
                    except OSError:
                        continue

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield heard
        finally:
            ending.set()
            thread.join(10)


def test_the_zones_address_is_dialled_and_proved(tmp_path: Path, desktop: Sshd) -> None:
    """What the zone's server names is dialled and shows the pinned key; who said so and the proof are remembered."""
    with serving("127.0.0.1") as ns:
        here = world(tmp_path, ns)
        finding, sights = found(here, host(desktop))
    spot = Spot("127.0.0.1", desktop.port)
    assert finding.candidate.spot == spot
    assert [(claim.way, claim.who) for claim in finding.candidate.claims] == [(Way.ZONE, str(ns.endpoint))]
    assert finding.session.key in desktop.keys
    seen = [sight.what for sight in sights if sight.what != "silent"]
    assert seen == ["claim", "dialling", "connected", "greeted", "proved"]
    (proved,) = here.memory.proved("desktop")
    assert (proved.ip, proved.port, proved.way) == (*spot, "zone")


def test_real_name_servers_and_a_real_ssh_server(tmp_path: Path, desktop: Sshd) -> None:
    """With BIND as the zone's server and nothing listening at the zone's addresses, the house's own address wins."""
    with bind(tmp_path / "bind") as ns:
        settings = Laptop(None, tmp_path / "state", {}, nameservers=(Spot(ns.host, ns.port),))
        here = laptop_world(tmp_path, settings=settings, resolver=Alone())
        finding, _ = found(here, host(desktop, lan=Spot("127.0.0.1", desktop.port)))
    assert finding.candidate.claims[0].way is Way.LAN


def test_without_a_pinned_key_nothing_is_asked(tmp_path: Path, desktop: Sshd) -> None:
    """A host without a pinned key ends at once with what to do; no question leaves the machine."""
    with serving("127.0.0.1") as ns:
        failed = trouble(world(tmp_path, ns), host(desktop, keys=()))
        assert ns.queries == []
    assert failed.kind is Kind.NOT_PINNED
    assert "`ipwatch trust desktop`" in str(failed)


def test_a_stranger_at_the_old_address_is_passed_over(tmp_path: Path, desktop: Sshd) -> None:
    """At the remembered address another machine answers: it is named and passed over, no user name reaches it, and
    the zone's address is taken."""
    told = threading.Event()
    right = zone({(f"{NAME}.", "A"): ["127.0.0.1"]})

    def late(query: dns.message.Message, transport: str) -> dns.message.Message | bytes | list[bytes] | None:
        told.wait(2)
        return right(query, transport)

    def tell(sight: Sight) -> None:
        sights.append(sight)
        if sight.what == "stranger":
            told.set()

    sights: list[Sight] = []
    with sshd(tmp_path / "stranger", ip="127.0.0.9", port=desktop.port) as stranger, DnsServer(late) as ns:
        here = world(tmp_path, ns)
        here.memory.note_proved("desktop", "127.0.0.9", desktop.port, "zone")
        finding = Finder(here, around()).find(host(desktop, user="anna"), SOON, tell)
        finding.session.close()
        log = stranger.said()
    assert finding.candidate.spot.ip == "127.0.0.1"
    (sight,) = [sight for sight in sights if sight.what == "stranger"]
    assert sight.key in stranger.keys
    assert f"another machine is at 127.0.0.9:{desktop.port}" in sight.text
    assert "SSH-2.0" in log
    assert "userauth-request" not in log
    assert "anna" not in log


def test_strangers_everywhere_stop_with_a_warning(tmp_path: Path, desktop: Sshd) -> None:
    """When all that answers shows another key, both fingerprints and what to do are told, and nobody was told a
    user name."""
    with sshd(tmp_path / "stranger") as stranger, serving("127.0.0.1") as ns:
        failed = trouble(world(tmp_path, ns), host(desktop, port=stranger.port, user="anna"))
        assert "anna" not in stranger.said()
    assert failed.kind is Kind.STRANGER
    assert stranger.keys[0].fingerprint in str(failed)
    assert desktop.keys[0].fingerprint in str(failed)
    assert "`ipwatch trust desktop`" in str(failed)


def test_a_strangers_old_address_does_not_hide_a_sleeping_host(tmp_path: Path, desktop: Sshd) -> None:
    """A stranger at an address that is only remembered is no alarm: what counts is that nothing answers at the one
    the zone names."""
    with sshd(tmp_path / "stranger") as stranger, serving("127.0.0.5") as ns:
        here = world(tmp_path, ns)
        here.memory.note_proved("desktop", "127.0.0.1", stranger.port, "zone")
        failed = trouble(here, host(desktop, port=stranger.port))
    assert failed.kind is Kind.UNREACHABLE
    assert str(failed) == f"nothing answers at 127.0.0.5:{stranger.port}: connection refused"


def test_spots_to_be_shunned_are_not_dialled(tmp_path: Path, desktop: Sshd) -> None:
    """A spot that showed another key a moment ago is not dialled again; if it is the only one, that is why."""
    with serving("127.0.0.1") as ns:
        spot = Spot("127.0.0.1", desktop.port)
        failed = trouble(world(tmp_path, ns), host(desktop), shun=[spot])
    assert failed.kind is Kind.STRANGER
    assert f"{spot} showed another host key a moment ago" in str(failed)


def test_a_closed_port_is_told(tmp_path: Path, desktop: Sshd) -> None:
    """When every candidate refuses, the search ends at once with the places and the reason."""
    port = free_port()
    own = host(desktop, port=port, names=("127.0.0.1", "127.0.0.2"))
    failed = trouble(world(tmp_path), own, timedelta(seconds=60))
    assert failed.kind is Kind.UNREACHABLE
    assert str(failed) == f"nothing answers at 127.0.0.1:{port}, 127.0.0.2:{port}: connection refused"


def test_the_total_deadline_is_kept(tmp_path: Path, desktop: Sshd) -> None:
    """Where nobody answers the search ends when its time is over."""
    port = free_port()
    with hanging("127.0.0.3", port), serving("127.0.0.3") as ns:
        failed = trouble(world(tmp_path, ns), host(desktop, port=port), SHORT)
    assert failed.kind is Kind.UNREACHABLE
    assert str(failed) == f"nothing answers at 127.0.0.3:{port}: no answer"


@pytest.mark.parametrize("says", [b"HTTP/1.0 400 Bad Request\r\n\r\n", b""], ids=["HTTP", "nothing"])
def test_what_is_no_ssh_server_is_told(tmp_path: Path, desktop: Sshd, says: bytes) -> None:
    """A server that speaks something else, or accepts and says nothing, ends in a sentence of its own."""
    port = free_port()
    with listening("127.0.0.1", port, says) as heard, serving("127.0.0.1") as ns:
        failed = trouble(world(tmp_path, ns), host(desktop, port=port, user="anna"), timedelta(seconds=2))
    assert failed.kind is Kind.NOT_SSH
    assert f"what answers at 127.0.0.1:{port} (" in str(failed)
    assert b"anna" not in b"".join(heard)


def test_an_address_that_hangs_does_not_hold_up_the_others(tmp_path: Path, desktop: Sshd) -> None:
    """The first address hangs, the second is the host: it is dialled a moment later and wins."""
    with hanging("127.0.0.3", desktop.port):
        finding, sights = found(world(tmp_path), host(desktop, names=("127.0.0.3", "127.0.0.1")))
    assert finding.candidate.spot.ip == "127.0.0.1"
    assert seen(sights, "dialling") == [Spot("127.0.0.3", desktop.port), finding.candidate.spot]


def test_a_record_that_follows_late_is_seen_while_the_old_address_hangs(tmp_path: Path, desktop: Sshd) -> None:
    """Where only this machine's resolver knows the name it, too, is asked again: nobody waits for the search's end."""
    with hanging("127.0.0.3", desktop.port):
        finding, sights = found(world(tmp_path, resolver=Following()), host(desktop))
    assert finding.candidate.spot.ip == "127.0.0.1"
    assert seen(sights, "dialling") == [Spot("127.0.0.3", desktop.port), finding.candidate.spot]


def test_a_candidate_that_arrives_late_is_still_dialled(tmp_path: Path, desktop: Sshd) -> None:
    """While the first candidate says nothing, one that a slow way names later is dialled and wins."""
    port = desktop.port
    answers = zone({(f"{NAME}.", "A"): ["127.0.0.1"]})
    mute = Spot("127.0.0.1", free_port())
    with listening(*mute), SlowDoh(answers) as doh:
        here = world(tmp_path, doh=(doh.doh,))
        finding, sights = found(here, host(desktop, lan=mute))
    assert finding.candidate.spot == Spot("127.0.0.1", port)
    assert finding.candidate.claims[0].way is Way.DOH
    assert seen(sights, "connected") == [mute, Spot("127.0.0.1", port)]


def test_one_spot_of_several_voices_is_dialled_once(tmp_path: Path, desktop: Sshd) -> None:
    """Name server, memory and configuration agree: one candidate with three claims, dialled once."""
    with serving("127.0.0.1") as ns:
        here = world(tmp_path, ns)
        here.memory.note_proved("desktop", "127.0.0.1", desktop.port, "zone", datetime(2026, 11, 1, tzinfo=UTC))
        finding, sights = found(here, host(desktop, names=(NAME, "127.0.0.1")))
    assert {claim.way for claim in finding.candidate.claims} >= {Way.GIVEN, Way.PROVED}
    assert seen(sights, "dialling") == [finding.candidate.spot]


def test_without_any_name_server_the_last_proof_helps(tmp_path: Path, desktop: Sshd) -> None:
    """When nobody answers for the name, the address of the last proof is tried, with its age; so are older ones."""
    here = world(tmp_path)
    long_ago = datetime(2026, 10, 1, tzinfo=UTC)
    here.memory.note_proved("desktop", "127.0.0.1", desktop.port, "doh", long_ago)
    here.memory.note_proved("desktop", "127.0.0.1", free_port(), "doh", long_ago)  # another port: configured anew
    here.memory.note_proved("desktop", "127.0.0.4", desktop.port, "zone", long_ago)
    finding, sights = found(here, host(desktop))
    assert {claim.way for claim in finding.candidate.claims} == {Way.PROVED}
    assert finding.candidate.claims[0].at == long_ago
    assert len(seen(sights, "claim")) == 2
    assert here.memory.proved("desktop")[0].way in {"doh", "zone"}


def test_addresses_of_long_ago_are_dialled_when_the_others_bring_nothing(tmp_path: Path, desktop: Sshd) -> None:
    """While the zone's address may still answer, older ones are left alone; when it does not, they are tried."""
    with hanging("127.0.0.3", desktop.port), serving("127.0.0.3") as ns:
        here = world(tmp_path, ns)
        here.memory.note_proved("desktop", "127.0.0.1", desktop.port, "zone")
        here.memory.note_proved("desktop", "127.0.0.4", desktop.port, "zone")
        finding, sights = found(here, host(desktop))
    assert finding.candidate.spot.ip == "127.0.0.1"
    assert [spot.ip for spot in seen(sights, "dialling") if spot] == ["127.0.0.4", "127.0.0.3", "127.0.0.1"]


def test_a_proof_is_not_written_down_twice_in_a_minute(tmp_path: Path, desktop: Sshd) -> None:
    """Found again at the same place within the minute, the memory's file is left alone."""
    with serving("127.0.0.1") as ns:
        here = world(tmp_path, ns)
        found(here, host(desktop))
        file = here.memory.folder / "memory.json"
        before = file.stat().st_ino
        found(here, host(desktop))
        assert file.stat().st_ino == before


def test_a_memory_that_can_not_be_used_does_not_lose_the_host(tmp_path: Path, desktop: Sshd) -> None:
    """The host is found although the proofs can not be read, or written down; that is said."""
    for name in ("lock", "memory.json"):
        (tmp_path / name / "state" / name).mkdir(parents=True)
        with serving("127.0.0.1") as ns:
            _, sights = found(world(tmp_path / name, ns), host(desktop))
        assert "can not be" in next(sight.text for sight in sights if sight.what == "note")


@pytest.mark.parametrize("interfaces", [NetlinkInterfaces(), Untold()])
def test_at_home_the_own_address_comes_first(tmp_path: Path, desktop: Sshd, interfaces: Any) -> None:
    """In the network of the host's own address that one is dialled first, also where the system does not tell of
    its interfaces; and it is tried even without any name."""
    lan = Spot("127.0.0.6", desktop.port)
    finding, sights = found(world(tmp_path, interfaces=interfaces), host(desktop, names=("127.0.0.1",), lan=lan))
    assert finding.candidate.spot == lan
    assert seen(sights, "dialling")[0] == lan
    assert found(world(tmp_path), host(desktop, names=(), lan=lan))[0].candidate.spot == lan


def test_elsewhere_the_own_address_comes_last(tmp_path: Path, desktop: Sshd) -> None:
    """In another network the house's private address may be anybody's: what is known otherwise is dialled before."""
    own = host(desktop, names=("127.0.0.1",), lan=Spot("127.0.0.6", desktop.port))
    finding, _ = found(world(tmp_path), own)
    assert finding.candidate.spot.ip == "127.0.0.1"


def test_a_literal_address_needs_no_name_server(tmp_path: Path, desktop: Sshd) -> None:
    """An address in place of a name is dialled as it is."""
    finding, _ = found(world(tmp_path), host(desktop, names=("127.0.0.1",)))
    assert [claim.way for claim in finding.candidate.claims] == [Way.GIVEN]


def test_a_name_that_does_not_exist(tmp_path: Path, desktop: Sshd) -> None:
    """The zone's server says with authority that there is no such name: that ends the search with who said so."""
    with serving() as ns:
        failed = trouble(world(tmp_path, ns), host(desktop))
    assert failed.kind is Kind.NO_ADDRESS
    assert f"{NAME} does not exist, says {ns.endpoint}" in str(failed)


def test_no_name_server_answers(tmp_path: Path, desktop: Sshd) -> None:
    """When nobody answers at all, each way's reason is told."""
    failed = trouble(world(tmp_path, doh=(f"http://127.0.0.1:{free_port()}/",)), host(desktop))
    assert failed.kind is Kind.NO_ADDRESS
    assert "the resolver could not answer" in str(failed)
    assert "127.0.0.1" in str(failed)


def test_without_a_way_out_the_laptop_is_offline(tmp_path: Path, desktop: Sshd) -> None:
    """When nobody answers and the system knows no way out, the laptop is offline, and not the house."""
    failed = trouble(world(tmp_path), host(desktop), where=around(routed=False))
    assert failed.kind is Kind.OFFLINE
    assert "this machine is offline" in str(failed)


def test_a_captive_portal_is_the_reason(tmp_path: Path, desktop: Sshd) -> None:
    """Behind a captive portal a failed search says so, instead of that the house is down."""
    with Quiet(Reply(302, "", {"Location": "https://login.campus.example/"})) as portal, serving("127.0.0.5") as ns:
        failed = trouble(world(tmp_path, ns, probe=portal.url), host(desktop, port=free_port()))
    assert failed.kind is Kind.PORTAL
    assert "login.campus.example" in str(failed)


@pytest.mark.parametrize(("name", "kind"), [("192.0.0.9", Kind.PORTAL), ("127.0.0.5", Kind.UNREACHABLE)])
def test_a_captive_portal_before_a_fixed_address(tmp_path: Path, desktop: Sshd, name: str, kind: Kind) -> None:
    """It is the reason as well where the house has a fixed address; before an address in this network none is looked
    for."""
    with Quiet(Reply(302, "", {"Location": "https://login.campus.example/"})) as portal:
        wanted = host(desktop, names=(name,), port=free_port())
        failed = trouble(world(tmp_path, probe=portal.url), wanted, timedelta(seconds=3))
        assert (failed.kind, bool(portal.seen)) == (kind, kind is Kind.PORTAL)


def test_a_probe_that_hangs_keeps_the_deadline_and_can_be_interrupted(tmp_path: Path, desktop: Sshd) -> None:
    """A portal's server that does not answer holds up neither the end of the search nor its interruption."""
    with Quiet(Reply(302, hang=30)) as portal, serving() as ns:
        here = world(tmp_path, ns, probe=portal.url)
        assert trouble(here, host(desktop), timedelta(seconds=0.5)).kind is Kind.NO_ADDRESS
        cancel = threading.Event()
        timer = threading.Timer(0.3, cancel.set)
        timer.start()
        assert trouble(here, host(desktop), timedelta(seconds=60), cancel=cancel).kind is Kind.INTERRUPTED
        timer.join()


def test_a_portal_is_not_looked_for_when_the_host_is_found(tmp_path: Path, desktop: Sshd) -> None:
    """A search that succeeds asks nobody else's server for anything."""
    with Quiet(Reply(204)) as probe, serving("127.0.0.1") as ns:
        found(world(tmp_path, ns, probe=probe.url), host(desktop))
        assert probe.seen == []


def test_a_network_that_hijacks_dns_is_named_and_does_not_stop_the_proof(tmp_path: Path, desktop: Sshd) -> None:
    """Where every question is answered by the network itself, that is told; the key proves the right one anyway."""
    with serving("127.0.0.5") as liar, DohServer(zone({(f"{NAME}.", "A"): ["127.0.0.1"]})) as doh:
        here = world(tmp_path, liar, doh=(doh.doh,))
        (outcome,), told = survey(here, host(desktop), where=around(nowhere=liar.endpoint), grace=SOON)
    assert outcome.finding.candidate.spot.ip == "127.0.0.1"
    assert [sight.text for _, sight in told if sight.what == "note"] == [HIJACKED]
    (doubted,) = [c for one in outcome.candidates for c in one.claims if c.way is Way.ZONE]
    assert "not trusted" in doubted.detail


def test_where_dns_is_hijacked_no_server_is_believed_that_there_is_no_address(tmp_path: Path, desktop: Sshd) -> None:
    """The network's own "there is no such name" is not taken for the zone's."""
    with serving() as liar:
        failed = trouble(world(tmp_path, liar), host(desktop), where=around(nowhere=liar.endpoint))
    assert failed.kind is Kind.NO_ADDRESS
    assert "this network answers DNS in everybody's place" in str(failed)


@pytest.mark.parametrize("by", ["cancel", "ending"])
def test_a_search_can_be_interrupted(tmp_path: Path, desktop: Sshd, by: str) -> None:
    """Set from elsewhere, cancel and the world's end stop a search that has long to go."""
    port = free_port()
    with hanging("127.0.0.3", port), serving("127.0.0.3") as ns:
        here, cancel = world(tmp_path, ns), threading.Event()
        timer = threading.Timer(0.3, (cancel if by == "cancel" else here.ending).set)
        timer.start()
        failed = trouble(here, host(desktop, port=port), timedelta(seconds=60), cancel=cancel)
        timer.join()
    assert failed.kind is Kind.INTERRUPTED


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_interrupted_after_the_proof_the_session_is_let_go(tmp_path: Path, desktop: Sshd) -> None:
    """Ctrl-C while the other ways are still heard closes the session that was proved."""
    mute = Spot("127.0.0.8", free_port())
    with listening(*mute):
        here = world(tmp_path)
        own = host(desktop, names=("127.0.0.1",), lan=mute)
        with pytest.raises(Trouble, match="interrupted"):
            Finder(here, around()).survey(
                [own], SOON, lambda _host, sight: here.ending.set() if sight.what == "proved" else None, grace=SOON
            )
    assert wait(lambda: desktop.sessions() == [])


def test_nothing_is_left_behind(tmp_path: Path, desktop: Sshd) -> None:
    """After many searches no thread, no socket and no session of the losers is left."""
    lan = Spot("127.0.0.6", desktop.port)
    mute = free_port()
    with listening("127.0.0.8", mute), serving("127.0.0.1", "127.0.0.7") as ns:
        here = world(tmp_path, ns)
        for _ in range(2):
            found(here, host(desktop, lan=lan))
        assert wait(lambda: threading.active_count() <= 4)
        before = open_files()
        for _ in range(5):
            found(here, host(desktop, lan=lan))
        assert wait(lambda: open_files() <= before)
    assert wait(lambda: not [t for t in threading.enumerate() if t.name.startswith(("locate", "prove", "where"))])
    assert wait(lambda: desktop.sessions() == [])


class Slow:
    """A prover that takes its time; what it held is closed when its connection is shut."""

    def __init__(self, key: HostKey, takes: float) -> None:
        self.key, self._takes = key, takes
        self.closed = 0

    def prove(self, sock: socket.socket, spot: Spot, pins: object, within: timedelta, greeted: object = None) -> "Slow":
        with sock:
            time.sleep(self._takes)
        return self

    def login(self, who: object, within: timedelta) -> Any:
        raise AssertionError("nobody logs in")

    def close(self) -> None:
        self.closed += 1


def test_a_proof_that_comes_too_late_is_let_go(tmp_path: Path, desktop: Sshd) -> None:
    """Two candidates prove to be the host, or one does when nobody waits any more: the surplus session is closed."""
    prover = Slow(desktop.keys[0], 0.6)
    with serving("127.0.0.1", "127.0.0.7") as ns:
        finding = Finder(world(tmp_path, ns), around()).find(host(desktop), SOON, prover=prover)
        assert finding.session is prover
        assert wait(lambda: prover.closed == 1)
        late = Slow(desktop.keys[0], 1.0)
        failed = trouble(world(tmp_path, ns), host(desktop), timedelta(seconds=0.4), prover=late)
        assert failed.kind is Kind.UNREACHABLE
        assert wait(lambda: late.closed >= 1)


def survey(
    world: World, *hosts: Host, where: Around | None = None, **more: Any
) -> tuple[list[Any], list[tuple[str, Sight]]]:
    told: list[tuple[str, Sight]] = []
    outcomes = Finder(world, where or around()).survey(hosts, SOON, lambda h, s: told.append((h.name, s)), **more)
    return outcomes, told


def test_hosts_of_the_same_names_share_one_race(tmp_path: Path, desktop: Sshd) -> None:
    """Two hosts behind one name: the name is asked for once, each is dialled at its own port and judged by itself."""
    with sshd(tmp_path / "nas") as nas, serving("127.0.0.1") as ns:
        outcomes, _ = survey(world(tmp_path, ns), host(desktop), host(nas, name="nas", keys=nas.keys))
        assert len(ns.queries) == 3
    assert [outcome.finding.session.key for outcome in outcomes] == [desktop.keys[0], nas.keys[0]]


def test_after_the_proof_the_other_ways_are_heard_for_a_while(tmp_path: Path, desktop: Sshd) -> None:
    """With a grace the search goes on after the proof, and ends as soon as every way has spoken."""
    with DohServer(zone({(f"{NAME}.", "A"): ["127.0.0.1"]})) as doh, serving("127.0.0.1") as ns:
        here = world(tmp_path, ns, doh=(doh.doh,))
        (outcome,), _ = survey(here, host(desktop, names=(NAME, "127.0.0.1")), grace=timedelta(seconds=30))
    (candidate,) = outcome.candidates
    assert {claim.way for claim in candidate.claims} == {Way.GIVEN, Way.ZONE, Way.DOH}


def test_without_proving_nobody_is_dialled(tmp_path: Path, desktop: Sshd) -> None:
    """Locating alone ends with a first address that somebody names now, and says why when nobody does."""
    with serving("127.0.0.1") as ns, serving() as empty:
        (outcome,), told = survey(world(tmp_path, ns), host(desktop), prove=False)
        (nothing,), _ = survey(world(tmp_path, empty), host(desktop), prove=False)
    assert outcome.trouble is None
    assert {sight.what for _, sight in told} <= {"claim", "silent"}
    assert nothing.trouble[0] is Kind.NO_ADDRESS


def test_a_host_without_a_name_is_where_the_configuration_says(tmp_path: Path, desktop: Sshd) -> None:
    """Without a name there is nobody to ask: the house's own address is all there is, and no trouble."""
    (outcome,), _ = survey(world(tmp_path), host(desktop, names=(), lan=Spot("127.0.0.6", 22)), prove=False)
    assert outcome.trouble is None
    assert [candidate.spot.ip for candidate in outcome.candidates] == ["127.0.0.6"]


def test_a_host_without_pins_is_located_all_the_same(tmp_path: Path, desktop: Sshd) -> None:
    """Without a pinned key the claims are shown, with the trouble that nothing can be proved."""
    with serving("127.0.0.1") as ns:
        (outcome,), _ = survey(world(tmp_path, ns), host(desktop, keys=()))
    assert outcome.trouble[0] is Kind.NOT_PINNED
    assert [candidate.spot.ip for candidate in outcome.candidates] == ["127.0.0.1"]
