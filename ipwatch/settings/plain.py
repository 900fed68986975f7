"""Values of the configuration that are no tables and no secrets, by their types. Standard library only."""

import math
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from ipwatch.settings import duration
from ipwatch.settings.faults import among, nearest
from ipwatch.settings.files import expanded
from ipwatch.settings.reader import Bad, Reader
from ipwatch.settings.toml import KeyPath

_NEVER_ZERO = {"timeout", "interval"}


def plain(reader: Reader, key: KeyPath, kind: Any, raw: Any) -> Any:  # noqa: PLR0911 - one return per type
    """A str, bool, int, float, timedelta or Path, or BAD."""
    if kind is timedelta:
        return period(reader, key, raw)
    if kind is Path:
        return path(reader, key, raw)
    if kind is str and isinstance(raw, str):
        return raw
    if kind is bool and isinstance(raw, bool):
        return raw
    if kind is int and isinstance(raw, int) and not isinstance(raw, bool):
        return raw if abs(raw) < 2**63 else reader.fault(key, "the number is too large")
    if kind is float and isinstance(raw, int | float) and not isinstance(raw, bool) and math.isfinite(raw):
        return float(raw)
    words = {str: 'text in "quotes"', bool: "true or false", int: "a whole number", float: "a finite number"}
    return reader.fault(key, f"this is {words.get(kind, 'something else')}, not {word(raw)}")


def word(raw: Any) -> str:  # noqa: PLR0911 - one return per type
    """What a value is, never what it holds."""
    match raw:
        case bool():
            return "true or false"
        case str():
            return "text"
        case int():
            return "a number"
        case float():
            return "a number with a point"
        case list():
            return "a list"
        case dict():
            return "a table"
        case _:
            return "a date or a time"


def period(reader: Reader, key: KeyPath, raw: Any) -> timedelta | Bad:
    """A duration with its unit."""
    if isinstance(raw, int) and not isinstance(raw, bool) and 0 < raw < 100_000_000:
        meant = duration.spell(timedelta(seconds=raw))
        return reader.fault(key, f'a duration needs its unit: {key[-1]} = "{meant}" if seconds are meant')
    if not isinstance(raw, str):
        return reader.fault(key, duration.HOW)
    try:
        time = duration.parse(raw)
    except duration.BadDuration as error:
        return reader.fault(key, str(error))
    if not time and key[-1] in _NEVER_ZERO:
        return reader.fault(key, "it can not be zero")
    return time


def path(reader: Reader, key: KeyPath, raw: Any) -> Path | Bad:
    """A path, relative to the configuration file's folder."""
    if not isinstance(raw, str) or not raw.strip():
        return reader.fault(key, 'this is the path of a file, text in "quotes"')
    if not raw.isprintable():
        return reader.fault(key, "the path holds a control character")
    return reader.folder / expanded(raw, reader.environ)


def choice(reader: Reader, key: KeyPath, raw: Any, choices: Mapping[str, Any]) -> Any:
    """One of the permitted words."""
    if isinstance(raw, str | int) and not isinstance(raw, bool) and str(raw) in choices:
        return choices[str(raw)]
    meant = nearest(raw, tuple(choices)) if isinstance(raw, str) else None
    hint = f"'{raw}' is not; did you mean '{meant}'?" if meant else among(tuple(choices))
    return reader.fault(key, f"this is not one of the permitted words: {hint}")
