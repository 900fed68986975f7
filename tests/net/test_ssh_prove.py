"""net.ssh: who answers, before any user name is sent."""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from ipwatch.core.candidate import Spot
from ipwatch.core.host import HostKey, Pins
from ipwatch.net.openssh import OpenSshProver
from ipwatch.net.ssh import ParamikoProver, algorithms
from ipwatch.ports import Unreachable
from ipwatch.ports.remote import NotSsh, Prover, Stranger
from tests.fakes.ssh_tools import LONG, gone, login_at, serving
from tests.fakes.sshd import Sshd, connected, make_key, sshd

pytestmark = pytest.mark.real
SOON = timedelta(seconds=0.5)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with sshd(tmp_path_factory.mktemp("sshd"), kinds=("ed25519", "ecdsa", "rsa")) as running:
        yield running


def a_key(folder: Path, kind: str = "ed25519") -> HostKey:
    return HostKey.parse(Path(f"{make_key(folder / kind, kind)}.pub").read_text())


@pytest.mark.parametrize("index", [0, 1, 2])
def test_a_pinned_key_of_any_type_proves_the_host(server: Sshd, index: int) -> None:
    """The pinned type is asked for, and the session can be logged in; RSA keys prove themselves with SHA-2."""
    session = ParamikoProver().prove(connected(server), Spot(server.ip, server.port), Pins((server.keys[index],)), LONG)
    assert session.key == server.keys[index]
    link = session.login(login_at(server), LONG)
    assert link.run("echo in", LONG)[:2] == (0, b"in\n")
    link.cut()
    gone()


def test_a_stranger_learns_no_user_name(tmp_path: Path) -> None:
    """A machine with another key is a Stranger; its log shows that no authentication was begun."""
    with sshd(tmp_path / "other") as stranger:
        with pytest.raises(Stranger) as caught:
            ParamikoProver().prove(connected(stranger), Spot("", 1), Pins((a_key(tmp_path),)), LONG)
        assert caught.value.key == stranger.keys[0]
        assert not caught.value.revoked
        time.sleep(0.3)
        said = stranger.said()
    assert "SSH2_MSG_NEWKEYS received" in said or "kex: " in said
    assert "userauth" not in said
    assert f"user {stranger.user}" not in said
    assert "ipwatch" in said
    gone()


def test_a_host_that_has_no_key_of_the_pinned_type_any_more_is_a_stranger(tmp_path: Path) -> None:
    """A pinned type that is not offered is a changed host: the key that is shown instead is told."""
    with sshd(tmp_path / "sshd", kinds=("ecdsa",)) as changed, pytest.raises(Stranger, match="ecdsa-sha2-nistp256"):
        ParamikoProver().prove(connected(changed), Spot("", 1), Pins((a_key(tmp_path),)), LONG)


def test_a_revoked_key_and_no_pins(server: Sshd) -> None:
    """A revoked key is told as such; without pins whatever is shown is a Stranger: so are keys collected."""
    with pytest.raises(Stranger, match="which is revoked"):
        ParamikoProver().prove(connected(server), Spot("", 1), Pins(server.keys, server.keys), LONG)
    with pytest.raises(Stranger) as caught:
        ParamikoProver().prove(connected(server), Spot("", 1), Pins(), LONG)
    assert caught.value.key == server.keys[0]


def test_the_pinned_types_come_first_and_sha1_never() -> None:
    """RSA is asked for with SHA-2 only."""
    assert algorithms(("ssh-rsa",))[:3] == ("rsa-sha2-512", "rsa-sha2-256", "ssh-ed25519")
    assert "ssh-rsa" not in algorithms(())
    assert algorithms(("sk-ssh-ed25519@openssh.com",)) == algorithms(())


def garbage(sock: socket.socket) -> None:
    sock.sendall(os.urandom(100_000))
    sock.recv(1)


def drip(sock: socket.socket) -> None:
    for _ in range(200):
        sock.sendall(b"S")
        time.sleep(0.02)


def half_way(sock: socket.socket) -> None:
    sock.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
    while sock.recv(4096):
        pass


