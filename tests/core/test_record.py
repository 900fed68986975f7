"""Records: what is sent, and what follows from each outcome."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from math import ceil
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipwatch.core.address import Family
from ipwatch.core.outcome import Kind, Outcome, Scope
from ipwatch.core.record import (
    ORDERED_LIMIT,
    REACH,
    REACH_LIMIT,
    RETRY,
    RETRY_LIMIT,
    UNSURE_WINDOW,
    Account,
    Step,
    begin,
    blocked,
    checked,
    ends_account,
    latched,
    note,
    plan,
    reason,
    recover,
    target,
    unsent,
)
from ipwatch.core.state import AccountStanding, Latch, RecordKey, Shown, Standing, State
from ipwatch.core.unlock import forgive, rewind, unlock
from ipwatch.core.verification import DEADLINE, DRIFT_CHECK, Verification
from tests.core.strategies import (
    A6,
    AWAY,
    B6,
    BADAGENT,
    BADAUTH,
    DOWN,
    GOOD,
    HOUR,
    KEY,
    KEY6,
    LATER,
    MINUTE,
    NAME,
    NOCHG,
    NOHOST,
    NOW,
    SECOND,
    SILENT,
    A,
    B,
    C,
    account,
    accounts,
    held,
    outcomes,
    sent,
    standing,
    wanted,
)

SEEN, LATE, WRONG, HIDDEN, UNKNOWN = (Verification(s, f"ns1 {s}") for s in (
    Shown.SEEN, Shown.LATE, Shown.WRONG, Shown.HIDDEN, Shown.UNKNOWN))  # fmt: skip
_NEVER = AccountStanding()


def after(answer: Outcome, state: State | None = None, at: datetime = NOW, **more: Any) -> State:
    """The state after one record was sent and answered so."""
    state, known = state or State(), accounts(**more)
    return sent(state, plan([wanted()], known, state, at), known, answer, at)


# -- what is due


@pytest.mark.parametrize(("has", "options", "why"), [
    ({}, {}, "differs"),
    ({"published": B}, {}, "differs"),
    ({"published": A, "fingerprint": "r1"}, {}, None),
    ({"published": A, "fingerprint": "r0"}, {}, None),
    ({"published": A, "fingerprint": "r0"}, {"repairs": True}, "configuration changed"),
    ({"published": A, "fingerprint": "r1", "drifts": 1}, {}, None),
    ({"published": A, "fingerprint": "r1", "drifts": 1}, {"repairs": True}, "somebody else"),
    ({"published": A, "published_at": NOW - 30 * HOUR}, {"refresh": 30 * HOUR}, "refresh"),
    ({"published": A, "published_at": NOW - 29 * HOUR}, {"refresh": 30 * HOUR}, None),
    ({"published": A, "published_at": NOW - 99 * HOUR}, {}, None),
])  # fmt: skip
def test_why_a_record_is_sent(has: dict[str, Any], options: dict[str, Any], why: str | None) -> None:
    """Another address, drift or an edited record where the provider can repair, and a wanted refresh; nothing else."""
    found = reason(wanted(), Standing(**has), account(**options), NOW)
    assert (found is None) if why is None else (found is not None and why in found)


def test_not_knowing_sends_nothing() -> None:
    """With no address known nothing is planned, whatever the record's standing: silence deletes nothing."""
    for has in (State(), held(B), held(A, drifts=3)):
        assert plan([wanted(None)], accounts(repairs=True, refresh=MINUTE), has, NOW) == ()


@given(st.booleans(), st.sampled_from([GOOD, NOCHG]), st.sampled_from([None, HOUR]))
def test_planning_is_idempotent(repairs: bool, answer: Outcome, refresh: timedelta | None) -> None:
    """After a publication nothing more is planned for the same address."""
    known = accounts(repairs=repairs, refresh=refresh)
    state = after(answer, repairs=repairs, refresh=refresh)
    assert plan([wanted()], known, state, NOW) == ()
    s = state.records[KEY]
    assert (s.published, s.published_at, s.sending, s.attempts, s.last) == (A, NOW, None, 0, answer.kind)
    assert (s.verify_at, s.verify_until, s.shown) == (NOW, NOW + DEADLINE, Shown.UNKNOWN)
    assert len(plan([wanted(B)], known, state, NOW)) == 1


