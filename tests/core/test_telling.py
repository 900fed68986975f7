"""Telling: each edge once, whatever happens in between."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipwatch.core.address import Family
from ipwatch.core.belief import believe
from ipwatch.core.event import Event, Topic
from ipwatch.core.outcome import Outcome
from ipwatch.core.record import begin, checked, note, plan
from ipwatch.core.state import (
    AccountStanding,
    Belief,
    Finding,
    Latch,
    NotifierHealth,
    RecordKey,
    Shown,
    Standing,
    State,
)
from ipwatch.core.telling import FAILING_AFTER, families, settled, tell
from ipwatch.core.unlock import forgive, unlock
from ipwatch.core.verification import DEADLINE, Verification
from tests.core.strategies import (
    A6,
    BADAUTH,
    DISPUTE,
    DOWN,
    GOOD,
    HOUR,
    KEY,
    KEY6,
    MINUTE,
    NAME,
    NOHOST,
    NOW,
    SECOND,
    SILENCE,
    SILENT,
    A,
    B,
    accounts,
    agreed,
    held,
    outcomes,
    sent,
    standing,
    verdicts,
    wanted,
)

PRINTS = {KEY: ("r1", "a1")}
V4 = Family.IPV4
SEEN, WRONG, LATE, UNKNOWN, HIDDEN = (
    Verification(s, "ns1 shows it") for s in (Shown.SEEN, Shown.WRONG, Shown.LATE, Shown.UNKNOWN, Shown.HIDDEN)
)  # fmt: skip


def told(state: State, at: datetime = NOW, prints: Any = None, repairs: bool = False) -> tuple[State, list[Event]]:
    """The state after telling, and what was told; telling the same state again tells nothing."""
    after, events = tell(state, PRINTS if prints is None else prints, {"home": repairs}, at)
    again, more = tell(after, PRINTS if prints is None else prints, {"home": repairs}, at)
    assert (again, more) == (after, ())
    return after, list(events)


def topics(events: Iterable[Event]) -> list[Topic]:
    """Their topics."""
    return [e.topic for e in events]


def believed(state: State, verdict: Any, at: datetime, family: Family = V4) -> State:
    """The state after a round with this verdict."""
    belief = believe(
        state.beliefs.get(family, Belief()), verdict, at, (("google", "8.8.4.2"),) if verdict is DISPUTE else ()
    )
    return replace(state, beliefs={**state.beliefs, family: belief})


def looked(state: State, found: Verification, at: datetime) -> State:
    """The state after a verification."""
    return replace(state, records={**state.records, KEY: checked(state.records[KEY], found, at)})


def published(state: State, answer: Outcome, at: datetime, address: Any = B) -> State:
    """The state after this address became the one believed and the record was sent."""
    known = accounts(repairs=True)
    state = replace(state, beliefs={V4: Belief(address, NOW, NOW, Finding.AGREED, NOW, told=address)})
    return sent(state, plan([wanted(address)], known, state, at), known, answer, at)


# -- addresses


def test_the_first_address_is_found_and_others_are_changes() -> None:
    """Found once, then a change with both addresses and the time between them; a confirmation tells nothing."""
    state, events = told(believed(State(), agreed(A), NOW))
    assert topics(events) == [Topic.ADDRESS_FOUND]
    assert dict(events[0].data) == {"family": "ipv4", "new": str(A)}
    state, events = told(believed(state, agreed(A), NOW + MINUTE), NOW + MINUTE)
    assert events == []
    state, events = told(believed(state, agreed(B), NOW + 2 * MINUTE), NOW + 2 * MINUTE)
    assert topics(events) == [Topic.ADDRESS_CHANGED]
    assert dict(events[0].data) == {
        "family": "ipv4", "old": str(A), "new": str(B),
        "old_until": (NOW + MINUTE).isoformat(), "new_at": (NOW + 2 * MINUTE).isoformat(),
    }  # fmt: skip


def test_a_change_without_known_times_is_told_without_them() -> None:
    """Where it is not known when the old address was last confirmed, nothing is said about it."""
    _, events = told(State(beliefs={V4: Belief(B, told=A)}))
    assert dict(events[0].data) == {"family": "ipv4", "old": str(A), "new": str(B)}
    assert families([*events, Event(Topic.ONLINE, NOW)]) == {"ipv4"}


def test_a_dispute_is_told_when_it_lasts_and_when_it_is_over() -> None:
    """Two rounds of dispute are for the history; the third is told, once, with who said what; and its end."""
    state, _ = told(believed(State(), agreed(A), NOW))
    seen: list[Event] = []
    for n in range(1, 6):
        state, events = told(believed(state, DISPUTE, NOW + n * MINUTE), NOW + n * MINUTE)
        seen += events
        assert len(seen) == (n >= 3)
    assert dict(seen[0].data) == {"family": "ipv4", "address": str(A), "said": "google said 8.8.4.2"}
    state, events = told(believed(state, SILENCE, NOW + HOUR), NOW + HOUR)
    assert topics(events) == [Topic.OFFLINE]
    state, events = told(believed(state, DISPUTE, NOW + HOUR), NOW + HOUR)
    assert events == [], "one that answers is not yet a line"
    state, events = told(believed(state, agreed(A), NOW + 2 * HOUR), NOW + 2 * HOUR)
    assert topics(events) == [Topic.ONLINE, Topic.SOURCES_AGREE]
    assert events[1]["since"] == (NOW + 3 * MINUTE).isoformat()


def test_a_dispute_before_any_address_names_none() -> None:
    """Where nothing is believed yet, the dispute says so by an empty address."""
    state = State()
    for n in range(3):
        state = believed(state, DISPUTE, NOW + n * MINUTE)
    assert told(state)[1][0]["address"] == ""


def test_flapping_turns_into_dispute_and_steadiness() -> None:
    """When one trouble follows another, the first is told as over."""
    state = State(beliefs={V4: Belief(A, told=A, held_back=B, held_back_since=NOW, finding=Finding.AGREED)})
    state, events = told(state)
    assert topics(events) == [Topic.ADDRESS_FLAPPING]
    assert (events[0]["held"], events[0]["wants"]) == (str(A), str(B))
    calm = replace(state.beliefs[V4], held_back=None, held_back_since=None, finding=Finding.DISPUTED, streak=3)
    _, events = told(replace(state, beliefs={V4: calm}))
    assert topics(events) == [Topic.ADDRESS_STEADY, Topic.SOURCES_DISPUTE]


def test_an_outage_is_noted_once_and_told_once_over() -> None:
    """Offline needs every family silent; online tells from when to when."""
    state = believed(believed(State(), agreed(A), NOW), agreed(A6), NOW, Family.IPV6)
    state, _ = told(state)
    state, events = told(believed(state, SILENCE, NOW))
    assert events == []
    state, events = told(believed(state, SILENCE, NOW, Family.IPV6), NOW + SECOND)
    assert topics(events) == [Topic.OFFLINE]
    state, events = told(state, NOW + MINUTE)
    assert events == []
    state, events = told(believed(state, agreed(A), NOW + HOUR), NOW + HOUR)
    assert topics(events) == [Topic.ONLINE]
    assert dict(events[0].data) == {"since": (NOW + SECOND).isoformat(), "until": (NOW + HOUR).isoformat()}
    assert state.offline_since is None
    assert told(State())[1] == []


# -- records


def test_a_publication_is_told_when_it_was_verified() -> None:
    """Not before the zone shows it, and then with the address before."""
    state = published(held(A), GOOD, NOW)
    state, events = told(state)
    assert events == []
    state, events = told(looked(state, SEEN, NOW + SECOND), NOW + SECOND)
    assert topics(events) == [Topic.RECORD_PUBLISHED]
    assert dict(events[0].data) == {
        "record": NAME, "account": "home", "family": "ipv4", "address": str(B), "old": str(A),
        "verified": "seen"}  # fmt: skip


def test_an_unverified_publication_is_told_as_such() -> None:
    """Where the zone is not asked it is told at once as not verified; where no server answers, after the deadline."""
    state = State(records={KEY: Standing(published=A, fingerprint="r1")})
    assert settled(state.records[KEY], NOW)
    _, events = told(state)
    assert [(e.topic, e["verified"]) for e in events] == [(Topic.RECORD_PUBLISHED, "no")]
    assert "old" not in events[0].data
    state = looked(published(State(), GOOD, NOW), UNKNOWN, NOW + SECOND)
    assert told(state, NOW + DEADLINE - SECOND)[1] == []
    _, events = told(state, NOW + DEADLINE)
    assert [(e.topic, e["verified"]) for e in events] == [(Topic.RECORD_PUBLISHED, "unknown")]


@pytest.mark.parametrize("found", [WRONG, LATE])
def test_good_but_not_shown_is_told_after_the_deadline(found: Verification) -> None:
    """The provider said good and the zone differs: told once, and once when it is shown after all."""
    state = looked(published(held(A), GOOD, NOW), found, NOW + MINUTE)
    assert told(state, NOW + DEADLINE - SECOND)[1] == []
    state, events = told(state, NOW + DEADLINE)
    assert topics(events) == [Topic.RECORD_PUBLISHED, Topic.RECORD_NOT_SHOWN]
    assert (events[1]["shown"], events[1]["detail"]) == (found.shown.value, "ns1 shows it")
    state, events = told(looked(state, UNKNOWN, NOW + HOUR), NOW + HOUR)
    assert events == [], "that no server answers is no good news"
    state, events = told(looked(state, SEEN, NOW + HOUR), NOW + HOUR)
    assert topics(events) == [Topic.RECORD_SHOWN]
    assert events[0]["since"] == (NOW + DEADLINE).isoformat()


@pytest.mark.parametrize("repairs", [True, False])
def test_drift_is_told_with_what_will_be_done(repairs: bool) -> None:
    """Somebody else's change is told once, with whether it is repaired, and its end once the zone shows ours again."""
    state, events = told(looked(held(A), WRONG, NOW), NOW, repairs=repairs)
    assert [(e.topic, e["repair"]) for e in events] == [(Topic.RECORD_DRIFTED, "yes" if repairs else "no")]
    state, events = told(looked(state, WRONG, NOW + MINUTE), NOW + MINUTE, repairs=repairs)
    assert events == []
    if repairs:
        state, events = told(published(state, GOOD, NOW + MINUTE, A), NOW + MINUTE, repairs=repairs)
        assert events == []
    _, events = told(looked(state, SEEN, NOW + HOUR), NOW + HOUR, repairs=repairs)
    assert topics(events) == [Topic.RECORD_SHOWN]


