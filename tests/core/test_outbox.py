"""The outbox: nothing is lost, nothing is told twice that could be, and a change waits for its records a little."""

import random
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipwatch.core.address import Family
from ipwatch.core.event import HISTORY_ONLY, Event, Topic
from ipwatch.core.outbox import (
    GATHER,
    MAYBE_RETRY,
    REFUSED_RETRY,
    RETRY,
    RETRY_LIMIT,
    SHORT_OUTAGE,
    Batch,
    batches,
    delivered,
    due_at,
    failed,
    hurry,
    post,
    trivial,
)
from ipwatch.core.state import Belief, NotifierHealth, Shown, State
from tests.core.strategies import HOUR, KEY, KEY6, MINUTE, NOW, SECOND, A, B, delivery, held

CHANGED = Event(Topic.ADDRESS_CHANGED, NOW, {"family": "ipv4", "old": str(A), "new": str(B)})
FAILING = Event(Topic.RECORD_FAILING, NOW, {"record": KEY.name, "family": "ipv4"})
STORE = Event(Topic.STORE_FAULT, NOW, {"reason": "disk full"})


def fail(state: State, batch: Batch, now: datetime = NOW, **more: Any) -> State:
    """The state after a failed try, ordinary unless said otherwise."""
    return failed(state, batch, "refused", now, **({"maybe": False, "refused": False, "after": None} | more))


def outage(minutes: float, at: datetime = NOW) -> Event:
    """The end of an outage."""
    since = at - timedelta(minutes=minutes)
    return Event(Topic.ONLINE, at, {"since": since.isoformat(), "until": at.isoformat()})


def changing(**more: Any) -> State:
    """The address became B and is told; its record is published or not."""
    state = held(A, **({"published": B, "told": B, "verify_until": NOW + HOUR, "shown": Shown.UNKNOWN} | more))
    beliefs = {Family.IPV4: Belief(B, told=B)}
    return post(replace(state, beliefs=beliefs), [CHANGED], ["mail"], ["id0"])


# -- posting


def test_every_notifier_gets_every_event_under_its_own_id() -> None:
    """Each event goes to each notifier in order, history-only ones to none, a notifier's own trouble not to itself."""
    own = Event(Topic.NOTIFIER_FAILING, NOW, {"notifier": "mail", "reason": "down", "since": ""})
    quiet = [Event(topic, NOW) for topic in HISTORY_ONLY]
    state = post(State(), [STORE, *quiet, own], ["mail", "hook"], [f"id{n}" for n in range(9)])
    assert [(d.id, d.notifier, d.event) for d in state.outbox] == [
        ("id0", "mail", STORE), ("id1", "hook", STORE), ("id2", "hook", own)]  # fmt: skip
    assert post(state, quiet, ["mail"], []) is state
    assert post(state, [STORE], [], []) is state


# -- batches


def test_what_waits_for_one_notifier_travels_together() -> None:
    """One message a notifier, its events in order, under the id of the first."""
    state = post(State(), [STORE, FAILING], ["mail", "hook"], ["a", "b", "c", "d"])
    assert [(b.id, b.notifier, b.events) for b in batches(state, [], NOW)] == [
        ("a", "mail", (STORE, FAILING)), ("b", "hook", (STORE, FAILING))]  # fmt: skip
    assert batches(State(), [], NOW) == ()


def test_a_failed_try_waits_and_what_came_since_goes_along() -> None:
    """After a failure nothing goes before its time, and then everything that waits in one message."""
    state = post(State(), [STORE], ["mail"], ["a"])
    state = fail(state, batches(state, [], NOW)[0])
    state = post(state, [FAILING], ["mail"], ["b"])
    assert batches(state, [], NOW + RETRY - SECOND) == ()
    assert due_at(state) == [NOW + RETRY]
    (batch,) = batches(state, [], NOW + RETRY)
    assert (batch.id, batch.events) == ("a", (STORE, FAILING))


