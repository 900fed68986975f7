"""The openssh engine, against real sshd with the real ssh."""

import hashlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from ipwatch.core.candidate import Spot
from ipwatch.core.forward import Forward, Sort, Target
from ipwatch.core.host import HostKey, Pins
from ipwatch.core.trouble import Kind, Trouble
from ipwatch.net.openssh import OpenSshProver, OpenSshSession
from ipwatch.net.openssh_link import OpenSshLink
from ipwatch.ports import Refused, Unreachable
from ipwatch.ports.remote import Login, LoginRefused, NotSsh, Prompt, Stranger
from tests.fakes.far_end import descriptors, digest, echo, greets_and_hangs_up, pair, read_all, serving, silent
from tests.fakes.ports import free_port
from tests.fakes.sshd import Sshd, connected, make_key, sshd
from tests.fakes.waiting import wait

pytestmark = pytest.mark.real
LONG = timedelta(seconds=15)
Act = Callable[[socket.socket], None]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with sshd(tmp_path_factory.mktemp("sshd"), options="MaxSessions 2") as running:
        yield running


def login(server: Sshd, within: timedelta = LONG, **more: object) -> OpenSshLink:
    """A link to it."""
    who = Login("desktop", server.user, (server.identity,), True)._replace(**more)  # type: ignore[arg-type]
    session = OpenSshSession("ssh", Spot(server.ip, server.port), Pins(server.keys), server.keys[0])
    link = session.login(who, within)
    assert isinstance(link, OpenSshLink)
    return link


def gone(link: OpenSshLink) -> None:
    """Cut it and wait until nothing of it is left."""
    link.cut()
    link._pump.join(10)
    link._master.join(10)


@pytest.fixture(scope="module")
def shared(server: Sshd) -> Iterator[OpenSshLink]:
    """A link for the tests that do not end it."""
    link = login(server)
    yield link
    gone(link)


@pytest.fixture
def link(server: Sshd) -> Iterator[OpenSshLink]:
    """A link of the test's own."""
    made = login(server)
    yield made
    gone(made)


# Proving and logging in.


def test_pinned_key_is_proved_and_another_is_a_stranger(server: Sshd) -> None:
    """The shown key is compared with the pins; a stranger's and a revoked one raise with the key."""
    prover = OpenSshProver()
    spot = Spot(server.ip, server.port)
    other = make_key(server.folder / "other")
    pins = Pins(server.keys)
    session = prover.prove(connected(server), spot, pins, LONG)
    assert session.key == server.keys[0]
    session.close()
    strange = HostKey.parse(Path(f"{other}.pub").read_text())
    for judged, revoked in ((Pins((strange,)), False), (Pins(), False), (Pins(server.keys, server.keys), True)):
        with pytest.raises(Stranger) as caught:
            prover.prove(connected(server), spot, judged, LONG)
        assert (caught.value.key, caught.value.revoked) == (server.keys[0], revoked)


def test_what_is_no_ssh_is_told(server: Sshd) -> None:
    """A server that says something else, and one that says nothing."""
    for act in (echo, silent):
        with serving(act) as target:
            sock = socket.create_connection((target.host, target.port))
            with pytest.raises(NotSsh):
                OpenSshProver().prove(sock, Spot(target.host, target.port), Pins(server.keys), timedelta(seconds=0.5))


def test_key_that_changed_since_the_proof_gets_no_user_name(server: Sshd, tmp_path: Path) -> None:
    """ssh itself compares the key again: another machine at the same address is a stranger with its key, as it is when
    it was there before, and never learns the user's name."""
    with sshd(tmp_path / "other", identity=server.identity) as other:
        session = OpenSshSession("ssh", Spot(other.ip, other.port), Pins(server.keys), server.keys[0])
        with pytest.raises(Stranger) as caught:
            session.login(Login("desktop", "anna77", (server.identity,), True), LONG)
        assert (caught.value.key, caught.value.revoked) == (other.keys[0], False)
        assert wait(lambda: "preauth" in other.said())
        assert "anna77" not in other.said()


