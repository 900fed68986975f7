"""How long a tunnel is gone after a fault: real sshd, BIND and `ipwatch up`, in a network namespace."""

import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.bench.figures import Figure, NotMeasured
from tests.fakes.away import NEW, OLD, Away, Up, away
from tests.fakes.netns import needs_namespaces
from tests.fakes.waiting import wait
from tests.laptop.test_forwarder import Echo
from tests.real.test_recovery import Work


def measure() -> Iterator[Figure]:
    """Each fault once for each engine; root is needed."""
    try:
        needs_namespaces()
    except pytest.skip.Exception as error:
        raise NotMeasured(str(error)) from None
    for engine in ("paramiko", "openssh"):
        for fault in (_cut, _killed, _moved, _slept):
            yield from _one(fault, engine)


def _one(fault: "Callable[[Away, Up, Work, str], Iterator[Figure]]", engine: str) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(prefix="ipwatch-bench-") as folder, away(Path(folder)) as house:
        house.name_server()
        with closing(Echo()) as echo:
            work = Work(house, echo, engine)
            with house.up(work.config) as up:
                yield from fault(house, up, work, engine)


def _again(work: Work, since: float) -> float:
    if not wait(work.answers, 60):
        raise NotMeasured("no byte was carried again within 60 s")
    return time.monotonic() - since


def _cut(house: Away, up: Up, work: Work, engine: str) -> Iterator[Figure]:
    at = time.monotonic()
    house.drop(OLD)
    wait(lambda: up.when("desktop: lost", at), 30)
    yield Figure(f"{engine}: silent cut -> noticed", (up.when("desktop: lost", at) or at + 99) - at, "s", 6)
    house.restore()
    yield Figure(f"{engine}: packets pass again -> a byte carried", _again(work, time.monotonic()), "s", 10)


def _killed(house: Away, _up: Up, work: Work, engine: str) -> Iterator[Figure]:
    at = time.monotonic()
    house.desktop.end_sessions()
    wait(lambda: not work.answers(0.2), 0.2)
    yield Figure(f"{engine}: session killed -> a byte carried", _again(work, at), "s", 10)


def _moved(house: Away, _up: Up, work: Work, engine: str) -> Iterator[Figure]:
    at = time.monotonic()
    house.move()
    house.publish(NEW)
    yield Figure(f"{engine}: silent address change -> a byte carried", _again(work, at), "s", 10)


def _slept(house: Away, up: Up, work: Work, engine: str) -> Iterator[Figure]:
    os.kill(up.process.pid, signal.SIGSTOP)
    time.sleep(4)
    house.desktop.end_sessions()
    time.sleep(2)
    at = time.monotonic()
    os.kill(up.process.pid, signal.SIGCONT)
    yield Figure(f"{engine}: resume after the link was lost -> a byte carried", _again(work, at), "s", 3)
