"""Frozen values <-> JSON text, led by their type hints.

Own code and not msgspec: that sees in Address, itself a dataclass, a union of two classes it does not know, and
refuses to read it whatever the hooks say. json's ASCII form also keeps texts that are no valid Unicode.
"""

import json
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from ipwatch.core.address import Address


class Unreadable(ValueError):
    """A text that does not fit its type."""


def to_json(value: Any) -> str:
    """One value as JSON text; ASCII only."""
    return json.dumps(_plain(value), separators=(",", ":"), ensure_ascii=True)


def from_json(text: str, kind: Any) -> Any:
    """The value of that type; raises Unreadable. Unknown fields are ignored, missing ones take their default."""
    try:
        return _typed(json.loads(text), kind)
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        raise Unreadable(f"{type(error).__name__}: {error}") from None


def time_text(at: datetime) -> str:
    """A time as text that sorts as the times do."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str | Address):
        return str(value)
    if isinstance(value, datetime):
        return time_text(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return {name: _plain(getattr(value, name)) for name in _shape(value.__class__)}


@lru_cache(maxsize=64)
def _shape(kind: Any) -> dict[str, tuple[Any, bool]]:
    """A dataclass's fields: type, and whether it must be there."""
    hints = get_type_hints(kind)
    return {f.name: (hints[f.name], f.default is MISSING and f.default_factory is MISSING) for f in fields(kind)}


def _typed(value: Any, kind: Any) -> Any:
    if isinstance(kind, type) and get_origin(kind) is None:
        return _one(value, kind)
    origin, args = get_origin(kind), get_args(kind)
    if origin in {UnionType, Union}:  # the only unions in State are "or None"
        return None if value is None else _typed(value, next(arg for arg in args if arg is not NoneType))
    if origin is Mapping:
        return {_typed(key, args[0]): _typed(item, args[1]) for key, item in _expect(value, dict).items()}
    items = _expect(value, list)
    if args[-1] is Ellipsis:
        return tuple(_typed(item, args[0]) for item in items)
    return tuple(_typed(item, arg) for item, arg in zip(items, args, strict=True))


def _one(value: Any, kind: type) -> Any:
    if kind is Address:
        return Address.parse(_expect(value, str))
    if kind is datetime:
        return _time(_expect(value, str))
    if issubclass(kind, StrEnum):
        return kind(value)
    if is_dataclass(kind):
        return _fields(_expect(value, dict), kind)
    if kind is int and isinstance(value, bool):
        raise TypeError("a truth value is no number")
    return _expect(value, kind)


def _fields(value: dict[str, Any], kind: type) -> Any:
    given = {name: _typed(value[name], hint) for name, (hint, must) in _shape(kind).items() if must or name in value}
    return kind(**given)


def _time(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("a time without zone")
    return at


def _expect(value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"{type(value).__name__} instead of {kind.__name__}")
    return value
