"""net.ssh: connections carried through a real sshd."""

import hashlib
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from ipwatch.core.forward import Target
from ipwatch.net.ssh import ParamikoProver
from ipwatch.ports import Refused, Unreachable
from ipwatch.ports.remote import Link
from tests.fakes.ports import free_port
from tests.fakes.ssh_tools import LONG, echo, linked, pair, read_all, serving
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


def test_64_mib_arrive_unchanged_both_ways_at_once(link: Link) -> None:
    """What goes in at one end comes out at the other, both ways at the same time, and the end is passed on."""
    ended = threading.Event()
    content = os.urandom(1 << 20) * 64
    with serving(echo) as target:
        near, far = pair()
        link.carry(far, target, LONG, ended=ended.set)
        with near:
            sender = threading.Thread(target=lambda: (near.sendall(content), near.shutdown(socket.SHUT_WR)))
            sender.start()
            got = read_all(near)
            sender.join()
    assert hashlib.sha256(got).digest() == hashlib.sha256(content).digest()
    assert ended.wait(5)


def test_the_answer_after_a_half_close_arrives(link: Link) -> None:
    """A client that says it is done still gets the whole answer."""

    def answer(sock: socket.socket) -> None:
        asked = read_all(sock)
        sock.sendall(asked[::-1] * 131072)

    with serving(answer) as target:
        near, far = pair()
        link.carry(far, target, LONG)
        with near:
            near.sendall(b"0123456789abcdef")
            near.shutdown(socket.SHUT_WR)
            assert read_all(near) == b"fedcba9876543210" * 131072


def test_the_far_end_may_finish_first(link: Link) -> None:
    """A server that has said everything still gets what the client sends afterwards."""
    got: list[bytes] = []
    ended = threading.Event()

    def hello(sock: socket.socket) -> None:
        sock.sendall(b"hello")
        sock.shutdown(socket.SHUT_WR)
        got.append(read_all(sock))
        ended.set()

    with serving(hello) as target:
        near, far = pair()
        link.carry(far, target, LONG)
        with near:
            assert read_all(near) == b"hello"
            near.sendall(b"late" * 1000)
        assert ended.wait(10)
    assert got == [b"late" * 1000]


def test_the_greeting_comes_first(link: Link) -> None:
    """What the listener has to say to the client comes before the far end's first byte."""
    with serving(lambda sock: sock.sendall(b"world")) as target:
        near, far = pair()
        link.carry(far, target, LONG, greeting=b"hello ")
        with near:
            near.shutdown(socket.SHUT_WR)
            assert read_all(near) == b"hello world"


def test_a_unix_socket_there_is_reached(link: Link, tmp_path: Path) -> None:
    """A path as target is a Unix socket at the far end; a Unix socket here can be carried, too."""
    with serving(echo, str(tmp_path / "s")) as target:
        near, far = socket.socketpair()
        near.settimeout(10)
        link.carry(far, target, LONG)
        with near:
            near.sendall(b"over")
            near.shutdown(socket.SHUT_WR)
            assert read_all(near) == b"over"


def test_a_refused_target_leaves_the_socket_to_the_caller(link: Link) -> None:
    """Where nothing listens the clause says so, and the client's socket still works."""
    near, far = pair()
    with near, far:
        with pytest.raises(Refused, match=r"127\.0\.0\.1:\d+ can not be reached from there: Connection refused"):
            link.carry(far, Target("127.0.0.1", free_port()), LONG)
        far.sendall(b"still here")
        assert near.recv(100) == b"still here"


def test_a_server_that_forbids_forwarding_is_named(tmp_path: Path) -> None:
    """Where forwarding is not allowed the clause says that, for connections and for listening there."""
    with sshd(tmp_path, forwarding=False) as strict, linked(strict) as link:
        near, far = pair()
        with near, far, pytest.raises(Refused, match="does not allow forwarding to localhost:80"):
            link.carry(far, Target("localhost", 80), LONG)


