"""The system's clock and its time zone."""

import re
import time
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

# Where zones are looked for (https://docs.python.org/3/library/zoneinfo.html#zoneinfo.TZPATH, 2026-11).
_ZONES = ("/usr/share/zoneinfo", "/usr/lib/zoneinfo", "/usr/share/lib/zoneinfo", "/etc/zoneinfo")
# A zone without a database, "CET-1CEST" or "<+01>-1" (POSIX.1-2017, Base Definitions 8.3, TZ); UTC is built in.
_WRITTEN_OUT = re.compile(r"(UTC|GMT)|([A-Za-z]{3,}|<[A-Za-z0-9+-]{3,}>)[+-]?[0-9]{1,2}.*")


class SystemClock:
    """ports.Clock by the system's own clocks."""

    def now(self) -> datetime:
        """The time, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> timedelta:
        """Time since some moment; never jumps back."""
        return timedelta(seconds=time.monotonic())

    def sleep(self, time: timedelta) -> None:
        """Wait; a time of zero or less returns at once."""
        _sleep(max(0.0, time.total_seconds()))


_sleep = time.sleep


class LocalZone(tzinfo):
    """The machine's own zone: TZ, else /etc/localtime, summer time included, as the C library knows it."""

    def fromutc(self, at: datetime) -> datetime:
        """For datetime.astimezone; the result has a fixed offset."""
        return at.replace(tzinfo=UTC).astimezone()

    def utcoffset(self, at: datetime | None) -> timedelta | None:
        """The offset at a local time."""
        return at.replace(tzinfo=None).astimezone().utcoffset() if at else None

    def dst(self, at: datetime | None) -> timedelta | None:  # noqa: ARG002 - datetime.tzinfo's signature
        """Not told apart from the offset."""
        return None

    def tzname(self, at: datetime | None) -> str | None:
        """Its name at a local time: "CET" or "CEST"."""
        return at.replace(tzinfo=None).astimezone().tzname() if at else None


def zone_doubt(name: str) -> str:
    """Why this value of TZ does not count, or "". C libraries take a zone it does not know for UTC without a word."""
    name = name.removeprefix(":")
    if not name or _WRITTEN_OUT.fullmatch(name) or any((Path(folder) / name).is_file() for folder in _ZONES):
        return ""
    database = any(Path(folder).is_dir() for folder in _ZONES)
    return f"TZ={name} is no time zone known here{'' if database else ', there is no zone database'}: times are in UTC"
