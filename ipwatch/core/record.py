"""Records: what is to be sent, and what follows from each outcome. Pure.

    plan(wanted, state, now) -> steps     begin(...) before a request leaves     note(...) after it
    recover(...) after a crash            checked(...) after a verification

A record is sent when the address believed is not the one published, never because a resolver shows something else. An
unanswered request is verified at the zone before anything is sent again. A refusal latches.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from ipwatch.core import verification
from ipwatch.core.address import Address
from ipwatch.core.outcome import Kind, Outcome, Scope
from ipwatch.core.state import AccountStanding, Latch, RecordKey, Shown, Standing, State

RETRY = timedelta(seconds=15)  # doubled with each further attempt that may have reached the provider
RETRY_LIMIT = timedelta(hours=1)
REACH, REACH_LIMIT = timedelta(seconds=5), timedelta(minutes=5)  # where nothing was sent, nobody minds the next try
ORDERED_LIMIT = timedelta(hours=6)  # 911: at least what the provider says, doubled "up to hours" (No-IP's manual)
UNSURE_WINDOW = timedelta(seconds=60)  # how long the zone may take to show what an unanswered request did


@dataclass(frozen=True, slots=True)
class Wanted:
    """One configured record and the address it is to show (None: not known, so nothing is done)."""

    key: RecordKey
    address: Address | None
    fingerprint: str = ""
    ttl: timedelta | None = None
    options: Any = None


@dataclass(frozen=True, slots=True)
class Account:
    """What the plan must know of an account; the fields are those of ports.Provider and the account's settings."""

    name: str
    batch: int = 1
    repairs: bool = False
    refresh: timedelta | None = None
    pause: timedelta = timedelta(0)
    service: str = ""
    verify: bool = True
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One publish call: at most `batch` names of one account that are to show the same addresses."""

    account: str
    names: tuple[str, ...]
    addresses: tuple[Address, ...]
    held: tuple[Address, ...]
    ttl: timedelta | None
    options: Any

    @property
    def keys(self) -> tuple[RecordKey, ...]:
        """The records it sends."""
        return tuple(RecordKey(self.account, name, a.family) for name in self.names for a in self.addresses)


def reason(wanted: Wanted, standing: Standing, account: Account, now: datetime) -> str | None:
    """Why this record is to be published, or None; latches and waiting times are `blocked`'s business."""
    if wanted.address is None:
        return None
    doubt = standing.unsure is not None and standing.unsure != wanted.address
    age = now - standing.published_at if standing.published_at is not None else timedelta(0)
    reasons = (
        (standing.published != wanted.address, "the address differs from the one published"),
        (doubt, "an unanswered change may have replaced it"),
        (account.repairs and standing.drifts > 0, "somebody else changed the record"),
        (account.repairs and standing.fingerprint != wanted.fingerprint, "its configuration changed"),
        (account.refresh is not None and age >= account.refresh, "the service wants a refresh"),
    )
    return next((why for holds, why in reasons if holds), None)


def blocked(wanted: Wanted, standing: Standing, account: Account, state: AccountStanding, now: datetime) -> str | None:
    """Why nothing may be sent for this record now, as a clause, or None."""
    if latched(standing.latch, wanted.fingerprint):
        return f"refused ({standing.latch.code})" if standing.latch else None
    if latched(state.latch, account.fingerprint):
        return f"its account is refused ({state.latch.code})" if state.latch else None
    until = waits_until(wanted, standing, account, state)
    return f"waits until {until:%Y-%m-%d %H:%M:%S} UTC" if until is not None and now < until else None


def latched(latch: Latch | None, fingerprint: str) -> bool:
    """Whether a latch holds against the configuration with this fingerprint."""
    return latch is not None and latch.fingerprint == fingerprint


def waits_until(wanted: Wanted, standing: Standing, account: Account, state: AccountStanding) -> datetime | None:
    """The end of all waiting times of a record, the doubt about an unanswered change included; None without any."""
    times = [t for t in (standing.not_before, state.not_before) if t is not None]
    # Where sending again is harmless, every server saying "not here" is answer enough.
    missing = account.repairs and standing.shown is Shown.WRONG
    doubt = standing.unsure is not None and wanted.address in {standing.unsure, standing.published}
    if account.verify and doubt and standing.verify_until is not None and not missing:
        times.append(standing.verify_until)
    return max(times, default=None)


