"""Candidates: where the house might be, and who says so. Only a pinned host key proves one (core.host)."""

from datetime import datetime
from enum import StrEnum
from ipaddress import ip_address
from typing import NamedTuple


class Way(StrEnum):
    """How an address was learnt. The order is the order in which candidates of equal standing are dialled."""

    LAN = "lan"  # the host's own address in the house
    PROVED = "proved"  # it was the host there, the last time we looked
    ZONE = "zone"  # the zone's own name servers
    DOH = "doh"  # DNS over HTTPS
    SYSTEM = "system"  # this machine's resolver
    GIVEN = "given"  # written as an address in the configuration


class Claim(NamedTuple):
    """One voice for an address.

    who: the server or file that says so ("ns1.example.org", "dns.quad9.net", "memory"). at: when it was true: now for
    an answer, the time of the proof for a memory. detail: what else is known ("serial 7", "TTL 60 s").
    """

    way: Way
    who: str
    at: datetime | None = None
    detail: str = ""


class Spot(NamedTuple):
    """An IP address (canonical text, no name) and a TCP port."""

    ip: str
    port: int

    def __str__(self) -> str:
        return f"[{self.ip}]:{self.port}" if ":" in self.ip else f"{self.ip}:{self.port}"

    @property
    def version(self) -> int:
        """4 or 6."""
        return ip_address(self.ip.partition("%")[0]).version


class Candidate(NamedTuple):
    """A spot and everybody who named it, first voice first."""

    spot: Spot
    claims: tuple[Claim, ...]
