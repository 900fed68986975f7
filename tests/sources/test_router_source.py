"""sources.router against a real UDP server that speaks NAT-PMP."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest

from ipwatch.core.address import Family
from ipwatch.ports import Files, Garbled, Source, SourceOptions, Unreachable
from ipwatch.settings.kinds import plugin
from ipwatch.sources.router import PLUGIN, RouterOptions, RouterSource
from tests.contracts.source import NEVER, PUBLIC, WITHIN, SourceContract
from tests.fakes.source_tools import tools
from tests.fakes.udp_server import UdpServer

V4 = Family.IPV4
HERE = RouterOptions(address="127.0.0.1")


class TestRouter(SourceContract):
    """A router keeps the contract; it knows IPv4 alone."""

    @pytest.fixture(autouse=True)
    def _server(self) -> Iterator[None]:
        self.shown = ""
        with UdpServer(lambda _, __: [answer(self.shown)]) as self.server:
            yield

    def make(self, shown: str, family: Family) -> Source:
        self.shown = shown
        return at(self.server)

    @pytest.mark.parametrize("family", [V4])
    def test_public_address_is_observed(self, family: Family) -> None:
        super().test_public_address_is_observed(family)

    @pytest.mark.parametrize(("family", "shown"), [(V4, text) for text in NEVER[V4]])
    def test_address_that_can_not_be_public_is_an_error(self, family: Family, shown: str) -> None:
        super().test_address_that_can_not_be_public_is_an_error(family, shown)


def answer(shown: str, result: int = 0) -> bytes:
    return bytes((0, 128, 0, result)) + (7).to_bytes(4) + ip_address(shown).packed


def at(server: UdpServer, options: RouterOptions = HERE) -> RouterSource:
    [source] = PLUGIN.build(options, tools())
    assert isinstance(source, RouterSource)
    return replace(source, port=server.port)


def refused(datagram: bytes) -> Garbled:
    with UdpServer(lambda _, __: [datagram]) as server, pytest.raises(Garbled) as caught:
        at(server).observe(V4, WITHIN)
    return caught.value


def test_a_router_behind_carrier_nat_is_told_as_that() -> None:
    """A shared, a private and no address outside all tell of another NAT; a fault does not."""
    shared = refused(answer("100.64.0.9"))
    assert "carrier NAT" in shared.behind
    assert "100.64.0.9" in str(shared)
    assert "private" in refused(answer("192.168.178.20")).behind
    assert "no public address" in refused(answer("0.0.0.0", 3)).behind
    assert refused(answer("0.0.0.0", 4)).behind == ""


def test_noise_is_passed_over() -> None:
    """What is no answer to the question is as if it had not come."""
    with UdpServer(lambda _, __: [b"", b"noise", b"\0\x81\0\0" + bytes(8), answer(PUBLIC[V4])]) as server:
        assert str(at(server).observe(V4, WITHIN)) == PUBLIC[V4]
        assert server.received == [b"\0\0"]


def test_without_an_address_the_default_gateway_is_asked(tmp_path: Path) -> None:
    """The gateway is looked up in the kernel's table at each question; without one nobody can be asked."""

    class Table:
        text = b""

        def read(self, path: Path, limit: int = 65536) -> bytes:
            assert str(path) == "/proc/net/route"
            return self.text

        def replace(self, path: Path, content: bytes) -> None:
            raise AssertionError(path)

    files: Files = (table := Table())
    with UdpServer(lambda _, __: [answer(PUBLIC[V4])]) as server:
        source = replace(at(server, RouterOptions()), files=files)
        with pytest.raises(Unreachable, match="default gateway"):
            source.observe(V4, WITHIN)
        loopback = int.from_bytes(bytes((127, 0, 0, 1)), sys.byteorder)
        table.text = f"head\neth0 0 {loopback:08X} 0003 0 0 0 0 0 0 0\n".encode()
        assert str(source.observe(V4, WITHIN)) == PUBLIC[V4]
        assert source.id == "router:gateway"


@pytest.mark.parametrize(
    ("options", "said"),
    [({"address": "fritz.box"}, "192.168.1.1"), ({"address": "::1"}, "192.168.1.1"), ({"families": {"ipv6"}}, "IPv4")],
)
def test_options_that_can_not_be_meant_are_refused(options: dict[str, object], said: str) -> None:
    """A name, an IPv6 address and IPv6 are refused with what is meant."""
    families = frozenset({Family.IPV6}) if "families" in options else None
    with pytest.raises(ValueError, match=said):
        RouterOptions(address=str(options["address"]) if "address" in options else None, families=families)
    assert issubclass(RouterOptions, SourceOptions)
    assert plugin("source", "router") is PLUGIN
