"""One way to locate: the zone's own name servers, at least two of them at once.

Caches may show what was true a while ago; these know. Where they differ, the one with the newer SOA serial is right
(dynamic DNS providers' secondaries lag).
"""

import queue
import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import NamedTuple, TypeVar

from ipwatch.core.candidate import Spot
from ipwatch.core.locating import View, dialable, freshest
from ipwatch.ports import Clock, DnsAnswer, Endpoint, NameServer, PortError, Resolver, Unreachable

_FIND = timedelta(seconds=4)  # for the zone and its servers
_ASK = timedelta(seconds=2.5)  # for one server: a lost datagram is sent again after 1 s (net.dns)
_AT_ONCE = 4  # servers asked at the same time
_ENOUGH = 2  # answers after which no further server is asked
_PATIENCE = timedelta(milliseconds=150)  # for a second answer after the first, before the first is believed
_ALIASES = 8  # followed at most
_KEPT = timedelta(hours=1)  # a zone's servers change rarely

T = TypeVar("T")


class NotAuthoritative(PortError):
    """The answer came without authority. intercepted: from a resolver, so somebody sits in between."""

    def __init__(self, message: str, *, intercepted: bool) -> None:
        super().__init__(message)
        self.intercepted = intercepted


class Seen(NamedTuple):
    """What a server showed. behind: another one has a newer serial. alias: the name asked for, where it differs."""

    view: View
    behind: bool = False
    alias: str = ""


class Failed(NamedTuple):
    """A server, or (server "") the zone itself, gave nothing."""

    server: str
    error: PortError


Told = Callable[[Seen | Failed], None]


class Authority:
    """Asks the zones' servers and remembers who they are. nameservers: asked instead. May be used from several
    threads; the threads it starts end by their own deadlines."""

    def __init__(self, resolver: Resolver, clock: Clock, chance: Callable[[], float],
                 nameservers: Sequence[Spot] = ()) -> None:  # fmt: skip
        self._resolver, self._clock, self._chance = resolver, clock, chance
        self._own = tuple(NameServer(str(spot), Endpoint(*spot)) for spot in nameservers)
        self._zones: dict[str, tuple[timedelta, tuple[NameServer, ...]]] = {}
        self._lock = threading.Lock()

    def seek(self, name: str, end: timedelta, tell: Told) -> None:
        """Ask for the name's addresses of both families, and tell what each server shows as soon as it is settled
        which of them is ahead. Aliases are followed into other zones. Returns when all is told, at `end` at last."""
        asked = name
        for _ in range(_ALIASES):
            try:
                servers = self._servers(asked, end)
            except PortError as error:
                tell(Failed("", error))
                return
            following = _Round(self, asked, servers, end, tell, "" if asked == name else asked).run()
            if not following:
                return
            asked = following
        tell(Failed("", Unreachable(f"{name} is an alias of an alias of an alias without end")))

    def left(self, end: timedelta, most: timedelta = _ASK) -> timedelta:
        """The time for one step."""
        return min(most, max(end - self._clock.monotonic(), timedelta(0)))

    def _servers(self, name: str, end: timedelta) -> tuple[NameServer, ...]:
        """In the order in which they are asked: each server once, then their further addresses."""
        found = self._own or self._of_zone(name, end)
        drawn = sorted(found, key=lambda _server: self._chance())
        times: dict[str, int] = {}
        turns = []
        for server in sorted(drawn, key=lambda s: ":" in s.endpoint.host):  # IPv4 is there more often
            times[server.name] = times.get(server.name, 0) + 1
            turns.append((times[server.name], server))
        return tuple(server for _, server in sorted(turns, key=lambda turn: turn[0]))

    def _of_zone(self, name: str, end: timedelta) -> tuple[NameServer, ...]:
        now = self._clock.monotonic()
        with self._lock:
            known = self._zones.get(name)
        if known is not None and now - known[0] < _KEPT:
            return known[1]
        servers = self._resolver.zone(name, self.left(end, _FIND)).servers
        with self._lock:
            self._zones[name] = (now, servers)
        return servers

    def forget(self, name: str) -> None:
        """Look its servers up anew the next time: none of them answered."""
        with self._lock:
            self._zones.pop(name, None)

    def view(self, name: str, server: NameServer, end: timedelta) -> View:
        """What this server shows; raises PortError. Its three questions are asked at once."""

        def question(rdtype: str) -> Callable[[], DnsAnswer]:
            return lambda: self._resolver.ask(name, rdtype, server.endpoint, self.left(end))

        answers = together([question(rdtype) for rdtype in ("A", "AAAA", "SOA")])
        *addresses, soa = (_checked(server, answer) for answer in answers)
        heard = [answer for answer in addresses if isinstance(answer, DnsAnswer)]
        faults = [answer for answer in addresses if isinstance(answer, PortError)]
        ips = [ip for answer in heard for text in answer.texts if (ip := dialable(text))]
        ttls = [answer.ttl for answer in heard if answer.ttl is not None and ips]
        alias = next((answer.cname for answer in heard if answer.cname), "") if not ips else ""
        missing = any(answer.rcode == "NXDOMAIN" for answer in heard)
        if faults and not (ips or alias or missing):  # an address may hide behind the fault
            raise min(faults, key=lambda fault: not isinstance(fault, NotAuthoritative))
        serial = soa.serial if isinstance(soa, DnsAnswer) else None
        return View(server.name, tuple(dict.fromkeys(ips)), serial, min(ttls, default=None), missing,
                    "" if missing else alias)  # fmt: skip

    def now(self) -> timedelta:
        """The monotonic clock."""
        return self._clock.monotonic()


