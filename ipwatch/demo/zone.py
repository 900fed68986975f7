"""The demo's one zone: what stands in it now, and what stood in it a moment ago (for a server that lags)."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.SOA
import dns.rdtypes.IN.A

from ipwatch.demo.journal import Journal

TTL = 60  # seconds
Key = tuple[dns.name.Name, dns.rdatatype.RdataType]
Sets = Mapping[Key, tuple[int, frozenset[dns.rdata.Rdata]]]  # (TTL in seconds, records)


@dataclass(frozen=True, slots=True)
class Version:
    """The zone as it stood from `since` (time.monotonic) on. Never changes."""

    since: float
    serial: int
    sets: Sets


class Zone:
    """One zone. Every change raises the SOA's serial and is written into the journal."""

    def __init__(self, origin: str, journal: Journal, address: Callable[[], str]) -> None:
        """address: the house's address now; a record that gets another one is noted as wrong."""
        self.origin = dns.name.from_text(origin)
        self.journal = journal
        self._address = address
        self._lock = threading.Lock()
        self._versions: list[Version] = []
        names = [dns.name.from_text(ns, self.origin) for ns in ("ns1", "ns2")]
        self._servers = frozenset(read(dns.rdatatype.NS, name.to_text()) for name in names)
        glue = {(name, dns.rdatatype.A): (TTL, frozenset({read(dns.rdatatype.A, "127.0.0.1")})) for name in names}
        self._versions = [self._next(glue, 0.0)]

    def view(self, lag: float = 0.0) -> Version:
        """The newest version that is at least `lag` seconds old."""
        with self._lock:
            then = time.monotonic() - lag
            return next((v for v in reversed(self._versions) if v.since <= then), self._versions[0])

    def shows(self, name: str, rdtype: str = "A", lag: float = 0.0) -> tuple[str, ...]:
        """The records' texts, sorted."""
        key = (dns.name.from_text(name), dns.rdatatype.from_text(rdtype))
        _, records = self.view(lag).sets.get(key, (0, frozenset()))
        return tuple(sorted(record.to_text() for record in records))

    def change(self, edit: Callable[[dict[Key, tuple[int, frozenset[dns.rdata.Rdata]]]], None], by: str) -> bool:
        """Let `edit` change a copy and put it in force; False when that changes nothing. `by`: who did it."""
        with self._lock:
            before = self._versions[-1].sets
            sets = dict(before)
            edit(sets)
            if sets == dict(before):
                return False
            self._write(sets)
        for name, rdtype in sorted(key for key in {*before, *sets} if before.get(key) != sets.get(key)):
            self._tell(name, rdtype, sets.get((name, rdtype), (0, frozenset()))[1], by)
        return True

    def replace(self, name: str, rdtype: str, text: str, by: str) -> bool:
        """Let the name have this one record of that type; False when it already has."""
        key = (dns.name.from_text(name), dns.rdatatype.from_text(rdtype))
        record = read(key[1], text)

        def edit(sets: dict[Key, tuple[int, frozenset[dns.rdata.Rdata]]]) -> None:
            sets[key] = (TTL, frozenset({record}))

        return self.change(edit, by)

    def _write(self, sets: Sets) -> None:
        self._versions = [*self._versions[-99:], self._next(sets, time.monotonic())]

    def _next(self, sets: Sets, since: float) -> Version:
        serial = self._versions[-1].serial + 1 if self._versions else 1
        apex = {
            (self.origin, dns.rdatatype.SOA): (TTL, frozenset({self._soa(serial)})),
            (self.origin, dns.rdatatype.NS): (TTL, self._servers),
        }
        return Version(since, serial, MappingProxyType({**sets, **apex}))

    def _soa(self, serial: int) -> dns.rdata.Rdata:
        origin = self.origin.to_text()
        return read(dns.rdatatype.SOA, f"ns1.{origin} hostmaster.{origin} {serial} 3600 600 86400 {TTL}")

    def _tell(
        self, name: dns.name.Name, rdtype: dns.rdatatype.RdataType, records: frozenset[dns.rdata.Rdata], by: str
    ) -> None:
        if rdtype == dns.rdatatype.SOA:
            return
        shown = " ".join(sorted(record.to_text() for record in records))
        wrong = rdtype == dns.rdatatype.A and shown != self._address()
        text = dns.rdatatype.to_text(rdtype)
        self.journal.note("dns", "changed", plain(name), about=by, address=shown, text=text, wrong=wrong)


def read(rdtype: dns.rdatatype.RdataType, text: str) -> dns.rdata.Rdata:
    """A record from its text; raises dns.exception.DNSException."""
    return dns.rdata.from_text(dns.rdataclass.IN, rdtype, text)


def plain(name: dns.name.Name) -> str:
    """A name as people write it: lower case, no dot at the end."""
    return name.canonicalize().to_text(omit_final_dot=True)