def test_an_address_that_went_back_after_an_unanswered_change_is_sent_again() -> None:
    """A, then B unanswered, then A again: the provider may hold B, so A is not taken as published."""
    known = accounts(verify=False)
    state = sent(held(A), plan([wanted(B)], known, held(A), NOW), known, SILENT, NOW)
    assert plan([wanted(A)], known, state, NOW + HOUR) != ()


@given(st.integers(1, 60), st.integers(1, 25), st.integers(1, 3))
def test_steps_are_no_more_than_the_batches_needed(records: int, batch: int, names: int) -> None:
    """n records of one address need ceil(n / batch) calls, and every record is in exactly one."""
    keys = [RecordKey("home", f"h{n}.example.org", Family.IPV4) for n in range(records)]
    steps = plan([wanted(A, k) for k in keys], accounts(batch=batch), State(), NOW)
    assert len(steps) == ceil(records / batch)
    assert sorted(k for s in steps for k in s.keys) == sorted(keys)
    assert all(len(s.names) <= batch for s in steps)


def test_only_alike_records_share_a_call() -> None:
    """Another account, address, ttl or option is another call; both families of a name are one."""
    two = {"home": account(batch=9), "work": account("work", batch=9)}
    other = RecordKey("home", "b.example.org", Family.IPV4)
    steps = plan([
        wanted(A), wanted(A6, KEY6), wanted(A, other, ttl=MINUTE), wanted(A, RecordKey("work", NAME, Family.IPV4)),
        wanted(A, RecordKey("home", "c.example.org", Family.IPV4), ttl=MINUTE),
        wanted(A, RecordKey("home", "d.example.org", Family.IPV4), ttl=MINUTE, options="proxied"),
    ], two, State(), NOW)  # fmt: skip
    assert [(s.account, s.names, s.addresses) for s in steps] == [
        ("home", (NAME,), (A, A6)),
        ("home", ("b.example.org", "c.example.org"), (A,)),
        ("work", (NAME,), (A,)),
        ("home", ("d.example.org",), (A,)),
    ]
    assert set(steps[0].keys) == {KEY, KEY6}


def test_the_other_familys_published_address_goes_along() -> None:
    """A change of one family carries what the other family's record holds, so that no provider drops it."""
    state = replace(held(A), records={KEY: held(A).records[KEY], KEY6: Standing(published=A6, fingerprint="r1")})
    (step,) = plan([wanted(B), wanted(A6, KEY6)], accounts(), state, NOW)
    assert (step.addresses, step.held) == ((B,), (A6,))
    assert step.keys == (KEY,)
    assert plan([wanted(A), wanted(None, KEY6)], accounts(), State(), NOW)[0].held == ()


@pytest.mark.parametrize("why", [
    {"not_before": NOW + MINUTE}, {"latch": Latch("abuse", "blocked", NOW, "r1"), "last": Kind.REFUSED},
])  # fmt: skip
def test_what_a_blocked_family_holds_goes_along(why: dict[str, Any]) -> None:
    """A record that may not be sent now keeps the address it holds when its name's other family is sent."""
    blocked_record = Standing(published=A6, fingerprint="r1", **why)
    state = replace(held(A), records={KEY: held(A).records[KEY], KEY6: blocked_record})
    (step,) = plan([wanted(B), wanted(B6, KEY6)], accounts(), state, NOW)
    assert (step.addresses, step.held) == ((B,), (A6,))


def test_an_account_that_wants_pauses_gets_one_call_at_a_time() -> None:
    """With a pause one call is planned, and the next only when it has passed."""
    known = {"home": account(pause=MINUTE), "work": account("work")}
    all_wanted = [wanted(A, RecordKey(a, f"h{n}.example.org", Family.IPV4)) for n in range(3) for a in known]
    steps = plan(all_wanted, known, State(), NOW)
    assert sorted(s.account for s in steps) == ["home", "work", "work", "work"]
    state = sent(State(), steps, known, GOOD, NOW)
    assert state.accounts["home"].last_request == NOW
    assert plan(all_wanted, known, state, NOW + MINUTE - SECOND) == ()
    (second,) = plan(all_wanted, known, state, NOW + MINUTE)
    assert second.names == ("h1.example.org",)


