"""`ipwatch proxy`, run as ssh runs it."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from ipwatch.cli import main
from ipwatch.cli.editors import proxy
from ipwatch.core.candidate import Spot
from ipwatch.core.trouble import Kind, Trouble
from ipwatch.laptop.memory import Memory
from ipwatch.laptop.proxy import Errand, connected
from ipwatch.laptop.proxy import run as run_errand
from ipwatch.laptop.proxy_flight import Flight
from ipwatch.laptop.proxy_memory import Glances
from ipwatch.settings.laptop_quick import quick
from tests.fakes.ports import free_port
from tests.fakes.sshd import Sshd, sshd
from tests.fakes.waiting import wait

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJJqNXnDWBb0bLy2zxkWn4QhJmSIG8iKQxO0Yp0vqh4e"
HEAVY = ("argparse", "dns", "requests", "paramiko", "msgspec", "asyncio", "dataclasses", "inspect", "ipwatch.ports",
         "subprocess", "tempfile", "wakeonlan", "logging")  # fmt: skip


Proxied = Callable[..., tuple[int, str, str]]


class Run:
    """One `ipwatch proxy` under way; what it says stands in files, so that nothing waits for whoever outlives it."""

    number = 0

    def __init__(self, folder: Path, *words: str) -> None:
        Run.number += 1
        self._out, self._err = folder / f"out{Run.number}", folder / f"err{Run.number}"
        command = [sys.executable, "-m", "ipwatch", "proxy", "--config", str(folder / "laptop.toml"), *words]
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out, stderr=err, cwd=folder)

    @property
    def out(self) -> bytes:
        return self._out.read_bytes()

    @property
    def err(self) -> str:
        return self._err.read_text()

    def end(self, within: float = 30) -> int:
        self.process.stdin.close()  # type: ignore[union-attr]
        status = self.process.wait(within)
        assert "Traceback" not in self.err
        return status

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        with suppress(OSError):
            self.process.stdin.close()  # type: ignore[union-attr]
        self.process.wait(10)


@contextmanager
def running(folder: Path, *words: str) -> Iterator[Run]:
    run = Run(folder, *words)
    try:
        yield run
    finally:
        run.kill()


@pytest.fixture
def proxied(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., tuple[int, str, str]]]:
    """The same within this process, for what ends without a connection: exit status, standard output and error."""

    def act(*words: str) -> tuple[int, str, str]:
        status = proxy(["--config", str(tmp_path / "laptop.toml"), *words])
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return status, said.out, said.err

    held = signal.getsignal(signal.SIGINT)
    yield act
    signal.signal(signal.SIGINT, held)


def configured(folder: Path, *hosts: str, ip: str = "127.0.0.1") -> Path:
    # doh and probe: nothing leaves this machine
    home = f'[home]\nnames = ["{ip}"]\ndoh = []\nprobe = ""\n[state]\npath = "state"\n'
    (folder / "laptop.toml").write_text(home + "".join(hosts))
    return folder


def host(port: int, more: str = "", *, name: str = "desktop", key: str = KEY) -> str:
    return f'[[host]]\nname = "{name}"\nport = {port}\nkeys = ["{key}"]\n{more}\n'


# The few lines it reads by itself.


def test_the_quick_reader_reads_what_is_plain(tmp_path: Path) -> None:
    """A plain laptop.toml gives the host's lines, with the same meaning that the full loader gives them."""
    file = tmp_path / "laptop.toml"
    more = 'lan = "192.168.1.20"\nwake = { via = "x" }'
    file.write_text('[home]\nnames = "home.example.org"\n' + host(2223, more))
    found = quick(file, "desktop", {"IPWATCH_LAPTOP_STATE": "/s"}, tmp_path)
    assert found is not None
    assert found == ("desktop", Path("/s"), 2223, ("home.example.org",), Spot("192.168.1.20", 22), (KEY,), True)
    for lan, spot in (("10.0.0.1:2", Spot("10.0.0.1", 2)), ("[FD00::1]:2", Spot("fd00::1", 2))):
        file.write_text(f'[state]\npath = "s"\n[[host]]\nname = "nas"\nnames = ["a.example"]\nlan = "{lan}"\n')
        found = quick(file, "nas", {}, tmp_path)
        assert found == ("nas", tmp_path / "s", 22, ("a.example",), spot, (), False)