@pytest.mark.parametrize(
    ("act", "fault", "clause"),
    [
        (lambda s: s.recv(1) and s.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"), NotSsh, "it speaks HTTP"),
        (lambda s: s.sendall(b"220 mail ESMTP\r\n") or s.recv(1), NotSsh, 'it says "220 mail ESMTP"'),
        (lambda s: s.sendall(b"220 no newline") or time.sleep(1), NotSsh, 'it says "220 no newline"'),
        (lambda s: s.sendall(b"x\r\n" * 200) or time.sleep(1), NotSsh, 'it is no SSH server: it says "x"'),
        (lambda s: s.sendall(b"SSH-1.5-old\r\n") or s.recv(1), NotSsh, "it speaks an old version of SSH"),
        (lambda s: s.sendall(b"Exceeded MaxStartups\r\n"), Unreachable, "it takes nobody at present"),
        (garbage, NotSsh, "it is no SSH server"),
        (drip, NotSsh, "it is no SSH server"),
        (lambda _s: time.sleep(1), NotSsh, "it says nothing"),
        (lambda _s: None, Unreachable, "it hung up without a word"),
        (half_way, Unreachable, r"it did not finish the key exchange within 0\.5 s"),
        (lambda s: s.sendall(b"SSH-2.0-x\r\n" + bytes(64)) or time.sleep(1), Unreachable, "a packet of 0 bytes"),
        (lambda s: s.sendall(b"SSH-2.0-x\r\n\0\0\0\x0c\x0b" + bytes(64)) or time.sleep(1), Unreachable, "key exchange"),
    ],
)  # fmt: skip
def test_what_is_no_ssh_server_is_named_in_time(act: Callable[[socket.socket], object], fault: type[Exception],
                                                clause: str) -> None:  # fmt: skip
    """Silence, other protocols, drips and garbage end in one clause within the deadline; no thread or socket stays."""
    with serving(lambda s: act(s) and None) as target:
        sock = socket.create_connection((target.host, target.port))
        began = time.monotonic()
        with pytest.raises(fault, match=clause):
            ParamikoProver().prove(sock, Spot(target.host, target.port), Pins(), SOON)
        assert time.monotonic() - began < 5
        assert sock.fileno() == -1
    gone()


@pytest.mark.parametrize("prover", [ParamikoProver(), OpenSshProver()], ids=["paramiko", "openssh"])
def test_the_version_of_ssh_is_told_before_there_is_a_key(server: Sshd, prover: Prover) -> None:
    """Once, also of a server that says nothing more; of what speaks no SSH, never."""

    def says_its_version(sock: socket.socket) -> None:
        sock.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
        sock.recv(4096)
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(4096):
            pass

    told: list[str] = []
    prover.prove(connected(server), Spot("", 1), Pins(server.keys), LONG, partial(told.append, "sshd")).close()
    for name, act in (("version", says_its_version), ("mail", lambda s: s.sendall(b"220 mail\r\n"))):
        with serving(act) as target:
            sock = socket.create_connection((target.host, target.port))
            with pytest.raises((NotSsh, Unreachable)):
                prover.prove(sock, Spot("", 1), Pins(), LONG, partial(told.append, name))
    assert told == ["sshd", "version"]
    gone()


@pytest.mark.parametrize(
    ("options", "clause"),
    [
        ("Ciphers chacha20-poly1305@openssh.com", "no cipher .* only chacha20-poly1305@openssh.com; engine = "),
        ("Ciphers aes128-ctr\nMACs hmac-sha1", "no MAC .* only hmac-sha1; "),
        (
            "KexAlgorithms sntrup761x25519-sha512@openssh.com",
            "no key exchange .* only sntrup761x25519-sha512@openssh.com;",
        ),
    ],
)
def test_a_server_with_nothing_in_common_is_named(tmp_path: Path, options: str, clause: str) -> None:
    """A server whose algorithms this engine lacks is told with what it offers and what may help."""
    with sshd(tmp_path, options=options) as odd, pytest.raises(NotSsh, match=clause):
        ParamikoProver().prove(connected(odd), Spot("", 1), Pins(), LONG)


def test_a_socket_that_is_dead_already(server: Sshd) -> None:
    """A connection that is gone before the first byte is Unreachable."""
    sock = connected(server)
    sock.shutdown(socket.SHUT_RDWR)
    with pytest.raises(Unreachable):
        ParamikoProver().prove(sock, Spot("", 1), Pins(), LONG)
    closed = connected(server)
    closed.close()
    with pytest.raises(Unreachable):
        ParamikoProver().prove(closed, Spot("", 1), Pins(), LONG)
    gone()


def test_closing_a_session_leaves_nothing(server: Sshd) -> None:
    """A proved session that is not wanted can be let go of."""
    before = threading.active_count()
    session = ParamikoProver().prove(connected(server), Spot("", 1), Pins(server.keys), LONG)
    session.close()
    session.close()
    assert threading.active_count() <= before
    with pytest.raises(Unreachable):
        session.login(login_at(server), LONG)


def test_nothing_of_paramiko_reaches_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    """A server that breaks the protocol leaves no line and no traceback on standard error."""
    with serving(garbage) as target:
        sock = socket.create_connection((target.host, target.port))
        with pytest.raises(NotSsh):
            ParamikoProver().prove(sock, Spot("", 1), Pins(), SOON)
    gone()
    out, err = capfd.readouterr()
    assert out + err == ""
