"""History: what the stored events say about every address held, every outage and every dispute. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ipwatch.core.address import Address, BadAddress, Family
from ipwatch.core.event import Event, Topic


@dataclass(frozen=True, slots=True)
class Dissent:
    """A source that said something else: when, who, and what (an address, or the reason there was none)."""

    at: datetime
    source: str
    said: str


@dataclass(frozen=True, slots=True)
class Span:
    """One address held without a break.

    until: when it was last known to hold, None while it still does; duration: until then, or until now.
    dissent: who disagreed meanwhile, oldest first.
    """

    family: Family
    address: Address
    since: datetime
    until: datetime | None
    duration: timedelta
    dissent: tuple[Dissent, ...] = ()


@dataclass(frozen=True, slots=True)
class Outage:
    """A time without any source. until: None while it lasts; duration: until then, or until now."""

    since: datetime
    until: datetime | None
    duration: timedelta


def spans(events: Iterable[Event], now: datetime) -> list[Span]:
    """Every address held, in order of its beginning. Events come in any order; such as make no sense are passed over.

    A span ends where its address was last confirmed before the next one (`old_until`), else where the next begins:
    between the two nobody knows. The same address found again goes on with its span.
    """
    done: list[Span] = []
    held: dict[Family, Span] = {}
    for event in sorted(events, key=_when):
        family = _family(event)
        if family is None:
            continue
        if event.topic is Topic.SOURCE_DISSENT and family in held:
            held[family] = _with(held[family], event)
        elif event.topic in {Topic.ADDRESS_FOUND, Topic.ADDRESS_CHANGED}:
            _begin(event, family, held, done)
    lasting = [replace(span, duration=_length(span.since, now)) for span in held.values()]
    return sorted(done + lasting, key=lambda span: (span.since, span.family))


def outages(events: Iterable[Event], now: datetime) -> list[Outage]:
    """Every time without any source, in order of its beginning.

    ONLINE tells both ends and is enough; OFFLINE without it is an outage that lasts, or one whose end was never seen
    because the next one began: that one is left out, as its length is not known.
    """
    ended: dict[datetime, datetime] = {}
    begun: list[datetime] = []
    for event in sorted(events, key=_when):
        since = _time(event.data, "since") or event.at
        if event.topic is Topic.ONLINE:
            ended[since] = _time(event.data, "until") or event.at
        elif event.topic is Topic.OFFLINE:
            begun.append(since)
    found = [Outage(since, until, _length(since, until)) for since, until in ended.items()]
    if begun and begun[-1] > max(ended.values(), default=datetime.min.replace(tzinfo=now.tzinfo)):
        found.append(Outage(begun[-1], None, _length(begun[-1], now)))
    return sorted(found, key=lambda outage: outage.since)


def _begin(event: Event, family: Family, held: dict[Family, Span], done: list[Span]) -> None:
    address = _address(event.data.get("new", ""), family)
    if address is None or (family in held and held[family].address == address):
        return
    since = _time(event.data, "new_at") or event.at
    if family in held:
        done.append(_ended(held[family], _time(event.data, "old_until") or since))
    elif (old := _address(event.data.get("old", ""), family)) and (until := _time(event.data, "old_until")):
        done.append(Span(family, old, until, until, timedelta(0)))  # its beginning is older than the history
    held[family] = Span(family, address, since, None, timedelta(0))


def _ended(span: Span, until: datetime) -> Span:
    until = max(until, span.since)
    return replace(span, until=until, duration=until - span.since)


def _with(span: Span, event: Event) -> Span:
    return replace(span, dissent=(*span.dissent, Dissent(event.at, event.get("source"), event.get("said"))))


def _length(since: datetime, until: datetime) -> timedelta:
    """Never negative: the clock may have been set back."""
    return max(until - since, timedelta(0))


def _when(event: Event) -> datetime:
    return event.at


def _family(event: Event) -> Family | None:
    try:
        return Family(event.get("family"))
    except ValueError:
        return None


def _address(text: str, family: Family) -> Address | None:
    try:
        address = Address.parse(text)
    except BadAddress:
        return None
    return address if address.family is family else None


def _time(data: Mapping[str, str], key: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(data.get(key, ""))
    except ValueError:
        return None
    return at if at.tzinfo else None
