"""sources.stun against a real UDP server."""

import time
from datetime import timedelta
from ipaddress import ip_address

import pytest

from ipwatch.core.address import Family
from ipwatch.ports import Garbled, Source, Unreachable
from ipwatch.sources.stun import PLUGIN, StunOptions
from tests.contracts.source import WITHIN, SourceContract
from tests.fakes.source_tools import tools
from tests.fakes.udp_server import UdpServer


def response(question: bytes, shown: str) -> bytes:
    """The binding response a STUN server gives to a client it sees at that address."""
    ip = ip_address(shown)
    mask = question[4:20]
    value = bytes([0, 1 if ip.version == 4 else 2, 0, 0]) + bytes(a ^ b for a, b in zip(ip.packed, mask, strict=False))
    attribute = b"\x00\x20" + len(value).to_bytes(2) + value
    return b"\x01\x01" + len(attribute).to_bytes(2) + mask + attribute


class TestStun(SourceContract):
    """A STUN server keeps the contract."""

    @pytest.fixture(autouse=True)
    def _servers(self) -> object:
        self.shown = ""

        def answer(question: bytes, _: int) -> list[bytes]:
            return [response(question, self.shown)]

        with UdpServer(answer) as four, UdpServer(answer, "::1") as six:
            self.ports = {Family.IPV4: f"127.0.0.1:{four.port}", Family.IPV6: f"[::1]:{six.port}"}
            yield

    def make(self, shown: str, family: Family) -> Source:
        self.shown = shown
        [source] = PLUGIN.build(StunOptions(server=self.ports[family]), tools())
        return source


def observe(server: UdpServer, within: timedelta = WITHIN) -> str:
    [source] = PLUGIN.build(StunOptions(server=f"127.0.0.1:{server.port}"), tools())
    return str(source.observe(Family.IPV4, within))


def test_answers_to_other_questions_are_passed_over() -> None:
    """Noise and answers with another id are passed over; the right one counts."""

    def answer(question: bytes, _: int) -> list[bytes]:
        foreign = response(question[:8] + bytes(12), "25.9.9.9")
        return [b"", b"noise" * 10, foreign, response(question, "25.1.2.3")]

    with UdpServer(answer) as server:
        assert observe(server) == "25.1.2.3"


def test_error_response_and_other_family_are_garbled() -> None:
    """A refusal and an address of the other family are Garbled, with the reason."""
    refusal = b"\x00\x09\x00\x04\x00\x00\x04\x00"
    refusing = UdpServer(lambda q, _: [b"\x01\x11\x00\x08" + q[4:20] + refusal])
    with refusing as server, pytest.raises(Garbled, match="error 400"):
        observe(server)
    with UdpServer(lambda q, _: [response(q, "2a02:db9::1")]) as server, pytest.raises(Garbled, match="not IPv4"):
        observe(server)


def test_silent_server_is_left_in_time() -> None:
    """A silent server holds us to the deadline."""
    with UdpServer(lambda *_: []) as server:
        began = time.monotonic()
        with pytest.raises(Unreachable):
            observe(server, timedelta(seconds=0.2))
        assert time.monotonic() - began < 3


def test_each_question_has_its_own_id() -> None:
    """No transaction id is used twice."""
    with UdpServer(lambda q, _: [response(q, "25.1.2.3")]) as server:
        observe(server)
        observe(server)
        assert len({question[8:] for question in server.received}) == 2


def test_table_and_identity() -> None:
    """At least three operators stand in the table, for both families; an own server without a port has 3478."""
    sources = PLUGIN.build(StunOptions(), tools())
    for family in Family:
        assert len({source.operator for source in sources if family in source.families}) >= 3
    assert sources[0].id == "stun:stun.l.google.com"
    [own] = PLUGIN.build(StunOptions(server="stun.example.org"), tools())
    assert (own.id, own.operator, own.port) == ("stun:stun.example.org", "example.org", 3478)
    assert all(Family.IPV6 in s.families for s in PLUGIN.build(StunOptions(families=(Family.IPV6,)), tools()))


@pytest.mark.parametrize("options", [{"server": "a:x"}, {"operator": "me"}])
def test_faulty_options(options: dict[str, str]) -> None:
    """What can not work is told while the configuration is read."""
    with pytest.raises(ValueError, match="server"):
        StunOptions(**options)  # type: ignore[arg-type]
