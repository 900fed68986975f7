"""The copying of bytes for ssh, and the handing over of a socket, over real sockets and pipes."""

import hashlib
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ipwatch.net.handover import pass_socket, takes_sockets
from ipwatch.net.pump import pump


class Line:
    """A pump between a TCP connection and two ends that ssh would hold: `give` writes to it, `take` reads."""

    def __init__(self, *, pipes: bool) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            near = socket.create_connection(listener.getsockname(), 5)
            self.far, _ = listener.accept()
        self.far.settimeout(10)
        if pipes:
            source, self.give = os.pipe()
            self.take, sink = os.pipe()
        else:
            self.pairs = [socket.socketpair(), socket.socketpair()]
            source, self.give = (s.detach() for s in self.pairs[0])
            self.take, sink = (s.detach() for s in self.pairs[1])
        self.source = source
        self.well: list[bool] = []
        self.thread = threading.Thread(target=lambda: self.well.append(pump(near, source, sink)))
        self.thread.start()

    def read(self) -> bytes:
        found = b""
        while data := os.read(self.take, 65536):
            found += data
        return found

    def hang_up(self, *names: str) -> None:
        """Close these ends, once each."""
        for name in names or ("give", "take"):
            descriptor: int = getattr(self, name)
            if descriptor >= 0:
                setattr(self, name, -1)
                os.close(descriptor)

    def end(self) -> bool:
        self.thread.join(10)
        return self.well[0]


@contextmanager
def line(*, pipes: bool) -> Iterator[Line]:
    made = Line(pipes=pipes)
    try:
        yield made
    finally:
        made.far.close()
        made.hang_up()
        made.thread.join(10)
        os.close(made.source)
        assert not made.thread.is_alive()


def received(sock: socket.socket) -> bytes:
    found = b""
    while data := sock.recv(65536):
        found += data
    return found


@pytest.mark.parametrize("pipes", [True, False])
def test_each_direction_ends_by_itself(pipes: bool) -> None:
    """The end of what ssh sends reaches the server, whose answer still arrives in full afterwards."""
    with line(pipes=pipes) as one:
        os.write(one.give, b"question")
        one.hang_up("give")
        assert received(one.far) == b"question"
        one.far.sendall(b"answer")
        one.far.close()
        assert one.read() == b"answer"
        assert one.end()


@pytest.mark.parametrize("pipes", [True, False])
def test_the_server_may_end_first(pipes: bool) -> None:
    """After the server's last word ssh can still send what it has."""
    with line(pipes=pipes) as one:
        one.far.sendall(b"bye")
        one.far.shutdown(socket.SHUT_WR)
        assert one.read() == b"bye"
        os.write(one.give, b"late")
        one.hang_up("give")
        assert received(one.far) == b"late"
        assert one.end()


@pytest.mark.parametrize("pipes", [True, False])
def test_megabytes_arrive_as_they_were_sent(pipes: bool) -> None:
    """8 MiB each way at the same time arrive unchanged, also when the reader is slow to begin."""
    up, down = os.urandom(1 << 20) * 8, os.urandom(1 << 20) * 8
    with line(pipes=pipes) as one:
        sender = threading.Thread(target=lambda: (one.far.sendall(down), one.far.shutdown(socket.SHUT_WR)))
        digest: list[bytes] = []
        reader = threading.Thread(target=lambda: digest.append(hashlib.sha256(received(one.far)).digest()))
        sender.start()
        reader.start()

        def give() -> None:
            view = memoryview(up)
            while view:
                view = view[os.write(one.give, view) :]
            one.hang_up("give")

        giver = threading.Thread(target=give)
        giver.start()
        assert hashlib.sha256(one.read()).digest() == hashlib.sha256(down).digest()
        for thread in (sender, reader, giver):
            thread.join(10)
        assert digest == [hashlib.sha256(up).digest()]
        assert one.end()


@pytest.mark.parametrize("pipes", [True, False])
def test_a_reset_ends_it_at_once(pipes: bool) -> None:
    """A connection that is reset ends the copying although ssh's side is still open, and counts as a fault."""
    with line(pipes=pipes) as one:
        one.far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        one.far.close()
        assert one.read() == b""
        assert not one.end()


@pytest.mark.parametrize("pipes", [True, False])
def test_an_ssh_that_has_gone_ends_it(pipes: bool) -> None:
    """When nobody reads any more the server sees the end of the connection, and nothing is raised."""
    with line(pipes=pipes) as one:
        one.hang_up("take")
        one.hang_up("give")
        one.far.sendall(b"anybody there?")
        assert one.end()
        assert one.far.recv(1) == b""


def test_a_socket_is_handed_over() -> None:
    """What arrives at the other end of the pair is the same connection, and it lives on when ours is closed."""
    ours, theirs = socket.socketpair()
    with ours, theirs, socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname(), 5)
        far, _ = listener.accept()
        assert takes_sockets(ours.fileno())
        pass_socket(near, ours.fileno())
        assert near.fileno() == -1
        _, descriptors, _, _ = socket.recv_fds(theirs, 1, 1)
        with far, socket.socket(fileno=descriptors[0]) as got:
            got.sendall(b"hello")
            assert far.recv(5) == b"hello"
            assert got.getblocking()


def test_what_is_no_unix_socket_takes_none() -> None:
    """A pipe, a file, a TCP socket and a closed descriptor get bytes, not descriptors."""
    read, write = os.pipe()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert not takes_sockets(write)
        assert not takes_sockets(listener.fileno())
    os.close(read)
    os.close(write)
    assert not takes_sockets(write)
