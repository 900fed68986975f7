"""The outbox: events on their way to the notifiers. Pure; the state holds it, so it is on disk before anything is sent.

Events that are due for one notifier travel as one message. A change of address waits a little for its records, so that
one mail tells all. After a try that may have been delivered the same events travel under the same id.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ipwatch.core.event import HISTORY_ONLY, Event, Topic
from ipwatch.core.state import Delivery, NotifierHealth, RecordKey, State
from ipwatch.core.telling import families, settled

GATHER = timedelta(seconds=60)  # how long a change of address waits for "verified" at the most
RETRY = timedelta(seconds=5)  # doubled with each further try
MAYBE_RETRY = timedelta(seconds=30)  # where the next try may be a second copy
RETRY_LIMIT = timedelta(minutes=15)
REFUSED_RETRY = timedelta(hours=1)
SHORT_OUTAGE = timedelta(minutes=5)  # alone it is for the history; with other news it is part of the digest


@dataclass(frozen=True, slots=True)
class Batch:
    """What is to be sent to one notifier now, as one message; id: stable while a try may have been delivered."""

    id: str
    notifier: str
    deliveries: tuple[Delivery, ...]

    @property
    def events(self) -> tuple[Event, ...]:
        """The events, oldest first."""
        return tuple(d.event for d in self.deliveries)


def post(state: State, events: Iterable[Event], notifiers: Sequence[str], ids: Sequence[str]) -> State:
    """Put events into the outbox of every notifier. ids: as many fresh unique texts as could be needed."""
    fresh = iter(ids)
    entries = [
        Delivery(next(fresh), notifier, event)
        for event in events
        if event.topic not in HISTORY_ONLY
        for notifier in notifiers
        if event.get("notifier") != notifier
    ]
    return replace(state, outbox=(*state.outbox, *entries)) if entries else state


def batches(state: State, configured: Iterable[RecordKey], now: datetime) -> tuple[Batch, ...]:
    """The messages that are due, at most one a notifier."""
    keys = tuple(configured)
    due: list[Batch] = []
    for notifier, group in _groups(state).items():
        frozen = group[0].batch
        if all(d.not_before is None or d.not_before <= now for d in group) and (
            frozen or ripe(group, state, keys, now)
        ):
            due.append(Batch(frozen or group[0].id, notifier, group))
    return tuple(due)


def _groups(state: State) -> dict[str, tuple[Delivery, ...]]:
    """What travels next to each notifier: the events of a try that may have been delivered, else all that wait."""
    groups: dict[str, tuple[Delivery, ...]] = {}
    for notifier in dict.fromkeys(d.notifier for d in state.outbox):
        mine = tuple(d for d in state.outbox if d.notifier == notifier)
        batch = next((d.batch for d in mine if d.batch), "")
        groups[notifier] = tuple(d for d in mine if d.batch == batch)
    return groups


def due_at(state: State) -> list[datetime]:
    """When each notifier's next message is due at the latest."""
    times = []
    for group in _groups(state).values():
        waits = [d.not_before for d in group if d.not_before is not None]
        if not group[0].batch and families(d.event for d in group):
            waits.append(min(d.event.at for d in group) + GATHER)
        times.append(max(waits, default=group[0].event.at))
    return times


def ripe(group: Sequence[Delivery], state: State, configured: Iterable[RecordKey], now: datetime) -> bool:
    """Whether a message need not wait for more news: the records of each changed address are settled, or time is up."""
    news = families(d.event for d in group)
    age = now - min(d.event.at for d in group)
    if not news or not timedelta(0) <= age < GATHER:  # a negative age: the clock was set back
        return True
    return all(_done(key, state, now) for key in configured if key.family.value in news)


def _done(key: RecordKey, state: State, now: datetime) -> bool:
    standing, belief = state.records.get(key), state.beliefs.get(key.family)
    if standing is None or belief is None or belief.address is None:
        return True
    if standing.told_trouble:
        return True
    return standing.published == belief.address and standing.told == belief.address and settled(standing, now)


def trivial(batch: Batch) -> bool:
    """Whether a message tells no more than a short outage: it is dropped, the history has it."""
    return all(
        e.topic is Topic.ONLINE
        and datetime.fromisoformat(e["until"]) - datetime.fromisoformat(e["since"]) < SHORT_OUTAGE
        for e in batch.events
    )


def delivered(state: State, batch: Batch, now: datetime) -> State:
    """After a delivery: its entries are gone."""
    gone = {d.id for d in batch.deliveries}
    return well(replace(state, outbox=tuple(d for d in state.outbox if d.id not in gone)), batch.notifier, now)


def failed(
    state: State, batch: Batch, reason: str, now: datetime, *, maybe: bool, refused: bool, after: timedelta | None
) -> State:
    """After a try that failed. maybe: it may have been delivered. refused: the other side will not have it so."""
    attempts = max(d.attempts for d in batch.deliveries) + 1
    first = MAYBE_RETRY if maybe else RETRY
    pause = REFUSED_RETRY if refused else after or min(first * (1 << min(attempts - 1, 10)), RETRY_LIMIT)
    ids = {d.id for d in batch.deliveries}
    outbox = tuple(
        replace(d, attempts=attempts, not_before=now + pause, last_error=reason, batch=batch.id if maybe else d.batch)
        if d.id in ids
        else d
        for d in state.outbox
    )
    return ill(replace(state, outbox=outbox), batch.notifier, reason, now)


def well(state: State, notifier: str, now: datetime) -> State:
    """A notifier took what it was given."""
    health = state.notifiers.get(notifier, NotifierHealth())
    good = replace(health, failures=0, failing_since=None, reason="", delivered_at=now)
    return replace(state, notifiers={**state.notifiers, notifier: good})


def ill(state: State, notifier: str, reason: str, now: datetime) -> State:
    """A notifier did not take it."""
    health = state.notifiers.get(notifier, NotifierHealth())
    bad = replace(health, failures=health.failures + 1, failing_since=health.failing_since or now, reason=reason)
    return replace(state, notifiers={**state.notifiers, notifier: bad})


def hurry(state: State) -> State:
    """The line is back: what waited only for it goes out at once."""
    return replace(state, outbox=tuple(replace(d, not_before=None) for d in state.outbox))
