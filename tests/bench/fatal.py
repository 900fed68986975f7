"""Requests the provider gets although it has said that asking again will not help."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from ipwatch.demo.service import Service
from tests.bench.figures import Figure
from tests.bench.pages import Pages
from tests.bench.place import config, place, rounds, state

CODES = ("badauth", "abuse", "nohost", "!yours")
RESTARTS = 3


def measure() -> Iterator[Figure]:
    """Four accounts, each refused with another code; a start, three restarts, two rounds and more each time."""
    with ThreadPoolExecutor(2) as both:
        found = list(both.map(_requests, CODES))
    title = f"requests until and after a fatal code, {RESTARTS} restarts (most of {', '.join(CODES)})"
    yield Figure(title, max(found), "", 1)
    yield Figure("  fewest of them (1: it was asked at all)", min(found))


def _requests(code: str) -> int:
    with place() as (house, folder), Pages(lambda: house.address) as pages:
        path = config(house, folder, pages.pages, interval="1s")
        house.dyn.answer = code
        for _ in range(1 + RESTARTS):
            before = state(folder).rounds
            with Service(path):
                rounds(folder, before + 2)
                time.sleep(0.1)
        return house.dyn.requests
