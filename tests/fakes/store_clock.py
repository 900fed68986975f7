"""The machine's own time as a Clock, for tests of what waits for other processes."""

import time
from datetime import UTC, datetime, timedelta


class SystemTime:
    """The port `Clock`, plainly."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> timedelta:
        return timedelta(seconds=time.monotonic())

    def sleep(self, time_: timedelta) -> None:
        time.sleep(time_.total_seconds())