@pytest.mark.parametrize("found", [WRONG, LATE, UNKNOWN])
def test_no_all_clear_while_the_zone_shows_something_else(found: Verification) -> None:
    """After a repair the trouble is over when the zone shows the address, not at the first look that fails."""
    state, _ = told(looked(held(A), WRONG, NOW), NOW, repairs=True)
    state, _ = told(published(state, GOOD, NOW + MINUTE, A), NOW + MINUTE, repairs=True)
    state, events = told(looked(state, found, NOW + MINUTE), NOW + MINUTE, repairs=True)
    assert events == []
    _, events = told(looked(state, SEEN, NOW + 2 * MINUTE), NOW + 2 * MINUTE, repairs=True)
    assert topics(events) == [Topic.RECORD_SHOWN]


@pytest.mark.parametrize(("answer", "scope", "code"), [(NOHOST, "record", "nohost"), (BADAUTH, "account", "badauth")])
def test_a_refusal_is_told_once_and_its_cure_once(answer: Outcome, scope: str, code: str) -> None:
    """Told with the provider's word and how far it reaches; after unlock or an edit nothing until it is well."""
    state = published(held(A), answer, NOW)
    state, events = told(state)
    assert [(e.topic, e["scope"], e["code"]) for e in events] == [(Topic.RECORD_REFUSED, scope, code)]
    state, events = told(state, NOW + 9 * HOUR)
    assert events == []
    opened, _ = unlock(state, NAME)
    opened, events = told(opened, NOW + 9 * HOUR)
    assert events == [], "unlocking is neither a new failure nor a cure"
    state = looked(published(opened, GOOD, NOW + 9 * HOUR), SEEN, NOW + 9 * HOUR)
    _, events = told(state, NOW + 9 * HOUR)
    assert sorted(topics(events)) == [Topic.RECORD_PUBLISHED, Topic.RECORD_WELL]


