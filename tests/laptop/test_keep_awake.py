"""The keep-awake lease against a real sshd whose PATH holds a systemd-inhibit that records what it is told."""

import os
import shutil
import signal
import socket
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ipwatch.core.forward import Forward, Sort, Target
from ipwatch.core.lease import EVERY
from ipwatch.laptop.lease import Keeper, kept_awake
from ipwatch.laptop.supervisor import Supervisor
from ipwatch.net.clock import SystemClock
from ipwatch.ports import Refused, Unreachable
from ipwatch.settings.laptop_model import Host
from tests.fakes.laptop_world import laptop_world, said
from tests.fakes.links import PlainLink
from tests.fakes.ports import free_port
from tests.fakes.ssh_tools import echo, linked, serving
from tests.fakes.sshd import Sshd, sshd
from tests.fakes.waiting import wait

ASKED = '--what=idle --who=ipwatch --why="a tunnel is in use" --mode=block'.replace('"', "")
NONE = "it has neither systemd-inhibit (Linux with systemd) nor caffeinate (macOS)"


class Hands(SystemClock):
    """A monotonic clock moved by hand."""

    at = timedelta()

    def monotonic(self) -> timedelta:
        return self.at


def program(folder: Path, name: str, text: str) -> None:
    """A program there."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Sshd]:
    """The host, with programs of its own before the system's."""
    server = Sshd(tmp_path / "there", options=f"SetEnv PATH={tmp_path / 'bin'}:/bin:/usr/bin")
    server.config.write_text(server.config.read_text().replace("LogLevel DEBUG1", "LogLevel VERBOSE"))
    program(tmp_path / "bin", "systemd-inhibit", f'echo "$*" >> {tmp_path}/argv')
    try:
        yield server.start()
    finally:
        server.stop()


def host_of(server: Sshd, **more: Any) -> Host:
    return Host("desktop", server.user, server.port, names=("127.0.0.1",), identity=(server.identity,),
                keys=server.keys, **({"keep_awake": True} | more))  # fmt: skip


def held(folder: Path) -> list[str]:
    """What systemd-inhibit was told, call by call."""
    path = folder / "argv"
    return path.read_text().splitlines() if path.exists() else []


def test_only_while_used(tmp_path: Path, there: Sshd) -> None:
    """A hold of ten minutes is taken when a connection is carried, again after five minutes while it is, and again
    on a new link; none before, none after."""
    clock, counts = Hands(), [0, 0, 0]
    world = laptop_world(tmp_path, clock=clock)
    keeper = Keeper(world, host_of(there), lambda: (counts[0], counts[1], counts[2]))
    keeper.look()  # no link yet
    with linked(there) as link:
        keeper.came(link)
        keeper.look()
        assert held(tmp_path) == []
        counts[:] = [1, 0, 1]
        keeper.look()
        assert wait(lambda: held(tmp_path) == [f"{ASKED} true", f"{ASKED} sleep 600"])
        clock.at += EVERY / 2
        keeper.look()
        clock.at += EVERY / 2
        keeper.look()
        assert wait(lambda: len(held(tmp_path)) == 4)
        keeper.came(link)
        keeper.look()
        assert wait(lambda: len(held(tmp_path)) == 6)
        counts[:] = [0, 0, 1]
        clock.at += EVERY
        keeper.look()
    assert len(held(tmp_path)) == 6
    assert said(world) == ""


def test_detached(tmp_path: Path, there: Sshd) -> None:
    """The hold outlives its command and its connection; nothing there has to be ended by us."""
    program(tmp_path / "bin", "systemd-inhibit", f"case $* in *sleep*) echo $$ > {tmp_path}/pid; exec sleep 60;; esac")
    world = laptop_world(tmp_path)
    keeper = Keeper(world, host_of(there), lambda: (1, 0, 1))
    with linked(there) as link:
        keeper.came(link)
        keeper.look()
    there.end_sessions()
    assert wait(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip())
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)  # raises if it had ended
    assert said(world) == ""


def test_refused_is_told_once(tmp_path: Path, there: Sshd) -> None:
    """Where the system refuses, or has no program for it, that is said once, with its own words."""
    program(tmp_path / "bin", "systemd-inhibit", 'echo "Failed to inhibit: Access denied" >&2; exit 1')
    clock = Hands()
    world = laptop_world(tmp_path, clock=clock)
    keeper = Keeper(world, host_of(there), lambda: (1, 0, 1))
    with linked(there) as link:
        keeper.came(link)
        for _ in range(3):
            keeper.look()
            clock.at += EVERY
    why = "desktop is not kept awake: the system there refuses it: Failed to inhibit: Access denied\n"
    assert said(world) == why


