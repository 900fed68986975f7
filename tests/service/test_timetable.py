"""The timetable wakes one worker, loses no push, and outlives a fault."""

import queue
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from ipwatch.service.timetable import Timetable


class Work:
    """A round that takes as long as the test wants; `calls` has its arguments."""

    def __init__(self) -> None:
        self.calls: queue.Queue[bool] = queue.Queue()
        self.free = threading.Event()
        self.free.set()
        self.fault: Exception | None = None
        self.next = timedelta(hours=1)

    def __call__(self, observe: bool) -> datetime:
        self.calls.put(observe)
        assert self.free.wait(10)
        if self.fault is not None:
            raise self.fault
        return datetime.now(UTC) + self.next


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
def timetable(work: Work) -> Iterator[Timetable]:
    it = Timetable(work, lambda: datetime.now(UTC))
    yield it
    work.free.set()
    it.stop()


def test_a_push_during_a_round_makes_another(work: Work, timetable: Timetable) -> None:
    """Pushes that come while a round is under way make one more round after it, not none."""
    work.free.clear()
    timetable.start()
    assert work.calls.get(timeout=5)
    for _ in range(4):
        timetable.poke()
    threading.Event().wait(0.1)
    work.free.set()
    assert work.calls.get(timeout=5) is True


def test_works_again_when_it_said(work: Work, timetable: Timetable) -> None:
    """After the first round, which observes, the worker is woken at the time it named, to do what is due."""
    work.next = timedelta(milliseconds=50)
    timetable.start()
    assert work.calls.get(timeout=5) is True
    while work.calls.get(timeout=5):
        """The rounds of start and push."""


def test_outlives_a_fault(work: Work, timetable: Timetable, caplog: pytest.LogCaptureFixture) -> None:
    """A round that fails by a fault of ours is logged; the next push is served."""
    timetable.start()
    assert work.calls.get(timeout=5)
    work.fault = KeyError("a fault")
    timetable.poke()
    assert work.calls.get(timeout=5)
    work.fault = None
    timetable.poke()
    assert work.calls.get(timeout=5)
    assert "fault in ipwatch itself" in caplog.text


def test_other_jobs_take_their_turn(work: Work, timetable: Timetable) -> None:
    """What else is to be done waits for the round under way."""
    work.free.clear()
    timetable.start()
    assert work.calls.get(timeout=5)
    done = threading.Event()
    timetable.call(done.set)
    assert not done.wait(0.1)
    work.free.set()
    assert done.wait(5)


def test_stops_at_any_moment() -> None:
    """A stop that falls between a round's end and the next one's entry waits for nothing, and no thread fails by it."""
    for n in range(200):
        timetable = Timetable(lambda _: datetime.now(UTC), lambda: datetime.now(UTC))  # rounds without a pause
        timetable.start()
        threading.Event().wait(n * 0.0001)
        stopping = threading.Thread(target=timetable.stop, daemon=True)
        stopping.start()
        stopping.join(5)
        assert not stopping.is_alive()
