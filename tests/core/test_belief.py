"""Belief: what moves it, and how flapping is damped."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipwatch.core.address import Address, Family
from ipwatch.core.belief import FLAP_HOLD, FLAP_HOLD_LIMIT, FLAP_WINDOW, believe, flapping, reached, release
from ipwatch.core.consensus import Observation, Verdict
from ipwatch.core.event import Topic
from ipwatch.core.state import Belief, Finding, State
from ipwatch.core.telling import tell
from tests.core.strategies import DISPUTE, HOUR, MINUTE, NOW, SECOND, SILENCE, A, B, C, agreed, verdicts


def test_the_first_agreement_is_believed_at_once() -> None:
    """The first address counts as no change, and is confirmed by the next agreement."""
    first = believe(Belief(), agreed(A), NOW)
    assert (first.address, first.since, first.confirmed, first.recent) == (A, NOW, NOW, ())
    again = believe(first, agreed(A), NOW + MINUTE)
    assert (again.since, again.confirmed, again.streak, again.finding_since) == (NOW, NOW + MINUTE, 2, NOW)


@given(st.lists(st.tuples(verdicts, st.integers(1, 4000)), max_size=30))
def test_silence_and_dispute_never_move_a_belief(rounds: list[tuple[Verdict, int]]) -> None:
    """Whatever came before, only an agreement changes the address, and only to the one agreed on."""
    belief, at = Belief(), NOW
    for verdict, seconds in rounds:
        at += seconds * SECOND
        after = believe(belief, verdict, at)
        assert after.finding is verdict.finding
        if verdict.finding is not Finding.AGREED:
            assert (after.address, after.since, after.confirmed) == (belief.address, belief.since, belief.confirmed)
            assert (after.held_back, after.held_back_since) == (belief.held_back, belief.held_back_since)
        else:
            assert after.address in {belief.address, verdict.address}
            assert after.address == verdict.address or after.held_back == verdict.address
        assert all(at - when < FLAP_WINDOW for when in (*after.returns, *(left for _, left in after.recent)))
        belief = after


def test_the_streak_counts_rounds_that_ended_alike() -> None:
    """Each kind of ending starts its own count and its own time; who disagreed is kept."""
    belief = Belief()
    for n, (verdict, streak) in enumerate([(SILENCE, 1), (SILENCE, 2), (DISPUTE, 1), (agreed(A), 1), (agreed(A), 2)]):
        belief = believe(belief, verdict, NOW + n * MINUTE, (("google", str(B)),))
        assert belief.streak == streak
        assert belief.finding_since == NOW + (n + 1 - streak) * MINUTE
        assert belief.dissent == (("google", str(B)),)


def test_the_first_two_changes_come_at_once() -> None:
    """There and back again is a failover: both are believed in their round, with the address before remembered."""
    belief = believe(Belief(), agreed(A), NOW)
    belief = believe(belief, agreed(B), NOW + MINUTE)
    assert (belief.address, belief.previous, belief.previous_until) == (B, A, NOW)
    belief = believe(belief, agreed(A), NOW + 2 * MINUTE)
    assert (belief.address, belief.previous) == (A, B)
    assert not flapping(belief)
    third = believe(belief, agreed(B), NOW + 3 * MINUTE)
    assert (third.address, third.held_back) == (A, B)
    assert flapping(third)


def test_a_held_address_is_believed_after_its_wait() -> None:
    """An address that stays agreed on for the whole wait is believed, whatever flapped before."""
    belief = believe(Belief(), agreed(A), NOW)
    for n, address in enumerate([B, A, B, B], 1):
        belief = believe(belief, agreed(address), NOW + n * MINUTE)
    assert belief.address == A
    early = believe(belief, agreed(B), NOW + 3 * MINUTE + FLAP_HOLD - SECOND)
    assert early.address == A
    late = believe(early, agreed(B), NOW + 3 * MINUTE + FLAP_HOLD)
    assert (late.address, late.held_back, late.held_back_since) == (B, None, None)
    assert release(late) is None


def test_an_address_not_seen_before_is_taken_at_once() -> None:
    """However much the line flapped, an address that was not left within the hour is believed in its round."""
    belief = believe(Belief(), agreed(A), NOW)
    for n, address in enumerate([B, A, B], 1):
        belief = believe(belief, agreed(address), NOW + n * MINUTE)
    other = believe(belief, agreed(C), NOW + 4 * MINUTE)
    assert (other.address, other.previous, other.held_back, other.held_back_since) == (C, A, None, None)
    assert flapping(other), "that the line flaps is still told"


def test_another_return_starts_its_own_wait() -> None:
    """The wait is of one address: a third one does not inherit the time of the second."""
    belief = believe(Belief(), agreed(A), NOW)
    for n, address in enumerate([B, C, A, B], 1):
        belief = believe(belief, agreed(address), NOW + n * MINUTE)
    assert (belief.address, belief.held_back, belief.held_back_since) == (A, B, NOW + 4 * MINUTE)
    other = believe(belief, agreed(C), NOW + 4 * MINUTE + FLAP_HOLD)
    assert (other.address, other.held_back, other.held_back_since) == (A, C, NOW + 4 * MINUTE + FLAP_HOLD)
    assert release(other) == NOW + 4 * MINUTE + 3 * FLAP_HOLD


def test_a_return_after_the_window_is_free() -> None:
    """An address that was left more than an hour ago is taken at once."""
    belief = believe(Belief(), agreed(A), NOW)
    for n, address in enumerate([B, A], 1):
        belief = believe(belief, agreed(address), NOW + n * MINUTE)
    assert believe(belief, agreed(B), NOW + 2 * MINUTE + FLAP_WINDOW).address == B
    assert believe(belief, agreed(B), NOW + FLAP_WINDOW - SECOND).held_back == B


@given(st.integers(1, 40))
def test_the_wait_doubles_up_to_an_hour(returns: int) -> None:
    """One return an hour is free; each further one waits twice as long, at most an hour."""
    waiting = believe(Belief(A, returns=(NOW,) * returns, recent=((B, NOW),)), agreed(B), NOW)
    assert (waiting.address, waiting.held_back) == (A, B)
    assert release(waiting) == NOW + min(FLAP_HOLD * 2 ** min(returns - 1, 5), FLAP_HOLD_LIMIT)


@pytest.mark.parametrize("period", [MINUTE, 2 * MINUTE, 5 * MINUTE, 7 * MINUTE, 11 * MINUTE])
@pytest.mark.parametrize("interval", [SECOND * 30, MINUTE, 5 * MINUTE])
def test_an_hour_of_alternation_moves_the_belief_a_few_times(period: timedelta, interval: timedelta) -> None:
    """However fast the line flaps, at most five moves are believed in an hour, against up to sixty."""
    belief, at, moves = believe(Belief(), agreed(A), NOW), NOW, 0
    while at < NOW + HOUR:
        at += interval
        address = B if (at - NOW) // period % 2 else A
        after = believe(belief, agreed(address), at)
        moves += after.address != belief.address
        belief = after
    assert moves <= 5


def told_over(addresses: list[Address], interval: timedelta) -> list[Topic]:
    """The topics told over rounds that agree on these addresses."""
    state, topics = State(), list[Topic]()
    for n, address in enumerate(addresses):
        at = NOW + n * interval
        belief = believe(state.beliefs.get(Family.IPV4, Belief()), agreed(address), at)
        state, events = tell(State(beliefs={Family.IPV4: belief}), {}, {}, at)
        topics += [e.topic for e in events]
    return topics


def test_flapping_is_told_once() -> None:
    """A line that alternates for an hour is told of as flapping once, not with every turn."""
    topics = told_over([A, B] * 6, 5 * MINUTE)
    assert topics.count(Topic.ADDRESS_FLAPPING) == 1
    assert topics.count(Topic.ADDRESS_STEADY) == 0


def test_a_line_that_has_calmed_is_told_steady_once() -> None:
    """After the last turn and a calm hour "steady" is told, once."""
    topics = told_over([A, B, A, B, A, *[A] * 30], 5 * MINUTE)
    assert topics.count(Topic.ADDRESS_FLAPPING) == 1
    assert topics.count(Topic.ADDRESS_STEADY) == 1
    assert topics[-1] is Topic.ADDRESS_STEADY


def heard(source: str, address: Address | None = None, behind: str = "") -> Observation:
    return Observation(source, source, address, "" if address else "no", behind)


def test_another_nat_is_noted_by_an_agreement_and_ended_by_who_said_so() -> None:
    """A router that shows another NAT is noted when a round agreed; it is over when that router names the address."""
    router = heard("router", behind="it has 100.64.0.9")
    belief = reached(Belief(), (heard("page", A), router), agreed(A))
    assert (belief.behind, belief.behind_by) == ("it has 100.64.0.9", "router")
    for seen in ((heard("page", A),), (heard("router"),), (heard("router", B), heard("page", A))):
        assert reached(belief, seen, agreed(A)) == belief
    assert reached(belief, (heard("router", A), heard("page", A)), agreed(A)).behind == ""


def test_without_an_agreement_nothing_is_known_of_another_nat() -> None:
    """A router without a line has no address either: that is no carrier's NAT."""
    for verdict in (SILENCE, DISPUTE):
        assert reached(Belief(), (heard("router", behind="none"),), verdict) == Belief()


def test_another_nat_is_told_once_and_its_end_once() -> None:
    """Two events, whatever many rounds say the same."""
    told = []
    state = State(beliefs={Family.IPV4: believe(Belief(), agreed(A), NOW)})
    for seen in (heard("r"), heard("r", behind="x"), heard("r", behind="x"), heard("r", A), heard("r", A)):
        belief = reached(state.beliefs[Family.IPV4], (seen,), agreed(A))
        state, events = tell(State(beliefs={Family.IPV4: belief}), {}, {}, NOW)
        told += [(event.topic, event.get("why")) for event in events]
    assert told == [(Topic.ADDRESS_FOUND, ""), (Topic.BEHIND_NAT, "x"), (Topic.REACHABLE, "")]
