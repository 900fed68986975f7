"""A round in which nothing has changed, and what the process holds after twenty of them."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from ipwatch.demo.house import DNS_NAME, DYN_NAME, FIRST, House
from ipwatch.demo.service import Service
from tests.bench.figures import Figure
from tests.bench.pages import Pages
from tests.bench.place import at_rest, config, cpu, memory, place, published, rounds, state

ROUNDS = 20
WARM = 4  # rounds after the first: every connection is made once, the mail is out, the zone was verified
QUORUM = 2
IPV6 = "2a00:1450::7"


@dataclass(frozen=True, slots=True)
class Counts:
    """Everything that is counted, at one moment."""

    rounds: int
    cpu: float
    dyn: int
    dns: int
    pages: tuple[tuple[int, int, int, int], ...]  # per family: requests, connections, bytes received, bytes sent


def measure() -> Iterator[Figure]:
    """Both families are watched, each by three pages; the record is published and seen in the zone before."""
    with place() as (house, folder), ExitStack() as stack:
        families = {"ipv4": stack.enter_context(Pages(lambda: house.address))}
        try:
            families["ipv6"] = stack.enter_context(Pages(lambda: IPV6, host="::1"))
        except OSError as error:
            yield Figure("observations a round, ipv6", None, why=str(error))
        watch = {"interval": "1s", "families": list(families), "quorum": QUORUM}
        records = [{"name": n, "account": a, "families": ["ipv4"]} for n, a in ((DYN_NAME, "dyn"), (DNS_NAME, "dns"))]
        path = config(house, folder, [p for f in families.values() for p in f.pages], watch=watch, record=records)
        with Service(path) as service:
            published(house, FIRST, service)
            at_rest(house, folder)
            start = _at(house, folder, service, families, state(folder).rounds + WARM)
            end = _at(house, folder, service, families, start.rounds + ROUNDS)
            resident = memory(service.pid)
        yield from _figures(start, end, list(families))
        yield Figure(f"resident memory after {ROUNDS} rounds (without the web page: not built)", resident, "MiB", 50,
                     below=True)  # fmt: skip


def _at(house: House, folder: Path, service: Service, families: dict[str, Pages], number: int) -> Counts:
    rounds(folder, number, within=ROUNDS * 1.5 + 5)
    asked = len([n for n in house.journal.since() if n.who == "dns" and n.what in {"answered", "update"}])
    pages = tuple(p.counts for p in families.values())
    return Counts(state(folder).rounds, cpu(service.pid), house.dyn.requests, asked, pages)


def _figures(start: Counts, end: Counts, families: list[str]) -> Iterator[Figure]:
    made = end.rounds - start.rounds
    spent = [[(b - a) / made for a, b in zip(s, e, strict=True)] for s, e in zip(start.pages, end.pages, strict=True)]
    for family, (asked, *_) in zip(families, spent, strict=True):
        yield Figure(f"observations a steady round, {family}", asked, "", QUORUM)
    yield Figure("provider requests a steady round", (end.dyn - start.dyn) / made, "", 0)
    yield Figure("DNS questions a steady round", (end.dns - start.dns) / made)
    both = "both families" if len(families) == 2 else families[0]
    yield Figure(f"new HTTP connections a steady round, {both}", sum(s[1] for s in spent), "", 0)
    yield Figure(f"bytes of HTTP out a steady round, {both}", sum(s[2] for s in spent), "B")
    yield Figure(f"bytes of HTTP in a steady round, {both}", sum(s[3] for s in spent), "B")
    yield Figure(f"CPU a steady round, {both}", (end.cpu - start.cpu) / made, "ms")