@pytest.mark.parametrize(
    "toml",
    [
        "", "home = 1", "[[host]", "hosts = 1", '[[host]]\nname = "x"', 'host = "desktop"', '[host]\nname = "desktop"',
        '[[host]]\nname = "desktop"\n[[host]]\nname = "desktop"', '[[host]]\nname = "desktop"\nprot = 22',
        '[[host]]\nname = "desktop"\nport = "22"', '[[host]]\nname = "desktop"\nport = 70000',
        '[[host]]\nname = "desktop"\nport = true', '[[host]]\nname = "desktop"\nlan = "[fd00::1"',
        '[[host]]\nname = "desktop"\nlan = 1', '[[host]]\nname = "desktop"\nlan = "nas"',
        '[[host]]\nname = "desktop"\nlan = "10.0.0.1:x"', '[[host]]\nname = "desktop"\nkeys = [1]',
        '[[host]]\nname = "desktop"\nnames = [""]', '[home]\nname = "x"\n[[host]]\nname = "desktop"',
        '[state]\npath = "~/s"\n[[host]]\nname = "desktop"', '[state]\npath = 1\n[[host]]\nname = "desktop"', "\udcff",
    ],
)  # fmt: skip
def test_what_is_odd_is_left_to_the_full_loader(tmp_path: Path, toml: str) -> None:
    """Whatever is not exactly as it should be gives nothing: the loader with the sentences has a look."""
    file = tmp_path / "laptop.toml"
    file.write_bytes(toml.encode("utf-8", "surrogateescape"))
    assert quick(file, "desktop", {}, tmp_path) is None
    assert quick(None, "desktop", {}, tmp_path) is None


# What it remembers, and one search for several.


def test_what_was_seen_comes_first(tmp_path: Path) -> None:
    """The latest look leads, then what other commands proved, latest first; a damaged memory is none."""
    glances = Glances(tmp_path / "state", "desktop", "desktop")
    assert glances.spots() == []
    for number in range(6):
        glances.note(Spot("192.0.2.1", 1000 + number))
    assert [seen.spot.port for seen in glances.seen()] == [1005, 1004, 1003, 1002]
    held = '{"proved": {"desktop": [{"ip": "198.51.100.1", "port": 22}, {"ip": "192.0.2.1", "port": 1005}]}}'
    (tmp_path / "state" / "memory.json").write_text(held)
    assert glances.spots() == [Spot("192.0.2.1", 1005), Spot("198.51.100.1", 22), Spot("192.0.2.1", 1004)]
    (tmp_path / "state" / "memory.json").write_text('{"proved": 7}')
    (tmp_path / "state" / "seen-desktop").write_text("yesterday somewhere")
    assert glances.spots() == []


def test_a_lock_and_a_word(tmp_path: Path) -> None:
    """One holds the lock; those who wait read its word, and its trouble only if it came while they waited."""
    one, two = Flight(tmp_path / "state", "x"), Flight(tmp_path / "state", "x")
    assert one.take()
    assert one.take()
    assert not two.take()
    assert two.word(0) is None
    begun = time.time()
    one.say("waking it")
    word = two.word(begun - 1)
    assert word is not None
    assert (word.kind, word.text) == (0, "waking it")
    assert two.trouble(begun - 1) is None
    one.say("nobody answers", 13)
    trouble = two.trouble(begun - 1)
    assert trouble is not None
    assert (trouble.kind, str(trouble)) == (Kind.UNREACHABLE, "nobody answers")
    assert two.trouble(time.time() + 1) is None
    one.leave()
    assert two.take()
    two.leave()


def test_a_folder_that_can_not_be_used_stops_nobody(tmp_path: Path) -> None:
    """Without a place for its lock and its memory the proxy searches all the same."""
    (tmp_path / "state").write_text("")
    flight = Flight(tmp_path / "state", "x")
    assert flight.take()
    flight.say("nothing")
    assert flight.word(0) is None
    flight.leave()
    Glances(tmp_path / "state", "desktop", "desktop").note(Spot("192.0.2.1", 22))


# Its command line.


@pytest.mark.parametrize(
    ("words", "clause"),
    [
        ([], "the host is missing"),
        (["desktop", "ssh"], "'ssh' is not a port"),
        (["desktop", "0"], "'0' is not a port"),
        (["desktop", "22", "more"], "'more' is not understood"),
        (["--fast", "desktop"], "'--fast' is not understood"),
        (["laptop"], "no host is called laptop"),
    ],
)
def test_a_wrong_command_line_is_named(tmp_path: Path, proxied: Proxied, words: list[str], clause: str) -> None:
    """One sentence, exit status 2, and nothing on standard output."""
    configured(tmp_path, host(22))
    status, out, err = proxied(*words)
    assert (status, out) == (2, "")
    assert clause in err
    assert err.count("\n") == 1


