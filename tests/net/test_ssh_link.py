"""net.ssh: a link's life: signs of life, losses, commands, connections from the far end."""

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from paramiko.ssh_exception import ChannelException

from ipwatch.core.candidate import Spot
from ipwatch.core.forward import Forward, Sort, Target
from ipwatch.core.host import Pins
from ipwatch.net.ssh import ParamikoProver
from ipwatch.ports import Refused, Unreachable
from ipwatch.ports.remote import Link, Login
from tests.bench.slow_line import Line, SlowLine
from tests.fakes.paramiko_server import ParamikoServer, Rules
from tests.fakes.ports import free_port
from tests.fakes.ssh_tools import LONG, drain, echo, gone, linked, pair, read_all, serving
from tests.fakes.sshd import Sshd, sshd
from tests.fakes.waiting import wait

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with sshd(tmp_path_factory.mktemp("sshd")) as running:
        yield running


@pytest.fixture
def link(server: Sshd) -> Iterator[Link]:
    with linked(server) as up:
        yield up


def now() -> timedelta:
    return timedelta(seconds=time.monotonic())


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def remote(port: int, target: Target, bind: str = "") -> Forward:
    return Forward("back", Sort.REMOTE, bind, port, target)


# Signs of life.


def test_a_ping_moves_heard(link: Link) -> None:
    """A question that is answered is heard."""
    time.sleep(0.2)
    asked = now()
    assert link.heard() < asked
    link.ping()
    assert wait(lambda: link.heard() > asked, 5)


def test_pings_into_silence_do_not_pile_up_or_block(server: Sshd) -> None:
    """On a line that swallows everything, pings return at once, nothing is heard, and the cut ends everything."""
    with SlowLine((server.ip, server.port), Line()) as line, linked(server, port=line.port) as link:
        time.sleep(0.2)
        line.silent = True
        asked = now()
        for _ in range(1000):
            link.ping()
        assert now() - asked < timedelta(seconds=1)
        time.sleep(0.3)
        assert link.heard() < asked
        link.cut()
        gone()


def test_a_frozen_server_is_not_taken_for_alive(server: Sshd) -> None:
    """A stopped sshd's kernel still acknowledges: that is no sign of life, an upload into it neither once it stands."""
    with linked(server) as link, serving(echo) as target:
        near, far = pair()
        link.carry(far, target, LONG)
        pids = server.sessions()
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            near.setblocking(False)
            end = time.monotonic() + 1.5
            while time.monotonic() < end:
                try:
                    near.send(bytes(65536))
                except BlockingIOError:
                    time.sleep(0.02)
                link.heard()
            asked = now()
            link.ping()
            for _ in range(20):
                time.sleep(0.05)
                assert link.heard() < asked
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
        assert wait(lambda: link.heard() > asked, 5)
        near.close()


