"""The supervisor with a scripted finder and links without SSH: what it does with what happens."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ipwatch.core.candidate import Spot
from ipwatch.core.forward import Forward, Sort, Target
from ipwatch.core.trouble import Kind, Trouble
from ipwatch.laptop.find import Finding, Sight
from ipwatch.laptop.supervisor import Supervisor
from ipwatch.laptop.world import World
from ipwatch.net.clock import SystemClock
from ipwatch.settings.laptop_model import Host, Wake
from tests.fakes.laptop_world import laptop_world, said
from tests.fakes.links import PlainLink, PlainSession, candidate
from tests.fakes.ports import free_port
from tests.fakes.waiting import wait
from tests.laptop.test_forwarder import Echo, spoken


class ScriptedFinder:
    """Each search takes the next answer: a link, a refusal to log in, or a Trouble; the last one is for ever."""

    def __init__(self, *answers: PlainLink | str | Trouble | Callable[[], PlainLink]) -> None:
        self.answers = list(answers)
        self.searches: list[float] = []
        self.shunned: list[tuple[Spot, ...]] = []
        self.sights: list[Sight] = []

    def __call__(self, _world: World) -> "ScriptedFinder":
        return self

    def find(self, host: Host, within: timedelta, tell: Callable[[Sight], None], *, shun: Any = (),
             cancel: threading.Event | None = None) -> Finding:  # fmt: skip
        self.searches.append(time.monotonic())
        self.shunned.append(tuple(shun))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        for sight in self.sights:
            tell(sight)
        if isinstance(answer, Trouble):
            raise answer
        spot = candidate()
        tell(Sight("dialling", spot.spot))
        tell(Sight("connected", spot.spot))
        if isinstance(answer, str):
            return Finding(spot, PlainSession(PlainLink(), answer), timedelta())
        link = answer if isinstance(answer, PlainLink) else answer()
        return Finding(spot, PlainSession(link), timedelta())


AWAY = Trouble(Kind.UNREACHABLE, "nothing answers at 25.0.0.1:22: no answer")
HOST = Host("desktop", user="anna")


class Tunnel:
    """A supervisor with one forward to an echo server."""

    def __init__(self, folder: Path, echo: Echo, finder: ScriptedFinder, host: Host = HOST, **more: Any) -> None:
        self.world = laptop_world(folder, host, finder=finder)
        self.port = free_port()
        forward = Forward("work", Sort.LOCAL, "", self.port, Target("127.0.0.1", echo.port))
        self.supervisor = Supervisor(self.world, host, [forward], **more)
        self.supervisor.start()

    def ask(self) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), 5) as sock:
            return spoken(sock, within=20)

    def close(self) -> None:
        self.supervisor.stop()
        self.world.http.close()  # type: ignore[attr-defined]


@pytest.fixture
def echo() -> Iterator[Echo]:
    with closing(Echo()) as it:
        yield it


def test_up_and_carries(tmp_path: Path, echo: Echo) -> None:
    """A tunnel comes up, says where and by which key, and carries."""
    with closing(Tunnel(tmp_path, echo, ScriptedFinder(PlainLink()))) as tunnel:
        tunnel.supervisor.link(timedelta(seconds=5))
        assert tunnel.ask() == b"hellogoodbye"
    assert "desktop: up at 127.0.0.1:22 (zone: ns1.example.org), proved by its ssh-ed25519 key" in said(tunnel.world)
    assert f"  work         localhost:{tunnel.port} -> " in said(tunnel.world)


class Clock(SystemClock):
    """Somebody sets the wall clock."""

    off = timedelta()

    def now(self) -> datetime:
        return super().now() + self.off


@pytest.mark.parametrize("hours", [1, -1])
def test_a_wall_clock_that_jumps(tmp_path: Path, hours: int) -> None:
    """An hour forward or back ends no link: at most it is asked for a sign of life."""
    clock, link = Clock(), PlainLink()
    world = laptop_world(tmp_path, HOST, finder=ScriptedFinder(link), clock=clock)
    supervisor = Supervisor(world, HOST, [])
    supervisor.start()
    try:
        assert supervisor.link(timedelta(seconds=10)) is link
        clock.off = timedelta(hours=hours)
        before = link.pings
        assert wait(lambda: link.pings > before, 10)
        assert wait(lambda: supervisor.link(timedelta()) is link)
        assert not link.is_cut.is_set()
        assert "lost" not in said(world)
    finally:
        supervisor.stop()
        world.http.close()  # type: ignore[attr-defined]


def test_back_after_a_loss(tmp_path: Path, echo: Echo) -> None:
    """A link that ends is looked for again at once; who asked meanwhile is served by the next one."""
    first, second = PlainLink(), PlainLink()
    with closing(Tunnel(tmp_path, echo, ScriptedFinder(first, AWAY, second))) as tunnel:
        tunnel.supervisor.link(timedelta(seconds=5))
        first.die("the other side hung up")
        assert tunnel.ask() == b"hellogoodbye"
        assert tunnel.supervisor.link(timedelta(seconds=5)) is second
    assert "lost (the other side hung up), looking for it again" in said(tunnel.world)
    assert "back after " in said(tunnel.world)


def test_silence_is_a_loss(tmp_path: Path, echo: Echo) -> None:
    """A link that falls silent is asked, doubted, cut, and replaced, without anybody's help."""
    first, second = PlainLink(), PlainLink()
    with closing(Tunnel(tmp_path, echo, ScriptedFinder(first, second))) as tunnel:
        tunnel.supervisor.link(timedelta(seconds=5))
        first.silent = True
        assert tunnel.ask() == b"hellogoodbye"
        assert first.is_cut.is_set()
        assert first.pings >= 2