def test_revoked_key_is_refused_by_ssh_as_well(server: Sshd) -> None:
    """A pin that is revoked at the same time proves nothing."""
    session = OpenSshSession("ssh", Spot(server.ip, server.port), Pins(server.keys, server.keys), server.keys[0])
    with pytest.raises(Stranger, match="which is revoked"):
        session.login(Login("desktop", server.user, (server.identity,), True), LONG)


def test_key_exchanged_under_way_is_no_reason_to_stop(server: Sshd, tmp_path: Path) -> None:
    """When the pinned key is back at the next look, that is told; it may be tried again."""
    program = tmp_path / "ssh"
    program.write_text("#!/bin/sh\necho 'Host key verification failed.' >&2\nexit 255\n")
    program.chmod(0o700)
    session = OpenSshSession(str(program), Spot(server.ip, server.port), Pins(server.keys), server.keys[0])
    with pytest.raises(Unreachable, match="shows another host key than a moment ago"):
        session.login(Login("desktop", "anna"), LONG)


def test_refused_login_says_what_was_tried(server: Sshd) -> None:
    """A wrong user or a missing key is refused, never retried, and leaves nothing; told as by the other engine."""
    before = descriptors()
    with pytest.raises(LoginRefused) as caught:
        login(server, user="nobody77")
    assert str(caught.value) == f"tried {server.identity} for user nobody77; it would take publickey"
    with pytest.raises(LoginRefused) as caught:
        login(server, identities=(Path("/no/such/key"),))
    assert str(caught.value).startswith(f"tried nothing for user {server.user}; it would take publickey; no such ident")
    assert wait(lambda: descriptors() <= before)


def known(server: Sshd, key: Path) -> Path:
    """Have the server take that key."""
    with (server.folder / "authorized_keys").open("a") as file:
        file.write(Path(f"{key}.pub").read_text())
    return key


def test_key_that_others_may_read_is_named(server: Sshd, tmp_path: Path) -> None:
    """The reason why ssh passes over a key is told with the refusal."""
    key = known(server, make_key(tmp_path / "open"))
    key.chmod(0o644)
    with pytest.raises(LoginRefused, match=r"bad permissions"):
        login(server, identities=(key,))


def test_key_in_an_agent(server: Sshd, tmp_path: Path) -> None:
    """An agent's key logs in without a file."""
    socket_ = tmp_path / "agent"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", str(socket_)], stdout=subprocess.DEVNULL)
    try:
        assert wait(socket_.exists)
        environ = {**os.environ, "SSH_AUTH_SOCK": str(socket_)}
        subprocess.run(["ssh-add", "-q", str(server.identity)], env=environ, check=True)
        gone(login(server, identities=(), identities_only=False, agent=str(socket_)))
    finally:
        agent.terminate()
        agent.wait(5)


def locked(server: Sshd, tmp_path: Path) -> Path:
    """A key with the passphrase "sesame" that the server takes."""
    return known(server, make_key(tmp_path / "locked", passphrase="sesame"))


def test_passphrase_is_asked_for_and_its_time_does_not_count(server: Sshd, tmp_path: Path) -> None:
    """ssh's question reaches the user word by word; thinking longer than the login may take is no fault; a wrong
    answer is asked again, and called wrong."""
    began = time.monotonic()
    gone(login(server))
    enough = timedelta(seconds=2 + 5 * (time.monotonic() - began))
    asked: list[str] = []

    def ask(prompt: Prompt) -> str:
        asked.append(prompt.text)
        if len(asked) == 1:
            time.sleep(enough.total_seconds() + 0.5)
            return "wrong"
        return "sesame"

    key = locked(server, tmp_path)
    gone(login(server, enough, identities=(key,), ask=ask))
    assert asked == [f"Enter passphrase for key '{key}': ", f"That was not it. Enter passphrase for key '{key}': "]


def test_passphrase_nobody_gives_is_a_refusal(server: Sshd, tmp_path: Path) -> None:
    """Without an answer the key is passed over, and the host refuses; nor does a wrong one unlock it."""
    key = locked(server, tmp_path)
    with pytest.raises(LoginRefused, match=f"no passphrase was given for {key}"):
        login(server, identities=(key,))
    with pytest.raises(LoginRefused, match=f"wrong passphrases for {key}"):
        login(server, identities=(key,), ask=lambda prompt: "wrong")


