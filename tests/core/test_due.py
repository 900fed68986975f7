"""When work is due: never too late, and never a wake-up for nothing."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipwatch.core.address import Family
from ipwatch.core.due import hopeful, next_time, verifications
from ipwatch.core.event import Event, Topic
from ipwatch.core.outbox import GATHER, batches, delivered, failed, post
from ipwatch.core.outcome import Outcome
from ipwatch.core.record import RETRY, UNSURE_WINDOW, begin, checked, plan, recover
from ipwatch.core.state import AccountStanding, Belief, Latch, Shown, Standing, State
from ipwatch.core.telling import FAILING_AFTER, tell
from ipwatch.core.verification import DEADLINE, Verification
from tests.core.strategies import (
    DOWN,
    GOOD,
    HOUR,
    KEY,
    KEY6,
    MINUTE,
    NOHOST,
    NOW,
    SECOND,
    SILENT,
    A,
    B,
    account,
    accounts,
    delivery,
    held,
    outcomes,
    sent,
    standing,
    wanted,
)

INTERVAL = 5 * MINUTE


def due(state: State, at: datetime = NOW, address: Any = A, **more: Any) -> datetime:
    """When work is due for the one record."""
    return next_time(state, [wanted(address)], accounts(**more), INTERVAL, at)


# -- verifications


@pytest.mark.parametrize(("more", "is_due"), [
    ({"verify_at": NOW}, True), ({"verify_at": NOW + SECOND}, False), ({"verify_at": None}, False),
    ({"verify_at": NOW, "published": None}, False), ({"verify_at": NOW, "published": None, "unsure": B}, True),
])  # fmt: skip
def test_which_records_are_looked_at(more: dict[str, Any], is_due: bool) -> None:
    """A record is looked at when its time has come and there is an address to look for, if its account wants it."""
    state = held(A, **more)
    assert verifications(state, [wanted()], accounts(), NOW) == ((wanted(),) if is_due else ())
    assert verifications(state, [wanted()], accounts(verify=False), NOW) == ()
    assert verifications(State(), [wanted()], accounts(), NOW) == ()


# -- the table


def test_a_quiet_service_sleeps_until_the_next_round() -> None:
    """With nothing under way the next round is the next work; a first start is due within one interval."""
    assert due(held(A, verify_at=NOW + HOUR)) == NOW + INTERVAL
    assert due(held(A, verify_at=NOW + MINUTE)) == NOW + MINUTE
    assert due(held(A, verify_at=NOW + MINUTE), verify=False) == NOW + INTERVAL
    assert next_time(State(), [], {}, INTERVAL, NOW) == NOW + INTERVAL
    assert due(held(A), NOW + HOUR) == NOW + HOUR


def test_an_address_that_waits_is_looked_at_when_its_wait_ends() -> None:
    """The end of a flapping line's wait is a time to work; once a round has looked since, it is none any more."""
    belief = Belief(A, told=A, held_back=B, held_back_since=NOW, returns=(NOW, NOW))
    state = replace(held(A, verify_at=NOW + HOUR), beliefs={Family.IPV4: belief}, round_at=NOW + MINUTE)
    assert due(state) == NOW + 5 * MINUTE
    late = NOW + 5 * MINUTE + SECOND
    assert due(state, late) == late
    assert due(replace(state, round_at=late), late) == late + 5 * MINUTE


@pytest.mark.parametrize(("state", "at"), [
    (State(round_at=NOW), NOW),
    (standing(State(round_at=NOW), not_before=NOW + MINUTE), NOW + MINUTE),
    (replace(State(round_at=NOW), accounts={"home": AccountStanding(not_before=NOW + MINUTE)}), NOW + MINUTE),
    (replace(standing(State(round_at=NOW), not_before=NOW + SECOND),
             accounts={"home": AccountStanding(not_before=NOW + MINUTE)}), NOW + MINUTE),
    (standing(State(round_at=NOW), not_before=NOW + HOUR), NOW + INTERVAL),
    (standing(State(round_at=NOW), latch=Latch("abuse", "", NOW, "r1")), NOW + INTERVAL),
    (replace(State(round_at=NOW), accounts={"home": AccountStanding(latch=Latch("x", "", NOW, "a1"))}), NOW + INTERVAL),
])  # fmt: skip
def test_a_record_to_be_sent_is_due_when_it_may(state: State, at: datetime) -> None:
    """Now if nothing hinders it, at the end of the longer wait, and never because of a latch."""
    assert due(state) == at