# -- waiting


@given(st.integers(0, 6), st.sampled_from([LATER, replace(LATER, kind=Kind.UNSURE), replace(LATER, code="w97s")]))
def test_what_a_provider_orders_is_kept_exactly(before: int, answer: Outcome) -> None:
    """The wait a provider names is neither shortened nor lengthened by how often it was tried before."""
    known = accounts(verify=False)
    state = standing(State(), attempts=before)
    state = sent(state, plan([wanted()], known, state, NOW), known, answer, NOW)
    assert plan([wanted()], known, state, NOW + 96 * SECOND) == ()
    assert len(plan([wanted()], known, state, NOW + 97 * SECOND)) == 1


@given(st.integers(1, 12))
def test_911_waits_half_an_hour_and_doubles(times: int) -> None:
    """911 again and again: at least the half hour, doubled each time, at most six hours."""
    state, at = State(), NOW
    for n in range(times):
        state = after(DOWN, state, at)
        wait = min(timedelta(minutes=30) * 2**n, ORDERED_LIMIT)
        assert state.records[KEY].not_before == at + wait
        assert plan([wanted()], accounts(), state, at + wait - SECOND) == ()
        at += wait
    assert len(plan([wanted()], accounts(), state, at)) == 1


def test_failures_of_another_kind_do_not_lengthen_a_911() -> None:
    """The first 911 after a long outage of the line waits the half hour that is asked for, not six hours."""
    state, at = State(), NOW
    for _ in range(8):
        state = after(AWAY, state, at)
        at += HOUR
    state = after(DOWN, state, at)
    assert state.records[KEY].not_before == at + timedelta(minutes=30)


def test_an_order_longer_than_our_limit_is_kept() -> None:
    """A 911 that orders more than six hours waits just that long."""
    state = after(replace(DOWN, after=9 * HOUR), after(DOWN, at=NOW - HOUR))
    assert state.records[KEY].not_before == NOW + 9 * HOUR


def test_an_order_holds_for_the_whole_account() -> None:
    """Busy with a time keeps the account's other records back too, and never shortens an earlier order."""
    other = wanted(A, RecordKey("home", "b.example.org", Family.IPV4))
    state = after(LATER)
    assert plan([other], accounts(), state, NOW + 96 * SECOND) == ()
    assert len(plan([other], accounts(), state, NOW + 97 * SECOND)) == 1
    longer = replace(state, accounts={"home": AccountStanding(not_before=NOW + HOUR)})
    step = Step("home", (NAME,), (A,), (), None, None)
    noted = note(longer, step, {KEY: LATER}, accounts(), {}, NOW)
    assert noted.accounts["home"].not_before == NOW + HOUR


@given(st.integers(0, 30), st.sampled_from([AWAY, SILENT]), st.booleans())
def test_the_back_off_doubles_to_its_limit(before: int, answer: Outcome, repairs: bool) -> None:
    """Without an order the wait doubles: from 5 s to 5 min where nothing was sent; to an hour otherwise, from 5 s where
    sending again is harmless and from 15 s where it is not."""
    state = after(answer, standing(State(), attempts=before), verify=False, repairs=repairs)
    first = REACH if answer is AWAY or repairs else RETRY
    limit = REACH_LIMIT if answer is AWAY else RETRY_LIMIT
    assert state.records[KEY].not_before == NOW + min(first * 2**before, limit)
    assert state.records[KEY].failing_since == NOW


def test_waiting_is_told_with_its_end() -> None:
    """`blocked` names the time until which is waited, or the refusal's code, or nothing."""
    known, w = account(), wanted()
    assert blocked(w, Standing(), known, _NEVER, NOW) is None
    assert "2026-11-23 12:01:00 UTC" in (blocked(w, Standing(not_before=NOW + MINUTE), known, _NEVER, NOW) or "")
    assert blocked(w, Standing(not_before=NOW), known, _NEVER, NOW) is None
    of_record = Standing(latch=Latch("nohost", "", NOW, "r1"))
    assert "nohost" in (blocked(w, of_record, known, _NEVER, NOW) or "")
    of_account = AccountStanding(latch=Latch("badauth", "", NOW, "a1"))
    assert "account is refused (badauth)" in (blocked(w, Standing(), known, of_account, NOW) or "")


