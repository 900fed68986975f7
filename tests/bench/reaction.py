"""From a change of the address to the record, and from the start of the process to the first record."""

import os
import signal
import statistics
import time
from collections.abc import Iterator

from ipwatch.demo.service import Service
from tests.bench.figures import Figure
from tests.bench.pages import Pages
from tests.bench.place import HOURLY, config, place, published

PHASES = (0.1, 0.3, 0.5, 0.7, 0.9)  # of the interval of 1 s, at which the address changes


def measure() -> Iterator[Figure]:
    """Each run has a state of its own: the third change within an hour would be held back as flapping."""
    polled = [_once("1s", phase) for phase in PHASES]
    pushed = [_once(HOURLY, 0.2) for _ in PHASES]
    yield Figure("change to publication, interval 1 s (median of 5)", _median(r for _, r in polled), "s", 1.0)
    yield Figure("change to publication, pushed (SIGUSR1; median of 5)", _median(r for _, r in pushed), "s", 1.0,
                 below=True)  # fmt: skip
    yield Figure("cold start to first publication (median of 5)", _median(c * 1000 for c, _ in pushed), "ms")


def _once(interval: str, phase: float) -> tuple[float, float]:
    """Seconds from start to first publication, and from change to publication."""
    with place() as (house, folder), Pages(lambda: house.address) as pages:
        path = config(house, folder, pages.pages, interval=interval)
        with Service(path) as service:
            first = published(house, house.address, service)
            time.sleep(phase)
            changed = time.monotonic()
            house.address = "25.8.8.8"
            if interval == HOURLY:
                os.kill(service.pid, signal.SIGUSR1)
            return first - service.started, published(house, "25.8.8.8", service) - changed


def _median(values: Iterator[float]) -> float:
    return statistics.median(values)
