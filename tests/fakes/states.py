"""Hypothesis strategies for arbitrary states and events, and a large ordinary state."""

from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

from hypothesis import strategies as st

from ipwatch.core.address import Address, Family
from ipwatch.core.event import Event, Topic
from ipwatch.core.state import Delivery, Finding, RecordKey, Standing, State

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)

times = st.datetimes(timezones=st.just(UTC))
addresses = st.ip_addresses().filter(lambda ip: getattr(ip, "scope_id", None) is None).map(Address)
texts = st.text(st.characters(), max_size=30)  # halves of surrogate pairs too
keys = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
names = st.from_regex(r"[a-z0-9]{1,9}(\.[a-z]{1,5}){0,2}", fullmatch=True)
record_keys = st.builds(RecordKey, keys, names, st.sampled_from(Family))
events = st.builds(Event, st.sampled_from(Topic), times, st.dictionaries(texts, texts, max_size=4))

st.register_type_strategy(Address, addresses)
st.register_type_strategy(datetime, times)
st.register_type_strategy(Event, events)
st.register_type_strategy(RecordKey, record_keys)
st.register_type_strategy(str, texts)

outboxes = st.lists(st.from_type(Delivery), max_size=5, unique_by=lambda d: d.id).map(
    lambda found: tuple(
        replace(d, id=f"{place}-{d.id.encode('utf-8', 'replace').decode()}") for place, d in enumerate(found)
    )
)


def _mapping(name: str) -> Any:
    from collections.abc import Mapping
    from typing import get_args, get_origin, get_type_hints

    hint = get_type_hints(State)[name]
    if get_origin(hint) is not Mapping:
        return st.from_type(hint)
    key, value = get_args(hint)
    of_keys = {RecordKey: record_keys, str: keys}.get(key, st.sampled_from(Family))
    return st.dictionaries(of_keys, st.from_type(value), max_size=3)


states = st.builds(State, **{f.name: outboxes if f.name == "outbox" else _mapping(f.name) for f in fields(State)})


def large_state(records: int = 1000) -> State:
    """A state with that many published records."""
    address = Address.parse("192.0.2.7")
    return State(
        records={
            RecordKey("home", f"h{number}.example.org", Family.IPV4): Standing(published=address, published_at=NOON)
            for number in range(records)
        }
    )


def delivery(name: str, topic: Topic = Topic.TEST, after: timedelta = timedelta(0)) -> Delivery:
    """An ordinary entry of the outbox."""
    return Delivery(name, "email", Event(topic, NOON + after, {"n": name}))


def leaves(value: Any) -> set[type]:
    """The classes that occur in a value: shows that the strategies reach all of State."""
    if isinstance(value, Enum) or not (is_dataclass(value) or isinstance(value, dict | tuple)):
        return {type(value)}
    inside = (
        value.values()
        if isinstance(value, dict)
        else value
        if isinstance(value, tuple)
        else (getattr(value, f.name) for f in fields(value))
    )
    return {type(value)}.union(*map(leaves, inside))


__all__ = ["NOON", "Finding", "delivery", "events", "large_state", "leaves", "states"]
