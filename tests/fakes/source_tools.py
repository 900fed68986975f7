"""Ports for sources: real adapters where a test hands none over, and small ones that behave."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from ipwatch.core.address import Address, Family
from ipwatch.net.clock import SystemClock
from ipwatch.net.command import SubprocessCommands
from ipwatch.net.datagram import UdpDatagram
from ipwatch.net.files import LocalFiles
from ipwatch.net.http import RequestsHttp
from ipwatch.net.interfaces import NetlinkInterfaces
from ipwatch.ports import DnsAnswer, Endpoint, InterfaceAddress, Tools, Unreachable


@dataclass
class TableResolver:
    """A resolver whose hosts and answers are tables; `asked` holds each question."""

    hosts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    answer: Callable[[str, str, Endpoint], DnsAnswer] | None = None
    asked: list[tuple[str, str, str, str, bool]] = field(default_factory=list)

    def lookup(self, host: str, within: timedelta, family: Family | None = None) -> tuple[str, ...]:
        """The addresses of that family in the table."""
        found = tuple(ip for ip in self.hosts.get(host, ()) if family in {None, Address.parse(ip).family})
        if not found:
            raise Unreachable(f"{host} has no address")
        return found

    def ask(self, name: str, rdtype: str, server: Endpoint, within: timedelta, *, rdclass: str = "IN",
            recurse: bool = False) -> DnsAnswer:  # fmt: skip
        """What `answer` makes of it; without one nobody answers."""
        assert within > timedelta(0)
        self.asked.append((name, rdtype, str(server), rdclass, recurse))
        if self.answer is None:
            raise Unreachable("nobody there")
        return self.answer(name, rdtype, server)


@dataclass
class TableInterfaces:
    """Interfaces whose addresses are a table."""

    table: tuple[InterfaceAddress, ...]

    def addresses(self) -> tuple[InterfaceAddress, ...]:
        """The table."""
        return self.table


def tools(**ports: Any) -> Tools:
    """Tools with these ports; the others are the real ones (no mailer: no source mails)."""
    real: dict[str, Any] = {
        "clock": SystemClock(),
        "http": RequestsHttp(),
        "resolver": TableResolver(),
        "datagram": UdpDatagram(),
        "interfaces": NetlinkInterfaces(),
        "commands": SubprocessCommands(),
        "files": LocalFiles(),
        "mailer": None,
    }
    return Tools(**{**real, **ports})


def written(folder: Path, content: bytes | str) -> Path:
    """A file with that content."""
    path = folder / "ip.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path