# -- refusals


@given(st.sampled_from([NOHOST, BADAUTH, BADAGENT]), st.lists(st.integers(1, 10**6), max_size=20))
def test_a_latch_holds_over_any_number_of_rounds(refusal: Outcome, seconds: list[int]) -> None:
    """After a refusal nothing is planned, whatever time passes, restarts and other addresses come."""
    state, at = after(refusal), NOW
    for n, pause in enumerate(seconds):
        at += pause * SECOND
        state = forgive(recover(state, at), {KEY: "r1"}, accounts())
        assert plan([wanted((A, B, C)[n % 3])], accounts(refresh=HOUR, repairs=True), state, at) == ()
    edited = wanted(fingerprint="r2")
    print_of_account = "a1" if refusal is NOHOST else "a2"
    open_again = forgive(state, {KEY: "r2"}, accounts(fingerprint=print_of_account))
    assert len(plan([edited], accounts(fingerprint=print_of_account), open_again, at)) == 1
    opened, names = unlock(state, NAME)
    assert names
    assert len(plan([wanted()], accounts(), opened, at)) == 1


def test_another_edit_opens_nothing() -> None:
    """A record's edit does not open its account's latch, nor the account's edit the record's."""
    assert plan([wanted(fingerprint="r2")], accounts(), forgive(after(BADAUTH), {KEY: "r2"}, accounts()), NOW) == ()
    edited = accounts(fingerprint="a2")
    assert plan([wanted()], edited, forgive(after(NOHOST), {KEY: "r1"}, edited), NOW) == ()
    gone = forgive(after(BADAUTH), {}, {})
    assert gone == after(BADAUTH), "what is no longer configured keeps its latch"


def test_a_refusal_reaches_as_far_as_its_scope() -> None:
    """A record's refusal stops that record, an account's its account, a provider's all accounts at that server."""
    known = {
        "home": account(service="dyn.example"), "twin": account("twin", service="dyn.example"), "else": account("else"),
    }  # fmt: skip
    others = [wanted(A, RecordKey(name, "b.example.org", Family.IPV4)) for name in known]
    step = Step("home", (NAME,), (A,), (), None, None)
    for refusal, free in ((NOHOST, {"home", "twin", "else"}), (BADAUTH, {"twin", "else"}), (BADAGENT, {"else"})):
        state = note(begin(State(), [step], known, NOW), step, {KEY: refusal}, known, {KEY: "r1"}, NOW)
        assert {s.account for s in plan(others, known, state, NOW)} == free
        assert plan([wanted()], known, state, NOW) == ()


def test_latched_compares_the_fingerprint() -> None:
    """A latch is closed only against the configuration that was refused."""
    assert not latched(None, "r1")
    assert latched(Latch("abuse", "", NOW, "r1"), "r1")
    assert not latched(Latch("abuse", "", NOW, "r1"), "r2")


def test_unlock_opens_what_it_names_and_no_more() -> None:
    """A name opens its record and its account, an account's name all its records; the rest stays shut."""
    other = RecordKey("work", "b.example.org", Family.IPV4)
    latch = Latch("abuse", "", NOW, "r1")
    state = State(
        records={KEY: Standing(latch=latch), other: Standing(latch=latch), KEY6: Standing(published=A6)},
        accounts={
            "home": AccountStanding(not_before=NOW),
            "work": AccountStanding(latch=latch),
            "x": AccountStanding(),
        },
    )
    opened, names = unlock(state, NAME)
    assert names == (f"{NAME} A", "account home")
    assert opened.records[other].latch == opened.accounts["work"].latch == latch
    assert unlock(state, f"{NAME} A")[1] == (f"{NAME} A",)
    assert unlock(state, "work")[1] == ("b.example.org A", "account work")
    assert unlock(state, "nobody") == (state, ())


@pytest.mark.parametrize(("answers", "ends"), [
    ([GOOD, NOCHG], False), ([NOHOST], False), ([SILENT], False), ([AWAY], False), ([GOOD, BADAUTH], True),
    ([BADAGENT], True), ([LATER], True), ([DOWN], True), ([], False),
])  # fmt: skip
def test_what_ends_an_accounts_calls(answers: list[Outcome], ends: bool) -> None:
    """Nothing more is sent to an account that refused it or named a time to wait."""
    assert ends_account(answers) is ends