def test_an_edited_account_is_told_well_when_it_is_well() -> None:
    """A corrected password tells nothing by itself: the all-clear comes with the first good answer."""
    state, _ = told(published(held(A), BADAUTH, NOW))
    edited = accounts(fingerprint="a2")
    state, events = told(forgive(state, {KEY: "r1"}, edited), NOW + MINUTE, {KEY: ("r1", "a2")})
    assert events == []
    state = sent(state, plan([wanted(B)], edited, state, NOW + MINUTE), edited, GOOD, NOW + MINUTE)
    _, events = told(looked(state, SEEN, NOW + MINUTE), NOW + MINUTE, {KEY: ("r1", "a2")})
    assert sorted(topics(events)) == [Topic.RECORD_PUBLISHED, Topic.RECORD_WELL]


def test_a_record_of_a_refused_account_is_not_well_before_it_was_sent() -> None:
    """A record that waited behind its account's refusal gets its all-clear from its own good answer."""
    state = replace(held(A), accounts={"home": AccountStanding(latch=Latch("badauth", "wrong", NOW, "a1"))})
    state, events = told(state)
    assert topics(events) == [Topic.RECORD_REFUSED]
    opened, _ = unlock(state, "home")
    due = believed(believed(opened, agreed(B), NOW), agreed(B), NOW)
    assert plan([wanted(B)], accounts(), due, NOW) != (), "it still has to be sent"
    _, events = told(due)
    assert Topic.RECORD_WELL not in topics(events)


