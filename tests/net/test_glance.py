"""net.glance beside real OpenSSH servers, and beside everything else that can listen on a port."""

import socket
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from paramiko.kex_mlkem import KexMLKEM768X25519

from ipwatch.core.host import HostKey
from ipwatch.core.ssh_faults import NotSsh
from ipwatch.net.glance import shown_key, shown_keys
from tests.fakes.paramiko_server import ParamikoServer, Rules
from tests.fakes.ssh_shows import frame, kexinit, server, shows, string
from tests.fakes.sshd import Sshd, connected, sshd
from tests.fakes.waiting import wait

LONG = timedelta(seconds=20)
SHORT = timedelta(seconds=0.5)
KINDS = ("ed25519", "ecdsa", "rsa")


def dialled(at: tuple[str, int]) -> socket.socket:
    return socket.create_connection(at, 5)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> "Sshd":
    with sshd(tmp_path_factory.mktemp("sshd"), kinds=KINDS) as running:
        yield running


@pytest.mark.real
def test_all_keys_of_a_real_server(host: Sshd) -> None:
    """Every type a real sshd has is collected, one connection a type, and no attempt to log in stands in its log."""
    before = len(host.said())
    assert shown_keys(lambda: connected(host), LONG) == host.keys
    assert wait(lambda: host.said(before).count("Connection closed by") == len(KINDS))
    log = host.said(before)
    assert log.count("Connection from") == len(KINDS)
    assert "userauth" not in log


@pytest.mark.real
@pytest.mark.parametrize("number", range(len(KINDS)))
def test_the_wanted_type_of_a_real_server(host: Sshd, number: int) -> None:
    """The type one asks for is the type one sees."""
    key = host.keys[number]
    assert shown_key(connected(host), (key.kind,), LONG) == key


@pytest.mark.real
def test_a_type_the_server_has_not(host: Sshd) -> None:
    """A server without the wanted type shows another key, so that it is known for a stranger."""
    assert shown_key(connected(host), ("ecdsa-sha2-nistp521",), LONG) in host.keys


@pytest.mark.real
@pytest.mark.parametrize(
    "exchange", ["curve25519-sha256@libssh.org", "ecdh-sha2-nistp256", "ecdh-sha2-nistp384", "ecdh-sha2-nistp521",
                 "diffie-hellman-group14-sha256", "diffie-hellman-group18-sha512",
                 "diffie-hellman-group-exchange-sha256", "sntrup761x25519-sha512@openssh.com"],
)  # fmt: skip
def test_servers_that_know_one_exchange_only(tmp_path: Path, exchange: str) -> None:
    """Hardened and old servers, which allow a single key exchange, take our public value for good."""
    with sshd(tmp_path, options=f"KexAlgorithms {exchange}") as running:
        assert shown_key(connected(running), (), LONG) == running.keys[0]


@pytest.mark.real
def test_a_server_that_is_full(tmp_path: Path) -> None:
    """A server that turns connections away says so, and its words are passed on."""
    with sshd(tmp_path, options="MaxStartups 1") as running, connected(running) as first:
        assert first.recv(100).startswith(b"SSH-2.0-")
        with pytest.raises(NotSsh, match=r"closes the connection"):
            shown_key(connected(running), (), LONG)


def silent(client: socket.socket) -> None:
    while client.recv(4096):
        pass


def closes(_client: socket.socket) -> None:
    return


def resets(client: socket.socket) -> None:
    time.sleep(0.1)  # the client's connect has come back by then
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def http(client: socket.socket) -> None:
    client.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")


def stops(client: socket.socket) -> None:
    client.sendall(b"SSH-2.0-x\r\n" + frame(kexinit(["ssh-ed25519"])))
    silent(client)


def drips(client: socket.socket) -> None:
    while True:
        client.sendall(b".")
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("serve", "clause"),
    [
        (silent, "^it says nothing$"),
        (closes, "^it closes the connection at once$"),
        (resets, "^it closes the connection at once$"),
        (http, "^it speaks HTTP$"),
        (stops, "^it stops in the middle of the key exchange$"),
        (drips, r'^it says "\.+" and waits$'),
    ],
)
def test_what_is_no_server(serve: Callable[[socket.socket], None], clause: str) -> None:
    """Silence, a closed or reset connection, another protocol and a server that stops are told within the deadline,
    and the socket is closed."""
    with server(serve) as at:
        sock = dialled(at)
        with pytest.raises(NotSsh, match=clause):
            shown_key(sock, (), SHORT)
        assert sock.fileno() == -1


def test_no_time_at_all() -> None:
    """A deadline that is over is silence, too."""
    with server(silent) as at, pytest.raises(NotSsh, match="says nothing"):
        shown_key(dialled(at), (), timedelta())


def test_a_key_nobody_holds_is_shown_all_the_same() -> None:
    """What is seen proves nothing: a key without a signature is shown, too."""
    key = HostKey("ssh-ed25519", string(b"ssh-ed25519") + string(bytes(32)))
    with server(shows(key)) as at:
        assert shown_key(dialled(at), (), LONG) == key


def test_nothing_heavy_is_imported() -> None:
    """The look needs the standard library only: `ipwatch proxy` waits for it."""
    code = "import sys, ipwatch.net.glance; print(*[m for m in sys.modules if '.' not in m])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"msgspec", "paramiko", "dns", "requests", "asyncio"} & set(run.stdout.split())


@pytest.mark.skipif(not KexMLKEM768X25519.is_available(), reason="this cryptography has no ML-KEM")
def test_a_server_with_the_newest_exchange_only() -> None:
    """A server that allows ML-KEM alone takes our public value for good; random bytes it would refuse."""
    with ParamikoServer(Rules("none"), kex=KexMLKEM768X25519.name) as running:
        assert shown_key(dialled(("127.0.0.1", running.port)), (), LONG) == running.keys[0]
