"""What is published although it is false, over a table of bad answers."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from ipwatch.demo.house import House
from ipwatch.demo.service import Service
from tests.bench.figures import Figure, NotMeasured
from tests.bench.pages import MANNERS, Pages
from tests.bench.place import at_rest, config, place, published, rounds, state


def measure() -> Iterator[Figure]:
    """One of three is bad from the start and over a change; then a single source, that was good before, is bad."""
    with ThreadPoolExecutor(2) as both:
        found = list(both.map(_of_three, range(len(MANNERS)), MANNERS))
    cases = len(MANNERS)
    yield Figure(f"wrong publications, one of three pages bad ({cases} ways)", sum(w for w, _ in found), "", 0)
    yield Figure("  changes that did not get through beside a bad page", sum(not t for _, t in found), "", 0)
    yield Figure(f"wrong publications, single page bad ({cases - 1} ways)", _single(), "", 0)


def _of_three(number: int, manner: str) -> tuple[int, bool]:
    """Wrong publications, and whether the change was published all the same."""
    with place() as (house, folder), Pages(lambda: house.address) as pages:
        page = pages[number % 3]
        page.manner = manner
        with Service(config(house, folder, pages.pages)) as service:
            through = _published(house, house.address, service)
            at_rest(house, folder)
            house.address = "25.8.8.8"
            os.kill(service.pid, signal.SIGUSR1)
            through &= _published(house, "25.8.8.8", service)
            rounds(folder, 2)
        if not page.bad:
            raise NotMeasured(f"the bad page ({manner}) was not asked")
        return len(house.wrong), through


def _published(house: House, address: str, service: Service) -> bool:
    try:
        published(house, address, service, within=5)
    except NotMeasured:
        return False
    return True


def _single() -> int:
    """A lie of the only page is beyond what can be known; everything else is not an address."""
    with place() as (house, folder), Pages(lambda: house.address, count=1) as pages:
        page = pages[0]
        with Service(config(house, folder, pages.pages, quorum=1)) as service:
            published(house, house.address, service)
            at_rest(house, folder)
            for manner in (m for m in MANNERS if m != "lie"):
                before, asked = state(folder).rounds, page.bad
                page.manner = manner
                os.kill(service.pid, signal.SIGUSR1)
                rounds(folder, before + 1)
                if page.bad == asked:
                    raise NotMeasured(f"the bad page ({manner}) was not asked")
        return len(house.wrong)