def test_trouble_is_told_in_time() -> None:
    """Ten minutes of failure and the end of the verification's patience are times to work."""
    failing = standing(State(round_at=NOW), failing_since=NOW - FAILING_AFTER + MINUTE, not_before=NOW + HOUR)
    assert due(failing) == NOW + MINUTE
    assert due(standing(failing, told_trouble="failing")) == NOW + INTERVAL
    late = held(A, verified_at=None, verify_at=NOW + HOUR, verify_until=NOW + MINUTE)
    assert due(late) == NOW + MINUTE


def test_the_outbox_is_due_when_its_message_is() -> None:
    """A message waits for its time; a change of address for its records, a minute at most."""
    fault = Event(Topic.STORE_FAULT, NOW, {"reason": "full"})
    change = Event(Topic.ADDRESS_CHANGED, NOW, {"family": "ipv4", "old": str(B), "new": str(A)})
    quiet = held(A, verify_at=NOW + HOUR)
    assert due(replace(quiet, outbox=(delivery(0, fault),))) == NOW
    assert due(replace(quiet, outbox=(delivery(0, fault, not_before=NOW + SECOND),))) == NOW + SECOND
    assert due(replace(quiet, outbox=(delivery(0, change),))) == NOW + GATHER


def test_a_message_behind_one_that_waits_wakes_nobody() -> None:
    """While a message waits for its next try, newer events for the same notifier are no reason to work."""
    old, new = (
        Event(Topic.STORE_FAULT, NOW - HOUR, {"reason": "full"}),
        Event(Topic.STORE_WELL, NOW - HOUR, {"since": ""}),
    )
    for batch in ("", "id0"):
        waiting = (delivery(0, old, not_before=NOW + MINUTE, attempts=3, batch=batch), delivery(1, new))
        assert due(replace(held(A, verify_at=NOW + HOUR), outbox=waiting)) == NOW + MINUTE


def test_a_change_in_doubt_is_sent_again_when_its_window_ends() -> None:
    """Whether or not the record was ever seen, the end of the doubt is a time to work."""
    known = accounts()
    for begun in (State(round_at=NOW), held(B)):
        state = sent(begun, plan([wanted()], known, begun, NOW), known, SILENT, NOW)
        state = standing(state, verify_at=NOW + HOUR)
        at = NOW + RETRY
        assert plan([wanted()], known, state, at) == ()
        assert due(state, at) == NOW + UNSURE_WINDOW
        assert plan([wanted()], known, state, NOW + UNSURE_WINDOW) != ()


# -- whether waiting helps


@pytest.mark.parametrize(("state", "address", "helps"), [
    (held(A), A, False),
    (held(A), None, False),
    (State(), None, False),
    (State(), A, True),
    (held(A, shown=Shown.LATE, verify_until=NOW + MINUTE), A, True),
    (held(A, shown=Shown.LATE, verify_until=NOW), A, False),
    (held(B, not_before=NOW + MINUTE), A, True),
    (held(B, not_before=NOW + MINUTE + SECOND), A, False),
    (replace(held(B), accounts={"home": AccountStanding(not_before=NOW + HOUR)}), A, False),
    (held(B, latch=Latch("abuse", "", NOW, "r1")), A, False),
    (held(B, latch=Latch("abuse", "", NOW, "r0")), A, True),
    (replace(held(B), accounts={"home": AccountStanding(latch=Latch("badauth", "", NOW, "a1"))}), A, False),
    (replace(held(A), outbox=(delivery(0, Event(Topic.TEST, NOW), not_before=NOW + MINUTE),)), A, True),
    (replace(held(A), outbox=(delivery(0, Event(Topic.TEST, NOW), not_before=NOW + HOUR),)), A, False),
])  # fmt: skip
def test_waiting_a_minute_helps_or_not(state: State, address: Any, helps: bool) -> None:
    """What is settled, refused or ordered to wait for longer is not waited for; what can still come is."""
    assert hopeful(state, [wanted(address)], accounts(), NOW + MINUTE, NOW) is helps