def test_failing_is_told_when_it_lasts_and_the_line_is_up() -> None:
    """Ten minutes and two tries are failing; while we are offline nobody blames the provider; told, it stays so."""
    state = published(held(A), DOWN, NOW)
    assert told(state, NOW + HOUR)[1] == [], "one try is no failure"
    state = published(state, DOWN, NOW + 31 * MINUTE)
    assert told(state, NOW + FAILING_AFTER - SECOND)[1] == []
    away = replace(state, offline_since=NOW, offline_told=True, beliefs={V4: Belief(finding=Finding.SILENT)})
    assert told(away, NOW + HOUR)[1] == []
    state, events = told(state, NOW + HOUR)
    assert [(e.topic, e["code"], e["since"]) for e in events] == [(Topic.RECORD_FAILING, "911", NOW.isoformat())]
    gone = replace(state, offline_since=NOW, offline_told=True, beliefs={V4: Belief(finding=Finding.SILENT)})
    assert told(gone, NOW + HOUR)[1] == []
    state = looked(published(state, GOOD, NOW + 9 * HOUR), SEEN, NOW + 9 * HOUR)
    _, events = told(state, NOW + 9 * HOUR)
    assert topics(events) == [Topic.RECORD_PUBLISHED, Topic.RECORD_WELL]
    assert events[1]["since"] == (NOW + HOUR).isoformat()


def test_doubt_is_not_told_as_a_publication() -> None:
    """While it is not known whether a change arrived, neither success nor failure is told."""
    state = published(held(A), SILENT, NOW)
    assert told(looked(state, LATE, NOW + SECOND), NOW + SECOND)[1] == []


def test_records_no_longer_configured_are_not_told_of() -> None:
    """The trouble of a record that was taken out of the configuration is nobody's, and an unknown one is no fault."""
    state = published(held(A), NOHOST, NOW)
    assert told(state, NOW, {})[1] == []
    assert told(held(A), NOW, {KEY6: ("r1", "a1")})[1] == []


# -- notifiers


