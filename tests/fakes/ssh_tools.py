"""A link to a server, and what listens behind it."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

from ipwatch.core.candidate import Spot
from ipwatch.core.forward import Target
from ipwatch.core.host import Pins
from ipwatch.net.ssh import ParamikoProver
from ipwatch.ports.remote import Link, Login
from tests.fakes.sshd import Sshd, connected

LONG = timedelta(seconds=15)


def login_at(server: Sshd, **more: object) -> Login:
    """Who may log in there."""
    return Login("host", server.user, (server.identity,))._replace(**more)  # type: ignore[arg-type]


@contextmanager
def linked(server: Sshd, *, port: int | None = None, prover: ParamikoProver | None = None) -> Iterator[Link]:
    """A link to it, cut at the end. port: of a relay in between."""
    sock = socket.create_connection(("127.0.0.1", port)) if port else connected(server)
    session = (prover or ParamikoProver()).prove(sock, Spot(server.ip, server.port), Pins(server.keys), LONG)
    link = session.login(login_at(server), LONG)
    try:
        yield link
    finally:
        link.cut()
        gone()


def gone(within: float = 5.0) -> None:
    """Wait until no thread of an engine is left."""
    end = time.monotonic() + within
    while any(t.name.startswith("ssh") for t in threading.enumerate()) and time.monotonic() < end:
        time.sleep(0.01)
    assert [t.name for t in threading.enumerate() if t.name.startswith("ssh")] == []


@contextmanager
def serving(handle: Callable[[socket.socket], None], path: str = "") -> Iterator[Target]:
    """A TCP server (or one at a path) whose connections are handled in threads, closed by us."""
    if path:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(path)
        listener.listen(64)
    else:
        listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    open_: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def one(sock: socket.socket) -> None:
        with sock, suppress(OSError):
            handle(sock)

    def accept() -> None:
        with suppress(OSError):
            while True:
                sock, _ = listener.accept()
                open_.append(sock)
                thread = threading.Thread(target=one, args=(sock,), daemon=True)
                thread.start()
                threads.append(thread)

    acceptor = threading.Thread(target=accept, daemon=True)
    acceptor.start()
    try:
        yield Target(path, 0) if path else Target("127.0.0.1", listener.getsockname()[1])
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for sock in open_:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in (acceptor, *threads):
            thread.join(5)


def echo(sock: socket.socket) -> None:
    """Send back what comes."""
    while piece := sock.recv(65536):
        sock.sendall(piece)
    sock.shutdown(socket.SHUT_WR)


def pair() -> tuple[socket.socket, socket.socket]:
    """A client's socket, and the one that is carried. TCP, so that a reset can be seen."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    near.settimeout(20)
    return near, far


def drain(sock: socket.socket) -> None:
    """Read until its end or a reset."""
    with suppress(OSError):
        read_all(sock)


def read_all(sock: socket.socket) -> bytes:
    """Until its end."""
    got = bytearray()
    while piece := sock.recv(1 << 20):
        got += piece
    return bytes(got)
