"""From a change of the address to the record, and from the start of the process to the first record."""

import os
import signal
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from ipwatch.demo.service import Service
from tests.bench.figures import Figure, NotMeasured
from tests.bench.pages import Pages
from tests.bench.place import HOURLY, at_rest, config, place, published

PUSHES = 4
PHASES = (0.1, 0.3, 0.5, 0.7, 0.9)  # of the interval of 1 s, at which the address changes


def measure() -> Iterator[Figure]:
    """Each run has a state of its own: the third change within an hour would be held back as flapping."""
    polled = [_once("1s", phase) for phase in PHASES]
    yield Figure("change to publication, interval 1 s (median of 5)", _median(r for _, r in polled), "s", 1.0)
    pushed = [_once(HOURLY, 0.0) for _ in PHASES]
    yield Figure(
        "change to publication, pushed by SIGUSR1 (median of 5)", _median(r for _, r in pushed), "s", 1.0, below=True
    )
    yield Figure("cold start to first publication (median of 5)", _median(c * 1000 for c, _ in pushed), "ms")
    with ThreadPoolExecutor(2) as both:
        lost = sum(both.map(lambda _: _lost(), range(PUSHES)))
    yield Figure(f"pushes lost, of {PUSHES} that came while a round was under way", lost, "", 0)


def _once(interval: str, phase: float) -> tuple[float, float]:
    """Seconds from start to first publication, and from change to publication; the service is at rest before."""
    with place() as (house, folder), Pages(lambda: house.address) as pages:
        path = config(house, folder, pages.pages, interval=interval)
        with Service(path) as service:
            first = published(house, house.address, service)
            at_rest(house, folder)
            time.sleep(phase)
            changed = time.monotonic()
            house.address = "25.8.8.8"
            if interval == HOURLY:
                os.kill(service.pid, signal.SIGUSR1)
            return first - service.started, published(house, "25.8.8.8", service) - changed


def _lost() -> bool:
    """Whether a push in the middle of the first round is forgotten: the next round is an hour away."""
    with (
        place() as (house, folder),
        Pages(lambda: house.address) as pages,
        Service(config(house, folder, pages.pages)) as service,
    ):
        published(house, house.address, service)
        house.address = "25.8.8.8"
        os.kill(service.pid, signal.SIGUSR1)
        try:
            published(house, "25.8.8.8", service, within=3)
        except NotMeasured:
            return True
        return False


def _median(values: Iterator[float]) -> float:
    return statistics.median(values)