def test_a_notifier_is_told_failing_and_well_once() -> None:
    """Ten minutes of failure are told (to the others), and its recovery."""
    state = State(notifiers={"mail": NotifierHealth(3, NOW, "refused")})
    assert told(state, NOW + FAILING_AFTER - SECOND)[1] == []
    state, events = told(state, NOW + FAILING_AFTER)
    assert [(e.topic, e["notifier"], e["reason"]) for e in events] == [(Topic.NOTIFIER_FAILING, "mail", "refused")]
    well = {"mail": replace(state.notifiers["mail"], failing_since=None)}
    _, events = told(replace(state, notifiers=well), NOW + HOUR)
    assert topics(events) == [Topic.NOTIFIER_WELL]


# -- any history

_BREAKS = {
    Topic.OFFLINE: Topic.ONLINE, Topic.ADDRESS_FLAPPING: Topic.ADDRESS_STEADY,
    Topic.SOURCES_DISPUTE: Topic.SOURCES_AGREE,
}  # fmt: skip
_RECORD_BREAKS = {Topic.RECORD_REFUSED, Topic.RECORD_FAILING, Topic.RECORD_NOT_SHOWN, Topic.RECORD_DRIFTED}
_RECORD_ENDS = {Topic.RECORD_WELL, Topic.RECORD_SHOWN}


def alternate(events: Iterable[Event], begins: Topic, ends: Topic) -> bool:
    """Whether these two take turns, the break first."""
    mine = [t for t in topics(events) if t in {begins, ends}]
    return mine == [begins, ends] * (len(mine) // 2) + [begins] * (len(mine) % 2)


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.integers(1, 900),
            st.none() | verdicts,
            st.none() | outcomes,
            st.none() | st.sampled_from([SEEN, WRONG, LATE, UNKNOWN, HIDDEN]),
            st.sampled_from(["", "", "", "unlock"]),
        ),
        max_size=30,
    )
)
def test_over_any_history_every_edge_is_told_once(
    history: list[tuple[int, Any, Outcome | None, Verification | None, str]],
) -> None:
    """Break and end take turns, changes form a chain, and telling again tells nothing."""
    state, at, seen, known = State(), NOW, list[Event](), accounts(repairs=True)
    for seconds, verdict, answer, found, act in history:
        at += seconds * SECOND
        if verdict is not None:
            state = believed(state, verdict, at)
        steps = plan([wanted(state.beliefs.get(V4, Belief()).address)], known, state, at)
        if answer is not None and steps:
            state = note(begin(state, steps, known, at), steps[0], {KEY: answer}, known, {KEY: "r1"}, at)
        s = state.records.get(KEY)
        if found is not None and s is not None and (s.published or s.unsure):
            state = looked(state, found, at)
        if act:
            state, _ = unlock(state, NAME)
        state, events = told(state, at, repairs=True)
        seen += events
    for begins, ends in _BREAKS.items():
        assert alternate(seen, begins, ends)
    trouble = False
    last: str | None = None
    for e in seen:
        if e.topic in _RECORD_ENDS:
            assert trouble, "nothing is well again that was not told as broken"
            trouble = False
        trouble |= e.topic in _RECORD_BREAKS
        if e.topic in {Topic.ADDRESS_FOUND, Topic.ADDRESS_CHANGED}:
            assert e.get("old") == (last or "")
            last = e["new"]
    kinds = [t for t in topics(seen) if t in _RECORD_BREAKS | _RECORD_ENDS]
    assert all(a != b for a, b in pairwise(kinds)), "no trouble is told twice in a row"


def test_an_ill_standing_is_told_with_what_is_known() -> None:
    """A latch whose code is only the account's is told with the account's words."""
    key = RecordKey("home", "b.example.org", V4)
    latch = Latch("badauth", "wrong password", NOW, "a1")
    state = State(
        records={key: Standing(last_code="good", last_text="fine")}, accounts={"home": AccountStanding(latch=latch)}
    )
    _, events = told(standing(state), NOW, {key: ("r1", "a1")})
    assert (events[0]["code"], events[0]["text"]) == ("badauth", "wrong password")