def test_refused_login_stops(tmp_path: Path, echo: Echo) -> None:
    """A refused login ends the tunnel with its own status and is never tried again, even with --stay."""
    finder = ScriptedFinder("tried publickey; it takes publickey")
    with closing(Tunnel(tmp_path, echo, finder, stay=True)) as tunnel:
        trouble = tunnel.supervisor.wait()
        assert trouble is not None
        assert (trouble.kind, len(finder.searches)) == (Kind.LOGIN_REFUSED, 1)
        assert str(trouble) == "desktop does not let you in: tried publickey; it takes publickey"
        with pytest.raises(Trouble, match="does not let you in"):
            tunnel.supervisor.link(timedelta(seconds=1))


def test_nothing_at_the_start(tmp_path: Path, echo: Echo) -> None:
    """A host that is away at the start ends the command with the reason; the port is free again."""
    with closing(Tunnel(tmp_path, echo, ScriptedFinder(AWAY))) as tunnel:
        assert tunnel.supervisor.wait() is AWAY or str(tunnel.supervisor.wait()) == str(AWAY)
        socket.create_server(("127.0.0.1", tunnel.port)).close()


def test_stay(tmp_path: Path, echo: Echo) -> None:
    """With --stay a host that is away at the start is waited for."""
    with closing(Tunnel(tmp_path, echo, ScriptedFinder(AWAY, AWAY, PlainLink()), stay=True)) as tunnel:
        assert tunnel.ask() == b"hellogoodbye"


def test_strangers_are_shunned(tmp_path: Path, echo: Echo) -> None:
    """After a loss, a stranger at the old address is told and not called again; the search goes on."""
    first, second = PlainLink(), PlainLink()
    strange = Trouble(Kind.STRANGER, "whoever answers is not desktop")
    finder = ScriptedFinder(first, strange, strange, second)
    with closing(Tunnel(tmp_path, echo, finder)) as tunnel:
        tunnel.supervisor.link(timedelta(seconds=5))
        spot = Spot("25.0.0.1", 22)
        finder.sights = [Sight("stranger", spot, text="another machine is at 25.0.0.1:22")]
        first.die()
        assert tunnel.ask() == b"hellogoodbye"
        assert finder.shunned[2] == (spot,)
    assert said(tunnel.world).count("another machine is at 25.0.0.1:22") == 1


def test_strangers_at_the_start(tmp_path: Path, echo: Echo) -> None:
    """Strangers everywhere at the start: it stops at once with a warning of its own status."""
    finder = ScriptedFinder(Trouble(Kind.STRANGER, "whoever answers is not desktop"))
    with closing(Tunnel(tmp_path, echo, finder)) as tunnel:
        trouble = tunnel.supervisor.wait()
        assert trouble is not None
        assert (trouble.kind, len(finder.searches)) == (Kind.STRANGER, 1)


