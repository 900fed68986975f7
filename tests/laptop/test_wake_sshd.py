"""Waking with real SSH servers: the one that wakes, and the one that is woken."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ipwatch.cli import main
from ipwatch.core.candidate import Spot
from ipwatch.core.trouble import Kind
from ipwatch.laptop.wake import send_to_sleep, send_wake, wake_unless_up
from ipwatch.laptop.ways import way_of
from ipwatch.protocols.magic_packet import is_for
from ipwatch.settings.laptop_model import Host, Wake
from tests.fakes.laptop_world import laptop_world, said
from tests.fakes.sleeper import DIRECT, MAC, LoopbackWaker, NoInterfaces, desktop, trouble_of
from tests.fakes.sshd import Sshd, make_key
from tests.fakes.waiting import wait

Typed = Callable[..., tuple[int, str, str]]
ALLOW = (
    "allow it there in /etc/sudoers.d/ipwatch (mode 0440): "
    "{user} ALL=(root) NOPASSWD: /usr/syno/sbin/synonet --wake aa\\:bb\\:cc\\:dd\\:ee\\:0f eth0"
)


@pytest.fixture
def waker() -> Iterator[LoopbackWaker]:
    """A waker whose packets stay here."""
    with LoopbackWaker() as made:
        yield made


@pytest.fixture
def nas(tmp_path: Path) -> Iterator[Sshd]:
    """A host that forbids forwarding, as DSM does. (At its usual level the log goes to the commands' output, too.)"""
    server = Sshd(tmp_path / "nas", forwarding=False)
    server.config.write_text(server.config.read_text().replace("LogLevel DEBUG1", "LogLevel VERBOSE"))
    try:
        yield server.start()
    finally:
        server.stop()


def host_of(server: Sshd, name: str, **more: Any) -> Host:
    """A [[host]] that is found there."""
    return Host(name, server.user, server.port, names=("127.0.0.1",), identity=(server.identity,), keys=server.keys,
                **more)  # fmt: skip


def script(folder: Path, name: str, text: str) -> Path:
    """A program there."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_through_the_nas(tmp_path: Path, nas: Sshd) -> None:
    """The NAS is proved and logged in to, and runs its command with the MAC address filled in; nothing is forwarded."""
    synonet = script(tmp_path, "synonet", f'printf "%s\\n" "$@" > {tmp_path}/argv')
    host = desktop(Wake("nas", f"{synonet} --wake {{mac}} eth0 {{mac_plain}} {{host}} {{broadcast}} {{else}}"))
    world = laptop_world(tmp_path, host_of(nas, "nas"), host)
    assert send_wake(world, host) == "magic packet sent through nas"
    told = (tmp_path / "argv").read_text().split()
    assert told == ["--wake", MAC, "eth0", "aabbccddee0f", "desktop", "255.255.255.255", "{else}"]
    assert "direct-tcpip" not in nas.said()


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("sudo -n /usr/syno/sbin/synonet --wake {mac} eth0", f"sudo: a password is required; {ALLOW}"),
        ("no-such-synonet --wake {mac}", "; write its full path (/usr/syno/sbin/synonet)"),
        ("exit 3", "it ended with status 3 without a word"),
    ],
)  # fmt: skip
def test_through_the_nas_fails(tmp_path: Path, nas: Sshd, command: str, said: str) -> None:
    """A command that fails is told with the first line it wrote and the remedy."""
    script(tmp_path, "sudo", 'echo "sudo: a password is required" >&2; exit 1')
    nas.stop()
    nas.config.write_text(nas.config.read_text() + f"SetEnv PATH={tmp_path}:/usr/bin:/bin\n")
    nas.start()
    host = desktop(Wake("nas", command))
    world = laptop_world(tmp_path, host_of(nas, "nas"), host)
    kind, text = trouble_of(lambda: send_wake(world, host))
    assert (kind, text.startswith("desktop can not be woken through nas: ")) == (Kind.WAKE_FAILED, True)
    assert said.replace("{user}", nas.user) in text


def test_nas_is_gone(tmp_path: Path, nas: Sshd) -> None:
    """A NAS that can not be found, or does not let one in, is named as the reason."""
    host = desktop(Wake("nas", "true"))
    other = host_of(nas, "nas")._replace(identity=(make_key(tmp_path / "other"),))
    kind, text = trouble_of(lambda: send_wake(laptop_world(tmp_path, other, host), host))
    assert (kind, f"nas does not let {nas.user} in" in text) == (Kind.WAKE_FAILED, True)
    nas.stop()
    kind, text = trouble_of(lambda: send_wake(laptop_world(tmp_path, other, host), host))
    assert (kind, text.startswith("desktop can not be woken through nas: ")) == (Kind.WAKE_FAILED, True)


@contextmanager
def sleeping(server: Sshd, waker: LoopbackWaker, *, after: float) -> Iterator[None]:
    """The server starts so many seconds after a magic packet for it has come, and not before."""
    woken, ended = threading.Event(), threading.Event()

    def sleep() -> None:
        waker.sock.settimeout(0.2)
        while not ended.is_set():
            try:
                if is_for(waker.sock.recv(2000), MAC) and not woken.is_set():
                    woken.set()
                    ended.wait(after)
                    server.start()
            except TimeoutError:
                continue

    thread = threading.Thread(target=sleep)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(20)
        server.stop()


def test_sleeping_host(tmp_path: Path, waker: LoopbackWaker) -> None:
    """A host at whose port nothing listens is woken, watched and proved; sshd sees just the connection for it."""
    server = Sshd(tmp_path / "desktop")
    host = host_of(server, "desktop", mac=MAC, wake=DIRECT)
    world = laptop_world(tmp_path, host, waker=waker, interfaces=NoInterfaces())
    with sleeping(server, waker, after=1):
        finding, woken = wake_unless_up(world, host)
        finding.session.close()
        assert (woken, finding.candidate.spot) == (True, Spot("127.0.0.1", server.port))
        assert server.said().count("Connection from") == 1
        assert server.user not in server.said().split("Connection from")[1]
    stages = ("desktop's port is open", "an SSH server answers at desktop's port", "desktop shows its pinned key")
    places = [said(world).find(f"{stage} after ") for stage in stages]
    assert -1 < places[0] < places[1] < places[2], said(world)
    assert len(world.memory.boots("desktop")) == 1


def test_sleep(tmp_path: Path, nas: Sshd) -> None:
    """The sleep command is run; a connection that drops with it is what was wanted; a failure is told."""
    done = tmp_path / "done"
    world = laptop_world(tmp_path)

    def slept(command: str) -> str:
        host = host_of(nas, "nas", sleep=command)
        return send_to_sleep(replace(world, settings=world.settings._replace(hosts={"nas": host})), host)

    assert slept(f"touch {done}") == "goes to sleep"
    assert done.exists()
    assert slept("kill -9 $PPID; sleep 5") == "goes to sleep"
    kind, text = trouble_of(lambda: slept("echo 'Access denied' >&2; exit 1"))
    assert (kind, text) == (Kind.NOT_WELL, "nas does not sleep: Access denied")
    kind, text = trouble_of(lambda: slept(""))
    assert kind is Kind.CONFIGURATION
    assert text == 'no sleep command is configured for nas: add sleep = "sudo -n systemctl suspend"'


def test_on_lan(tmp_path: Path, nas: Sshd) -> None:
    """The NAS is asked whether the host answers in its own network; without the means it says no."""
    nas.stop()
    nas.config.write_text(nas.config.read_text() + f"SetEnv PATH={tmp_path}:/bin:/usr/bin\n")
    nas.start()
    host = desktop(Wake("nas", "true"), lan=Spot("192.168.1.20", 22))
    world = laptop_world(tmp_path, host_of(nas, "nas"), host)
    script(tmp_path, "ping", "exit 1")
    script(
        tmp_path,
        "ip",
        f'[ "$1 $2 $3" = "neigh show 192.168.1.20" ] && echo "$3 dev eth0 lladdr {MAC} $(cat {tmp_path}/neighbour)"',
    )
    with way_of(world, host) as way:
        seen = []
        for state in ("STALE", "REACHABLE"):
            (tmp_path / "neighbour").write_text(state)
            seen.append(way.on_lan())
        script(tmp_path, "ip", "exit 1")
        seen.append(way.on_lan())
        script(tmp_path, "ping", "exit 0")
        seen.append(way.on_lan())
        nas.end_sessions()
        nas.stop()
        seen.append(way.on_lan())
    assert seen == [False, True, False, True, False]
    with way_of(world, host._replace(lan=None)) as way:
        assert not way.on_lan()


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    """Types a command in a folder of its own; exit status, standard output, standard error (of faults)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IPWATCH_LAPTOP_STATE", str(tmp_path / "laptop-state"))
    before = signal.getsignal(signal.SIGTERM)

    def run(*words: str) -> tuple[int, str, str]:
        try:
            status = main(words)
        finally:
            signal.signal(signal.SIGTERM, before)
        out, err = capsys.readouterr()
        return status, out, err

    return run


def test_typed(tmp_path: Path, nas: Sshd, typed: Typed) -> None:
    """`ipwatch wake --wait` shows the stages as lines in a pipe and ends when the host is proved; the second time it is
    up already; `ipwatch sleep` runs its command; each fault has its exit status."""
    server, woken = Sshd(tmp_path / "desktop"), tmp_path / "woken"
    more = f'lan = "127.0.0.1:{server.port}"\nmac = "{MAC}"\nsleep = "exit 7"\n'
    wake = f'wake = {{ via = "nas", command = "touch {woken}", takes = "60s" }}\n'
    nas_toml = nas.toml("nas", f'lan = "127.0.0.1:{nas.port}"\nsleep = "true"\n')
    (tmp_path / "laptop.toml").write_text(nas_toml + server.toml("desktop", more + wake))

    def boot() -> None:
        if wait(woken.exists, 60):
            server.start()

    thread = threading.Thread(target=boot)
    thread.start()
    try:
        environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        done = subprocess.run([sys.executable, "-m", "ipwatch", "wake", "desktop", "--wait"], capture_output=True,
                              text=True, timeout=90, env=environ, check=False)  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(f"desktop: is up at 127.0.0.1:{server.port}, ")
        lines = ["desktop: magic packet sent through nas", "desktop: port closed, ", "desktop's port is open after ",
                 "an SSH server answers at desktop's port after ", "desktop shows its pinned key after "]  # fmt: skip
        assert [line for line in lines if f"\n{line}" not in f"\n{done.stderr}"] == []
        status, out, _ = typed("wake", "desktop", "--wait")
        assert (status, out) == (0, f"desktop: is up already, at 127.0.0.1:{server.port}\n")
        status, out, _ = typed("wake", "desktop", "--wait", "--json")
        told = json.loads(out)
        assert (status, told["woken"], told["port"]) == (0, False, server.port)
        sent = {"host": "desktop", "sent": "magic packet sent through nas"}
        assert json.loads(typed("wake", "desktop", "--json")[1]) == sent
        assert typed("sleep", "nas")[:2] == (0, "nas: goes to sleep\n")
        status, out, err = typed("sleep", "desktop")
        assert (status, out, err[:32]) == (1, "", "ipwatch: desktop does not sleep:")
        assert [typed("wake", name)[0] for name in ("nas", "attic")] == [2, 2]
    finally:
        woken.touch()
        thread.join(30)
        server.stop()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[host]]\nname = "desktop"\nmac = "aa:bb"\n', "MAC address"),
        ('[[host]]\nname = "desktop"\naddress = "192.168.1.20"\n', "MAC address"),
        ('[[host]]\nname = "attic"\nmac = "aa:bb:cc:dd:ee:0f"\n', "no host is called desktop"),
        ('host = ["desktop"]\n', "name"),
        ("host = 3\n", "name"),
    ],
)  # fmt: skip
def test_of_the_service(tmp_path: Path, typed: Typed, text: str, said: str) -> None:
    """Without a laptop.toml the service's hosts can be woken; what is wrong with them there is told with its place."""
    (tmp_path / "ipwatch.toml").write_text(text)
    status, out, err = typed("wake", "desktop")
    assert (status, out, said in err, "ipwatch.toml" in err) == (2, "", True, True)


def test_of_nobody(typed: Typed) -> None:
    """Where there is neither file, as in a container that has its settings from variables, both are named."""
    status, out, err = typed("wake", "desktop")
    assert (status, out, "laptop.toml" in err, "ipwatch.toml" in err) == (2, "", True, True)
