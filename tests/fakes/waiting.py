"""Waiting for what another process or thread does."""

import time
from collections.abc import Callable


def wait(true: Callable[[], object], within: float = 15.0) -> bool:
    """Whether it came true within that many seconds; looks fifty times a second."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.02)
    return False
