"""net.datagram against real UDP servers on loopback."""

import socket
import time
from datetime import timedelta

import pytest

from ipwatch.core.address import Family
from ipwatch.net.datagram import UdpDatagram
from ipwatch.ports import Unreachable
from tests.fakes.udp_server import UdpServer


def take(data: bytes) -> bytes | None:
    return data if data.startswith(b"good") else None


def test_question_is_repeated_until_answered() -> None:
    """A lost question is sent again after half a second (RFC 8489 6.2.1)."""
    with UdpServer(lambda data, number: [b"good" + data] if number == 2 else []) as server:
        began = time.monotonic()
        answer = UdpDatagram().exchange(b"q", server.host, server.port, Family.IPV4, timedelta(seconds=5), take)
        assert answer == b"goodq"
        assert 0.4 < time.monotonic() - began < 4
        assert server.received == [b"q", b"q"]


def test_foreign_answers_are_passed_over() -> None:
    """Answers that `accept` does not take are passed over, without a new question for each."""
    with UdpServer(lambda *_: [b"bad", b"", b"good"]) as server:
        assert (
            UdpDatagram().exchange(b"q", "127.0.0.1", server.port, Family.IPV4, timedelta(seconds=5), take) == b"good"
        )
        assert len(server.received) == 1


def test_silence_and_noise_end_at_the_deadline() -> None:
    """Neither silence nor a flood of foreign answers holds us beyond the deadline; the question counts as sent."""
    for noise in ([], [b"bad"] * 50):
        with UdpServer(lambda *_, noise=noise: noise) as server:
            began = time.monotonic()
            with pytest.raises(Unreachable, match="did not answer") as caught:
                UdpDatagram().exchange(b"q", server.host, server.port, Family.IPV4, timedelta(seconds=0.3), take)
            assert time.monotonic() - began < 3
            assert caught.value.sent


def test_nobody_listening_is_told_at_once() -> None:
    """A port nobody listens on is Unreachable before the deadline."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    began = time.monotonic()
    with pytest.raises(Unreachable, match="refused"):
        UdpDatagram().exchange(b"q", "127.0.0.1", port, Family.IPV4, timedelta(seconds=5), take)
    assert time.monotonic() - began < 2


def test_family_is_kept() -> None:
    """IPv6 is asked over IPv6 alone, and an IPv4 address has none."""
    with UdpServer(lambda *_: [b"good"], "::1") as server:
        assert UdpDatagram().exchange(b"q", "::1", server.port, Family.IPV6, timedelta(seconds=5), take) == b"good"
        with pytest.raises(Unreachable, match="no IPv4 address"):
            UdpDatagram().exchange(b"q", "::1", server.port, Family.IPV4, timedelta(seconds=5), take)


def test_error_of_accept_passes_through() -> None:
    """What `accept` raises reaches the caller."""

    def refuse(_: bytes) -> None:
        raise ValueError("no")

    with UdpServer(lambda *_: [b"x"]) as server, pytest.raises(ValueError, match="no"):
        UdpDatagram().exchange(b"q", server.host, server.port, Family.IPV4, timedelta(seconds=5), refuse)


def test_unknown_name_is_unreachable() -> None:
    """A name without an address is Unreachable and nothing was sent; so is one that is no name."""
    for host in ("no-such-host.invalid", "a" * 70 + ".invalid"):
        with pytest.raises(Unreachable) as caught:
            UdpDatagram().exchange(b"q", host, 1, Family.IPV4, timedelta(seconds=3), take)
        assert not caught.value.sent


def test_no_time_at_all_is_unreachable() -> None:
    """With no time left nothing is waited for."""
    with pytest.raises(Unreachable):
        UdpDatagram().exchange(b"q", "127.0.0.1", 9, Family.IPV4, timedelta(0), take)
