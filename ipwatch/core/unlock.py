"""Opening latches, and putting times right after the clock was set back. Pure."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from ipwatch.core.record import Account, latched
from ipwatch.core.state import RecordKey, State

JUMP = timedelta(minutes=1)  # clocks are nudged all the time; only a jump leaves times in the future


def unlock(state: State, name: str) -> tuple[State, tuple[str, ...]]:
    """Open the latches of a record or an account of that name; the second value says which were opened."""
    opened: list[str] = []
    records, accounts = dict(state.records), dict(state.accounts)
    for key, s in state.records.items():
        if name in {key.name, key.account, str(key)} and (s.latch or s.not_before):
            records[key] = replace(s, latch=None, not_before=None, attempts=0)
            opened.append(str(key))
    touched = {key.account for key in state.records if key.name == name} | {name}
    for account, a in state.accounts.items():
        if account in touched and (a.latch or a.not_before):
            accounts[account] = replace(a, latch=None, not_before=None)
            opened.append(f"account {account}")
    return replace(state, records=records, accounts=accounts), tuple(opened)


def forgive(state: State, fingerprints: Mapping[RecordKey, str], accounts: Mapping[str, Account]) -> State:
    """Open the latches whose configuration was edited, and let their waiting times go with them."""
    records = {
        key: replace(s, latch=None, not_before=None, attempts=0)
        if s.latch and not latched(s.latch, fingerprints.get(key, s.latch.fingerprint))
        else s
        for key, s in state.records.items()
    }
    standings = {
        name: replace(a, latch=None)
        if a.latch and name in accounts and not latched(a.latch, accounts[name].fingerprint)
        else a
        for name, a in state.accounts.items()
    }
    return replace(state, records=records, accounts=standings)


def rewind(state: State, now: datetime) -> State:
    """After the clock was set back: every waiting time is shifted by as much, so that none grows by the jump."""
    if state.alive_at is None or state.alive_at - now < JUMP:
        return state
    jump = state.alive_at - now

    def back(at: datetime | None) -> datetime | None:
        return at - jump if at is not None else None

    return replace(
        state,
        records={
            key: replace(
                s,
                not_before=back(s.not_before),
                verify_at=back(s.verify_at),
                verify_until=back(s.verify_until),
                failing_since=back(s.failing_since),
            )
            for key, s in state.records.items()
        },
        accounts={name: replace(a, not_before=back(a.not_before)) for name, a in state.accounts.items()},
        outbox=tuple(replace(d, not_before=back(d.not_before)) for d in state.outbox),
        alive_at=now,
    )
