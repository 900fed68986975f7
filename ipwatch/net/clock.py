"""The system's clock."""

import time
from datetime import UTC, datetime, timedelta


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