# -- crashes and doubt


@given(st.booleans())
def test_what_was_on_its_way_is_looked_up_before_it_is_sent_again(seen: bool) -> None:
    """begin, crash, recover: nothing is planned until the zone shows it or the window has passed."""
    known = accounts()
    state = recover(begin(State(), plan([wanted()], known, State(), NOW), known, NOW), NOW)
    s = state.records[KEY]
    assert (s.sending, s.unsure, target(s), s.verify_at, s.last) == (None, A, A, NOW, Kind.UNSURE)
    for at in (NOW, NOW + RETRY, NOW + UNSURE_WINDOW - SECOND):
        assert plan([wanted()], known, state, at) == ()
    s = checked(s, SEEN if seen else WRONG, NOW + SECOND)
    state = replace(state, records={KEY: s})
    assert plan([wanted()], known, state, NOW + UNSURE_WINDOW - SECOND) == ()
    assert (plan([wanted()], known, state, NOW + UNSURE_WINDOW) == ()) is seen
    assert (s.published == A) is seen


def test_another_address_need_not_wait_for_the_window() -> None:
    """While one address is in doubt, a newer one is sent after the ordinary back-off."""
    state = after(SILENT)
    assert plan([wanted(B)], accounts(), state, NOW + RETRY) != ()


def test_without_verification_doubt_is_sent_again_after_the_back_off() -> None:
    """Where the zone is not asked, an unanswered change is repeated after its back-off."""
    state = after(SILENT, verify=False)
    assert state.records[KEY].verify_at is None
    assert plan([wanted()], accounts(verify=False), state, NOW + RETRY) != ()


def test_recovery_touches_only_what_was_on_its_way() -> None:
    """A state without requests under way is the same after recovery; a step not sent leaves no trace of sending."""
    assert recover(held(A), NOW) == held(A)
    steps = plan([wanted(B)], accounts(), held(A), NOW)
    begun = begin(held(A), steps, accounts(), NOW)
    assert begun.records[KEY].sending == B
    assert unsent(begun, steps[0]).records == held(A).records


def test_a_record_seen_after_doubt_is_published() -> None:
    """An unanswered change that every server shows counts as published, and its failures are over."""
    s = checked(after(SILENT).records[KEY], SEEN, NOW + SECOND)
    assert (s.published, s.published_at, s.unsure, s.attempts, s.failing_since, s.not_before) == (
        A, NOW + SECOND, None, 0, None, None)  # fmt: skip
    assert (s.verified_at, s.verify_at, s.shown, s.shown_detail) == (
        NOW + SECOND, NOW + SECOND + DRIFT_CHECK, Shown.SEEN, "ns1 seen")  # fmt: skip


def test_a_proxy_proves_nothing_about_a_change_in_doubt() -> None:
    """Behind a proxy the zone looks the same before and after: an unanswered change stays in doubt and is repeated."""
    doubtful = after(SILENT, held(B))
    state = replace(doubtful, records={KEY: checked(doubtful.records[KEY], HIDDEN, NOW + SECOND)})
    assert state.records[KEY].published == B
    assert plan([wanted()], accounts(), state, NOW + 2 * UNSURE_WINDOW) != ()


def test_a_record_hidden_by_a_proxy_counts_as_looked_at() -> None:
    """A publication that was answered and is hidden by a proxy needs no further looks than drift's."""
    s = checked(after(GOOD).records[KEY], HIDDEN, NOW + SECOND)
    assert (s.verified_at, s.verify_at) == (NOW + SECOND, NOW + SECOND + DRIFT_CHECK)


@pytest.mark.parametrize("found", [LATE, WRONG, UNKNOWN])
def test_what_is_not_shown_yet_is_looked_at_again_soon(found: Verification) -> None:
    """Before it was first seen, looks follow the verification's own schedule, in doubt as well."""
    s = checked(after(GOOD).records[KEY], found, NOW)
    assert (s.shown, s.verified_at, s.verify_at, s.drifts) == (found.shown, None, NOW + SECOND, 0)
    s = checked(after(SILENT).records[KEY], found, NOW + 3 * SECOND)
    assert (s.unsure, s.published, s.verify_at) == (A, None, NOW + 4 * SECOND)
    bare = checked(Standing(published=A), found, NOW)
    assert bare.verify_at == NOW + SECOND