def test_an_unverified_account_is_not_waited_for() -> None:
    """Where the zone is not asked, a published record is settled."""
    late = held(A, shown=Shown.LATE, verify_until=NOW + MINUTE)
    assert not hopeful(late, [wanted()], accounts(verify=False), NOW + MINUTE, NOW)


# -- any history


@settings(max_examples=80)
@given(
    st.lists(
        st.tuples(st.integers(1, 400), st.none() | outcomes, st.none() | st.sampled_from(list(Shown)), st.booleans(),
                  st.sampled_from([A, A, B]), st.sampled_from(["deliver", "fail", "maybe"])),
        min_size=1, max_size=15,
    ),
    st.booleans(),
)  # fmt: skip
def test_over_any_history_work_is_due_in_time_and_never_for_nothing(history: list[Any], repairs: bool) -> None:
    """Not in the past, not later than a round, not later than the next sending, and at that time there is work."""
    known, state, at, number = accounts(repairs=repairs), State(round_at=NOW), NOW, 0
    w = wanted()
    for seconds, answer, shown, crash, address, fate in history:
        at += seconds * SECOND
        if at - (state.round_at or at) >= INTERVAL:
            state = replace(state, round_at=at)
        state = replace(state, beliefs={Family.IPV4: Belief(address)})
        w = wanted(address)
        steps = plan([w], known, state, at)
        if steps and answer is not None and crash:
            state = recover(begin(state, steps, known, at), at)
        elif steps and answer is not None:
            state = sent(state, steps, known, answer, at)
        for looked in verifications(state, [w], known, at):
            found = Verification(shown or Shown.UNKNOWN, "")
            state = replace(state, records={looked.key: checked(state.records[looked.key], found, at)})
        state, events = tell(state, {KEY: ("r1", "a1")}, {"home": repairs}, at)
        state = post(state, events, ["mail"], [f"id{number + n}" for n in range(20)])
        number += 20
        for batch in batches(state, [KEY], at):
            if fate == "deliver":
                state = delivered(state, batch, at)
            else:
                state = failed(state, batch, "down", at, maybe=fate == "maybe", refused=False, after=None)
        when = next_time(state, [w], known, INTERVAL, at)
        assert at <= when
        assert when <= max(at, (state.round_at or at) + INTERVAL)
        moments = {t for s in (*state.records.values(), *state.accounts.values()) for t in (
            s.not_before, getattr(s, "verify_until", None)) if t is not None}  # fmt: skip
        for moment in sorted(moments | {at}):
            if at <= moment < when:
                assert plan([w], known, state, moment) == (), "nothing could have been sent sooner"
        assert (
            when >= (state.round_at or at) + INTERVAL
            or plan([w], known, state, when)
            or verifications(state, [w], known, when)
            or batches(state, [KEY], when)
            or tell(state, {KEY: ("r1", "a1")}, {"home": repairs}, when)[1]
            or when == state.records.get(KEY, Standing()).verify_until
            or when - FAILING_AFTER == state.records.get(KEY, Standing()).failing_since
        ), "no wake-up for nothing"


def test_records_of_several_accounts_are_all_looked_at() -> None:
    """The earliest of all records' times counts."""
    key = replace_account = KEY._replace(account="work")
    state = replace(held(A, verify_at=NOW + 2 * MINUTE), records={
        KEY: held(A, verify_at=NOW + 2 * MINUTE).records[KEY],
        key: replace(held(A).records[KEY], verify_at=NOW + MINUTE),
    })  # fmt: skip
    both = {"home": account(), "work": account("work")}
    assert next_time(state, [wanted(), wanted(A, replace_account)], both, INTERVAL, NOW) == NOW + MINUTE
    assert next_time(state, [wanted(None, KEY6)], both, INTERVAL, NOW) == NOW + INTERVAL
    published = sent(State(round_at=NOW), plan([wanted()], both, State(), NOW), both, GOOD, NOW)
    assert due(published) == NOW
    assert due(standing(published, verify_at=NOW + HOUR)) == min(NOW + DEADLINE, NOW + INTERVAL)
    for answer in (DOWN, NOHOST):
        waiting: Outcome = answer
        assert (
            due(sent(State(round_at=NOW), plan([wanted()], both, State(), NOW), both, waiting, NOW)) == NOW + INTERVAL
        )