def test_what_may_have_been_delivered_keeps_id_and_content() -> None:
    """After a try without an answer the same events travel alone under the same id, however often it fails."""
    state = post(State(), [STORE, FAILING], ["mail"], ["a", "b"])
    (first,) = batches(state, [], NOW)
    state, at = fail(state, first, maybe=True), NOW
    state = post(state, [outage(9)], ["mail"], ["c"])
    for maybe in (False, True, False):
        at += HOUR
        (batch,) = batches(state, [], at)
        assert (batch.id, batch.events) == ("a", (STORE, FAILING))
        state = fail(state, batch, at, maybe=maybe)
    state = delivered(state, batch, at)
    (rest,) = batches(state, [], at)
    assert (rest.id, rest.events) == ("c", (outage(9),))


@given(st.integers(0, 30), st.booleans())
def test_tries_are_spaced_out_to_a_quarter_of_an_hour(tries: int, maybe: bool) -> None:
    """5 s, and 30 s where a further try may be a second copy, doubled with each try up to 15 min; the health counts
    them from the first."""
    state = State(outbox=(delivery(0, STORE, attempts=tries),))
    state = fail(state, batches(state, [], NOW)[0], maybe=maybe)
    first = MAYBE_RETRY if maybe else RETRY
    assert state.outbox[0].not_before == NOW + min(first * 2**tries, RETRY_LIMIT)
    assert (state.outbox[0].attempts, state.outbox[0].last_error) == (tries + 1, "refused")
    assert state.notifiers["mail"] == NotifierHealth(1, NOW, "refused")


def test_a_refusal_waits_an_hour_and_an_order_as_long_as_it_says() -> None:
    """Refused is tried hourly, a named time is kept exactly."""
    state = State(outbox=(delivery(0, STORE), delivery(1, STORE, "hook")))
    batch = batches(state, [], NOW)[0]
    assert fail(state, batch, refused=True).outbox[0].not_before == NOW + REFUSED_RETRY
    after = fail(state, batch, after=97 * SECOND)
    assert [d.not_before for d in after.outbox] == [NOW + 97 * SECOND, None]
    again = fail(after, batch, NOW + HOUR)
    assert (again.notifiers["mail"].failures, again.notifiers["mail"].failing_since) == (2, NOW)
    well = delivered(again, batch, NOW + HOUR)
    assert well.notifiers["mail"] == NotifierHealth(delivered_at=NOW + HOUR)
    assert [d.notifier for d in well.outbox] == ["hook"]


def test_when_the_line_is_back_nothing_waits() -> None:
    """`hurry` lets everything go at once and changes nothing else."""
    state = State(outbox=(delivery(0, STORE),))
    state = fail(state, batches(state, [], NOW)[0], refused=True)
    assert batches(state, [], NOW) == ()
    assert batches(hurry(state), [], NOW)[0].deliveries == (replace(state.outbox[0], not_before=None),)


# -- a change of address waits for its records


@pytest.mark.parametrize(("more", "waits"), [
    ({}, True),
    ({"shown": Shown.LATE}, True),
    ({"shown": Shown.SEEN}, False),
    ({"shown": Shown.HIDDEN}, False),
    ({"shown": Shown.SEEN, "told": A}, True),
    ({"shown": Shown.SEEN, "published": A}, True),
    ({"verify_at": None}, False),
    ({"verify_until": NOW}, False),
    ({"published": A, "told": A, "told_trouble": "refused"}, False),
])  # fmt: skip
def test_a_change_of_address_waits_for_verified_but_not_for_ever(more: dict[str, Any], waits: bool) -> None:
    """The mail waits until its record is settled and told, at the most 60 seconds."""
    state = changing(**more)
    assert (batches(state, [KEY], NOW) == ()) is waits
    assert (batches(state, [KEY], NOW + GATHER - SECOND) == ()) is (waits and more != {"verify_until": NOW})
    assert len(batches(state, [KEY], NOW + GATHER)) == 1
    assert due_at(state) == [NOW + GATHER]


