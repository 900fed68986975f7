"""Listeners that stay open through every loss."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import timedelta

import pytest

from ipwatch.core.forward import Forward, Sort, Target
from ipwatch.core.trouble import Kind, Trouble
from ipwatch.laptop.forwarder import HELD_MOST, HOLD, Events, Forwarder
from tests.fakes.links import PlainLink
from tests.fakes.ports import free_port
from tests.fakes.waiting import wait


class Echo:
    """A server that sends back what it gets until the client half-closes, then says goodbye."""

    def __init__(self) -> None:
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.server.getsockname()[1]
        self.threads: list[threading.Thread] = []
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._echo, args=(client,), daemon=True)
            thread.start()
            self.threads.append(thread)

    @staticmethod
    def _echo(client: socket.socket) -> None:
        with client, suppress(OSError):
            while data := client.recv(65536):
                client.sendall(data)
            client.sendall(b"goodbye")

    def close(self) -> None:
        self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()
        self.thread.join(5)
        for thread in self.threads:
            thread.join(5)


@pytest.fixture
def echo() -> Iterator[Echo]:
    with closing(Echo()) as it:
        yield it


class Place:
    """A forwarder with a clock that can be moved, and what it told."""

    def __init__(self) -> None:
        self.later = timedelta()
        self.knocks = 0
        self.said: list[str] = []
        self.forwarder = Forwarder(self._now, Events(self._knocked, self.said.append))
        self.port = free_port()

    def _now(self) -> timedelta:
        return timedelta(seconds=time.monotonic()) + self.later

    def _knocked(self) -> None:
        self.knocks += 1

    def local(self, echo: Echo) -> None:
        self.forwarder.add(Forward("work", Sort.LOCAL, "", self.port, Target("127.0.0.1", echo.port)))

    def connect(self, ip: str = "127.0.0.1") -> socket.socket:
        return socket.create_connection((ip, self.port), 5)


@pytest.fixture
def place() -> Iterator[Place]:
    it = Place()
    it.forwarder.start()
    yield it
    it.forwarder.close()


def spoken(sock: socket.socket, text: bytes = b"hello", within: float = 5) -> bytes:
    """Send, half-close, and read to the end."""
    sock.settimeout(within)
    sock.sendall(text)
    sock.shutdown(socket.SHUT_WR)
    got = b""
    while part := sock.recv(65536):
        got += part
    return got


def resets(place: Place) -> bool:
    """Whether a new connection is reset, perhaps so soon that connect itself sees it."""
    try:
        with place.connect() as sock:
            return is_reset(sock)
    except ConnectionResetError:
        return True


def is_reset(sock: socket.socket) -> bool:
    sock.settimeout(5)
    try:
        return sock.recv(1) is None
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("ip", ["127.0.0.1", "::1"])
def test_carries(place: Place, echo: Echo, ip: str) -> None:
    """With a link, a connection to either loopback is carried, half-close and all."""
    place.local(echo)
    link = PlainLink()
    place.forwarder.up(link)
    with place.connect(ip) as sock:
        assert spoken(sock) == b"hellogoodbye"
    assert wait(lambda: place.forwarder.counts == (0, 0, 1))
    link.cut()


def test_held_and_served(place: Place, echo: Echo) -> None:
    """Without a link connections wait, and are served when it comes: not a byte of theirs is lost."""
    place.local(echo)
    with place.connect() as one, place.connect("::1") as two:
        one.sendall(b"early ")
        assert wait(lambda: place.forwarder.counts[1] == 2 and place.knocks == 2)
        link = PlainLink()
        place.forwarder.up(link)
        assert spoken(one, b"bird") == b"early birdgoodbye"
        assert spoken(two) == b"hellogoodbye"
    link.cut()


def test_held_and_gone(place: Place, echo: Echo) -> None:
    """A client that waited and hung up is not passed on: the program behind the forward never hears of it."""
    place.local(echo)
    place.connect().close()
    assert wait(lambda: place.forwarder.counts[1] == 1)
    link = PlainLink()
    place.forwarder.up(link)
    with place.connect() as sock:
        assert spoken(sock) == b"hellogoodbye"
    assert wait(lambda: place.forwarder.counts == (0, 0, 1))
    assert len(echo.threads) == 1
    link.cut()


def test_held_for_a_while_only(place: Place, echo: Echo) -> None:
    """What waited for 20 seconds is reset, so that its client tries again."""
    place.local(echo)
    with place.connect() as sock:
        assert wait(lambda: place.forwarder.counts[1] == 1)
        place.forwarder.tick()
        assert place.forwarder.counts[1] == 1
        place.later = HOLD
        place.forwarder.tick()
        assert is_reset(sock)


def test_somebody_who_waits_goes_on_knocking(place: Place, echo: Echo) -> None:
    """A link that could come back within the 20 seconds is looked for all the time, not once when the client came."""
    place.local(echo)
    with place.connect():
        assert wait(lambda: place.knocks == 1)
        for seconds in (1, 4, 5, 9):
            place.later = timedelta(seconds=seconds)
            place.forwarder.tick()
        assert place.knocks == 3
    place.later = HOLD
    place.forwarder.tick()
    assert (place.knocks, place.forwarder.counts[1]) == (3, 0)


def test_full_queue(place: Place, echo: Echo) -> None:
    """A bounded number waits; further ones are reset at once, and that is said once."""
    place.local(echo)
    held = [place.connect() for _ in range(HELD_MOST)]
    assert wait(lambda: place.forwarder.counts[1] == HELD_MOST)
    for _ in range(3):
        assert resets(place)
    assert place.said == [f"{HELD_MOST} connections wait for the link, further ones are reset"]
    for sock in held:
        sock.close()


def test_loss_before_the_channel_is_open(place: Place, echo: Echo) -> None:
    """A connection whose link dies before its channel was open is held, and served by the next link."""
    place.local(echo)
    dead = PlainLink()
    dead.silent = True
    place.forwarder.up(dead)
    with place.connect() as sock:
        assert wait(lambda: place.forwarder.counts[0] == 1)
        place.forwarder.down()
        dead.cut()
        assert wait(lambda: place.forwarder.counts[1] == 1)
        link = PlainLink()
        place.forwarder.up(link)
        assert spoken(sock) == b"hellogoodbye"
    link.cut()


def test_held_behind_a_link_is_tried_again(place: Place, echo: Echo) -> None:
    """A connection that was put aside while the link came back is not forgotten."""
    place.local(echo)
    with place.connect() as sock:
        assert wait(lambda: place.forwarder.counts[1] == 1)
        link = PlainLink()
        place.forwarder._link = link
        place.forwarder.tick()
        assert spoken(sock) == b"hellogoodbye"
    link.cut()


def test_open_ones_are_reset_at_a_loss(place: Place, echo: Echo) -> None:
    """A connection whose link is lost is reset at once, and the port goes on accepting."""
    place.local(echo)
    link = PlainLink()
    place.forwarder.up(link)
    with place.connect() as sock:
        sock.sendall(b"hello")
        sock.settimeout(5)
        assert sock.recv(5) == b"hello"
        place.forwarder.down()
        link.cut()
        with suppress(ConnectionResetError):
            assert sock.recv(1) == b""
    place.connect().close()


def test_refused_target(place: Place) -> None:
    """A target that refuses is told by name, and the client is reset."""
    place.forwarder.add(Forward("work", Sort.LOCAL, "", place.port, Target("127.0.0.1", free_port())))
    link = PlainLink()
    place.forwarder.up(link)
    assert resets(place)
    assert "can not be reached from there: connect failed" in place.said[0]


def test_refusal_that_names_its_target(place: Place) -> None:
    """What the engine says of the target is not said twice."""
    forward = Forward("work", Sort.LOCAL, "", place.port, Target("127.0.0.1", free_port()))
    place.forwarder.add(forward)
    link = PlainLink()
    link.refuses = f"the server does not allow forwarding to {forward.target}"
    place.forwarder.up(link)
    assert resets(place)
    assert place.said == [link.refuses]


def test_taken_port(place: Place, echo: Echo) -> None:
    """A taken port is a Trouble that names forward, port and owner."""
    with (
        socket.create_server(("127.0.0.1", place.port)),
        pytest.raises(Trouble, match=rf"work: 127\.0\.0\.1:{place.port} is taken by .*process") as caught,
    ):
        place.local(echo)
    assert caught.value.kind is Kind.PORT_TAKEN


def test_close_resets_the_held(echo: Echo) -> None:
    """At the end what is held is reset, and the port is free again."""
    place = Place()
    place.forwarder.start()
    place.local(echo)
    with place.connect() as sock:
        assert wait(lambda: place.forwarder.counts[1] == 1)
        place.forwarder.close()
        assert is_reset(sock)
    socket.create_server(("127.0.0.1", place.port)).close()


@pytest.mark.parametrize("early", [True, False])
def test_socks(place: Place, echo: Echo, early: bool) -> None:
    """A SOCKS client is served through the link, also one that came before it; its payload is untouched."""
    place.forwarder.add(Forward("browse", Sort.SOCKS, "", place.port, None))
    link = PlainLink()
    if not early:
        place.forwarder.up(link)
    request = b"\x05\x01\x00" + b"\x05\x01\x00\x03\x09127.0.0.1" + echo.port.to_bytes(2, "big")
    with place.connect() as sock:
        sock.sendall(request + b"payload")
        if early:
            assert wait(lambda: place.forwarder.counts[1] == 1)
            place.forwarder.up(link)
        assert spoken(sock, b"") == b"\x05\x00" + b"\x05\x00\x00\x01" + bytes(6) + b"payloadgoodbye"
    link.cut()


def test_socks_refused(place: Place) -> None:
    """A SOCKS client hears of a refused target, and of a protocol this proxy does not speak."""
    place.forwarder.add(Forward("browse", Sort.SOCKS, "", place.port, None))
    link = PlainLink()
    link.refuses = "administratively prohibited"
    place.forwarder.up(link)
    with place.connect() as sock:
        sock.sendall(b"\x05\x01\x00" + b"\x05\x01\x00\x01\x7f\x00\x00\x01\x00\x50")
        assert spoken(sock, b"")[:4] == b"\x05\x00\x05\x05"
    with place.connect() as sock:
        assert spoken(sock, b"\x05\x01\x02") == b"\x05\xff"
    with place.connect() as sock:
        sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert is_reset(sock)
    with place.connect() as sock:
        assert spoken(sock, b"\x05") == b""
    told = [one for one in place.said if one.startswith("browse: ")]
    assert told == [
        "browse: the client wants to authenticate, this proxy knows no users",
        "browse: the client does not speak SOCKS: this is no proxy for HTTP, choose SOCKS 5",
    ]


def test_two_forwards_of_one_port(place: Place, echo: Echo) -> None:
    """The second of two forwards with one port names the first, not this program's process."""
    place.local(echo)
    with pytest.raises(Trouble, match=rf"^twin: port {place.port} is that of work$") as caught:
        place.forwarder.add(Forward("twin", Sort.SOCKS, "", place.port, None))
    assert caught.value.kind is Kind.PORT_TAKEN
