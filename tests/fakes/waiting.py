"""Waiting for what another process or thread does."""

import time
from collections.abc import Callable

PATIENCE = 60.0  # seconds: a machine with much else to do is ten times slower


def wait(true: Callable[[], object], within: float = PATIENCE) -> bool:
    """Whether it came true within that many seconds; looks fifty times a second."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.02)
    return False
