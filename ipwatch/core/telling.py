"""Telling: which events follow from a state. Pure.

Each part of the state remembers what has been told of it; an event is made where that differs from how things stand.
So only edges are told, once when it breaks and once when it is well again, over restarts as well. (The plan spoke of
comparing the state before and after a round; what was told is the "before", kept, so that a crash loses no edge.)
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from ipwatch.core.address import Address, Family
from ipwatch.core.belief import flapping
from ipwatch.core.event import Event, Topic
from ipwatch.core.record import latched
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

DISPUTE_ROUNDS = 3  # a dispute is told when it lasts: one odd answer is for the history
FAILING_AFTER = timedelta(minutes=10)  # a provider's hiccup heals itself before it is worth a mail
_LOST = (Shown.WRONG, Shown.LATE)


def tell(
    state: State, fingerprints: Mapping[RecordKey, tuple[str, str]], repairs: Mapping[str, bool], now: datetime
) -> tuple[State, tuple[Event, ...]]:
    """The events that are due, and the state that remembers them as told.

    fingerprints: per configured record that of the record and of its account. repairs: per account whether a drifted
    record is sent again. Records no longer configured are not told of.
    """
    events: list[Event] = []
    state = _line(state, now, events)
    beliefs = {family: _belief(family, belief, now, events) for family, belief in state.beliefs.items()}
    records = dict(state.records)
    for key, prints in fingerprints.items():
        if key in records:
            account = state.accounts.get(key.account, AccountStanding())
            believed = state.beliefs.get(key.family, Belief()).address
            offline = state.offline_since is not None
            trouble = trouble_of(records[key], prints[0], account, prints[1], believed, now, offline=offline)
            records[key] = _record(key, records[key], trouble, account, repairs.get(key.account, False), now, events)
    notifiers = {name: _notifier(name, health, now, events) for name, health in state.notifiers.items()}
    return replace(state, beliefs=beliefs, records=records, notifiers=notifiers), tuple(events)


def _line(state: State, now: datetime, events: list[Event]) -> State:
    findings = {b.finding for b in state.beliefs.values()}
    # One page that answers is not yet a line: an outage ends with an agreement.
    if findings == {Finding.SILENT} or (state.offline_since is not None and Finding.AGREED not in findings):
        since = state.offline_since or now
        if not state.offline_told:
            events.append(Event(Topic.OFFLINE, now, {"since": since.isoformat()}))
        return replace(state, offline_since=since, offline_told=True)
    if state.offline_since is None:
        return state
    events.append(Event(Topic.ONLINE, now, {"since": state.offline_since.isoformat(), "until": now.isoformat()}))
    return replace(state, offline_since=None, offline_told=False)


def _belief(family: Family, belief: Belief, now: datetime, events: list[Event]) -> Belief:
    if belief.address is not None and belief.address != belief.told:
        events.append(_moved(family, belief, now))
        belief = replace(belief, told=belief.address)
    if bool(belief.behind) is not belief.told_behind:
        topic = Topic.BEHIND_NAT if belief.behind else Topic.REACHABLE
        data = {"family": family.value, "address": str(belief.address or ""), "why": belief.behind}
        events.append(Event(topic, now, data))
        belief = replace(belief, told_behind=bool(belief.behind))
    trouble = _belief_trouble(belief)
    if trouble == belief.told_trouble:
        return belief
    data = {"family": family.value, "address": str(belief.address or "")}
    since = belief.trouble_since or now
    if belief.told_trouble == "flapping":
        events.append(Event(Topic.ADDRESS_STEADY, now, data))
    elif belief.told_trouble == "dispute":
        events.append(Event(Topic.SOURCES_AGREE, now, data | {"since": since.isoformat()}))
    if trouble == "flapping":
        more = {"held": str(belief.address), "wants": str(belief.held_back), "changes": str(len(belief.returns))}
        events.append(Event(Topic.ADDRESS_FLAPPING, now, data | more))
    elif trouble == "dispute":
        said = "; ".join(f"{source} said {what}" for source, what in belief.dissent)
        events.append(Event(Topic.SOURCES_DISPUTE, now, data | {"said": said}))
    return replace(belief, told_trouble=trouble, trouble_since=now if trouble else None)


def _moved(family: Family, belief: Belief, now: datetime) -> Event:
    data = {"family": family.value, "new": str(belief.address)}
    if belief.told is None:
        return Event(Topic.ADDRESS_FOUND, now, data)
    data["old"] = str(belief.told)
    if belief.previous_until is not None and belief.since is not None:
        data |= {"old_until": belief.previous_until.isoformat(), "new_at": belief.since.isoformat()}
    return Event(Topic.ADDRESS_CHANGED, now, data)


def _belief_trouble(belief: Belief) -> str:
    if flapping(belief):
        return "flapping"
    if belief.finding is Finding.DISPUTED and (belief.streak >= DISPUTE_ROUNDS or belief.told_trouble == "dispute"):
        return "dispute"
    # Silence ends neither: nothing was heard that could.
    return belief.told_trouble if belief.finding is Finding.SILENT else ""


def trouble_of(
    standing: Standing,
    fingerprint: str,
    account: AccountStanding,
    account_fingerprint: str,
    believed: Address | None,
    now: datetime,
    *,
    offline: bool,
) -> str:
    """What is wrong with a record that is worth telling: "", "refused", "failing", "not-shown" or "drifted"."""
    if latched(standing.latch, fingerprint) or latched(account.latch, account_fingerprint):
        return "refused"
    if standing.told_trouble == "refused" and standing.published != believed:
        return "refused"  # unlocked or edited: the next good answer is the cure
    if standing.failing_since is not None:
        long = now - standing.failing_since >= FAILING_AFTER and standing.attempts >= 2
        if standing.told_trouble == "failing" or (long and not offline):
            return "failing"
    if standing.shown in _LOST and standing.verified_at is not None and standing.drifts:
        return "drifted"
    overdue = standing.verify_until is not None and now >= standing.verify_until and standing.published is not None
    if standing.shown in _LOST and standing.verified_at is None and standing.unsure is None and overdue:
        return "not-shown"
    return standing.told_trouble if _undecided(standing) else ""


def _undecided(standing: Standing) -> bool:
    """Whether a trouble that was told can not be called over yet: the zone has not been seen right."""
    if standing.told_trouble not in {"not-shown", "drifted"}:
        return False
    return standing.shown not in {Shown.SEEN, Shown.HIDDEN} and standing.verify_at is not None


def _record(
    key: RecordKey,
    s: Standing,
    trouble: str,
    account: AccountStanding,
    repairs: bool,
    now: datetime,
    events: list[Event],
) -> Standing:
    data = {"record": key.name, "account": key.account, "family": key.family.value}
    if s.published is not None and s.published != s.told and s.unsure is None and (settled(s, now) or trouble):
        verified = s.shown.value if s.verify_at is not None else "no"
        more = {"address": str(s.published), "verified": verified}
        if s.told is not None:
            more["old"] = str(s.told)
        events.append(Event(Topic.RECORD_PUBLISHED, now, data | more))
        s = replace(s, told=s.published)
    if trouble == s.told_trouble:
        return s
    since = s.trouble_since or now
    if not trouble:
        topic = Topic.RECORD_SHOWN if s.told_trouble in {"not-shown", "drifted"} else Topic.RECORD_WELL
        events.append(Event(topic, now, data | {"address": str(s.published or ""), "since": since.isoformat()}))
    else:
        events.append(_trouble_event(trouble, s, account.latch, data, repairs, now))
    return replace(s, told_trouble=trouble, trouble_since=now if trouble else None)


def settled(s: Standing, now: datetime) -> bool:
    """Whether all is known of a published address that can be known by now: seen, hidden, not asked for, or overdue."""
    if s.verify_at is None or s.shown in {Shown.SEEN, Shown.HIDDEN}:
        return True
    return s.verify_until is not None and now >= s.verify_until


def _trouble_event(
    trouble: str, s: Standing, account: Latch | None, data: dict[str, str], repairs: bool, now: datetime
) -> Event:
    latch = s.latch or account
    code, text = (latch.code, latch.text) if trouble == "refused" and latch else (s.last_code, s.last_text)
    said = {"code": code, "text": text}
    if trouble == "refused":
        return Event(Topic.RECORD_REFUSED, now, data | said | {"scope": "record" if s.latch else "account"})
    if trouble == "failing":
        return Event(Topic.RECORD_FAILING, now, data | said | {"since": (s.failing_since or now).isoformat()})
    shows = {"address": str(s.published), "shown": s.shown.value, "detail": s.shown_detail}
    if trouble == "drifted":
        return Event(Topic.RECORD_DRIFTED, now, data | shows | {"repair": "yes" if repairs else "no"})
    return Event(Topic.RECORD_NOT_SHOWN, now, data | shows)


def _notifier(name: str, health: NotifierHealth, now: datetime, events: list[Event]) -> NotifierHealth:
    failing = health.failing_since is not None and now - health.failing_since >= FAILING_AFTER
    if failing and not health.told and health.failing_since is not None:
        more = {"reason": health.reason, "since": health.failing_since.isoformat()}
        events.append(Event(Topic.NOTIFIER_FAILING, now, {"notifier": name} | more))
        return replace(health, told=True)
    if health.told and health.failing_since is None:
        events.append(Event(Topic.NOTIFIER_WELL, now, {"notifier": name, "since": now.isoformat()}))
        return replace(health, told=False)
    return health


def families(events: Iterable[Event]) -> frozenset[str]:
    """The families that some address events are about."""
    return frozenset(e.get("family") for e in events if e.topic in {Topic.ADDRESS_FOUND, Topic.ADDRESS_CHANGED})
