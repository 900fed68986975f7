"""net.wol: magic packets as they arrive, on loopback."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from ipwatch.net.wol import WakeonlanWaker
from ipwatch.ports.remote import Destination

MAC = "aa:bb:cc:dd:ee:0f"
PATTERN = b"\xff" * 6 + b"\xaa\xbb\xcc\xdd\xee\x0f" * 16


@contextmanager
def listening(ip: str) -> Iterator[socket.socket]:
    """A UDP socket there, which waits 5 s for a datagram."""
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.settimeout(5)
        sock.bind((ip, 0))
        yield sock


@pytest.mark.parametrize("secureon", [b"", b"\x01\x02\x03\x04", b"\x01\x02\x03\x04\x05\x06"])
def test_payload(secureon: bytes) -> None:
    """What arrives is six bytes of 0xFF, the address 16 times, and the SecureOn password as bytes."""
    with listening("127.0.0.1") as sock:
        to = Destination("127.0.0.1", sock.getsockname()[1])
        assert [sent.fault for sent in WakeonlanWaker().wake(MAC, secureon, [to])] == [""]
        assert sock.recv(2000) == PATTERN + secureon


def test_source() -> None:
    """It leaves from the address it is to leave from."""
    with listening("127.0.0.1") as sock:
        WakeonlanWaker().wake(MAC, b"", [Destination("127.0.0.1", sock.getsockname()[1], "127.0.0.2")])
        assert sock.recvfrom(2000)[1][0] == "127.0.0.2"


def test_one_fails() -> None:
    """A destination that fails is told and does not stop those after it; so does an answer "port unreachable"."""
    with listening("127.0.0.1") as sock, ExitStack() as stack:
        port = sock.getsockname()[1]
        deaf = stack.enter_context(listening("127.0.0.1")).getsockname()[1]
        stack.close()
        plan = [
            Destination("127.0.0.1", port, "192.0.2.1"),
            Destination("home.example.org", port),
            Destination("127.0.0.1", deaf),
            Destination("127.0.0.1", deaf),
            Destination("127.0.0.1", port),
        ]
        sent = WakeonlanWaker().wake(MAC, b"", plan)
        assert [one.destination for one in sent] == plan
        assert [one.fault for one in sent] == ["cannot assign requested address", "not an IP address", "", "", ""]
        assert sock.recv(2000) == PATTERN


@pytest.mark.skipif(not socket.has_ipv6, reason="there is no IPv6")
def test_ipv6() -> None:
    """IPv6 destinations are taken as well."""
    with listening("::1") as sock:
        WakeonlanWaker().wake(MAC, b"", [Destination("::1", sock.getsockname()[1])])
        assert sock.recv(2000) == PATTERN