def test_gnome_has_its_own(tmp_path: Path) -> None:
    """GNOME asks its session manager alone: with somebody logged in at the screen a hold is taken there, too, and
    one of the two is enough."""
    record = f'echo "$DBUS_SESSION_BUS_ADDRESS $*" >> {tmp_path}/gnome'
    program(tmp_path / "bin", "gnome-session-inhibit", record)
    program(tmp_path / "bin", "systemd-inhibit", "echo no >&2; exit 1")
    options = f"SetEnv PATH={tmp_path / 'bin'}:/bin:/usr/bin XDG_RUNTIME_DIR={tmp_path}"
    world = laptop_world(tmp_path)
    with sshd(tmp_path / "there", options=options) as there, socket.socket(socket.AF_UNIX) as bus:
        keeper = Keeper(world, host_of(there), lambda: (1, 0, 1))
        with linked(there) as link:
            keeper.came(link)
            bus.bind(f"{tmp_path}/bus")
            keeper.look()
            assert wait(lambda: len((tmp_path / "gnome").read_text().splitlines()) == 2)
    words = f"unix:path={tmp_path}/bus --app-id ipwatch --reason a tunnel is in use --inhibit suspend"
    assert (tmp_path / "gnome").read_text().splitlines() == [f"{words} true", f"{words} sleep 600"]
    assert said(world) == ""


@pytest.mark.parametrize("mac", [True, False])
def test_other_systems(tmp_path: Path, mac: bool) -> None:
    """A Mac has caffeinate; where there is nothing of the kind, that is told."""
    (tmp_path / "bin").mkdir()
    for name in ("sh", "id", "nohup"):
        (tmp_path / "bin" / name).symlink_to(shutil.which(name) or "")
    if mac:
        program(tmp_path / "bin", "caffeinate", f'echo "$*" >> {tmp_path}/argv')
    world = laptop_world(tmp_path)
    with sshd(tmp_path / "there", options=f"SetEnv PATH={tmp_path / 'bin'}") as there:
        keeper = Keeper(world, host_of(there), lambda: (1, 0, 1))
        with linked(there) as link:
            keeper.came(link)
            keeper.look()
            assert not mac or wait(lambda: held(tmp_path) == ["-i -t 600"])
    assert said(world) == ("" if mac else f"desktop is not kept awake: {NONE}\n")


@pytest.mark.parametrize(("command", "why"), [("touch {}/done", ""), ("echo no >&2; exit 4", "its command fails: no")])
def test_a_command_of_ones_own(tmp_path: Path, there: Sshd, command: str, why: str) -> None:
    """It is run in place of the system's; that it fails is told."""
    world = laptop_world(tmp_path)
    keeper = Keeper(world, host_of(there, keep_awake=command.format(tmp_path)), lambda: (1, 0, 1))
    with linked(there) as link:
        keeper.came(link)
        keeper.look()
    assert held(tmp_path) == []
    assert (tmp_path / "done").exists() is (not why)
    assert said(world) == (f"desktop is not kept awake: {why}\n" if why else "")


class Mute(PlainLink):
    """A link whose commands end in an error."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def run(self, *_: Any, **__: Any) -> tuple[int, bytes, bytes]:
        raise self.error


@pytest.mark.parametrize(
    ("error", "first", "second"),
    [
        (Unreachable("the command did not end within 20 s", sent=True), "", "the command did not end within 20 s"),
        (Refused("no commands for you"), "it runs no commands: no commands for you", "it runs no commands: "),
    ],
)
def test_a_lost_line_is_no_fault_of_the_lease(tmp_path: Path, error: Exception, first: str, second: str) -> None:
    """A command that does not end may be the line's loss, which is told elsewhere: only the second is told."""
    clock = Hands()
    world = laptop_world(tmp_path, clock=clock)
    keeper = Keeper(world, Host("desktop", keep_awake=True), lambda: (1, 0, 1))
    keeper.came(Mute(error))
    keeper.look()
    assert said(world) == (f"desktop is not kept awake: {first}\n" if first else "")
    clock.at += EVERY
    keeper.look()
    assert second in said(world)


def test_the_tunnel_takes_it(tmp_path: Path, there: Sshd) -> None:
    """With keep_awake a connection through the tunnel keeps the host awake; without it nothing is run there."""
    with serving(echo) as target:
        for host in (host_of(there, keep_awake=False), host_of(there)):
            port = free_port()
            world = laptop_world(tmp_path, host)
            supervisor = Supervisor(world, host, [Forward("x", Sort.LOCAL, "", port, Target("127.0.0.1", target.port))])
            with kept_awake(world, host, supervisor):
                supervisor.start()
                try:
                    supervisor.link(timedelta(seconds=15))
                    assert supervisor.counts == (0, 0, 0)
                    with socket.create_connection(("127.0.0.1", port), 5) as sock:
                        sock.sendall(b"x")
                        assert sock.recv(1) == b"x"
                        assert supervisor.counts[0] == 1
                        assert not host.keep_awake or wait(lambda: len(held(tmp_path)) == 2)
                finally:
                    supervisor.stop()
            world.http.close()  # type: ignore[attr-defined]
            assert bool(held(tmp_path)) is bool(host.keep_awake)
    assert not [one.name for one in threading.enumerate() if one.name.startswith("lease")]