def plan(wanted: Iterable[Wanted], accounts: Mapping[str, Account], state: State, now: datetime) -> tuple[Step, ...]:
    """The publish calls due now. One call an account where it wants pauses between them."""
    due: dict[tuple[str, str], list[Wanted]] = {}
    held: dict[tuple[str, str], list[Address]] = {}
    for w in wanted:
        account, standing = accounts[w.key.account], state.records.get(w.key, Standing())
        place = (w.key.account, w.key.name)
        if reason(w, standing, account, now) is None:
            if w.address is not None:
                held.setdefault(place, []).append(w.address)
        elif blocked(w, standing, account, state.accounts.get(account.name, AccountStanding()), now) is None:
            due.setdefault(place, []).append(w)
        elif standing.published is not None:  # it stays as it is, and must not be deleted by being left out
            held.setdefault(place, []).append(standing.published)
    groups: dict[tuple[Any, ...], list[str]] = {}
    for (account_name, name), records in due.items():
        addresses = tuple(sorted(w.address for w in records if w.address is not None))
        others = tuple(sorted(held.get((account_name, name), ())))
        groups.setdefault((account_name, addresses, others, records[0].ttl, records[0].options), []).append(name)
    return _chunks(groups, accounts)


def _chunks(groups: Mapping[tuple[Any, ...], list[str]], accounts: Mapping[str, Account]) -> tuple[Step, ...]:
    steps: list[Step] = []
    for (account, addresses, held, ttl, options), names in groups.items():
        size = max(1, accounts[account].batch)
        for start in range(0, len(names), size):
            if accounts[account].pause and any(s.account == account for s in steps):
                break
            steps.append(Step(account, tuple(names[start : start + size]), addresses, held, ttl, options))
    return tuple(steps)


def begin(state: State, steps: Sequence[Step], accounts: Mapping[str, Account], now: datetime) -> State:
    """The state to write down before the requests leave."""
    records, standings = dict(state.records), dict(state.accounts)
    for step in steps:
        by_family = {a.family: a for a in step.addresses}
        for key in step.keys:
            records[key] = replace(records.get(key, Standing()), sending=by_family[key.family])
        pause = accounts[step.account].pause
        old = standings.get(step.account, AccountStanding())
        standings[step.account] = replace(old, last_request=now, not_before=now + pause if pause else old.not_before)
    return replace(state, records=records, accounts=standings)


def note(
    state: State,
    step: Step,
    outcomes: Mapping[RecordKey, Outcome],
    accounts: Mapping[str, Account],
    fingerprints: Mapping[RecordKey, str],
    now: datetime,
) -> State:
    """The state after a publish call; every key of the step needs an outcome."""
    records, standings = dict(state.records), dict(state.accounts)
    account = accounts[step.account]
    for key in step.keys:
        outcome = outcomes[key]
        records[key] = _noted(records.get(key, Standing()), outcome, account, fingerprints.get(key, ""), now)
        for name in _reached(outcome, account, accounts):
            latch = Latch(outcome.code, outcome.text, now, accounts[name].fingerprint)
            standings[name] = replace(standings.get(name, AccountStanding()), latch=latch)
        if outcome.kind is Kind.BUSY and outcome.after is not None:
            old = standings.get(account.name, AccountStanding())
            until = max(old.not_before or now, now + outcome.after)
            standings[account.name] = replace(old, not_before=until)
    return replace(state, records=records, accounts=standings)


def _reached(outcome: Outcome, account: Account, accounts: Mapping[str, Account]) -> tuple[str, ...]:
    """The accounts that a refusal latches."""
    if outcome.kind is not Kind.REFUSED or outcome.scope is Scope.RECORD:
        return ()
    if outcome.scope is Scope.ACCOUNT:
        return (account.name,)
    return tuple(a.name for a in accounts.values() if a.service == account.service)


def _noted(standing: Standing, outcome: Outcome, account: Account, fingerprint: str, now: datetime) -> Standing:
    sent = standing.sending
    base = replace(
        standing, sending=None, last=outcome.kind, last_code=outcome.code, last_text=outcome.text, last_at=now
    )
    if outcome.held:
        return _held(base, sent, account, fingerprint, now)
    failed = replace(
        base,
        attempts=standing.attempts + 1,
        ordered=standing.ordered + 1 if outcome.code == "911" else 0,
        failing_since=standing.failing_since or now,
    )
    if outcome.kind is Kind.REFUSED:
        latch = Latch(outcome.code, outcome.text, now, fingerprint) if outcome.scope is Scope.RECORD else None
        return replace(failed, latch=latch, not_before=None)
    failed = replace(failed, not_before=now + _pause(outcome, failed, account))
    if outcome.kind is Kind.UNSURE:
        failed = replace(failed, unsure=sent, shown=Shown.UNKNOWN)
        if account.verify:
            failed = replace(failed, verify_at=now, verify_until=now + UNSURE_WINDOW)
    return failed


