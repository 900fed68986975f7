"""The order of work, on fakes that behave and a clock that is told the time."""

import socket
from collections.abc import Iterator
from datetime import timedelta

import pytest

from ipwatch.core.event import Topic
from ipwatch.core.outcome import Kind, Outcome, Scope
from ipwatch.core.state import Shown
from ipwatch.net.http import RequestsHttp
from ipwatch.ports import Busy, Unreachable
from ipwatch.service.round import well
from ipwatch.sources.web import PLUGIN, WebOptions
from tests.fakes.raw_http_server import HttpServer, page, raw_first, reset
from tests.fakes.small_world import V4, A, B, C, FakeSource, SmallWorld
from tests.fakes.source_tools import tools

NAME = "home.example.org"


@pytest.fixture
def house() -> Iterator[SmallWorld]:
    small = SmallWorld()
    yield small
    small.close()


def topics(house: SmallWorld) -> list[Topic]:
    return [e.topic for message in house.mail.got for e in message.events]


def standing(house: SmallWorld):
    return next(iter(house.round.state.records.values()))


def test_first_round(house: SmallWorld) -> None:
    """The first agreed address is published, seen in the zone and told in one mail."""
    house.run(minutes=1)
    assert house.zone.requests == [((NAME,), (A,))]
    assert standing(house).shown is Shown.SEEN
    assert [topics(house), len(house.mail.got)] == [[Topic.ADDRESS_FOUND, Topic.RECORD_PUBLISHED], 1]
    assert well(house.round.world, house.round.state) == ()


def test_quiet_day(house: SmallWorld) -> None:
    """A day in which nothing changes sends nothing to the provider and asks two sources a round, in turn."""
    house.run(minutes=1)
    before = [s.asked for s in house.sources]
    house.run(hours=24)
    asked = [s.asked - n for s, n in zip(house.sources, before, strict=True)]
    assert len(house.zone.requests) == 1
    assert sum(asked) == 2 * 288
    assert max(asked) - min(asked) <= 1
    assert len(house.mail.got) == 1


def test_change(house: SmallWorld) -> None:
    """A new address is published in the round that agrees on it, and told once with its verification."""
    house.run(minutes=1)
    house.say(B)
    house.run(minutes=6)
    assert house.zone.requests[1:] == [((NAME,), (B,))]
    assert topics(house)[2:] == [Topic.ADDRESS_CHANGED, Topic.RECORD_PUBLISHED]
    assert "25.0.0.1" in house.mail.got[1].text
    assert "25.0.0.2" in house.mail.got[1].text


@pytest.mark.parametrize("liar", [0, 1, 2])
def test_one_liar(house: SmallWorld, liar: int) -> None:
    """One source of three that lies moves nothing, is put aside, and stands in the history."""
    house.run(minutes=1)
    house.sources[liar].says = C
    house.run(hours=3)
    assert [r[1] for r in house.zone.requests] == [(A,)]
    health = house.round.state.sources[f"{house.sources[liar].id}/ipv4"]
    assert not health.well
    assert health.demoted_until is not None
    assert any(e.topic is Topic.SOURCE_DISSENT for e in house.store.disk.events)


def test_dispute_and_silence_change_nothing(house: SmallWorld) -> None:
    """Three sources that all differ, and none that answers, leave the record as it is; the dispute is told once."""
    house.run(minutes=1)
    house.say(A, B, C)
    house.run(hours=2)
    house.say(None)
    house.run(hours=2)
    assert len(house.zone.requests) == 1
    assert house.zone.shows == {NAME: A}
    assert topics(house).count(Topic.SOURCES_DISPUTE) == 1


@pytest.mark.parametrize(("scope", "name"), [(Scope.RECORD, NAME), (Scope.ACCOUNT, "main"), (Scope.PROVIDER, "main")])
def test_fatal_code(house: SmallWorld, scope: Scope, name: str) -> None:
    """After a refusal one request is all that was ever sent, over days, new addresses and restarts; then unlock."""
    house.zone.answers = [Outcome(Kind.REFUSED, "badauth", "the password is wrong", scope=scope)]
    house.run(minutes=1)
    for address in (B, C, B):
        house.say(address)
        house.restart()
        house.run(hours=9)
    assert len(house.zone.requests) == 1
    assert topics(house).count(Topic.RECORD_REFUSED) == 1
    assert any("wrong" in fault for fault in well(house.round.world, house.round.state))
    assert house.round.unlock(name)
    house.run(minutes=6)
    assert len(house.zone.requests) == 2
    assert house.zone.shows == {NAME: B}
    assert Topic.RECORD_WELL in topics(house)


