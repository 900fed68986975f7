"""How commands end: by signals, with a closed terminal, at a question, on a full disk; and what they do not load."""

import os
import pty
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ipwatch.core.trouble import Kind
from tests.cli.test_bad_days import WITHIN, toml, typed
from tests.fakes.sshd import Sshd, make_key, sshd
from tests.fakes.waiting import wait


@pytest.fixture(scope="module")
def desktop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with sshd(tmp_path_factory.mktemp("desktop")) as it:
        yield it


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("engine", ["paramiko", "openssh"])
def test_the_terminal_is_closed(tmp_path: Path, desktop: Sshd, engine: str) -> None:
    """A window that is closed ends its tunnel in order: no ssh and no folder of it is left."""
    config = toml(tmp_path, desktop.toml("desktop", f'engine = "{engine}"'))
    command = [sys.executable, "-m", "ipwatch", "--config", str(config), "up", "desktop"]
    log = tmp_path / "log"
    with log.open("wb") as out, tempfile.TemporaryDirectory() as run:  # its name is short enough for sockets
        environ = os.environ | {"XDG_RUNTIME_DIR": run}
        process = subprocess.Popen(command, stderr=out, stdin=subprocess.DEVNULL, start_new_session=True, env=environ)
        try:
            assert wait(lambda: b"desktop: up at" in log.read_bytes() or process.poll() is not None, 30), (
                log.read_text()
            )
            assert bool(list(Path(run).iterdir())) == (engine == "openssh")
            process.send_signal(signal.SIGHUP)
            assert process.wait(15) == 0, log.read_text()
        finally:
            process.kill()
            process.wait(5)
        assert list(Path(run).iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_nohup(tmp_path: Path, desktop: Sshd) -> None:
    """Started by nohup it outlives its terminal."""
    config = toml(tmp_path, desktop.toml("desktop"))
    command = ["nohup", sys.executable, "-m", "ipwatch", "--config", str(config), "up", "desktop"]
    log = tmp_path / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, stderr=out, stdout=out, stdin=subprocess.DEVNULL, start_new_session=True)
        try:
            assert wait(lambda: b"desktop: up at" in log.read_bytes() or process.poll() is not None, 30), (
                log.read_text()
            )
            process.send_signal(signal.SIGHUP)
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(1)
        finally:
            process.terminate()
            assert process.wait(15) == 0, log.read_text()