def _held(standing: Standing, sent: Address | None, account: Account, fingerprint: str, now: datetime) -> Standing:
    """After "good" or "nochg": published, and to be verified afresh."""
    return replace(
        standing, published=sent, published_at=now, unsure=None, attempts=0, failing_since=None, not_before=None,
        latch=None, shown=Shown.UNKNOWN, shown_detail="", verified_at=None, drifts=0, fingerprint=fingerprint,
        verify_at=now if account.verify else None, verify_until=now + verification.DEADLINE if account.verify else None,
    )  # fmt: skip


def _pause(outcome: Outcome, failed: Standing, account: Account) -> timedelta:
    """How long to wait: exactly what the provider said, doubled only for 911s in a row; else the back-off."""
    if outcome.after is not None:
        longer = outcome.after * (1 << min(max(failed.ordered - 1, 0), 12))
        return min(longer, max(ORDERED_LIMIT, outcome.after))
    first, limit = (REACH, REACH_LIMIT) if outcome.code == "unreachable" else (RETRY, RETRY_LIMIT)
    if outcome.kind is Kind.UNSURE and account.repairs:  # sending again is harmless there
        first = REACH
    return min(first * (1 << min(failed.attempts - 1, 12)), limit)


def recover(state: State, now: datetime) -> State:
    """After a crash: what was on its way is unsure, and looked up at the zone before it is sent again."""
    records = {
        key: replace(
            s, sending=None, unsure=s.sending, attempts=s.attempts + 1, failing_since=s.failing_since or now,
            last=Kind.UNSURE, last_code="interrupted", last_text="could not confirm the change: the program was ended",
            last_at=now, not_before=now + RETRY, shown=Shown.UNKNOWN, verify_at=now, verify_until=now + UNSURE_WINDOW,
        ) if s.sending is not None else s
        for key, s in state.records.items()
    }  # fmt: skip
    return replace(state, records=records)


def target(standing: Standing) -> Address | None:
    """The address a verification looks for."""
    return standing.unsure or standing.published


def checked(standing: Standing, found: verification.Verification, now: datetime) -> Standing:
    """The standing after a verification of `target`."""
    # Behind a proxy the zone looks the same before and after: that settles no doubt.
    seen = found.shown is Shown.SEEN or (found.shown is Shown.HIDDEN and standing.unsure is None)
    noted = replace(standing, shown=found.shown, shown_detail=found.detail, shown_at=now)
    if seen:
        done = replace(noted, verified_at=noted.verified_at or now, drifts=0, verify_at=now + verification.DRIFT_CHECK)
        if standing.unsure is None:
            return done
        return replace(done, published=standing.unsure, published_at=now, unsure=None, attempts=0, failing_since=None,
                       not_before=None, fingerprint=standing.fingerprint)  # fmt: skip
    began = standing.published_at if standing.unsure is None else standing.last_at
    again = now + verification.schedule(now - (began or now))
    if standing.verified_at is not None and standing.unsure is None:
        # Seen once and gone since: every server must say so before it counts as somebody's change.
        drifts = standing.drifts + 1 if found.shown is Shown.WRONG else standing.drifts
        return replace(noted, drifts=drifts, verify_at=now + timedelta(minutes=1 if drifts < 3 else 30))
    return replace(noted, verify_at=again)


def unsent(state: State, step: Step) -> State:
    """After a step that was not sent after all: nothing is on its way."""
    records = dict(state.records)
    for key in step.keys:
        records[key] = replace(records[key], sending=None)
    return replace(state, records=records)


def ends_account(outcomes: Iterable[Outcome]) -> bool:
    """Whether nothing more may be sent to the account after these outcomes."""
    return any(
        (o.kind is Kind.REFUSED and o.scope is not Scope.RECORD) or (o.kind is Kind.BUSY and o.after is not None)
        for o in outcomes
    )