def test_only_all_servers_together_show_drift() -> None:
    """A record once seen has drifted when no server shows it; a lagging or silent one is not drift."""
    s = held(A).records[KEY]
    assert checked(s, LATE, NOW).drifts == checked(s, UNKNOWN, NOW).drifts == 0
    pauses = []
    for n in range(1, 5):
        s = checked(s, WRONG, NOW)
        assert s.drifts == n
        assert s.verify_at is not None
        pauses.append(s.verify_at - NOW)
    assert pauses == [MINUTE, MINUTE, 30 * MINUTE, 30 * MINUTE]
    s = checked(s, SEEN, NOW)
    assert (s.drifts, s.verified_at) == (0, NOW - HOUR)


def test_drift_is_repaired_once() -> None:
    """Where the provider can, a drifted record is sent again, and after that not until it drifts anew."""
    known = accounts(repairs=True)
    state = replace(held(A), records={KEY: checked(held(A).records[KEY], WRONG, NOW)})
    assert plan([wanted()], accounts(), state, NOW) == ()
    steps = plan([wanted()], known, state, NOW)
    assert len(steps) == 1
    assert plan([wanted()], known, sent(state, steps, known, GOOD, NOW), NOW) == ()


# -- everything at once


@given(st.lists(st.tuples(outcomes, st.integers(0, 7200), st.sampled_from([A, B, None]), st.booleans()), max_size=25))
def test_over_any_history_the_rules_hold(history: list[tuple[Outcome, int, Any, bool]]) -> None:
    """No call without a reason, none after a refusal, none before an ordered time; crashes lose no doubt."""
    known, state, at, ordered, refused = accounts(), State(), NOW, NOW, False
    for answer, seconds, address, crash in history:
        at += seconds * SECOND
        steps = plan([wanted(address)], known, state, at)
        if not steps:
            continue
        assert address is not None
        assert not refused
        assert at >= ordered
        had = state.records.get(KEY, Standing())
        assert had.published != address or had.unsure not in {None, address}
        if crash:
            state = recover(begin(state, steps, known, at), at)
            assert state.records[KEY].unsure == address
            continue
        state = sent(state, steps, known, answer, at)
        refused |= answer.kind is Kind.REFUSED
        ordered = at + (answer.after or timedelta(0))
        s = state.records[KEY]
        assert s.sending is None
        assert (s.published == address) >= answer.held
        assert (s.attempts == 0) is answer.held


@given(st.dictionaries(st.sampled_from([KEY, KEY6]), outcomes, min_size=2), st.booleans())
def test_each_record_of_a_call_has_its_own_outcome(answers: Mapping[RecordKey, Outcome], verify: bool) -> None:
    """One family's trouble is not the other's: only what was held is published."""
    known: dict[str, Account] = accounts(verify=verify)
    (step,) = steps = plan([wanted(), wanted(A6, KEY6)], known, State(), NOW)
    state = note(begin(State(), steps, known, NOW), step, answers, known, {}, NOW)
    for key, address in ((KEY, A), (KEY6, A6)):
        assert state.records[key].published == (address if answers[key].held else None)
        assert state.records[key].last_code == answers[key].code
        if answers[key].kind is Kind.REFUSED and answers[key].scope is not Scope.RECORD:
            assert state.accounts["home"].latch is not None


def test_a_clock_set_back_shortens_no_wait_and_lengthens_none() -> None:
    """Every waiting time is shifted by the jump; a nudge of seconds changes nothing."""
    state = replace(after(DOWN), alive_at=NOW)
    before = state.records[KEY].not_before
    assert before is not None
    assert rewind(state, NOW - timedelta(seconds=5)) == state
    assert rewind(replace(state, alive_at=None), NOW) == replace(state, alive_at=None)
    shifted = rewind(state, NOW - timedelta(days=1))
    assert shifted.records[KEY].not_before == before - timedelta(days=1)
    assert shifted.accounts["home"].not_before == before - timedelta(days=1)
    assert rewind(shifted, NOW - timedelta(days=1)) == shifted