def test_question_nobody_answers_ends_the_login(tmp_path: Path) -> None:
    """A password nobody gives is not sent empty: the login ends at once, with the question."""
    options = "KbdInteractiveAuthentication no\nPasswordAuthentication yes"
    with sshd(tmp_path / "s") as plain:
        text = plain.config.read_text().replace("PasswordAuthentication no", "PasswordAuthentication yes")
        plain.stop()
        plain.config.write_text(f"{text}\n{options}\n")
        plain.start()
        with pytest.raises(LoginRefused, match=r"nobody answered its question: .*password"):
            login(plain, identities=())
        assert "Failed password" not in plain.said()


def test_login_that_hangs_ends_at_its_deadline(server: Sshd) -> None:
    """A server that stops talking in the middle costs its deadline and leaves nothing."""
    before = descriptors()
    with serving(silent) as target:
        session = OpenSshSession("ssh", Spot(target.host, target.port), Pins(server.keys), server.keys[0])
        with pytest.raises(Unreachable, match=r"did not end within 0\.5 s"):
            session.login(Login("desktop", "anna"), timedelta(seconds=0.5))
    assert wait(lambda: descriptors() <= before)


def test_nothing_behind_the_port_and_no_ssh(server: Sshd) -> None:
    """A port that closed meanwhile is unreachable; a machine without ssh is told how to get it."""
    with pytest.raises(Unreachable, match="refused"):
        OpenSshSession("ssh", Spot("127.0.0.1", free_port()), Pins(server.keys), server.keys[0]).login(
            Login("desktop", "anna"), LONG
        )
    with pytest.raises(Trouble, match="there is no no-such-ssh on this machine") as caught:
        OpenSshSession("no-such-ssh", Spot(server.ip, server.port), Pins(server.keys), server.keys[0]).login(
            Login("desktop", "anna"), LONG
        )
    assert caught.value.kind is Kind.CONFIGURATION


# Carrying.


def carried(link: OpenSshLink, target: Target, greeting: bytes = b"") -> tuple[socket.socket, threading.Event]:
    """A client connected to the target through the link; and whether its end was told."""
    near, accepted = pair()
    ended = threading.Event()
    try:
        link.carry(accepted, target, LONG, greeting=greeting, ended=ended.set)
    except BaseException:
        near.close()
        accepted.close()
        raise
    return near, ended


def test_every_byte_arrives_both_ways(shared: OpenSshLink) -> None:
    """64 MiB back and forth at once are the same bytes."""
    data = os.urandom(1 << 20)
    with serving(echo) as target:
        near, ended = carried(shared, target, b"hello ")
        sent, came = hashlib.sha256(), hashlib.sha256()

        def send() -> None:
            for _ in range(64):
                near.sendall(data)
                sent.update(data)
            near.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        with near:
            assert near.recv(6, socket.MSG_WAITALL) == b"hello "
            while piece := near.recv(1 << 20):
                came.update(piece)
        sender.join()
    assert came.digest() == sent.digest()
    assert ended.wait(10)


def test_each_direction_ends_by_itself(shared: OpenSshLink) -> None:
    """A client that has sent all still gets its answer; one that was told goodbye may still send."""
    data = os.urandom(3_000_000)
    with serving(digest) as target:
        near, ended = carried(shared, target)
        with near:
            near.sendall(data)
            assert not ended.is_set()
            near.shutdown(socket.SHUT_WR)
            assert read_all(near).decode() == hashlib.sha256(data).hexdigest()
        assert ended.wait(10)
    got = bytearray()

    def bye(peer: socket.socket) -> None:
        peer.sendall(b"bye")
        peer.shutdown(socket.SHUT_WR)
        got.extend(read_all(peer))

    with serving(bye) as target:
        near, ended = carried(shared, target)
        with near:
            assert read_all(near) == b"bye"
            time.sleep(0.1)
            near.sendall(data)
            near.shutdown(socket.SHUT_WR)
            assert ended.wait(10)
        assert wait(lambda: bytes(got) == data)


