"""ssh, scp, sftp, rsync and git through the installed configuration, while the house's address moves."""

import hashlib
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ipwatch.laptop.sshconfig import Installation
from ipwatch.settings.laptop_load import load
from tests.fakes.named import needs
from tests.fakes.ports import free_port
from tests.fakes.sshd import Sshd, make_key

pytestmark = pytest.mark.real
OLD, NEW = "127.0.0.2", "127.0.0.3"


class Street:
    """The desktop, first at the old address and then at the new one; then a neighbour with another key is at the old.

    Nothing names the new address but [home]: what proved itself before is the old one.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        identity = make_key(folder / "identity")
        self.desktop = Sshd(folder / "desktop", ip=OLD, port=self.port, identity=identity)
        self.neighbour = Sshd(folder / "neighbour", ip=OLD, port=self.port, identity=identity)
        self.toml = folder / "it's a 50% folder" / "laptop.toml"
        self.toml.parent.mkdir()
        self.installed = Installation(folder, own=False)
        self.env = {name: value for name, value in os.environ.items() if not name.startswith(("SSH_", "GIT_"))}

    def begin(self) -> "Street":
        self.desktop.start()
        self.configure(OLD)
        self.installed.install(load(str(self.toml), {}, self.folder))
        assert self.run("ssh", "desktop", "true").returncode == 0
        return self

    def move(self) -> None:
        """The address changes and the neighbour gets the old one."""
        self.desktop.stop()
        self.desktop = Sshd(self.folder / "desktop", ip=NEW, port=self.port, identity=self.desktop.identity).start()
        self.neighbour.start()
        self.configure(NEW)
        for seen in (self.toml.parent / "state").glob("seen-*"):  # a while ago
            lines = [line.split() for line in seen.read_text().splitlines()]
            seen.write_text("".join(f"{float(at) - 60} {ip} {port}\n" for at, ip, port in lines))

    def configure(self, ip: str) -> None:
        self.toml.write_text(f'[home]\nnames = ["{ip}"]\n[state]\npath = "state"\n{self.desktop.toml("desktop")}')

    def run(self, program: str, *words: str, options: tuple[str, ...] = (), text: bool = True,
            stdin: str | None = None) -> "subprocess.CompletedProcess[str]":  # fmt: skip
        """The program with the installed configuration. Its output goes to files: no background process holds it."""
        ssh = [needs("ssh"), "-F", str(self.installed.config), *options]
        env = {**self.env, "GIT_SSH_COMMAND": " ".join(ssh)}
        match program:
            case "ssh":
                command = [*ssh, *words]
            case "scp" | "sftp":
                command = [needs(program), "-q", "-F", str(self.installed.config), *options, *words]
            case "rsync":
                command = [needs("rsync"), "-e", " ".join(ssh), *words]
            case _:
                command = [needs(program), *words]
        out, err = self.folder / "out", self.folder / "err"
        with out.open("wb") as output, err.open("wb") as error, (self.folder / "in").open("w+") as given:
            given.write(stdin or "")
            given.seek(0)
            done = subprocess.run(command, stdin=given, stdout=output, stderr=error, timeout=60, env=env, check=False)
        return subprocess.CompletedProcess(command, done.returncode, out.read_text("utf-8", "replace"), err.read_text())

    def no_name_reached_the_neighbour(self) -> bool:
        """Somebody was there and left before the authentication, whose first message has the user's name."""
        log = self.neighbour.said()
        return "Connection from" in log and "userauth" not in log and "[preauth]" in log

    def stop(self) -> None:
        self.desktop.stop()
        self.neighbour.stop()


@pytest.fixture
def street(tmp_path: Path) -> Iterator[Street]:
    made = Street(tmp_path)
    try:
        yield made.begin()
    finally:
        made.stop()


NO_FDPASS = ("-o", "ProxyUseFdpass=no")