def _checked(server: NameServer, answer: DnsAnswer | PortError) -> DnsAnswer | PortError:
    """Only an answer with authority counts (RFC 1034 6.2.1); each for itself, since some servers that know a name's A
    fail when they are asked for its AAAA (RFC 4074 4)."""
    if isinstance(answer, PortError):
        return answer
    if answer.rcode not in {"NOERROR", "NXDOMAIN"}:
        return NotAuthoritative(f"{server.name} answers {answer.rcode}", intercepted=False)
    if not answer.authoritative:
        who = "a resolver answers in its place" if answer.recursion else "it answers without authority"
        return NotAuthoritative(f"{server.name}: {who}", intercepted=answer.recursion)
    return answer


class _Round:
    """One name asked at the servers of its zone."""

    def __init__(self, authority: Authority, name: str, servers: Sequence[NameServer], end: timedelta, tell: Told,
                 alias: str) -> None:  # fmt: skip
        self._authority, self._name, self._end, self._tell, self._alias = authority, name, end, tell, alias
        self._servers = queue.SimpleQueue[NameServer]()
        for server in servers:
            self._servers.put(server)
        self._said = queue.SimpleQueue[View | Failed | None]()  # None: one of those who ask has ended
        self._open = min(_AT_ONCE, len(servers))
        self._views: list[View] = []
        self._told: set[tuple[View, bool]] = set()

    def run(self) -> str:
        """Tell everything; gives the name to follow, "" for none."""
        for _ in range(self._open):
            threading.Thread(target=self._ask, name="locate zone", daemon=True).start()
        moment = self._end  # when the views so far are settled
        while self._open and (now := self._authority.now()) < self._end:
            if now >= moment:
                self._settle()
                if len(self._views) >= _ENOUGH or self._following():
                    break
                moment = self._end
            try:
                said = self._said.get(timeout=min(moment - now, _ASK).total_seconds())
            except queue.Empty:
                continue
            if isinstance(said, View):
                self._views.append(said)
                if len(self._views) in {1, _ENOUGH}:
                    moment = self._authority.now() + (_PATIENCE if len(self._views) == 1 else timedelta(0))
            elif said is not None:
                self._tell(said)
            else:
                self._open -= 1
        self._settle()
        if not self._views:
            self._authority.forget(self._name)
        return self._following()

    def _following(self) -> str:
        current, _ = freshest(self._views)
        return "" if any(view.ips for view in current) else next((view.alias for view in current if view.alias), "")

    def _settle(self) -> None:
        """Tell what has not been told yet, the views that count first."""
        current, behind = freshest(self._views)
        for view, late in (*((v, False) for v in current), *((v, True) for v in behind)):
            if (view, late) not in self._told:
                self._told.add((view, late))
                self._tell(Seen(view, late, self._alias))

    def _ask(self) -> None:
        while len(self._views) < _ENOUGH and self._authority.left(self._end) > timedelta(0):
            try:
                server = self._servers.get_nowait()
            except queue.Empty:
                break
            try:
                self._said.put(self._authority.view(self._name, server, self._end))
            except PortError as error:
                self._said.put(Failed(server.name, error))
        self._said.put(None)


def together(calls: Sequence[Callable[[], T]]) -> list[T | PortError]:
    """Do all of it at the same time; a PortError stands in the place of its result."""
    results: list[T | PortError] = [Unreachable("it was not asked")] * len(calls)

    def run(number: int) -> None:
        try:
            results[number] = calls[number]()
        except PortError as error:
            results[number] = error

    threads = [threading.Thread(target=run, args=(i,), name="locate", daemon=True) for i in range(1, len(calls))]
    for thread in threads:
        thread.start()
    run(0)
    for thread in threads:
        thread.join()
    return results