def test_a_wake_that_can_not_be_sent(tmp_path: Path, echo: Echo) -> None:
    """A host that is to be woken through a host nobody knows ends with the wake's own trouble."""
    host = HOST._replace(mac="aa:bb:cc:dd:ee:ff", wake=Wake(via="nas", command="wakeonlan {mac}"))
    with closing(Tunnel(tmp_path, echo, ScriptedFinder(AWAY), host)) as tunnel:
        trouble = tunnel.supervisor.wait()
        assert trouble is not None
        assert trouble.kind is Kind.WAKE_FAILED


def test_remote_forwards(tmp_path: Path) -> None:
    """Remote forwards are asked for at each new link; a refusal is told and ends nothing."""
    first, second = PlainLink(), PlainLink()
    second.refuses = "port 9000 is taken there"
    forward = Forward("back", Sort.REMOTE, "", 9000, Target("localhost", 3000))
    world = laptop_world(tmp_path, HOST, finder=ScriptedFinder(first, second))
    supervisor = Supervisor(world, HOST, [forward])
    ups: list[object] = []
    supervisor.on_up(ups.append)
    supervisor.start()
    try:
        supervisor.link(timedelta(seconds=5))
        assert wait(lambda: first.remotes == [forward])
        supervisor.on_up(ups.append)
        more = forward._replace(name="more", port=9001)
        supervisor.forward(more)
        assert first.remotes == [forward, more]
        first.die()
        assert wait(lambda: "back: desktop does not listen on port 9000: port 9000 is taken there" in said(world))
        assert wait(lambda: ups.count(first) == 2 and ups.count(second) == 2)
    finally:
        supervisor.stop()


def test_taken_port_leaves_nothing(tmp_path: Path, echo: Echo) -> None:
    """A taken port is told before anything is dialled, and the other ports are let go."""
    free, finder = free_port(), ScriptedFinder(PlainLink())
    with socket.create_server(("127.0.0.1", 0)) as held:
        ports = [free, held.getsockname()[1]]
        forwards = [Forward(f"f{p}", Sort.LOCAL, "", p, Target("127.0.0.1", echo.port)) for p in ports]
        supervisor = Supervisor(laptop_world(tmp_path, HOST, finder=finder), HOST, forwards)
        with pytest.raises(Trouble, match="is taken by"):
            supervisor.start()
    socket.create_server(("127.0.0.1", free)).close()
    assert finder.searches == []


def test_ending_ends_it(tmp_path: Path, echo: Echo) -> None:
    """Ctrl-C or SIGTERM (world.ending) ends it: link cut, ports free, no thread left."""
    before = set(threading.enumerate()) - {threading.main_thread()}
    link = PlainLink()
    with closing(Tunnel(tmp_path, echo, ScriptedFinder(link))) as tunnel:
        tunnel.supervisor.link(timedelta(seconds=5))
        tunnel.world.ending.set()
        assert tunnel.supervisor.wait() is None
        assert link.is_cut.is_set()
    socket.create_server(("127.0.0.1", tunnel.port)).close()
    names = {"tunnel", "listeners", "connection", "search"}
    left = [t.name for t in set(threading.enumerate()) - before if t.name.split()[0] in names]
    assert left == []


class Broken(PlainLink):
    """A link with a fault in it."""

    def heard(self) -> timedelta:
        raise RuntimeError("no clock")

    def cut(self) -> None:
        super().cut()
        raise RuntimeError("no knife")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_fault_of_our_own(tmp_path: Path, echo: Echo) -> None:
    """A fault in our own parts ends the tunnel with a sentence, lets go of the port, and leaves nobody waiting."""
    with closing(Tunnel(tmp_path, echo, ScriptedFinder(Broken()))) as tunnel:
        trouble = tunnel.supervisor.wait()
    assert trouble is not None
    assert trouble.kind is Kind.NOT_WELL
    assert str(trouble) == "a fault of ipwatch's own (RuntimeError: no clock)"
    with pytest.raises(ConnectionRefusedError):
        tunnel.ask()