def test_options_before_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`ipwatch -q --config FILE proxy HOST` is what `ipwatch proxy HOST -q --config FILE` is."""
    configured(tmp_path, host(22))
    options = ["-q", "--config", str(tmp_path / "laptop.toml")]
    held = signal.getsignal(signal.SIGINT)
    for words in ([*options, "proxy", "laptop"], ["proxy", "laptop", *options]):
        assert main(words) == Kind.CONFIGURATION
        assert "no host is called laptop" in capsys.readouterr().err
    signal.signal(signal.SIGINT, held)


def test_help_is_there(proxied: Proxied) -> None:
    """--help says how it is used."""
    status, out, _ = proxied("--help")
    assert status == 0
    assert out.startswith("usage: ipwatch proxy HOST")


def test_a_fault_of_the_configuration_has_its_sentence(tmp_path: Path, proxied: Proxied) -> None:
    """What the quick reader does not like is told by the full loader, with its line; so is a key that is none."""
    configured(tmp_path, host(22, "prot = 1"))
    status, _, err = proxied("desktop")
    assert status == 2
    assert "did you mean 'port'?" in err
    configured(tmp_path, host(22, key="ssh-ed25519 x"))
    status, _, err = proxied(f"--config={tmp_path / 'laptop.toml'}", "desktop")
    assert status == 2
    assert "base64" in err


# What answers, and what does not.


@pytest.mark.real
def test_bytes_go_both_ways(tmp_path: Path) -> None:
    """Standard input and output carry exactly what the server and ssh say to one another."""
    with sshd(tmp_path / "sshd") as server, running(configured(tmp_path, server.toml("desktop")), "desktop") as run:
        assert wait(lambda: run.out.startswith(b"SSH-2.0-OpenSSH"))
        run.process.stdin.write(b"hello\r\n")  # type: ignore[union-attr]
        run.process.stdin.flush()  # type: ignore[union-attr]
        assert wait(lambda: b"Invalid SSH identification string." in run.out)
        assert run.end() == 0
        assert run.err == ""


@pytest.mark.real
def test_nothing_heavy_is_imported(tmp_path: Path) -> None:
    """Where the host answers at once, neither a look nor what follows imports anything but the standard library's
    light half."""
    script = (
        "import sys; from ipwatch.cli import main; status = main(sys.argv[1:]);"
        f"heavy = [name for name in {HEAVY!r} if name in sys.modules];"
        "sys.stderr.write(f'heavy: {heavy}, status: {status}')"
    )
    with sshd(tmp_path / "sshd") as server:
        for attempt in range(5):  # a machine with much other work may not answer "at once"
            folder = tmp_path / str(attempt)
            folder.mkdir()
            configured(folder, server.toml("desktop", f'lan = "127.0.0.1:{server.port}"'), ip="192.0.2.1")
            command = [sys.executable, "-c", script, "proxy", "--config", str(folder / "laptop.toml"), "desktop"]
            before, said = server.said().count("Connection from"), []
            for _ in range(2):  # with a look, and without one
                done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=True)
                said.append(done.stderr)
            if said == [b"heavy: [], status: 0"] * 2 and server.said().count("Connection from") - before == 3:
                return
    pytest.fail(str(said))


@pytest.mark.real
@pytest.mark.parametrize("pass_fd", [True, False])
def test_ssh_gets_the_connection_or_its_bytes(tmp_path: Path, pass_fd: bool) -> None:
    """At a Unix socket the connection itself is handed over, if that was asked for; else the bytes are carried."""
    ours, theirs = socket.socketpair()
    theirs.settimeout(10)
    with sshd(tmp_path / "sshd") as server, ours, theirs:
        file = configured(tmp_path, server.toml("desktop")) / "laptop.toml"
        errand = Errand("desktop", pass_fd=pass_fd, config=str(file))
        sink, statuses = os.dup(ours.fileno()), []
        thread = threading.Thread(target=lambda: statuses.append(run_errand(errand, ours.fileno(), sink)))
        thread.start()
        if pass_fd:
            _, descriptors, _, _ = socket.recv_fds(theirs, 1, 1)
            os.close(sink)
            with socket.socket(fileno=descriptors[0]) as got:
                assert got.recv(8) == b"SSH-2.0-"
        else:
            assert theirs.recv(8) == b"SSH-2.0-"
            theirs.shutdown(socket.SHUT_WR)
        thread.join(20)
        assert statuses == [0]


@pytest.mark.real
def test_a_look_is_good_for_a_moment(tmp_path: Path) -> None:
    """The second ssh within seconds is not looked at again; a place that has gone since is searched for anew."""
    with sshd(tmp_path / "sshd") as server:
        errand = Errand("desktop", config=str(configured(tmp_path, server.toml("desktop")) / "laptop.toml"))
        for expected in (2, 3):
            connected(errand).close()
            assert wait(lambda expected=expected: server.said().count("Connection from") == expected)
        Glances(tmp_path / "state", "desktop", "desktop").note(Spot("127.0.0.1", free_port()))
        connected(errand).close()


def test_nobody_is_there(tmp_path: Path, proxied: Proxied) -> None:
    """A closed port ends in a sentence and its exit status, for all that wait at the same time."""
    configured(tmp_path, host(free_port()))
    with running(tmp_path, "desktop") as other:
        status, _, err = proxied("desktop")
        assert [status, other.end()] == [Kind.UNREACHABLE] * 2
        assert err == other.err
        assert "connection refused" in err


def test_who_waits_hears_what_the_other_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """While another process searches, its words are passed on, and its trouble is everybody's."""
    configured(tmp_path, host(free_port()))
    flight, troubles = Flight(tmp_path / "state", "proxy-desktop"), []

    def wait_for_it() -> None:
        try:
            connected(Errand("desktop", config=str(tmp_path / "laptop.toml")))
        except Trouble as trouble:
            troubles.append((trouble.kind, str(trouble)))

    assert flight.take()
    thread = threading.Thread(target=wait_for_it)
    thread.start()
    flight.say("waking it through nas")
    assert wait(lambda: capsys.readouterr().err == "ipwatch: waking it through nas\n")
    flight.say("it did not wake up", int(Kind.WAKE_FAILED))
    thread.join(10)
    flight.leave()
    assert troubles == [(Kind.WAKE_FAILED, "it did not wake up")]


