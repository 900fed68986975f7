"""State <-> rows. A row is (part, key, rank, value): a field of State, an entry's key, its place, its JSON.

Every entry of a mapping and of the outbox is a row of its own, so that a change costs what changed. Fields unknown to
this program are ignored and missing ones take their default: that is how older and newer states are read.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, get_args, get_origin, get_type_hints

from ipwatch.core.address import Family
from ipwatch.core.event import Event, Topic
from ipwatch.core.state import Delivery, RecordKey, State
from ipwatch.store.plain import Unreadable, from_json, to_json

Row = tuple[str, str, int, str]
OUTBOX = "outbox"
SINGLE = "single"  # the part of the fields that are no mapping; their key is the field's name

_HINTS: dict[str, Any] = get_type_hints(State)
_MAPPINGS: dict[str, tuple[Any, Any]] = {
    name: get_args(hint) for name, hint in _HINTS.items() if get_origin(hint) is Mapping
}
_SINGLES = tuple(f.name for f in fields(State) if f.name not in _MAPPINGS and f.name != OUTBOX)


def key_text(key: Any) -> str:
    """A mapping's key as text: "account|name|family" for a record."""
    return "|".join(key) if isinstance(key, tuple) else str(key)


def key_of(text: str, kind: Any) -> Any:
    """The reverse; raises Unreadable. An account's name may hold a bar, a host name or a family can not."""
    try:
        if kind is RecordKey:
            account, name, family = text.rsplit("|", 2)
            return RecordKey(account, name, Family(family))
        return kind(text)
    except ValueError:
        raise Unreadable(f"{text[:80]!r} is no key") from None


def event_of(at: str, topic: str, data: str) -> Event:
    """An event from its columns; raises Unreadable (a topic of a newer program, say)."""
    try:
        return Event(Topic(topic), datetime.fromisoformat(at), from_json(data, Mapping[str, str]))
    except (ValueError, TypeError):
        raise Unreadable(f"{topic[:80]!r} is no event") from None


@dataclass(frozen=True, slots=True)
class Difference:
    """The rows to write and the (part, key) to remove."""

    put: tuple[Row, ...]
    drop: tuple[tuple[str, str], ...]

    def __bool__(self) -> bool:
        return bool(self.put or self.drop)


@dataclass(frozen=True, slots=True)
class Image:
    """What is on disk: the state, and the rank of each outbox row."""

    state: State = field(default_factory=State)
    ranks: Mapping[str, int] = field(default_factory=dict)

    def towards(self, new: State) -> tuple["Image", Difference]:
        """The image after writing `new`, and the difference that writes it."""
        ranks = _ranked(_by_key(new.outbox), self.ranks)
        put: list[Row] = [
            (SINGLE, name, 0, to_json(getattr(new, name)))
            for name in _SINGLES
            if getattr(new, name) != getattr(self.state, name)
        ]
        drop: list[tuple[str, str]] = []
        for part in _MAPPINGS:
            _compare(part, getattr(self.state, part), getattr(new, part), put, drop)
        _compare_outbox(self, new, ranks, put, drop)
        return Image(new, ranks), Difference(tuple(put), tuple(drop))


def _compare(
    part: str, old: Mapping[Any, Any], new: Mapping[Any, Any], put: list[Row], drop: list[tuple[str, str]]
) -> None:
    put += [
        (part, key_text(key), 0, to_json(value)) for key, value in new.items() if key not in old or old[key] != value
    ]
    drop += [(part, key_text(key)) for key in old if key not in new]


def _compare_outbox(
    image: Image, new: State, ranks: Mapping[str, int], put: list[Row], drop: list[tuple[str, str]]
) -> None:
    old = _by_key(image.state.outbox)
    for key, delivery in _by_key(new.outbox).items():
        if old.get(key) != delivery or image.ranks.get(key) != ranks[key]:
            put.append((OUTBOX, key, ranks[key], to_json(delivery)))
    drop += [(OUTBOX, key) for key in image.ranks if key not in ranks]


def _by_key(outbox: Iterable[Delivery]) -> dict[str, Delivery]:
    """Deliveries by id; should an id come twice, neither is lost."""
    found: dict[str, Delivery] = {}
    for delivery in outbox:
        key, count = delivery.id, 1
        while key in found:
            count += 1
            key = f"{delivery.id}#{count}"
        found[key] = delivery
    return found


def _ranked(keys: Iterable[str], old: Mapping[str, int]) -> dict[str, int]:
    """A rising rank for each key; the old one wherever that still fits."""
    ranks: dict[str, int] = {}
    last = 0
    for key in keys:
        last = max(old.get(key, 0), last + 1)
        ranks[key] = last
    return ranks


def read_rows(rows: Iterable[Row]) -> tuple[Image, list[tuple[str, str]]]:
    """The image of rows that come in order of rank, and the (part, key) of those that can not be read."""
    parts: dict[str, Any] = {name: {} for name in _MAPPINGS}
    singles: dict[str, Any] = {}
    outbox: list[Delivery] = []
    ranks: dict[str, int] = {}
    strays: list[tuple[str, str]] = []
    for part, key, rank, value in rows:
        try:
            if part in _MAPPINGS:
                key_type, value_type = _MAPPINGS[part]
                parts[part][key_of(key, key_type)] = from_json(value, value_type)
            elif part == OUTBOX:
                outbox.append(from_json(value, Delivery))
                ranks[key] = rank
            elif part == SINGLE and key in _SINGLES:
                singles[key] = from_json(value, _HINTS[key])
        except Unreadable:
            strays.append((part, key))
    return Image(State(outbox=tuple(outbox), **parts, **singles), ranks), strays