def test_outputs_that_take_nothing(tmp_path: Path, desktop: Sshd) -> None:
    """A full disk is told in a sentence; an output that was closed from the start disturbs nothing."""
    config = toml(tmp_path, desktop.toml("desktop"))
    command = [sys.executable, "-m", "ipwatch", "--config", str(config), "where", "desktop"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=WITHIN, check=False)
    assert (done.returncode, done.stderr) == (1, "ipwatch: the output can not be written: no space left on device\n")
    closed = subprocess.run(["sh", "-c", 'exec "$@" >&- 2>&-', "sh", *command], timeout=WITHIN, check=False)
    assert closed.returncode == 0


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("module", ["ipwatch.cli.parser", "ipwatch.cli.tunnel", "ipwatch.laptop.supervisor"])
def test_ctrl_c_while_it_starts(module: str) -> None:
    """Ctrl-C before anything has begun ends it with the status shells expect, and without a traceback."""
    code = f"""
import os, signal, sys
class Hurry:
    def find_spec(self, name, *_):
        if name == "{module}":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Hurry())
from ipwatch.cli import main
sys.exit(main(["up", "desktop"]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=WITHIN, check=False)
    assert (done.returncode, done.stderr) == (int(Kind.INTERRUPTED), "")


def test_a_tunnel_without_forwards(tmp_path: Path, desktop: Sshd) -> None:
    """Where no forward is configured that is said: nothing listens here."""
    config = toml(tmp_path, desktop.toml("desktop"))
    command = [sys.executable, "-m", "ipwatch", "--config", str(config), "up", "desktop"]
    log = tmp_path / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, stderr=out, stdin=subprocess.DEVNULL)
        try:
            assert wait(lambda: b"no port is forwarded" in log.read_bytes() or process.poll() is not None, 30)
        finally:
            process.terminate()
            assert process.wait(15) == 0, log.read_text()
    assert "no port is forwarded: desktop has no [host.forward] in laptop.toml" in log.read_text()


@pytest.mark.parametrize("damage", ["garbage [", None])
def test_ssh_s_configuration_is_taken_back_without_ours(tmp_path: Path, desktop: Sshd, damage: str | None) -> None:
    """`ssh-config --uninstall` works when laptop.toml can not be read any more, or is gone."""
    config = toml(tmp_path, desktop.toml("desktop"))
    home = ("env", f"HOME={tmp_path}")
    (tmp_path / ".ssh").mkdir()
    users = tmp_path / ".ssh" / "config"
    users.write_bytes(b"Host *\r\n    User bob")
    assert typed(config, "ssh-config", "--install", prefix=home)[0] == 0
    assert users.read_bytes().startswith(b"# From ipwatch")
    config.unlink()
    if damage is not None:
        config.write_text(damage)
    assert typed(config, "ssh-config", "--uninstall", prefix=home) == (0, "ssh is as it was before\n")
    assert list((tmp_path / ".ssh").iterdir()) == [users]
    assert users.read_bytes() == b"Host *\r\n    User bob"


def test_up_without_a_host(tmp_path: Path) -> None:
    """What is missing is named, and nothing that may be left out."""
    status, text = typed(tmp_path / "laptop.toml", "up")
    assert (status, text.splitlines()[-1]) == (2, "ipwatch up: error: the following arguments are required: HOST")


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize(("engine", "never"), [("paramiko", ()), ("openssh", ("paramiko", "cryptography"))])
def test_what_a_tunnel_does_not_load(tmp_path: Path, desktop: Sshd, engine: str, never: tuple[str, ...]) -> None:
    """The helper loads nothing of the service's, of paramiko's only what it uses, and with the system's ssh none."""
    config = toml(tmp_path, desktop.toml("desktop", f'engine = "{engine}"'))
    command = [sys.executable, "-X", "importtime", "-m", "ipwatch", "--config", str(config), "up", "desktop"]
    log = tmp_path / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, stderr=out, stdin=subprocess.DEVNULL)
        try:
            assert wait(lambda: b"desktop: up at" in log.read_bytes() or process.poll() is not None, 30)
        finally:
            process.terminate()
            assert process.wait(15) == 0, log.read_text()
    loaded = {row.rpartition("|")[2].strip().partition(".")[0] for row in log.read_text().splitlines() if "|" in row}
    assert "ipwatch" in loaded
    heavy = {"apscheduler", "aiosmtplib", "starlette", "sqlite3", "msgspec", *never}
    assert loaded & heavy == set()
    assert not loaded & {"asyncio", "unittest"}  # what paramiko's reader of ssh_config brings along


def test_what_the_service_does_not_load() -> None:
    """The container has no SSH."""
    code = "import sys, ipwatch.service.main, ipwatch.cli.work; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=WITHIN, check=True)
    assert not {name.partition(".")[0] for name in done.stdout.split()} & {"paramiko", "cryptography", "wakeonlan"}


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_sigterm_at_a_question(tmp_path: Path, desktop: Sshd) -> None:
    """A command that waits for an answer can be ended, and has then changed nothing."""
    config = toml(tmp_path, desktop.toml("desktop", pinned=False))
    own, theirs = pty.openpty()
    command = [sys.executable, "-m", "ipwatch", "--config", str(config), "trust", "desktop"]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    text = b""
    try:
        while b"[y/N]" not in text and select.select([own], [], [], 30)[0]:
            text += os.read(own, 4096)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == int(Kind.NOT_PINNED), text
    finally:
        process.kill()
        process.wait(5)
        os.close(own)
        os.close(theirs)
    assert not (tmp_path / "state" / "known_hosts").exists()


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_sigterm_at_a_passphrase(tmp_path: Path, desktop: Sshd) -> None:
    """A tunnel that is ended while it asks ends as any other: nobody says that the host refused."""
    key = make_key(tmp_path / "locked", passphrase="geheim")
    with (desktop.folder / "authorized_keys").open("a") as file:
        file.write(Path(f"{key}.pub").read_text())
    config = toml(tmp_path, desktop.toml("desktop").replace(str(desktop.identity), str(key)))
    own, theirs = pty.openpty()
    command = [sys.executable, "-m", "ipwatch", "--config", str(config), "up", "desktop"]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    text = b""
    try:
        while b"Passphrase" not in text and select.select([own], [], [], 30)[0]:
            text += os.read(own, 4096)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0, text
        while select.select([own], [], [], 0.2)[0]:
            text += os.read(own, 4096)
    finally:
        process.kill()
        process.wait(5)
        os.close(own)
        os.close(theirs)
    assert b"let you in" not in text
