"""Many records at one account, and one change."""

import math
import os
import signal
import time
from collections.abc import Iterator

from ipwatch.demo.service import Service
from tests.bench.figures import Figure, NotMeasured
from tests.bench.pages import Pages
from tests.bench.place import at_rest, config, memory, place, wait
from tests.fakes.dyndns2_server import Dyndns2Server

COUNTS = (1, 10, 100, 1000)
BATCH = 20  # names in one request (help.dyn.com/perform-update.html, 2026-11)


class Timed(Dyndns2Server):
    """Knows when the last name was set."""

    last = 0.0  # time.monotonic()

    def _host(self, name: str, wanted: dict[int, str]) -> str:
        self.last = time.monotonic()
        return super()._host(name, wanted)


def measure() -> Iterator[Figure]:
    """Memory is the most the process ever held, above what it held for one record."""
    least = 0.0
    for count in COUNTS:
        requests, seconds, most = _once(count)
        least = least or most
        yield Figure(f"{count} records, one change: update requests", requests, "", math.ceil(count / BATCH))
        yield Figure(f"{count} records, one change: to the last name", seconds, "s")
        if count > 1:
            yield Figure(f"{count} records: memory above that for one", most - least, "MiB",
                         20 if count == 1000 else None, below=True)  # fmt: skip


def _once(count: int) -> tuple[int, float, float]:
    """Update requests for the change, seconds from it to the last name, and the most memory in MiB."""
    names = [f"h{n}.demo.example" for n in range(count)]
    with place() as (house, folder), Pages(lambda: house.address) as pages, Timed() as server:
        server.hosts.update({name: {} for name in names})
        account = {"kind": "dyndns2", "server": server.url, "username": server.user, "password": server.password,
                   "allow_insecure": True, "verify": False}  # fmt: skip
        records = [{"name": name, "account": "many"} for name in names]
        path = config(house, folder, pages.pages, account={"many": account}, record=records)

        def shown() -> bool:
            return all(addresses.get(4) == house.address for addresses in server.hosts.values())

        with Service(path) as service:
            wait(shown, f"the first publication of {count} names")
            at_rest(house, folder)
            before, changed = len(server.seen), time.monotonic()
            house.address = "25.8.8.8"
            os.kill(service.pid, signal.SIGUSR1)
            wait(shown, f"{count} changed names", within=30)
            time.sleep(0.5)  # a request too many would come now
            if server.faults:
                raise NotMeasured(f"the server saw a fault: {server.faults[0]}")
            return len(server.seen) - before, server.last - changed, memory(service.pid, "VmHWM")
