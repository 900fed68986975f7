"""When work is due next, from the state and the time alone. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from ipwatch.core import outbox
from ipwatch.core.belief import release
from ipwatch.core.record import Account, Wanted, latched, reason, waits_until
from ipwatch.core.state import AccountStanding, Standing, State
from ipwatch.core.telling import FAILING_AFTER, settled

AWAY = timedelta(days=365)


def verifications(
    state: State, wanted: Iterable[Wanted], accounts: Mapping[str, Account], now: datetime
) -> tuple[Wanted, ...]:
    """The records whose verification is due."""
    return tuple(
        w
        for w in wanted
        if accounts[w.key.account].verify
        and (s := state.records.get(w.key)) is not None
        and (s.unsure or s.published) is not None
        and s.verify_at is not None
        and s.verify_at <= now
    )


def next_time(
    state: State, wanted: Iterable[Wanted], accounts: Mapping[str, Account], interval: timedelta, now: datetime
) -> datetime:
    """The earliest time at which something is to be done; `now` at the earliest."""
    times = [(state.round_at or now) + interval]
    times += [at for b in state.beliefs.values() if (at := release(b)) is not None and at > (state.round_at or now)]
    for w in wanted:
        times += _record_times(w, state, accounts[w.key.account], now)
    times += outbox.due_at(state)
    return max(min(times), now)


def _record_times(w: Wanted, state: State, account: Account, now: datetime) -> list[datetime]:
    s, a = state.records.get(w.key, Standing()), state.accounts.get(w.key.account, AccountStanding())
    times = [s.verify_at] if account.verify and s.verify_at is not None else []
    if s.failing_since is not None and not s.told_trouble and s.failing_since + FAILING_AFTER > now:
        times.append(s.failing_since + FAILING_AFTER)
    if s.verify_until is not None and s.verified_at is None and s.verify_until > now:
        times.append(s.verify_until)
    if reason(w, s, account, now) is None or latched(s.latch, w.fingerprint) or latched(a.latch, account.fingerprint):
        return times
    return [*times, max(waits_until(w, s, account, a) or now, now)]


def hopeful(
    state: State, wanted: Iterable[Wanted], accounts: Mapping[str, Account], until: datetime, now: datetime
) -> bool:
    """Whether waiting until then can still change something: a record not refused and not settled, a message unsent."""
    return any(_open(w, state, accounts[w.key.account], until, now) for w in wanted) or any(
        at <= until for at in outbox.due_at(state)
    )


def _open(w: Wanted, state: State, account: Account, until: datetime, now: datetime) -> bool:
    s, a = state.records.get(w.key, Standing()), state.accounts.get(w.key.account, AccountStanding())
    if w.address is None or latched(s.latch, w.fingerprint) or latched(a.latch, account.fingerprint):
        return False
    if reason(w, s, account, now) is None:
        return account.verify and not settled(s, now)
    return all(at is None or at <= until for at in (s.not_before, a.not_before))
