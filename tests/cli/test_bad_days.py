"""Bad input and bad days: each ends in one clear sentence and its own exit status; no traceback, no hang."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from ipwatch.core.trouble import Kind
from tests.fakes.named import bind
from tests.fakes.netns import Namespace, needs_namespaces
from tests.fakes.ports import free_port
from tests.fakes.sshd import Sshd, make_key, sshd
from tests.fakes.waiting import wait

WITHIN = 60  # seconds: a command that takes longer hangs
EVERY = ("where", "up", "ssh")  # the commands that look for a host


@pytest.fixture(scope="module")
def desktop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with sshd(tmp_path_factory.mktemp("desktop")) as it:
        yield it


def toml(folder: Path, hosts: str, home: str = 'names = ["127.0.0.1"]') -> Path:
    path = folder / "laptop.toml"
    path.write_text(f'[home]\n{home}\n[state]\npath = "{folder / "state"}"\n{hosts}')
    path.chmod(0o600)
    return path


def typed(config: Path, *words: str, prefix: tuple[str, ...] = ()) -> tuple[int, str]:
    """Type a command; its exit status, and what it wrote to standard error."""
    command = [*prefix, sys.executable, "-m", "ipwatch", "--config", str(config), *words]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=WITHIN, check=False, stdin=subprocess.DEVNULL
    )
    return done.returncode, done.stderr


def ends(config: Path, word: str, kind: Kind, *says: str, prefix: tuple[str, ...] = ()) -> None:
    """The command ends with that status and one sentence of its own that says these things."""
    status, text = typed(config, word, "desktop", prefix=prefix)
    sentences = [line for line in text.splitlines() if line.startswith("ipwatch: ")]
    assert (status, len(sentences)) == (int(kind), 1), text
    assert "Traceback" not in text
    for one in says:
        assert one in sentences[0], text


class Listener:
    """A TCP server that does to each connection what it is told."""

    def __init__(self, act: Callable[[socket.socket], None]) -> None:
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.server.getsockname()[1]
        self.act = act
        self.clients: list[socket.socket] = []
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            self.clients.append(client)
            with suppress(OSError):
                self.act(client)

    def close(self) -> None:
        self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()
        self.thread.join(5)
        for client in self.clients:
            client.close()


@pytest.mark.parametrize("word", [*EVERY, "wake", "trust", "sleep"])
def test_unknown_host(tmp_path: Path, desktop: Sshd, word: str) -> None:
    """A host nobody configured is told with the hosts there are."""
    ends(toml(tmp_path, desktop.toml("desktpo")), word, Kind.CONFIGURATION, "no host is called desktop", "desktpo")


@pytest.mark.parametrize("word", EVERY)
def test_closed_port(tmp_path: Path, desktop: Sshd, word: str) -> None:
    """A wrong or closed port is told with the place and what the network said."""
    port = free_port()
    hosts = desktop.toml("desktop").replace(f"port = {desktop.port}", f"port = {port}")
    ends(toml(tmp_path, hosts), word, Kind.UNREACHABLE, f"127.0.0.1:{port}", "refused")


@pytest.mark.parametrize("word", ["up", "ssh"])
def test_missing_key_file(tmp_path: Path, desktop: Sshd, word: str) -> None:
    """A private key that is not there is told by its path, before anything is dialled."""
    hosts = desktop.toml("desktop").replace(str(desktop.identity), str(tmp_path / "id_gone"))
    ends(toml(tmp_path, hosts), word, Kind.CONFIGURATION, str(tmp_path / "id_gone"))


def test_refused_login(tmp_path: Path, desktop: Sshd) -> None:
    """A key the host does not take is a refused login, tried once and never again."""
    other = make_key(tmp_path / "other")
    hosts = desktop.toml("desktop").replace(str(desktop.identity), str(other))
    offset = desktop.log.stat().st_size
    ends(toml(tmp_path, hosts), "up", Kind.LOGIN_REFUSED, "desktop does not let you in", "publickey")
    assert desktop.said(offset).count("Connection from") == 1


@pytest.mark.parametrize("word", EVERY)
def test_name_that_does_not_exist(tmp_path: Path, desktop: Sshd, word: str) -> None:
    """A name its own zone does not know is told as that."""
    with bind(tmp_path / "named") as server:
        home = f'names = ["gone.example.org"]\nnameservers = ["{server}"]\ndoh = []'
        config = toml(tmp_path, desktop.toml("desktop"), home)
        ends(config, word, Kind.NO_ADDRESS, "gone.example.org", "does not exist")


@pytest.mark.parametrize("word", EVERY)
def test_offline(tmp_path: Path, desktop: Sshd, word: str) -> None:
    """A laptop without a network is told so, and not that the house is down."""
    needs_namespaces()
    with closing(Namespace("offline")) as ns:
        home = 'names = ["home.example.org"]'
        config = toml(tmp_path, desktop.toml("desktop"), home)
        ends(config, word, Kind.OFFLINE, "offline", prefix=tuple(ns.prefix))


@pytest.mark.parametrize("word", EVERY)
def test_mute_server(tmp_path: Path, desktop: Sshd, word: str) -> None:
    """A server that accepts and says nothing is named as such."""
    with closing(Listener(lambda _client: None)) as mute:
        hosts = desktop.toml("desktop").replace(f"port = {desktop.port}", f"port = {mute.port}")
        ends(toml(tmp_path, hosts), word, Kind.NOT_SSH, f"127.0.0.1:{mute.port}", "says nothing")


@pytest.mark.parametrize("word", EVERY)
def test_web_server(tmp_path: Path, desktop: Sshd, word: str) -> None:
    """A web server on that port is named as such."""

    def answer(client: socket.socket) -> None:
        client.recv(100)
        client.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        client.close()

    with closing(Listener(answer)) as web:
        hosts = desktop.toml("desktop").replace(f"port = {desktop.port}", f"port = {web.port}")
        ends(toml(tmp_path, hosts), word, Kind.NOT_SSH, f"127.0.0.1:{web.port}", "HTTP")


@pytest.mark.parametrize("word", EVERY)
def test_changed_key(tmp_path: Path, desktop: Sshd, word: str) -> None:
    """Another key than the pinned one stops everything, with both fingerprints and what to do; no user name is sent."""
    with sshd(tmp_path / "other") as other:
        pinned = desktop.keys[0]
        hosts = other.toml("desktop", pinned=False) + f'keys = ["{pinned.text}"]\n'
        offset = other.log.stat().st_size
        ends(toml(tmp_path, hosts), word, Kind.STRANGER, other.keys[0].fingerprint, "ipwatch trust desktop")
        assert "userauth" not in other.said(offset)
        assert f"user {other.user}" not in other.said(offset)


@pytest.mark.parametrize("word", EVERY)
def test_nothing_pinned(tmp_path: Path, desktop: Sshd, word: str) -> None:
    """Without a pinned key nothing can be proved: the sentence says how to pin it."""
    config = toml(tmp_path, desktop.toml("desktop", pinned=False))
    ends(config, word, Kind.NOT_PINNED, "ipwatch trust desktop")


def test_no_configuration(tmp_path: Path) -> None:
    """A configuration that is not there is told by its path."""
    status, text = typed(tmp_path / "laptop.toml", "up", "desktop")
    assert status == int(Kind.CONFIGURATION)
    assert str(tmp_path / "laptop.toml") in text
    assert "Traceback" not in text


@pytest.mark.parametrize("word", ["lba", "99999", "8000:x:y:z:1"])
def test_bad_forward(tmp_path: Path, desktop: Sshd, word: str) -> None:
    """A forward that is none is told with what forwards look like, or the name that was meant."""
    config = toml(tmp_path, desktop.toml("desktop", "[host.forward]\nlab = 8890\n"))
    status, text = typed(config, "up", "desktop", word)
    assert status == int(Kind.CONFIGURATION)
    assert word in text
    assert "lab" in text or "a forward is" in text
    assert "Traceback" not in text


@pytest.fixture
def running(tmp_path: Path, desktop: Sshd) -> Iterator[tuple[Path, int]]:
    """`ipwatch up desktop` with one forward; the configuration and the local port."""
    port = free_port()
    config = toml(tmp_path, desktop.toml("desktop", f'[host.forward]\nwork = "{port}:{desktop.port}"\n'))
    command = [sys.executable, "-m", "ipwatch", "--config", str(config), "up", "desktop"]
    log = (tmp_path / "up.log").open("wb")
    process = subprocess.Popen(command, stderr=log, stdout=log, stdin=subprocess.DEVNULL)
    try:
        assert wait(lambda: b"desktop: up at" in (tmp_path / "up.log").read_bytes()), (tmp_path / "up.log").read_text()
        yield config, port
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
        log.close()


def test_two_of_them(running: tuple[Path, int]) -> None:
    """A second `ipwatch up` for one host says that there is one, and which process it is."""
    ends(running[0], "up", Kind.ALREADY_UP, "`ipwatch up desktop` runs already (process ")


def test_taken_port(running: tuple[Path, int], tmp_path: Path, desktop: Sshd) -> None:
    """A local port that is taken is named, with its owner."""
    folder = tmp_path / "second"
    folder.mkdir()
    config = toml(folder, desktop.toml("desktop", f'[host.forward]\nwork = "{running[1]}:22"\n'))
    ends(config, "up", Kind.PORT_TAKEN, f"work: 127.0.0.1:{running[1]} is taken by ", "(process ")


def test_state_that_can_not_be_written(tmp_path: Path, desktop: Sshd) -> None:
    """A state folder that can not be made is told by its path."""
    (tmp_path / "state").write_text("a file")
    status, text = typed(toml(tmp_path, desktop.toml("desktop")), "up", "desktop")
    assert status == int(Kind.NOT_WELL)
    assert str(tmp_path / "state") in text
    assert "Traceback" not in text


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_ctrl_c(tmp_path: Path, desktop: Sshd) -> None:
    """Ctrl-C while it looks for the host ends it soon, with the status shells expect, and without a traceback."""
    with closing(Listener(lambda _client: None)) as mute:
        hosts = desktop.toml("desktop").replace(f"port = {desktop.port}", f"port = {mute.port}")
        command = [sys.executable, "-m", "ipwatch", "--config", str(toml(tmp_path, hosts)), "up", "desktop"]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)
        try:
            assert wait(lambda: mute.clients)
            process.send_signal(signal.SIGINT)
            _, text = process.communicate(timeout=15)
        finally:
            process.kill()
            process.wait(5)
    assert process.returncode == int(Kind.INTERRUPTED), text
    assert "Traceback" not in text