def test_a_host_without_a_pin_is_not_dialled_for_ssh(tmp_path: Path, proxied: Proxied) -> None:
    """Without a pinned key nothing can be proved: the way out is named."""
    configured(tmp_path, f'[[host]]\nname = "desktop"\nport = {free_port()}\n')
    status, _, err = proxied("desktop")
    assert status == Kind.NOT_PINNED
    assert "run `ipwatch trust desktop`" in err


def test_a_server_of_another_kind_is_named(tmp_path: Path, proxied: Proxied) -> None:
    """What speaks HTTP is not handed to ssh; --quiet does not silence a fault."""
    over = threading.Event()

    def serve(listener: socket.socket) -> None:
        listener.settimeout(0.1)
        while not over.is_set():
            with suppress(TimeoutError, OSError):
                visitor, _ = listener.accept()
                with visitor:
                    visitor.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        configured(tmp_path, host(listener.getsockname()[1]))
        server = threading.Thread(target=serve, args=(listener,))
        server.start()
        try:
            status, _, err = proxied("desktop", "--quiet")
        finally:
            over.set()
            server.join(10)
    assert status == Kind.NOT_SSH
    assert "HTTP" in err


@pytest.mark.real
def test_only_strangers(tmp_path: Path, proxied: Proxied) -> None:
    """A machine with another key is passed over with a line that says so, and in the end that is the reason."""
    with sshd(tmp_path / "sshd") as server:
        configured(tmp_path, host(server.port))
        status, out, err = proxied("desktop")
        assert (status, out) == (Kind.STRANGER, "")
        assert f"another machine is at 127.0.0.1:{server.port}: its host key is ssh-ed25519 SHA256:" in err


@pytest.mark.real
def test_a_revoked_key_is_no_way_in(tmp_path: Path, proxied: Proxied) -> None:
    """A key that is marked @revoked proves nothing, though it is pinned as well."""
    with sshd(tmp_path / "sshd") as server:
        configured(tmp_path, server.toml("desktop"))
        Memory(tmp_path / "state").revoke("desktop", server.keys)
        status, _, err = proxied("desktop")
        assert status == Kind.STRANGER
        assert "which is revoked" in err