def test_edited_configuration_opens_the_latch(house: SmallWorld) -> None:
    """A refusal is over when the account's configuration was edited, and not when the program merely restarts."""
    house.zone.answers = [Outcome(Kind.REFUSED, "badauth", "the password is wrong", scope=Scope.ACCOUNT)]
    house.run(minutes=1)
    house.restart()
    house.run(minutes=30)
    assert len(house.zone.requests) == 1
    house.fingerprint = "edited"
    house.restart()
    house.run(minutes=1)
    assert len(house.zone.requests) == 2
    assert house.zone.shows == {NAME: A}


def test_busy_is_kept_exactly(house: SmallWorld) -> None:
    """A provider's "wait 40 minutes" is waited for to the minute, over a restart."""
    house.zone.answers = [Busy("later", after=timedelta(minutes=40), code="w40m")]
    house.run(minutes=20)
    house.restart()
    house.run(minutes=19)
    assert len(house.zone.requests) == 1
    house.run(minutes=2)
    assert len(house.zone.requests) == 2


def test_no_answer_is_looked_up_first(house: SmallWorld) -> None:
    """When the answer to a change is lost but the zone shows it, nothing is sent again."""
    house.zone.answers = [Unreachable("the answer did not come", sent=True)]
    house.zone.shows[NAME] = A
    house.run(hours=1)
    assert len(house.zone.requests) == 1
    assert standing(house).published == A


def test_no_answer_and_not_shown_is_sent_again(house: SmallWorld) -> None:
    """When the answer is lost and the zone does not show the address within a minute, it is sent once more."""
    house.zone.answers = [Unreachable("the answer did not come", sent=True)]
    house.run(seconds=50)
    assert len(house.zone.requests) == 1
    house.run(minutes=3)
    assert len(house.zone.requests) == 2
    assert house.zone.shows == {NAME: A}


def test_killed_while_sending(house: SmallWorld) -> None:
    """A process that dies while a request is out looks the zone up before it sends anything again."""

    class Killed(BaseException):
        pass

    house.zone.answers = [Killed()]  # type: ignore[list-item]
    with pytest.raises(Killed):
        house.round.work(observe=True)
    house.zone.shows[NAME] = A
    house.restart()
    house.run(hours=1)
    assert len(house.zone.requests) == 1
    assert standing(house).published == A


def test_good_but_not_shown(house: SmallWorld) -> None:
    """A provider that says good while the zone does not show it is told after the deadline, and once."""
    house.zone.frozen = True
    house.run(hours=2)
    assert len(house.zone.requests) == 1
    assert topics(house).count(Topic.RECORD_NOT_SHOWN) == 1
    house.zone.shows[NAME] = A
    house.run(hours=1)
    assert topics(house).count(Topic.RECORD_SHOWN) == 1


@pytest.mark.parametrize("repairs", [True, False])
def test_drift(house: SmallWorld, repairs: bool) -> None:
    """A record that somebody else changed is told, and set right only where the provider has an API for it."""
    house.zone.repairs = repairs
    house.restart()
    house.run(minutes=1)
    house.zone.shows[NAME] = C
    house.run(hours=2)
    assert topics(house).count(Topic.RECORD_DRIFTED) == 1
    assert len(house.zone.requests) == (2 if repairs else 1)
    assert house.zone.shows[NAME] == (A if repairs else C)


def test_outage_makes_one_digest(house: SmallWorld) -> None:
    """What happened while the line was down goes out as one mail when it is back, with both times and the address."""
    house.run(minutes=1)
    house.say(None)
    house.mail.broken = Unreachable("the line is down")
    house.zone.answers = []
    house.run(minutes=30)
    house.mail.broken = None
    house.say(B)
    house.run(minutes=6)
    assert len(house.mail.got) == 2
    assert {e.topic for e in house.mail.got[1].events} == {
        Topic.ONLINE, Topic.ADDRESS_CHANGED, Topic.RECORD_PUBLISHED,
    }  # fmt: skip
    assert "offline" in house.mail.got[1].text