def test_slow_reader_holds_the_sender_back(shared: OpenSshLink) -> None:
    """A client that does not read makes the far end wait, holds nobody else up, and loses nothing."""
    data = os.urandom(1 << 20) * 24

    def much(peer: socket.socket) -> None:
        peer.sendall(data)

    with serving(much) as target, serving(echo) as other:
        near, ended = carried(shared, target)
        quick, _ = carried(shared, other)
        with near, quick:
            time.sleep(0.3)
            quick.sendall(b"x")
            assert quick.recv(1) == b"x"
            assert not ended.is_set()
            assert hashlib.sha256(read_all(near)).digest() == hashlib.sha256(data).digest()
        assert ended.wait(10)


def test_target_that_is_not_there_is_refused_with_the_reason(shared: OpenSshLink) -> None:
    """The reason is the far end's; the client's socket is still ours, and works."""
    near, accepted = pair()
    accepted.settimeout(7)
    with near, accepted:
        with pytest.raises(Refused, match=r"does not connect to 127\.0\.0\.1:1: connection refused"):
            shared.carry(accepted, Target("127.0.0.1", 1), LONG)
        assert accepted.gettimeout() == 7
        accepted.sendall(b"still here")
        near.sendall(b"yes")
        assert (near.recv(20), accepted.recv(20)) == (b"still here", b"yes")


def test_forwarding_that_sshd_forbids_is_refused(tmp_path: Path) -> None:
    """DSM's default, AllowTcpForwarding no: refused with its reason, and commands still run."""
    with sshd(tmp_path / "s", forwarding=False) as strict:
        link = login(strict)
        near, accepted = pair()
        with near, accepted, pytest.raises(Refused, match="its sshd does not allow it"):
            link.carry(accepted, Target("127.0.0.1", strict.port), LONG)
        assert link.run("echo ok", LONG)[1] == b"ok\n"
        gone(link)


def test_client_that_vanishes_ends_it(shared: OpenSshLink) -> None:
    """A client that resets while the far end sends is let go of at both ends."""
    stopped = threading.Event()

    def endless(peer: socket.socket) -> None:
        try:
            while True:
                peer.sendall(bytes(65536))
        finally:
            stopped.set()

    with serving(endless) as target:
        near, ended = carried(shared, target)
        near.recv(65536)
        near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        near.close()
        assert ended.wait(10)
        assert stopped.wait(10)


def refuses(sock: socket.socket) -> bool:
    """Whether it takes no more bytes."""
    try:
        sock.sendall(bytes(1000))
    except ConnectionError:
        return True
    return False


def test_far_end_that_is_gone_ends_a_client_that_never_closes(shared: OpenSshLink) -> None:
    """When the far end has closed, a client that goes on sending is not left hanging."""
    with serving(lambda peer: None) as target:
        near, _ = carried(shared, target)
        with near:
            assert read_all(near) == b""
            assert wait(lambda: refuses(near))


def opened(link: OpenSshLink) -> int:
    """Descriptors open here and in ssh."""
    assert link._master._process is not None
    return descriptors() + descriptors(link._master._process.pid)


def test_many_connections_leave_nothing(link: OpenSshLink) -> None:
    """200 connections at once count as no session (MaxSessions is 2); of them only the lines to ssh stay, which the
    next ones use again."""
    left = [opened(link)]
    with serving(echo) as target:
        for _ in range(2):
            ends = []
            for number in range(200):
                near, ended = carried(link, target)
                near.sendall(b"%d" % number)
                ends.append((near, ended))
            for number, (near, ended) in enumerate(ends):
                assert near.recv(10) == b"%d" % number
                near.close()
                assert ended.wait(10)
            assert wait(lambda: opened(link) <= left[0] + 2 * 64 + 200)  # this test's own server's
            left.append(opened(link))
    assert left[2] <= left[1]
    assert wait(lambda: opened(link) <= left[0] + 2 * 64)
    assert "open failed" not in "".join(link._master.said)


def test_one_link_bears_refusals_and_late_answers(link: OpenSshLink) -> None:
    """Targets that refuse, and one given up before its answer came, cost neither the link nor the next connection."""
    for _ in range(20):
        with pytest.raises(Refused):
            carried(link, Target("127.0.0.1", 1))
    with serving(echo) as target:
        near, accepted = pair()
        with near, accepted, pytest.raises(Unreachable, match="was not connected within 0 s"):
            link.carry(accepted, target, timedelta(0))
        near, ended = carried(link, target)
        with near:
            near.sendall(b"x")
            assert near.recv(1) == b"x"
        assert ended.wait(10)