def test_a_slow_uplink_is_not_taken_for_dead(server: Sshd) -> None:
    """While much is being sent over a slow line, what the far end's kernel takes counts as heard."""

    def sink(sock: socket.socket) -> None:
        read_all(sock)

    slow = Line(rate=200_000, delay=0.01, queue=32 * 1024)
    with (
        SlowLine((server.ip, server.port), slow) as line,
        linked(server, port=line.port) as link,
        serving(sink) as target,
    ):
        near, far = pair()
        link.carry(far, target, LONG)
        near.setblocking(False)
        silences = []
        end = time.monotonic() + 3
        while time.monotonic() < end:
            try:
                near.send(bytes(65536))
            except BlockingIOError:
                time.sleep(0.05)
            silences.append((now() - link.heard()).total_seconds())
        assert max(silences[len(silences) // 3 :]) < 1.5
        near.close()
        link.cut()


# Losses.


def test_a_killed_session_resets_the_clients_and_is_told_once(server: Sshd) -> None:
    """When the server's process dies every client sees a reset, `ended` and `lost` are called once, and later calls
    say that the link is gone."""
    ended: list[int] = []
    reasons: list[str] = []
    with linked(server) as link, serving(echo) as target:
        link.watch(reasons.append)
        clients = []
        for number in range(5):
            near, far = pair()
            link.carry(far, target, LONG, ended=lambda n=number: ended.append(n))  # type: ignore[misc]
            clients.append(near)
        server.end_sessions()
        for near in clients:
            with near, pytest.raises(ConnectionResetError):
                near.recv(1)
        assert wait(lambda: reasons, 5)
        gone()
        assert (sorted(ended), len(reasons)) == ([0, 1, 2, 3, 4], 1)
        link.watch(reasons.append)
        assert reasons[1] == reasons[0] == "it closed the connection"
        near, far = pair()
        with near, far, pytest.raises(Unreachable, match="the link is gone"):
            link.carry(far, target, LONG)
        with pytest.raises(Unreachable, match="the link is gone"):
            link.run("true", LONG)
        with pytest.raises(Unreachable, match="the link is gone"):
            link.remote(remote(free_port(), target))
        link.ping()
        assert link.heard() < now()


def test_a_cut_is_silent_and_resets(server: Sshd) -> None:
    """A cut resets what is carried; it is nobody's loss."""
    reasons: list[str] = []
    with linked(server) as link, serving(echo) as target:
        link.watch(reasons.append)
        near, far = pair()
        link.carry(far, target, LONG)
        link.cut()
        with near, pytest.raises(ConnectionResetError):
            near.recv(1)
        gone()
        link.watch(reasons.append)
        assert reasons == []


def test_a_cut_ends_a_line_that_hangs(server: Sshd) -> None:
    """With an upload stuck in a line that swallows everything, a cut returns at once and leaves nothing."""
    with serving(echo) as target, SlowLine((server.ip, server.port), Line(queue=65536)) as line:
        before = threading.active_count()
        with linked(server, port=line.port) as link:
            near, far = pair()
            link.carry(far, target, LONG)
            line.silent = True
            near.setblocking(False)
            end = time.monotonic() + 0.5
            while time.monotonic() < end:
                try:
                    near.send(bytes(65536))
                except BlockingIOError:
                    time.sleep(0.01)
            near.setblocking(True)
            began = time.monotonic()
            link.cut()
            assert time.monotonic() - began < 2  # the kernel would wait for minutes
            gone()
            with near, pytest.raises(ConnectionResetError):
                near.recv(1)
            assert threading.active_count() <= before + 1


def test_fifty_links_leave_no_thread_and_no_descriptor(server: Sshd) -> None:
    """Links made, used and cut leave threads and descriptors as they were."""
    with serving(echo) as target:
        for number in range(50):
            if number == 2:  # what is made once and kept is made by now
                threads, files = threading.active_count(), descriptors()
            with linked(server) as link:
                near, far = pair()
                link.carry(far, target, LONG)
                near.sendall(b"x")
                assert near.recv(1) == b"x"
                if number % 2:
                    near.close()
                link.cut()
                gone()
                near.close()
        assert wait(lambda: threading.active_count() <= threads + 50, 5)
        assert threading.active_count() - threads <= 48  # the target's own, one a connection
    assert wait(lambda: descriptors() <= files, 5)


# Commands.


def test_a_command_runs_with_input_and_tells_how_it_ended(link: Link) -> None:
    """Standard input, both outputs and the status; output beyond the limit is dropped, and told piece by piece."""
    said: list[bytes] = []
    status, out, err = link.run("cat; echo oops >&2; exit 7", LONG, stdin=b"in" * 300_000, limit=1000, said=said.append)
    assert (status, out) == (7, b"in" * 500)
    assert err.endswith(b"oops\n")
    assert len(b"".join(said)) >= 600_000
    assert link.run("kill -9 $$", LONG)[0] == -1
    assert link.run("echo a b", LONG)[1] == b"a b\n"


def test_a_command_that_does_not_end_is_left(link: Link) -> None:
    """At the deadline the caller is free, and the link goes on."""
    with pytest.raises(Unreachable, match=r"the command did not end within 0\.3 s"):
        link.run("echo begun; sleep 3", timedelta(seconds=0.3))
    assert link.run("echo next", LONG)[1] == b"next\n"


def test_a_link_that_dies_under_a_command(server: Sshd) -> None:
    """The command's end is not known then, and that is said."""
    with linked(server) as link:
        threading.Timer(0.3, server.end_sessions).start()
        with pytest.raises(Unreachable, match="while the command ran it closed the connection"):
            link.run("sleep 20", LONG)


@pytest.mark.parametrize(
    ("sessions", "clause"),
    [(True, "runs no commands"), (False, "does not open a channel")],
)
def test_a_server_that_runs_nothing_is_refused_clearly(sessions: bool, clause: str) -> None:
    """No sessions, or sessions without commands: a clause for each."""
    rules = Rules(methods="password", password="x", sessions=sessions)
    with ParamikoServer(rules) as server:
        sock = socket.create_connection((server.ip, server.port))
        session = ParamikoProver().prove(sock, Spot(server.ip, server.port), Pins(server.keys), LONG)
        link = session.login(Login("h", "anna", ask=lambda _prompt: "x"), LONG)
        with pytest.raises(Refused, match=clause):
            link.run("true", LONG)
        link.cut()
    gone()


# Connections from the far end.


def test_the_far_end_listens_for_us(link: Link) -> None:
    """A connection to a port there arrives at the target here, many at once, among pings."""
    port = free_port()
    with serving(echo) as target:
        link.remote(remote(port, target))
        for _ in range(20):
            link.ping()
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.sendall(b"over there" * 1000)
                client.shutdown(socket.SHUT_WR)
                assert read_all(client) == b"over there" * 1000


def test_the_far_end_listens_at_a_path(link: Link, tmp_path: Path) -> None:
    """A Unix socket there, a Unix socket here."""
    with serving(echo, str(tmp_path / "here")) as target:
        link.remote(remote(0, target, str(tmp_path / "there")))
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(tmp_path / "there"))
            client.sendall(b"x")
            client.shutdown(socket.SHUT_WR)
            assert read_all(client) == b"x"


def test_a_target_here_that_refuses_ends_the_connection_there(link: Link) -> None:
    """Where nothing listens here, the far client's connection is closed."""
    port = free_port()
    link.remote(remote(port, Target("127.0.0.1", free_port())))
    link.remote(remote(free_port(), Target("/nowhere/at/all", 0)))
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.settimeout(10)
        assert client.recv(1) == b""


def test_a_port_that_is_taken_there(link: Link) -> None:
    """The server's refusal names the port; the link goes on."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Refused, match=f"does not listen on {port}"):
            link.remote(remote(port, Target("127.0.0.1", 1), "127.0.0.1"))
    with pytest.raises(Refused, match="needs a target"):
        link.remote(Forward("x", Sort.REMOTE, "", 1, None))
    assert link.run("true", LONG)[0] == 0


def test_what_nobody_asked_for_is_declined() -> None:
    """Channels the far end opens without having been asked to are not opened; the link goes on."""
    with ParamikoServer(Rules(methods="password", password="x")) as server:
        sock = socket.create_connection((server.ip, server.port))
        session = ParamikoProver().prove(sock, Spot(server.ip, server.port), Pins(server.keys), LONG)
        link = session.login(Login("h", "anna", ask=lambda _prompt: "x"), LONG)
        for kind in ("forwarded-tcpip", "x11", "auth-agent@openssh.com"):
            with pytest.raises(ChannelException, match="Administratively prohibited"):
                server.open(kind)
        with pytest.raises(Refused, match="does not listen on 9"):
            link.remote(remote(9, Target("localhost", 9)))
        link.cut()
    gone()


def test_a_stopped_command_of_ours(link: Link) -> None:
    """When the caller's own callback fails, the command is told to end and the link goes on."""

    def fail(_piece: bytes) -> None:
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        link.run("echo begun; sleep 2", LONG, said=fail)
    assert link.run("echo next", LONG)[1] == b"next\n"


# The line.


def test_a_key_press_does_not_wait_behind_a_download(server: Sshd) -> None:
    """On a slow line with a deep queue the other connections' bytes wait behind a short queue, not behind 2 MiB."""

    def flood(sock: socket.socket) -> None:
        while True:
            sock.sendall(bytes(65536))

    with (
        SlowLine((server.ip, server.port), Line(2e6, 0.015)) as line,
        linked(server, port=line.port) as link,
        serving(flood) as source,
        serving(echo) as target,
    ):
        bulk, far = pair()
        link.carry(far, source, LONG)
        reader = threading.Thread(target=drain, args=(bulk,))
        reader.start()
        near, other = pair()
        link.carry(other, target, LONG)
        time.sleep(1)
        for _ in range(5):
            began = time.monotonic()
            near.sendall(b"x")
            near.recv(1)
            # 2 MiB take a second on this line; a short queue a tenth of that
            assert time.monotonic() - began < 0.8
        bulk.shutdown(socket.SHUT_RDWR)
        reader.join()
        near.close()
        bulk.close()
