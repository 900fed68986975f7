"""Real round, dyndns2 provider, verifier and store against nsupdate with BIND: only the line and the time are fake."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest

from ipwatch.core.address import Address, Family
from ipwatch.core.event import Topic
from ipwatch.core.outcome import Kind, Outcome
from ipwatch.core.state import RecordKey, Shown, Standing
from ipwatch.net.dns import DnspythonResolver
from ipwatch.net.http import RequestsHttp
from ipwatch.ports import NotifierOptions, Provider, Secret, Tools, Update
from ipwatch.providers import dyndns2
from ipwatch.service.observe import Observer
from ipwatch.service.round import Round, well
from ipwatch.service.world import World, build
from ipwatch.settings.model import AccountSpec, NotifierSpec, RecordSpec, Settings, Watch
from ipwatch.store import SqliteStore
from tests.fakes.nsupdate_server import PASSWORD, Nsupdate, nsupdate
from tests.fakes.small_world import FakeClock, FakeNotifier, FakeSource

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.timeout(600)]  # the first run builds an environment
V4, V6 = Family.IPV4, Family.IPV6
INTERVAL = timedelta(minutes=5)


class Killed(BaseException):
    """The process ended here: nothing after this line was done."""


@dataclass
class Mortal:
    """The real provider; where told so, the process dies before its request leaves or after the answer has come."""

    real: Provider
    dies: str = ""

    def __post_init__(self) -> None:
        self.batch, self.repairs, self.refresh = self.real.batch, self.real.repairs, self.real.refresh
        self.pause, self.service = self.real.pause, self.real.service

    def publish(self, updates: Sequence[Update], within: timedelta) -> Mapping[tuple[str, Family], Outcome]:
        dies, self.dies = self.dies, ""
        if dies == "before":
            raise Killed
        answers = self.real.publish(updates, within)
        if dies == "after":
            raise Killed
        return answers


class House:
    """One record at nsupdate, watched by the real service; `stop`, `kill` and `start` are its process."""

    def __init__(self, server: Nsupdate, state: Path, host: str, families: tuple[Family, ...] = (V4,)) -> None:
        self.server, self.host, self.families = server, host, families
        self.name = f"{host}.{server.zone}"
        self.state = state
        self.password, self.fingerprint = PASSWORD, "first"
        self.clock, self.http, self.mail = FakeClock(), RequestsHttp(), FakeNotifier()
        self.sources = {
            f: [FakeSource(f"page:{o}/{f}", o, None, frozenset({f})) for o in ("ant", "bee", "cat")] for f in families
        }
        self._ids = count()
        self._graves: list[SqliteStore] = []
        self.starts = 0

    def say(self, *addresses: Address) -> None:
        """What the sources say from now on."""
        for address in addresses:
            for source in self.sources[address.family]:
                source.says = address

    def start(self) -> None:
        """A new process on the same disk."""
        self.starts += 1
        self.store = SqliteStore(self.state, self.clock)
        self.round = Round.start(self._world(), self.store)

    def stop(self) -> None:
        """The process ends as it should."""
        self.round.world.close()
        self.store.close()

    def kill(self) -> None:
        """The process is gone: the kernel opens the lock, and nothing else of the store is tidied up."""
        self.round.world.close()
        self.store._lock.release()
        self._graves.append(self.store)

    def close(self) -> None:
        """Let go of everything, the dead processes' files too."""
        self.stop()
        self.http.close()
        for store in self._graves:
            store.close()

    def run(self, time: timedelta) -> None:
        """Let time pass, doing the work whenever it is due."""
        end = self.clock.now() + time
        at = self.round.work()
        for _ in range(20 + 3 * (time // INTERVAL)):  # a round, a drift check every sixth, and what follows a change
            if at > end:
                self.clock.time = end
                return
            self.clock.time = max(at, self.clock.time + timedelta(milliseconds=1))
            at = self.round.work()
        raise AssertionError("the round never rests")

    def die(self, when: str) -> None:
        """The process ends around the next request to the server."""
        provider = self.round.world.providers["main"]
        assert isinstance(provider, Mortal)
        provider.dies = when

    def standing(self, family: Family = V4) -> Standing:
        """How the record stands."""
        return self.round.state.records[RecordKey("main", self.name, family)]

    def told(self) -> list[Topic]:
        """What was mailed, in order."""
        return [event.topic for message in self.mail.got for event in message.events]

    def shows(self, family: Family = V4) -> tuple[str, ...]:
        """What BIND has for the record."""
        answer = DnspythonResolver().ask(self.name, family.rdtype, self.server.nameserver, timedelta(seconds=5))
        assert answer.authoritative
        return answer.texts

    def _world(self) -> World:
        options = dyndns2.Settings(
            server=self.server.url, username=self.name, password=Secret(self.password), allow_insecure=True,
            nameservers=(str(self.server.nameserver),),
        )  # fmt: skip
        settings = Settings(
            path=None, watch=Watch(INTERVAL, self.families), state=self.state, sources=(),
            accounts={"main": AccountSpec("main", "dyndns2", options, self.fingerprint)},
            records=(RecordSpec(self.name, "main", self.families, None, None, "record"),), notifiers=(),
        )  # fmt: skip
        tools = Tools(self.clock, self.http, DnspythonResolver(), *[None] * 5)  # type: ignore[arg-type]
        world = build(settings, tools, lambda: f"id{next(self._ids)}")
        sources = tuple(s for row in self.sources.values() for s in row)
        return replace(
            world, sources=sources, providers={"main": Mortal(world.providers["main"])}, notifiers={"mail": self.mail},
            settings=replace(settings, notifiers=(NotifierSpec("mail", "fake", NotifierOptions()),)),
            observer=Observer(
                {s.id: s for s in sources}, {s.id: timedelta(seconds=1) for s in sources}, self.clock, world.pool
            ),
        )  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nsupdate]:
    with nsupdate(tmp_path_factory.mktemp("nsupdate"), "home", "locked", "dual", "lost") as it:
        yield it


def v4(n: int) -> Address:
    return Address.parse(f"25.0.0.{n}")


def v6(n: int) -> Address:
    return Address.parse(f"2001:db8:0:{n:x}::1")  # nsupdate deletes where the part after its netmask is zero


# Each change of address with what befalls the process: it ends beside that change, or on the request that tells it.
ENDS = {3: "stop", 5: "after", 7: "kill", 9: "before", 11: "stop", 12: "kill", 14: "after", 16: "before", 17: "kill",
        19: "stop"}  # fmt: skip


def test_week_without_a_fault(server: Nsupdate, tmp_path: Path) -> None:
    """A week of rounds with 20 changes and 10 restarts, 4 of them in mid-request, is 21 requests and no fault."""
    house = House(server, tmp_path / "state.db", "home")
    house.say(v4(100))
    house.start()
    began, rounds = house.clock.now(), 0
    try:
        house.run(timedelta(hours=2))
        for n in range(1, 21):
            house.say(v4(n))
            _befall(house, ENDS.get(n, ""))
            # odd spans, so that restarts and changes fall on every phase of the checks
            house.run(timedelta(hours=7, minutes=11 * (n % 5), seconds=17 * n))
            assert house.shows() == (str(v4(n)),)
        house.run(began + timedelta(days=7) - house.clock.now())
        rounds = house.round.state.rounds
        assert well(house.round.world, house.round.state) == ()
        assert house.standing().shown is Shown.SEEN
    finally:
        house.close()
    account, requests = server.account("home"), server.requests("home")
    assert (account["client_faults"], account["server_faults"], account["api_auth_faults"]) == (0, 0, 0), account
    assert (account["abuse"], account["abuse_blocked"]) == (False, False)
    assert [p["myip"] for p, _ in requests] == [str(v4(n)) for n in (100, *range(1, 21))]
    assert {status for _, status in requests} == {200}
    assert house.shows() == (str(v4(20)),)
    assert house.starts == 1 + len(ENDS) == 11
    assert rounds == pytest.approx(7 * 24 * 12, abs=len(ENDS))  # a killed one may count twice
    change = [Topic.ADDRESS_CHANGED, Topic.RECORD_PUBLISHED]
    assert house.told() == [Topic.ADDRESS_FOUND, Topic.RECORD_PUBLISHED, *change * 20]


def _befall(house: House, end: str) -> None:
    """The process ends so and is started again."""
    if end in {"before", "after"}:
        house.die(end)
        with pytest.raises(Killed):
            house.run(timedelta(hours=1))
        house.kill()
    elif end == "kill":
        house.run(INTERVAL)  # the address is just published
        house.kill()
    elif end == "stop":
        house.stop()
    if end:
        house.clock.go(seconds=7)
        house.start()


def test_wrong_password_is_tried_once(server: Nsupdate, tmp_path: Path) -> None:
    """Three days and three restarts with a wrong password are one badauth; corrected, the address is published."""
    house = House(server, tmp_path / "state.db", "locked")
    house.password = "wrong-password-of-the-host"
    house.start()
    try:
        for n in range(4):
            house.say(v4(n + 1))  # a new address is no reason to try the same password again
            house.run(timedelta(hours=18))
            latch = house.round.state.accounts["main"].latch
            assert latch is not None
            assert latch.code == "badauth"
            if n < 3:
                (house.stop, house.kill, house.kill)[n]()
                house.start()
        assert [status for _, status in server.requests("locked")] == [401]
        assert house.told().count(Topic.RECORD_REFUSED) == 1
        house.stop()
        house.password, house.fingerprint = PASSWORD, "second"
        house.start()
        house.run(timedelta(hours=1))
        assert house.shows() == (str(v4(4)),)
    finally:
        house.close()
    account = server.account("locked")
    assert (account["api_auth_faults"], account["client_faults"], account["abuse"]) == (1, 0, False)
    assert [status for _, status in server.requests("locked")] == [401, 200]


def test_dual_stack(server: Nsupdate, tmp_path: Path) -> None:
    """Both families go in one request, a family that changed goes alone, and the server counts no fault."""
    house = House(server, tmp_path / "state.db", "dual", (V4, V6))
    house.say(v4(1), v6(1))
    house.start()
    try:
        house.run(timedelta(hours=3))
        for changed in ((v4(2),), (v6(2),), (v4(3), v6(3))):
            house.say(*changed)
            house.run(timedelta(hours=3))
        assert well(house.round.world, house.round.state) == ()
        assert (house.shows(V4), house.shows(V6)) == ((str(v4(3)),), (str(v6(3)),))
    finally:
        house.close()
    assert [p["myip"] for p, _ in server.requests("dual")] == [
        f"{v4(1)},{v6(1)}", str(v4(2)), str(v6(2)), f"{v4(3)},{v6(3)}",
    ]  # fmt: skip
    account = server.account("dual")
    assert (account["client_faults"], account["server_faults"], account["abuse"]) == (0, 0, False)


def test_two_lines_for_one_host(server: Nsupdate, tmp_path: Path) -> None:
    """After a lost state the answer has a line per family, "good" and "nochg", and each family gets its own."""
    house = House(server, tmp_path / "first.db", "lost", (V4, V6))
    house.say(v4(1), v6(1))
    house.start()
    try:
        house.run(timedelta(hours=1))
        house.stop()
        house.state = tmp_path / "second.db"
        house.say(v4(2))
        house.start()
        house.run(timedelta(hours=1))
        assert (house.standing(V4).last, house.standing(V4).published) == (Kind.CHANGED, v4(2))
        assert (house.standing(V6).last, house.standing(V6).published) == (Kind.UNCHANGED, v6(1))
        assert well(house.round.world, house.round.state) == ()
    finally:
        house.close()
    assert len(server.requests("lost")) == 2