def test_many_small_messages_arrive_in_order(shared: OpenSshLink) -> None:
    """More pieces than one call takes are the same bytes."""
    data = os.urandom(3000)

    def drip(peer: socket.socket) -> None:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in data:
            peer.sendall(bytes((byte,)))

    with serving(drip) as target:
        near, _ = carried(shared, target)
        with near:
            time.sleep(0.1)
            assert read_all(near) == data


# Unix sockets, remote forwards, commands.


@pytest.mark.parametrize("act", [digest, greets_and_hangs_up])
def test_target_that_is_a_unix_socket(shared: OpenSshLink, tmp_path: Path, act: Act) -> None:
    """A path is a target like any other; one nobody listens on is refused."""
    with serving(act, tmp_path / "s") as target:
        near, ended = carried(shared, target)
        with near:
            near.sendall(b"abc")
            near.shutdown(socket.SHUT_WR)
            expected = b"bye" if act is greets_and_hangs_up else hashlib.sha256(b"abc").hexdigest().encode()
            assert read_all(near) == expected
        assert ended.wait(10)
    with pytest.raises(Refused, match=r"does not connect to .*/none"):
        carried(shared, Target(str(tmp_path / "none"), 0))


def test_connections_arrive_from_the_far_end(link: OpenSshLink, tmp_path: Path) -> None:
    """A remote forward listens there and ends here, at a port or a Unix socket; one that is taken is refused."""
    port, other = free_port(), free_port()
    with serving(echo) as target, serving(digest, tmp_path / "s") as path:
        link.remote(Forward("web", Sort.REMOTE, "", port, target))
        link.remote(Forward("path", Sort.REMOTE, "127.0.0.1", other, path))
        with socket.create_connection(("127.0.0.1", port)) as near:
            near.sendall(b"x")
            assert near.recv(1) == b"x"
        with socket.create_connection(("127.0.0.1", other)) as near:
            near.shutdown(socket.SHUT_WR)
            assert read_all(near).decode() == hashlib.sha256().hexdigest()
        with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(Refused, match="taken"):
            link.remote(Forward("web", Sort.REMOTE, "127.0.0.1", taken.getsockname()[1], target))
    gone(link)
    with pytest.raises(Refused):
        link.remote(Forward("web", Sort.REMOTE, "", port, Target("127.0.0.1", 1)))


def without_debug(data: bytes) -> bytes:
    """Without what the test's server sends at LogLevel DEBUG1."""
    return b"".join(line for line in data.splitlines(keepends=True) if not line.startswith(b"debug1:"))


def test_commands_run_there(shared: OpenSshLink) -> None:
    """Status, both outputs, input; output beyond the limit is dropped; each piece is told as it comes."""
    said: list[bytes] = []
    status, out, err = shared.run("cat; echo e >&2; exit 3", LONG, stdin=b"in" * 100_000, limit=1000, said=said.append)
    assert (status, out) == (3, (b"in" * 500))
    assert without_debug(err) == b"e\n"
    assert sum(map(len, said)) > 200_000
    assert shared.run("kill -9 $$", LONG)[0] == -1
    assert shared.run("true", LONG, stdin=b"x" * 500_000)[0] == 0
    assert shared.run("echo up; sleep 30 &", LONG)[:2] == (0, b"up\n")


def test_command_that_does_not_end_in_time(shared: OpenSshLink) -> None:
    """The deadline holds, and nothing is left open."""
    before = descriptors()
    with pytest.raises(Unreachable, match="did not end in time") as caught:
        shared.run("sleep 30", timedelta(seconds=0.4))
    assert caught.value.sent
    assert descriptors() == before


# The link's own life.


def test_signs_of_life_are_heard(shared: OpenSshLink) -> None:
    """Without any traffic the other side is heard within 1.5 s of being asked."""
    time.sleep(0.2)
    asked = timedelta(seconds=time.monotonic())
    shared.ping()
    assert wait(lambda: shared.heard() > asked, 3)
    assert shared.heard() <= timedelta(seconds=time.monotonic())


