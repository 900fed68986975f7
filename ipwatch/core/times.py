"""Times: points in time as people read them, in one zone. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from ipwatch.core.event import Event

_SHORT = timedelta(minutes=1)  # below it "11:38 to 11:38" would say nothing, so seconds are shown


@dataclass(frozen=True, slots=True)
class Times:
    """How times are written: in one zone, always with the date, except in a line that names its day."""

    zone: tzinfo
    day: str = ""

    def show(self, at: datetime, clock: str = "%H:%M") -> str:
        """A time as people read it: "2026-11-23 03:12 UTC", or "03:12" on the line's own day."""
        local = self._local(at)
        return self._dated(local, clock) + ("" if self.day else f" {local:%Z}".rstrip())

    def of(self, event: Event, key: str) -> str:
        """The time a detail holds; the event's own where there is none, the text itself where it is no time."""
        try:
            return self.show(_time(event, key))
        except (ValueError, OverflowError):
            return event.get(key)

    def span(self, event: Event, since: str, until: str) -> tuple[str, str]:
        """Both ends of a time: ("2026-11-23 03:12", "03:41 UTC"); with seconds where it was under a minute."""
        try:
            first, last = self._local(_time(event, since)), self._local(_time(event, until))
        except (ValueError, OverflowError):
            return self.of(event, since), self.of(event, until)
        # In UTC: two times of one zone are subtracted by the wall clock, which is wrong where that was changed.
        clock = "%H:%M:%S" if abs(last.astimezone(UTC) - first.astimezone(UTC)) < _SHORT else "%H:%M"
        if f"{first:%Y-%m-%d %Z}" != f"{last:%Y-%m-%d %Z}":
            return self.show(first, clock), self.show(last, clock)
        return self._dated(first, clock), last.strftime(clock if self.day else f"{clock} %Z")

    def _local(self, at: datetime) -> datetime:
        # A time without a zone is ours: UTC. Left alone it would be read in the machine's own zone.
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(self.zone)

    def _dated(self, local: datetime, clock: str) -> str:
        return local.strftime(clock if self.day == f"{local:%Y-%m-%d}" else f"%Y-%m-%d {clock}")


def _time(event: Event, key: str) -> datetime:
    text = event.get(key)
    return datetime.fromisoformat(text) if text else event.at