@pytest.mark.parametrize("options", [(), NO_FDPASS], ids=["fdpass", "bytes"])
def test_every_tool_follows_the_address(street: Street, options: tuple[str, ...]) -> None:
    """After a move ssh, scp, sftp, rsync and git reach the desktop, whose old address now belongs to a neighbour; no
    user name is ever sent there, and files arrive whole."""
    street.move()
    folder = street.folder
    data = os.urandom(1 << 20) * 50
    (folder / "big").write_bytes(data)
    (folder / "small").write_bytes(data[: 1 << 20])

    done = street.run("ssh", "desktop", "echo here; exit 7", options=options)
    assert (done.returncode, done.stdout) == (7, "here\n"), done.stderr
    assert f"another machine is at {OLD}:{street.port}" in done.stderr
    done = street.run("scp", str(folder / "big"), f"desktop:{folder}/by scp", options=options)
    assert done.returncode == 0, done.stderr
    assert hashlib.sha256((folder / "by scp").read_bytes()).digest() == hashlib.sha256(data).digest()
    done = street.run(
        "sftp", "-b", "-", "desktop", options=options, stdin=f'get "{folder}/by scp" "{folder}/by sftp"\n'
    )
    assert done.returncode == 0, done.stderr
    assert (folder / "by sftp").read_bytes() == data
    done = street.run("rsync", str(folder / "small"), f"desktop:{folder}/rsynced", options=options)
    assert done.returncode == 0, done.stderr
    assert (folder / "rsynced").read_bytes() == data[: 1 << 20]

    git = ("git", "-c", "user.name=a", "-c", "user.email=a@example.org", "-C", str(folder / "clone"))
    assert street.run("git", "init", "-q", "--bare", str(folder / "bare")).returncode == 0
    done = street.run("git", "clone", "-q", f"desktop:{folder}/bare", str(folder / "clone"), options=options)
    assert done.returncode == 0, done.stderr
    assert street.run(*git, "commit", "-q", "--allow-empty", "-m", "first").returncode == 0
    done = street.run(*git, "push", "-q", "origin", "HEAD:refs/heads/main", options=options)
    assert done.returncode == 0, done.stderr
    assert street.run("git", "-C", str(folder / "bare"), "rev-parse", "main").returncode == 0
    assert street.no_name_reached_the_neighbour(), street.neighbour.said()


def test_an_editor_s_way_in_works(street: Street) -> None:
    """What VS Code does, `ssh -T -o ConnectTimeout=15 HOST bash` with a script on standard input, works."""
    options = ("-T", "-o", "ConnectTimeout=15")
    done = street.run("ssh", "desktop", "bash", options=options, stdin="echo one; echo two >&2; exit 3\n")
    assert (done.returncode, done.stdout) == (3, "one\n")
    assert done.stderr.endswith("two\n")
    assert "ipwatch" not in done.stderr


def test_several_ssh_at_once_look_once(street: Street) -> None:
    """Six ssh that begin together after a move all get in; one looks for all: once, or a few times when it is slow."""
    street.move()
    offset = len(street.desktop.said().encode())
    command = [needs("ssh"), "-F", str(street.installed.config), "desktop", "echo in"]
    running = []
    for number in range(6):
        with (street.folder / f"out{number}").open("wb") as out:
            running.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=street.env))
    assert [process.wait(40) for process in running] == [0] * 6
    log = street.desktop.said(offset)
    assert 6 < log.count("Connection from") < 12
    assert log.count("Accepted publickey") == 6
    assert street.neighbour.said().count("Connection from") in {1, 2}


def test_a_neighbour_alone_is_no_way_in(street: Street) -> None:
    """When only a machine with another key answers, ssh ends with a sentence that says so, and no name was sent."""
    street.move()
    street.configure(OLD)
    street.desktop.stop()
    begun = time.monotonic()
    done = street.run("ssh", "desktop", "true")
    assert done.returncode == 255
    assert "another machine is at" in done.stderr
    assert "Traceback" not in done.stderr
    assert time.monotonic() - begun < 30
    assert street.no_name_reached_the_neighbour()
