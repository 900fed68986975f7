"""Asks every authoritative server of a record's zone what it shows; core.verification judges.

The questions run in a pool of its own: `check` is called from workers of the service's pool, and a worker that waits
for a place in its own pool may wait for ever.
"""

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import timedelta

from ipwatch.core.address import Address, BadAddress, Family
from ipwatch.core.state import Shown
from ipwatch.core.verification import Sighting, Verification, compare
from ipwatch.ports import Clock, DnsAnswer, Endpoint, Garbled, NameServer, PortError, Resolver, Unreachable
from ipwatch.protocols.hostport import BadHostPort, split

_ZONE_KEPT = timedelta(hours=1)  # a zone's servers change rarely; NS records often live a day
_DNS = 53  # the port (RFC 1035 4.2)
_ZONES = 1024  # at most so many are remembered
_WORKERS = 8  # most zones have two to six server addresses: one round of questions


class Verifier:
    """Checks records at their zone's servers. Safe to call from several threads; close() ends its pool."""

    def __init__(self, resolver: Resolver, clock: Clock) -> None:
        self._resolver = resolver
        self._clock = clock
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None
        self._zones: dict[str, tuple[timedelta, tuple[NameServer, ...]]] = {}

    def check(self, name: str, family: Family, wanted: Address, nameservers: tuple[str, ...], within: timedelta,
              *, proxied_by_design: bool = False) -> Verification:  # fmt: skip
        """Ask all servers at once and judge; never raises a PortError: not knowing is Shown.UNKNOWN.

        nameservers: "host:port" texts asked instead of the zone's own servers.
        """
        end = self._clock.monotonic() + within
        try:
            servers, missing = self._servers(name, nameservers, end)
        except PortError as error:
            return Verification(Shown.UNKNOWN, f"the name servers of {name} could not be found: {error}")
        sightings = [*missing, *self._ask_all(name, family, servers, end)]
        answering = {s.server for s in sightings if s.shows is not None}
        if any(s.server not in answering for s in sightings):
            self._forget(name)
        return compare(wanted, sightings, proxied_by_design=proxied_by_design)

    def close(self) -> None:
        """End the pool; questions under way end by their own deadline."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=True, cancel_futures=True)

    def _servers(
        self, name: str, nameservers: Sequence[str], end: timedelta
    ) -> tuple[list[NameServer], list[Sighting]]:
        if not nameservers:
            return list(self._zone_servers(name, end)), []
        found: list[NameServer] = []
        missing: list[Sighting] = []
        for text in nameservers:
            try:
                host, port = split(text, _DNS)
                addresses = self._resolver.lookup(host, self._left(end))
            except (PortError, BadHostPort) as error:
                missing.append(Sighting(text, "", None, str(error)))
                continue
            found += [NameServer(text, Endpoint(address, port)) for address in addresses]
        return found, missing

    def _zone_servers(self, name: str, end: timedelta) -> tuple[NameServer, ...]:
        now = self._clock.monotonic()
        with self._lock:
            known = self._zones.get(name)
        if known is not None and now - known[0] < _ZONE_KEPT:
            return known[1]
        servers = self._resolver.zone(name, self._left(end)).servers
        with self._lock:
            while len(self._zones) >= _ZONES:
                del self._zones[next(iter(self._zones))]
            self._zones[name] = (now, servers)
        return servers

    def _forget(self, name: str) -> None:
        """Its servers may have changed: look them up again next time."""
        with self._lock:
            self._zones.pop(name, None)

    def _ask_all(self, name: str, family: Family, servers: Sequence[NameServer], end: timedelta) -> list[Sighting]:
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(_WORKERS, "verify")
            asked = {self._pool.submit(self._ask, name, family, server, end): server for server in servers}
        wait(asked, timeout=self._left(end).total_seconds())
        return [_result(question, server) for question, server in asked.items()]

    def _ask(self, name: str, family: Family, server: NameServer, end: timedelta) -> Sighting:
        at = str(server.endpoint)
        try:
            answer = self._resolver.ask(name, family.rdtype, server.endpoint, self._left(end))
            return _sighting(server, answer)
        except Unreachable:
            return Sighting(server.name, at, None, "timed out or unreachable")
        except Garbled:
            return Sighting(server.name, at, None, "an answer that does not fit")
        except (PortError, BadAddress) as error:
            return Sighting(server.name, at, None, str(error))

    def _left(self, end: timedelta) -> timedelta:
        return max(end - self._clock.monotonic(), timedelta(0))


def _result(question: "Future[Sighting]", server: NameServer) -> Sighting:
    if question.done():
        return question.result()
    question.cancel()
    return Sighting(server.name, str(server.endpoint), None, "timed out or unreachable")


def _sighting(server: NameServer, answer: DnsAnswer) -> Sighting:
    """Only an answer with authority counts (RFC 1034 6.2.1): a cache may show what was true once."""
    at = str(server.endpoint)
    if answer.rcode not in {"NOERROR", "NXDOMAIN"}:
        return Sighting(server.name, at, None, answer.rcode)
    if not answer.authoritative:
        return Sighting(server.name, at, None, "not authoritative")
    note = (
        ""
        if answer.texts
        else f"an alias of {answer.cname}"
        if answer.cname
        else "NXDOMAIN" * (answer.rcode != "NOERROR")
    )
    return Sighting(server.name, at, tuple(Address.parse(text) for text in answer.texts), note)