def test_mail_that_may_have_arrived_keeps_its_id(house: SmallWorld) -> None:
    """After a try that may have been delivered the same mail is sent again, with the same id and text."""
    house.mail.broken = Unreachable("no answer after DATA", sent=True)
    house.run(minutes=1)
    house.say(B)
    house.run(minutes=10)
    house.mail.broken = None
    house.run(minutes=30)
    first = house.mail.tries[0]
    assert (house.mail.got[0].id, house.mail.got[0].events) == (first.id, first.events)
    assert topics(house).count(Topic.ADDRESS_CHANGED) == 1
    assert len({m.id for m in house.mail.got}) == len(house.mail.got) == 2


def test_undelivered_mail_survives_a_restart(house: SmallWorld) -> None:
    """A mail that could not be sent is sent by the next process."""
    house.mail.broken = Unreachable("no route to the mail server")
    house.run(minutes=1)
    house.restart()
    house.mail.broken = None
    house.run(minutes=20)
    assert topics(house) == [Topic.ADDRESS_FOUND, Topic.RECORD_PUBLISHED]


def test_full_disk(house: SmallWorld) -> None:
    """A full disk stops nothing that is decided, is told, and all is on disk once there is room again."""
    house.run(minutes=1)
    house.store.disk.full = True
    house.say(B)
    house.run(minutes=6)
    assert house.zone.shows == {NAME: B}
    assert Topic.STORE_FAULT in topics(house)
    house.store.disk.full = False
    house.run(minutes=6)
    assert Topic.STORE_WELL in topics(house)
    changes = [e for e in house.store.disk.events if e.topic is Topic.ADDRESS_CHANGED]
    assert len(changes) == 1
    assert house.store.load().beliefs[V4].address == B


def test_flapping_is_damped_and_told(house: SmallWorld) -> None:
    """A line that changes between two addresses every five minutes for six hours is published a few times only."""
    house.run(minutes=1)
    for n in range(72):
        house.say(B if n % 2 == 0 else A)
        house.run(minutes=5)
    assert len(house.zone.requests) <= 10
    assert 1 <= topics(house).count(Topic.ADDRESS_FLAPPING) <= 4


def test_mirror_follows(house: SmallWorld) -> None:
    """A notifier that mirrors gets the address at every start and at every change, and no events."""
    house.run(hours=1)
    assert [m.addresses for m in house.mirror.got] == [{V4: A}]
    house.say(B)
    house.run(minutes=6)
    house.restart()
    house.run(minutes=1)
    assert [m.addresses[V4] for m in house.mirror.got] == [A, B, B]
    assert all(m.events == () for m in house.mirror.got)


def test_thousand_records() -> None:
    """A thousand records of one account cost one request for each batch."""
    house = SmallWorld([f"h{n}.example.org" for n in range(1000)])
    house.run(seconds=5)
    assert len(house.zone.requests) == 50
    house.say(B)
    house.run(minutes=6)
    assert len(house.zone.requests) == 100
    house.close()


def test_refusal_in_a_batch_stops_the_rest() -> None:
    """When the first request of many meets a refusal of the account, the others are not sent."""
    house = SmallWorld([f"h{n}.example.org" for n in range(100)])
    house.zone.answers = [Outcome(Kind.REFUSED, "badauth", "no", scope=Scope.ACCOUNT)]
    house.run(hours=5)
    assert len(house.zone.requests) == 1
    house.close()


def test_clock_set_back(house: SmallWorld) -> None:
    """A clock that is set back by a day does not stop the watch."""
    house.run(minutes=10)
    house.clock.go(days=-1)
    house.say(B)
    house.run(minutes=6)
    assert house.zone.shows == {NAME: B}


def test_own_fault_is_no_nuisance(house: SmallWorld) -> None:
    """A provider module that fails by a fault of its own backs off, and is not called every minute for ever."""
    house.zone.answers = [KeyError("a fault")] * 1000
    house.run(hours=24)
    assert len(house.zone.requests) < 40


