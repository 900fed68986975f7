"""sources.interface, sources.command and sources.file."""

from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address
from itertools import permutations
from pathlib import Path

import pytest

from ipwatch.core.address import Family
from ipwatch.ports import Garbled, InterfaceAddress, Source, Unreachable
from ipwatch.sources import command, file, interface
from tests.contracts.source import WITHIN, SourceContract
from tests.fakes.source_tools import TableInterfaces, tools, written


def row(ip: str, **flags: bool) -> InterfaceAddress:
    return InterfaceAddress("eth0", ip_address(ip), 64, **flags)


def at(*table: InterfaceAddress) -> Source:
    [source] = interface.PLUGIN.build(
        interface.InterfaceOptions(name="eth0"), tools(interfaces=TableInterfaces(tuple(table)))
    )
    return source


class TestInterface(SourceContract):
    """An interface keeps the contract."""

    def make(self, shown: str, family: Family) -> Source:
        return at(row(shown))


class TestCommand(SourceContract):
    """A program keeps the contract."""

    def make(self, shown: str, family: Family) -> Source:
        options = command.CommandOptions(argv=("printf", "%s\\n", shown))
        [source] = command.PLUGIN.build(options, tools())
        return source


class TestFile(SourceContract):
    """A file keeps the contract."""

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def make(self, shown: str, family: Family) -> Source:
        [source] = file.PLUGIN.build(file.FileOptions(path=written(self.folder, shown + "\n")), tools())
        return source


def test_stable_address_is_chosen_whatever_the_order() -> None:
    """Never temporary, deprecated or tentative; set by hand before kept by the kernel before the lowest."""
    bad = [row("2a02:db9::1", temporary=True), row("2a02:db9::2", deprecated=True), row("2a02:db9::3", tentative=True)]
    others = [row("fe80::1", permanent=True), row("fd00::1", permanent=True), row("25.1.2.3")]
    plain, managed, permanent = row("2a02:db9::4"), row("2a02:db9::9", managed=True), row("2a02:db9::a", permanent=True)
    for table in permutations([plain, managed, permanent, bad[0]]):
        assert str(at(*table, *bad[1:], *others).observe(Family.IPV6, WITHIN)) == "2a02:db9::a"
    assert str(at(plain, managed).observe(Family.IPV6, WITHIN)) == "2a02:db9::9"
    assert str(at(row("2a02:db9::5"), plain).observe(Family.IPV6, WITHIN)) == "2a02:db9::4"


def test_no_usable_address_says_why() -> None:
    """Without an address to publish the reason is told, never another address."""
    for table, why in [
        ((), "no interface"),
        ((replace(row("25.1.2.3"), interface="eth1"),), "no interface"),
        ((row("2a02:db9::1"),), "no IPv4 address"),
        ((row("192.168.1.2"),), "private"),
        ((row("25.1.2.3"), row("25.1.2.4")), "several public"),
    ]:
        with pytest.raises(Garbled, match=why):
            at(*table).observe(Family.IPV4, WITHIN)
    for flag in ("temporary", "deprecated", "tentative"):
        with pytest.raises(Garbled, match=flag):
            at(row("2a02:db9::1", **{flag: True})).observe(Family.IPV6, WITHIN)


def test_command_is_judged_strictly() -> None:
    """A failing program, chatter around the address and a hang give no address; the wanted family is told to it."""

    def source(script: str, timeout: float = 5) -> Source:
        options = command.CommandOptions(argv=("sh", "-c", script), timeout=timedelta(seconds=timeout))
        return command.PLUGIN.build(options, tools())[0]

    assert source("x").id == "command:sh"
    with pytest.raises(Garbled, match="status 3") as caught:
        source("echo 25.1.2.3; echo oops >&2; exit 3").observe(Family.IPV4, WITHIN)
    assert caught.value.excerpt == "oops"
    with pytest.raises(Garbled):
        source("echo IP: 25.1.2.3").observe(Family.IPV4, WITHIN)
    with pytest.raises(Unreachable):
        source("sleep 9", 0.2).observe(Family.IPV4, WITHIN)
    told = 'test "$IPWATCH_FAMILY" = ipv6 && echo 2a02:db9::1'
    assert str(source(told).observe(Family.IPV6, WITHIN)) == "2a02:db9::1"


def test_file_is_judged_strictly(tmp_path: Path) -> None:
    """A missing, empty, chatty or huge file gives no address."""
    [source] = file.PLUGIN.build(file.FileOptions(path=tmp_path / "ip.txt"), tools())
    assert source.id == f"file:{tmp_path}/ip.txt"
    with pytest.raises(Unreachable):
        source.observe(Family.IPV4, WITHIN)
    for content in (b"", b"25.1.2.3\n25.1.2.4\n", b"\xff", b"25.1.2.3" + b" " * 5000):
        written(tmp_path, content)
        with pytest.raises(Garbled):
            source.observe(Family.IPV4, WITHIN)


@pytest.mark.parametrize("argv", [(), ("",), ("a", "b\0")])
def test_faulty_commands(argv: tuple[str, ...]) -> None:
    """A command without a program, or with a zero byte, is told while the configuration is read."""
    with pytest.raises(ValueError, match="argv"):
        command.CommandOptions(argv=argv)


@pytest.mark.parametrize("name", ["", "a b", "../x"])
def test_faulty_interfaces(name: str) -> None:
    """What is no interface's name is told while the configuration is read."""
    with pytest.raises(ValueError, match="name"):
        interface.InterfaceOptions(name=name)