def test_server_that_is_gone_resets_every_client(server: Sshd) -> None:
    """When the session ends at the far side, clients are reset, `lost` is called once, and nothing is left."""
    before = descriptors(), threading.active_count()
    link = login(server)
    lost: list[str] = []
    link.watch(lost.append)
    with serving(silent) as target:
        clients = [carried(link, target) for _ in range(3)]
        server.end_sessions()
        for near, ended in clients:
            with near, pytest.raises(ConnectionResetError):
                near.recv(1)
            assert ended.wait(10)
    assert wait(lambda: lost)
    late: list[str] = []
    link.watch(late.append)
    assert late == lost == ["the other side closed the connection"]
    near, accepted = pair()
    with near, accepted, pytest.raises(Unreachable):
        link.carry(accepted, Target("127.0.0.1", 1), LONG)
    with pytest.raises(Unreachable):
        link.run("true", LONG)
    heard = link.heard()
    assert link.heard() == heard
    assert wait(lambda: descriptors() <= before[0] and threading.active_count() <= before[1])
    assert not link._master.folder.exists()


def test_cut_resets_every_client_and_leaves_nothing(server: Sshd) -> None:
    """`cut` returns at once; clients are reset, `lost` is not called, process and folder are gone."""
    before = descriptors(), threading.active_count()
    link = login(server)
    lost: list[str] = []
    link.watch(lost.append)
    process = link._master._process
    assert process is not None
    with serving(silent) as target:
        near, ended = carried(link, target)
        process.send_signal(signal.SIGSTOP)  # not even a stopped ssh holds it up
        link.cut()
        with near, pytest.raises(ConnectionResetError):
            near.recv(1)
        assert ended.wait(10)
    assert wait(lambda: descriptors() <= before[0] and threading.active_count() <= before[1])
    assert process.returncode == -signal.SIGKILL
    assert not link._master.folder.exists()
    assert lost == []
    link.cut()


def test_silent_server_is_given_up_by_ssh_itself(tmp_path: Path) -> None:
    """A server that is stopped is not heard any more; ssh gives up after some seconds even when nobody else does."""
    with sshd(tmp_path / "s") as stopped:
        link = login(stopped)
        lost: list[str] = []
        link.watch(lost.append)
        for pid in stopped.sessions():
            os.kill(pid, signal.SIGSTOP)
        time.sleep(0.1)
        heard = link.heard()
        assert wait(lambda: lost, 12)
        assert lost == ["no sign of life"]
        assert link.heard() == heard
        gone(link)


_ORPHAN = """
import sys, time
from datetime import timedelta
from pathlib import Path
from ipwatch.core.candidate import Spot
from ipwatch.core.host import HostKey, Pins
from ipwatch.net.openssh import OpenSshSession
from ipwatch.ports.remote import Login
ip, port, user, identity, key = sys.argv[1:]
key = HostKey.parse(key)
who = Login("desktop", user, (Path(identity),), True)
link = OpenSshSession("ssh", Spot(ip, int(port)), Pins((key,)), key).login(who, timedelta(seconds=15))
print(link._master._process.pid, link._master.folder, flush=True)
time.sleep(60)
"""


def alive(pid: str) -> bool:
    """Whether the process runs; who has ended and was not asked for is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_ssh_ends_with_us_however_we_end(server: Sshd) -> None:
    """Killed without a chance to clean up, we leave no ssh behind, and what is left in the folder goes with the next
    login; one that is in use stays."""
    words = [server.ip, str(server.port), server.user, str(server.identity), server.keys[0].text]
    living = login(server)
    with subprocess.Popen([sys.executable, "-c", _ORPHAN, *words], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid, _, folder = parent.stdout.readline().strip().partition(" ")
        assert alive(pid)
        gone(login(server))
        assert (Path(folder) / "k").exists()
        parent.kill()
        assert wait(lambda: not alive(pid))
    assert (Path(folder) / "k").exists()
    gone(login(server))
    assert not Path(folder).exists()
    assert living.run("echo ok", LONG)[1] == b"ok\n"
    assert living._master.control.exists()
    gone(living)