def test_sources_that_rest(house: SmallWorld) -> None:
    """Sources whose operators want a longer rest than the interval make no silence: nothing is told, nothing lost."""
    for source in house.sources:
        source.min_interval = timedelta(minutes=9)
    house.run(hours=2)
    house.say(B)
    house.run(minutes=20)
    assert house.zone.shows == {NAME: B}
    assert not any(e.topic is Topic.OFFLINE for e in house.store.disk.events)


def test_two_liars_of_five() -> None:
    """Two sources that tell the same lie in a quiet round are outvoted by the others, which are asked at once."""
    house = SmallWorld()
    house.sources += [FakeSource(f"page:{n}", n, A) for n in ("dog", "eel")]
    house.restart()
    house.run(minutes=1)
    for source in house.sources[:2]:
        source.says = C
    house.run(hours=12)
    assert house.zone.shows == {NAME: A}
    house.close()


@pytest.mark.parametrize(
    ("answers", "seconds", "hope"),
    [
        ([], 5, False),
        ([Outcome(Kind.REFUSED, "nohost", "no")], 5, False),
        ([Busy("later", after=timedelta(hours=1))], 65, False),
        ([Busy("later", after=timedelta(seconds=30))], 5, True),
    ],
)
def test_waiting_is_of_use(house: SmallWorld, answers: list[Outcome], seconds: int, hope: bool) -> None:
    """`once` waits only for what can still come: not for a refused record, nor for one that waits for an hour."""
    house.zone.answers = list(answers)
    house.round.work(observe=True)
    house.run(seconds=seconds)
    assert house.round.hopeful(house.clock.now() + timedelta(minutes=1)) is hope


def test_waiting_for_the_zone_and_the_mail(house: SmallWorld) -> None:
    """A record the zone does not show yet, and a mail not yet delivered, are worth waiting for; no address is not."""
    house.say(None)
    house.round.work(observe=True)
    assert not house.round.hopeful(house.clock.now() + timedelta(minutes=1))
    house.say(A)
    house.zone.frozen = True
    house.run(minutes=6)
    assert house.round.hopeful(house.clock.now() + timedelta(minutes=1))
    house.zone.shows[NAME] = A
    house.mail.broken = Unreachable("not now")
    house.run(minutes=2)
    assert house.round.hopeful(house.clock.now() + timedelta(minutes=16))


def test_a_mirror_that_can_not_write_is_told(house: SmallWorld) -> None:
    """A file that can not be written is told by mail once, and once that it is well again."""
    house.mirror.broken = Unreachable("permission denied")
    house.run(hours=3)
    assert topics(house).count(Topic.NOTIFIER_FAILING) == 1
    assert "permission denied" in house.mail.got[-1].text
    house.mirror.broken = None
    house.run(hours=1)
    assert topics(house).count(Topic.NOTIFIER_WELL) == 1
    assert house.mirror.got[-1].addresses == {V4: A}


@pytest.mark.parametrize("kept", ["reset", "silent"])
def test_kept_connections_that_a_new_address_broke_are_no_outage(house: SmallWorld, kept: str) -> None:
    """Real pages over kept connections: the new address is found in the same round, and nobody hears of an outage."""
    address, http = [A], RequestsHttp()

    def shown(sock: socket.socket, head: str) -> None:
        page(str(address[0]))(sock, head)

    with HttpServer() as server:
        answer = raw_first(shown, reset if kept == "reset" else server.hang)
        urls = [server.serve(answer, f"/{name}") for name in ("ant", "bee")]
        options = [WebOptions(url=url, operator=url[-3:], allow_insecure=True) for url in urls]
        house.timeout = timedelta(seconds=5)
        house.sources = [source for one in options for source in PLUGIN.build(one, tools(http=http))]
        house.restart()
        house.round.work(observe=True)
        address[0] = B
        house.clock.go(seconds=10)
        house.round.work(observe=True)
        http.close()
    assert house.round.state.beliefs[V4].address == B
    told = [e.topic for e in house.store.disk.events]
    assert Topic.ADDRESS_CHANGED in told
    assert not {Topic.OFFLINE, Topic.ONLINE} & set(told)