def test_a_target_that_does_not_answer_in_time(server: Sshd) -> None:
    """When the far end takes too long the caller gets its socket back; a channel that opens later is closed."""
    with linked(server) as link:
        near, far = pair()
        with near, far, pytest.raises(Unreachable, match="was not connected within 0 s"), serving(echo) as target:
            link.carry(far, target, timedelta())
        assert link.run("true", LONG)[0] == 0
        with near, far:
            assert far.fileno() == -1


def test_a_reader_that_stalls_stops_nobody_else(link: Link) -> None:
    """A client that does not read keeps its own window only: others go on."""

    def flood(sock: socket.socket) -> None:
        while True:
            sock.sendall(bytes(1 << 16))

    with serving(flood) as source, serving(echo) as target:
        stalled, far = pair()
        link.carry(far, source, LONG)
        near, other = pair()
        link.carry(other, target, LONG)
        with stalled, near:
            for _ in range(200):
                near.sendall(b"ping")
                assert near.recv(4) == b"ping"


def test_a_far_end_that_does_not_read_holds_the_client_back(link: Link) -> None:
    """Back-pressure: a client can not send more than the windows and the kernels hold."""
    release = threading.Event()
    got: list[int] = []

    def late(sock: socket.socket) -> None:
        release.wait(20)
        got.append(len(read_all(sock)))

    with serving(late) as target:
        near, far = pair()
        link.carry(far, target, LONG)
        with near:
            near.settimeout(1)
            sent = 0
            with suppress(TimeoutError):
                while sent < 1 << 28:
                    sent += near.send(bytes(1 << 16))
            assert sent < 40 << 20
            near.settimeout(20)
            release.set()
            near.shutdown(socket.SHUT_WR)
            assert read_all(near) == b""
    assert got == [sent]


def test_a_client_that_goes_away_closes_the_far_end(link: Link) -> None:
    """When the client closes or resets, the far end sees its end, in the middle of a download too."""
    closed = threading.Event()

    def flood(sock: socket.socket) -> None:
        try:
            while True:
                sock.sendall(bytes(1 << 16))
        finally:
            closed.set()

    ended = threading.Event()
    with serving(flood) as target:
        near, far = pair()
        link.carry(far, target, LONG, ended=ended.set)
        near.recv(1000)
        near.close()
        assert closed.wait(10)
        assert ended.wait(10)


def test_many_connections_at_once(link: Link) -> None:
    """A hundred connections share one link and one thread."""
    with serving(echo) as target:
        before = threading.active_count()
        pairs = [pair() for _ in range(100)]
        for _, far in pairs:
            link.carry(far, target, LONG)
        for number, (near, _) in enumerate(pairs):
            near.sendall(str(number).encode())
        assert [int(near.recv(10)) for near, _ in pairs] == list(range(100))
        assert threading.active_count() <= before + 100  # the target's own
        for near, _ in pairs:
            near.close()


@pytest.mark.parametrize("options", ["", "Ciphers aes256-ctr\nMACs hmac-sha2-512-etm@openssh.com",
                                     "Ciphers aes128-ctr\nMACs hmac-sha2-256", "RekeyLimit 2M"])  # fmt: skip
def test_new_keys_under_load(tmp_path: Path, options: str) -> None:
    """Keys change many times while bytes flow both ways, whatever the cipher and whoever begins; nothing is lost."""
    content = os.urandom(1 << 20) * 24
    prover = ParamikoProver() if "Rekey" in options else ParamikoProver(rekey=3 << 20)
    with sshd(tmp_path, options=options) as server, linked(server, prover=prover) as link, serving(echo) as target:
        near, far = pair()
        link.carry(far, target, LONG)
        with near:
            sender = threading.Thread(target=lambda: (near.sendall(content), near.shutdown(socket.SHUT_WR)))
            sender.start()
            got = read_all(near)
            sender.join()
        assert got == content
        assert link.run("true", LONG)[0] == 0
        assert wait(lambda: server.said().count("rekey in progress") or server.said().count("SSH2_MSG_KEXINIT") > 4, 2)