def test_only_records_of_that_family_are_waited_for() -> None:
    """Another family's records, those no longer configured and those never sent hold nothing up."""
    state = changing()
    assert batches(state, [KEY], NOW) == ()
    assert batches(state, [KEY6], NOW) != ()
    assert batches(state, [], NOW) != ()
    assert batches(replace(state, records={}), [KEY], NOW) != ()
    assert batches(replace(state, beliefs={}), [KEY], NOW) != ()
    assert batches(replace(state, beliefs={Family.IPV4: Belief()}), [KEY], NOW) != ()


def test_other_news_do_not_wait() -> None:
    """Only a change of address is held for its records; what may have been delivered before is not either."""
    state = replace(changing(), outbox=(delivery(0, STORE),))
    assert len(batches(state, [KEY], NOW)) == 1
    assert due_at(state) == [NOW]
    frozen = replace(changing(), outbox=(delivery(0, CHANGED, batch="id0"),))
    assert len(batches(frozen, [KEY], NOW)) == 1


def test_a_clock_set_back_does_not_hold_a_change_back() -> None:
    """A change noted "in the future" (the clock was wrong) goes out within the minute all the same."""
    early = replace(CHANGED, at=NOW + 2 * HOUR)
    state = replace(changing(), outbox=(delivery(0, early),))
    assert len(batches(state, [KEY], NOW + GATHER)) == 1


# -- short outages


@pytest.mark.parametrize(("events", "drop"), [
    ([outage(4.9)], True), ([outage(5)], False), ([outage(1), outage(2)], True), ([outage(1), STORE], False),
    ([STORE], False), ([outage(1), outage(9)], False),
])  # fmt: skip
def test_a_short_outage_alone_is_dropped(events: list[Event], drop: bool) -> None:
    """Less than five minutes is for the history, unless other news goes out with it."""
    state = post(State(), events, ["mail"], [str(n) for n in range(9)])
    assert trivial(batches(state, [], NOW)[0]) is drop
    assert timedelta(minutes=5) == SHORT_OUTAGE


# -- any history


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 2000), st.integers(0, 3), st.sampled_from(["deliver", "fail", "maybe", "refuse", "busy"])
        ),
        max_size=25,
    ),
    st.randoms(use_true_random=False),
)
def test_over_any_history_nothing_is_lost(steps: list[tuple[int, int, str]], chance: random.Random) -> None:
    """What was posted waits or was delivered once; an id that may have arrived always means the same events."""
    state, at, number = State(), NOW, 0
    posted: list[tuple[str, Event]] = []
    arrived: dict[str, tuple[Event, ...]] = {}
    done: list[tuple[str, Event]] = []
    for seconds, news, fate in steps:
        at += seconds * SECOND
        topics = [chance.choice([Topic.STORE_FAULT, Topic.ADDRESS_CHANGED]) for _ in range(news)]
        events = [Event(topic, at, {"family": "ipv4", "n": str(number + n)}) for n, topic in enumerate(topics)]
        state = post(state, events, ["mail", "hook"], [f"id{number + n}" for n in range(10)])
        posted += [(notifier, e) for e in events for notifier in ("mail", "hook")]
        number += 10
        for batch in batches(state, [KEY], at):
            if fate in {"deliver", "maybe"}:
                assert arrived.setdefault(batch.id, batch.events) == batch.events
            if fate == "deliver":
                state = delivered(state, batch, at)
                done += [(batch.notifier, e) for e in batch.events]
            else:
                state = fail(state, batch, at, maybe=fate == "maybe", refused=fate == "refuse",
                             after=SECOND * 5 if fate == "busy" else None)  # fmt: skip
        for when in due_at(state):
            assert when > at or batches(state, [KEY], at), "no message is due that would not be sent"
    waiting = [(d.notifier, d.event) for d in state.outbox]
    assert sorted(map(str, waiting + done)) == sorted(map(str, posted))
    assert len({d.id for d in state.outbox}) == len(state.outbox)
    if state.outbox:
        assert batches(hurry(state), [], at + MINUTE), "there is always a next try"
