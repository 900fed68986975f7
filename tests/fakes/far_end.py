"""Servers at the far end of a link, and clients at the near one."""

import hashlib
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ipwatch.core.forward import Target


@contextmanager
def serving(act: Callable[[socket.socket], None], path: Path | None = None) -> Iterator[Target]:
    """A server that does that with each connection, in threads; on a Unix socket with a path."""
    if path is None:
        listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        target = Target("127.0.0.1", listener.getsockname()[1])
    else:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        listener.listen(256)
        target = Target(str(path), 0)
    threads: list[threading.Thread] = []
    open_ones: list[socket.socket] = []

    def one(peer: socket.socket) -> None:
        with peer, suppress(OSError):
            act(peer)

    def accept() -> None:
        with suppress(OSError):
            while True:
                peer, _ = listener.accept()
                open_ones.append(peer)
                thread = threading.Thread(target=one, args=(peer,), daemon=True)
                thread.start()
                threads.append(thread)

    acceptor = threading.Thread(target=accept, daemon=True)
    acceptor.start()
    try:
        yield target
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        acceptor.join(5)
        listener.close()
        for peer in open_ones:
            with suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(5)


def echo(peer: socket.socket) -> None:
    """Sends back what comes, as it comes."""
    while data := peer.recv(65536):
        peer.sendall(data)


def digest(peer: socket.socket) -> None:
    """Reads to the end, then says the SHA-256 of it."""
    sum_ = hashlib.sha256()
    while data := peer.recv(65536):
        sum_.update(data)
    peer.sendall(sum_.hexdigest().encode())


def greets_and_hangs_up(peer: socket.socket) -> None:
    """Says something, ends its direction, and then reads to the end."""
    peer.sendall(b"bye")
    peer.shutdown(socket.SHUT_WR)
    while peer.recv(65536):
        pass


def silent(peer: socket.socket) -> None:
    """Keeps the connection and says nothing."""
    while peer.recv(65536):
        pass


def pair() -> tuple[socket.socket, socket.socket]:
    """A TCP connection: the client's end, and the one a listener of ours accepted."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        accepted, _ = listener.accept()
    near.settimeout(15)
    return near, accepted


def read_all(sock: socket.socket) -> bytes:
    """Everything to the end."""
    return b"".join(iter(lambda: sock.recv(65536), b""))


def descriptors(pid: int | str = "self") -> int:
    """How many file descriptors a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208 - names only
