"""A world of fakes that behave: sources, a provider, a zone, a notifier and a clock, joined by the real round."""

import itertools
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ipwatch.core import verification
from ipwatch.core.address import Address, Family
from ipwatch.core.outcome import Kind, Outcome
from ipwatch.core.record import Account
from ipwatch.core.verification import Sighting, Verification
from ipwatch.ports import AccountOptions, Message, NotifierOptions, Tools, Unreachable, Update
from ipwatch.service.observe import Observer
from ipwatch.service.round import Round
from ipwatch.service.world import World
from ipwatch.settings.model import AccountSpec, NotifierSpec, RecordSpec, Settings, Watch
from tests.fakes.memory_store import MemoryStore

V4 = Family.IPV4
A, B, C = (Address.parse(f"25.0.0.{n}") for n in (1, 2, 3))


class FakeClock:
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
        self._start = self.time

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> timedelta:
        return self.time - self._start

    def sleep(self, time: timedelta) -> None:
        self.time += time

    def go(self, **how: float) -> None:
        self.time += timedelta(**how)


@dataclass
class FakeSource:
    """Says what it is set to: an address, or nothing."""

    id: str
    operator: str
    says: Address | None
    families: frozenset[Family] = frozenset({V4})
    min_interval: timedelta = timedelta(0)
    asked: int = 0

    def observe(self, family: Family, within: timedelta) -> Address:
        self.asked += 1
        if self.says is None:
            raise Unreachable("the line is down")
        return self.says


@dataclass
class FakeZone:
    """Name server and provider in one: `shows` is the zone, `answers` what is said to the next requests."""

    shows: dict[str, Address] = field(default_factory=dict)
    answers: list[Outcome | BaseException] = field(default_factory=list)
    requests: list[tuple[tuple[str, ...], tuple[Address, ...]]] = field(default_factory=list)
    frozen: bool = False  # "good" is said, and nothing is changed
    batch: int = 20
    repairs: bool = False
    refresh: timedelta | None = None
    pause: timedelta = timedelta(0)
    service: str = "fake"

    def publish(self, updates: Sequence[Update], within: timedelta) -> Mapping[tuple[str, Family], Outcome]:
        names = tuple(u.name for u in updates)
        self.requests.append((names, updates[0].addresses))
        answer = self.answers.pop(0) if self.answers else Outcome(Kind.CHANGED, "good", "the service holds it")
        if isinstance(answer, BaseException):
            raise answer
        if answer.held and not self.frozen:
            self.shows |= {u.name: u.addresses[0] for u in updates}
        return {(u.name, a.family): answer for u in updates for a in u.addresses}

    def check(self, name: str, family: Family, wanted: Address, nameservers: tuple[str, ...],
              within: timedelta) -> Verification:  # fmt: skip
        shows = (self.shows[name],) if name in self.shows else ()
        return verification.compare(wanted, [Sighting("ns1", "127.0.0.1", shows, "")])

    def close(self) -> None:
        """Nothing is held."""


@dataclass
class FakeNotifier:
    """Keeps what it is sent; fails while `broken` is set."""

    reflects: bool = False
    broken: Exception | None = None
    got: list[Message] = field(default_factory=list)
    tries: list[Message] = field(default_factory=list)

    def send(self, message: Message, within: timedelta) -> None:
        self.tries.append(message)
        if self.broken is not None:
            raise self.broken
        self.got.append(message)


class SmallWorld:
    """Three sources of three operators, quorum 2, the records given, one mailer. `restart` makes it anew."""

    def __init__(self, names: Sequence[str] = ("home.example.org",), *, quorum: int = 2) -> None:
        self.clock = FakeClock()
        self.sources: list[Any] = [FakeSource(f"page:{n}", n, A) for n in ("ant", "bee", "cat")]
        self.zone = FakeZone()
        self.mail = FakeNotifier()
        self.mirror = FakeNotifier(reflects=True)
        self.store = MemoryStore()
        self.names = tuple(names)
        self.fingerprint = "first"
        self.quorum = quorum
        self.interval = timedelta(minutes=5)
        self.timeout = timedelta(seconds=1)  # of each source
        self._ids = itertools.count()
        self._pool = ThreadPoolExecutor(4)
        self.round = self.restart()

    def restart(self) -> Round:
        """A new process on the same disk."""
        self.store.disk.opened = False  # the kernel opened the lock of the process that ended
        self.store = MemoryStore(self.store.disk)
        self.round = Round.start(self._world(), self.store)
        return self.round

    def _world(self) -> World:
        options = AccountOptions()
        settings = Settings(
            path=None,
            watch=Watch(self.interval, (V4,), {V4: self.quorum, Family.IPV6: 1}),
            state=Path("unused.db"),
            sources=(),
            accounts={"main": AccountSpec("main", "fake", options, self.fingerprint)},
            records=tuple(RecordSpec(n, "main", (V4,), None, None, "record") for n in self.names),
            notifiers=(
                NotifierSpec("mail", "fake", NotifierOptions()),
                NotifierSpec("mirror", "fake", NotifierOptions()),
            ),
        )
        z = self.zone
        account = Account("main", z.batch, z.repairs, z.refresh, z.pause, z.service, True, self.fingerprint)
        tools: Any = Tools(self.clock, *[None] * 7)  # type: ignore[arg-type]
        timeouts = dict.fromkeys((s.id for s in self.sources), self.timeout)
        observer = Observer({s.id: s for s in self.sources}, timeouts, self.clock, self._pool)
        return World(
            settings, tools, tuple(self.sources), {"main": z}, {"mail": self.mail, "mirror": self.mirror}, observer,
            self.zone, self._pool, {"main": account}, lambda: f"id{next(self._ids)}",  # type: ignore[arg-type]
        )  # fmt: skip

    def say(self, *addresses: Address | None) -> None:
        """What the three sources say from now on."""
        for source, address in zip(self.sources, addresses * (3 if len(addresses) == 1 else 1), strict=True):
            source.says = address

    def run(self, **how: float) -> None:
        """Let time pass, doing the work whenever it is due."""
        end = self.clock.now() + timedelta(**how)
        at = self.round.work()
        for _ in range(20_000):
            if at > end:
                self.clock.time = end
                return
            self.clock.time = max(at, self.clock.time + timedelta(milliseconds=1))
            at = self.round.work()
        raise AssertionError("the round never rests")

    def close(self) -> None:
        """Let the threads go."""
        self._pool.shutdown()
