"""Durations as people write them: "30s", "5m", "1h", "2d", "1h30m"."""

import re
from datetime import timedelta

_UNITS = {"w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}  # milliseconds
_PART = re.compile(r"(\d{1,12})(ms|[wdhms])")
_WHOLE = re.compile(rf"(?:{_PART.pattern})+\Z", re.ASCII)
LONGEST = timedelta(days=3660)

HOW = 'a duration is written with its unit, like "30s", "5m", "1h" or "2d"'


class BadDuration(ValueError):
    """The text is not a duration; str() is a clause that does not repeat it."""


def parse(text: str) -> timedelta:
    """Read a duration, at most ten years; raises BadDuration."""
    if text.lstrip().startswith("-"):
        raise BadDuration("a duration can not be negative")
    if not _WHOLE.match(text):
        raise BadDuration(HOW)
    total = sum(int(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    if total > LONGEST // timedelta(milliseconds=1):
        raise BadDuration("it is longer than ten years")
    return timedelta(milliseconds=total)


def spell(time: timedelta) -> str:
    """The shortest text that `parse` reads as the same duration (to the millisecond)."""
    left = time // timedelta(milliseconds=1)
    text = ""
    for unit, size in list(_UNITS.items())[1:]:  # weeks are read, not written: 7d, 14d say as much
        if left >= size:
            text += f"{left // size}{unit}"
            left %= size
    return text or "0s"
