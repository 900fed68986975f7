"""net.clock: the machine's own time zone, and names of zones that are none."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ipwatch.net.clock import LocalZone, SystemClock, zone_doubt

WINTER, SUMMER = datetime(2026, 1, 1, 11, 0, tzinfo=UTC), datetime(2026, 7, 1, 11, 0, tzinfo=UTC)


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], LocalZone]]:
    """Gives the local zone under a value of TZ."""

    def under(name: str) -> LocalZone:
        monkeypatch.setenv("TZ", name)
        time.tzset()
        return LocalZone()

    yield under
    monkeypatch.undo()
    time.tzset()


def test_local_times(zone: Callable[[str], LocalZone]) -> None:
    """A time is shown as the clocks of the zone show it, summer and winter, with the zone's name then."""
    local = zone("CET-1CEST,M3.5.0,M10.5.0/3")
    assert f"{WINTER.astimezone(local):%H:%M %Z}" == "12:00 CET"
    assert f"{SUMMER.astimezone(local):%H:%M %Z}" == "13:00 CEST"


def test_times_given_in_the_zone(zone: Callable[[str], LocalZone]) -> None:
    """A local time knows its offset and its zone's name, and is the same point in time elsewhere."""
    given = datetime(2026, 7, 1, 13, 0, tzinfo=zone("CET-1CEST,M3.5.0,M10.5.0/3"))
    assert (given.utcoffset(), given.tzname(), given.dst()) == (timedelta(hours=2), "CEST", None)
    assert given.astimezone(UTC) == SUMMER


@pytest.mark.parametrize("name", ["", "UTC", "CET-1CEST", "<+0330>-3:30", "EST5EDT,M3.2.0,M11.1.0"])
def test_zones_that_count(name: str) -> None:
    """UTC, or a zone that is written out."""
    assert zone_doubt(name) == ""


@pytest.mark.skipif(not Path("/usr/share/zoneinfo/Europe/Paris").exists(), reason="there is no zone database here")
def test_zones_of_the_database() -> None:
    """A zone by its name, with or without the colon that POSIX allows before it."""
    assert (zone_doubt("Europe/Paris"), zone_doubt(":Europe/Paris")) == ("", "")


@pytest.mark.parametrize("name", ["Europe/Pari", "Paris", "../etc/passwd", "Europe"])
def test_zones_that_do_not(name: str) -> None:
    """What the C library would take for UTC without a word is told."""
    assert zone_doubt(name).startswith(f"TZ={name} is no time zone known here")


def test_the_time() -> None:
    """Aware, in UTC; waiting takes the time it is told, and none for less than none."""
    clock = SystemClock()
    assert clock.now().tzinfo is UTC
    began = clock.monotonic()
    clock.sleep(timedelta(seconds=-1))
    clock.sleep(timedelta(milliseconds=20))
    assert clock.monotonic() - began >= timedelta(milliseconds=20)