@pytest.mark.real
def test_another_port_may_be_named(tmp_path: Path) -> None:
    """PORT stands above the one of laptop.toml."""
    with sshd(tmp_path / "sshd") as server:
        configured(tmp_path, server.toml("desktop").replace(f"port = {server.port}", f"port = {free_port()}"))
        with running(tmp_path, "desktop", str(server.port)) as run:
            assert wait(lambda: run.out.startswith(b"SSH-2.0-"))
            assert run.end() == 0


# A host that sleeps.


class Bedroom:
    """The NAS, a real sshd, and a desktop that the NAS's wake command starts a moment later."""

    def __init__(self, folder: Path, takes: str = "40s") -> None:
        self.folder = folder
        self.nas = Sshd(folder / "nas")
        self.desktop = Sshd(folder / "desktop")
        self.wakes, self.pid = folder / "wakes", folder / "pid"
        script = folder / "wake.sh"
        script.write_text(
            f"echo woken >> {self.wakes}\n[ -e {self.pid} ] && exit 0\n"
            f"(sleep 1.5; exec {self.desktop.program} -D -e -f {self.desktop.config}) "
            f">{self.desktop.log} 2>&1 </dev/null &\n"
            f"echo $! > {self.pid}\n"
        )
        more = f'wake = {{ via = "nas", command = "sh {script}", takes = "{takes}" }}'
        configured(folder, self.nas.toml("nas"), self.desktop.toml("desktop", more))

    def stop(self) -> None:
        self.nas.stop()
        if self.pid.exists():
            with suppress(ProcessLookupError):
                os.kill(int(self.pid.read_text()), signal.SIGTERM)


@pytest.fixture
def bedroom(tmp_path: Path) -> Iterator[Bedroom]:
    made = Bedroom(tmp_path)
    try:
        yield made
    finally:
        made.stop()


@pytest.mark.real
def test_a_sleeping_host_is_woken(bedroom: Bedroom) -> None:
    """Two ssh at once: one wake, told to both within ten seconds, and both get through when the desktop answers."""
    bedroom.nas.start()
    begun = time.monotonic()
    with running(bedroom.folder, "desktop") as one, running(bedroom.folder, "desktop") as two:
        for run in (one, two):
            assert wait(lambda run=run: "desktop does not answer: waking it through nas" in run.err, 15), run.err
        assert time.monotonic() - begun < 15
        for run in (one, two):
            assert wait(lambda run=run: run.out.startswith(b"SSH-2.0-"), 40), run.err
        assert [one.end(), two.end()] == [0, 0]
        assert bedroom.wakes.read_text() == "woken\n"
    log = bedroom.folder / "state" / "wake-desktop.log"
    assert wait(lambda: not _held(bedroom.folder / "state"), 20), log.read_text()


def _held(state: Path) -> bool:
    """Whether the wake goes on."""
    flight = Flight(state, "wake-desktop")
    try:
        return not flight.take()
    finally:
        flight.leave()


@pytest.mark.real
def test_the_wake_outlives_its_ssh(bedroom: Bedroom) -> None:
    """When ssh gives up and ends the proxy, the wake goes on, and the next ssh gets in."""
    bedroom.nas.start()
    with running(bedroom.folder, "desktop") as run:
        assert wait(lambda: "waking it" in run.err, 15)
        run.process.send_signal(signal.SIGHUP)
        assert run.process.wait(5) == -signal.SIGHUP
    assert wait(lambda: bedroom.desktop.log.exists() and "Server listening" in bedroom.desktop.said(), 30)
    with running(bedroom.folder, "desktop") as run:
        assert wait(lambda: run.out.startswith(b"SSH-2.0-"), 30), run.err
        assert run.end() == 0
    assert wait(lambda: not _held(bedroom.folder / "state"), 20)


@pytest.mark.real
def test_a_wake_that_fails_is_told(bedroom: Bedroom, proxied: Proxied) -> None:
    """When the NAS does not answer either, ssh is told why the desktop can not be woken, instead of waiting."""
    status, _, err = proxied("desktop")
    assert status == Kind.WAKE_FAILED
    assert "can not be woken through nas" in err.splitlines()[-1]


@pytest.mark.real
def test_the_wake_is_awaited(bedroom: Bedroom) -> None:
    """The connection is there once the desktop has booted."""
    bedroom.nas.start()
    connected(Errand("desktop", config=str(bedroom.folder / "laptop.toml"))).close()
    assert wait(lambda: not _held(bedroom.folder / "state"), 20)
