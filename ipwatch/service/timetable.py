"""The timetable: APScheduler decides nothing, it only wakes the one worker when the state says so."""

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

RETRY = timedelta(minutes=1)
logger = logging.getLogger("ipwatch")


class Timetable:
    """One worker thread, one job at a time. `work(observe)` gives the time at which it is to be called again."""

    def __init__(self, work: Callable[[bool], datetime], now: Callable[[], datetime]) -> None:
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        self._work = work
        self._now = now
        self._busy = threading.Lock()  # held by the worker while it does something
        self._closed = False
        # misfire_grace_time: with the default of one second a job that waited behind another is dropped (measured).
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(1)},
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )

    def start(self) -> None:
        """Begin with a round at once."""
        self._scheduler.start()
        self.poke()

    def poke(self) -> None:
        """A round now, or as soon as the one under way is done."""
        # Two instances: with one, a poke that comes during a round is dropped without a word. There is one thread.
        self._scheduler.add_job(self._run, args=(True,), id="poke", replace_existing=True, max_instances=2)

    def call(self, job: Callable[[], None]) -> None:
        """Something else for the worker, in its turn."""
        self._scheduler.add_job(self._turn, args=(job,))

    def stop(self) -> None:
        """Take nothing in any more and wait for what is under way."""
        # APScheduler's shutdown waits for the worker while it holds the lock that the worker's add_job wants, and its
        # own thread fails over a job that was due just then. So nothing is under way or due any more when it is called.
        self._closed = True
        self._scheduler.pause()
        with self._busy:
            self._scheduler.remove_all_jobs()
        self._scheduler.shutdown(wait=True)

    def _turn(self, job: Callable[[], None]) -> None:
        """Do it, unless it is too late."""
        with self._busy:
            if not self._closed:
                job()

    def _run(self, observe: bool) -> None:
        self._turn(lambda: self._round(observe))

    def _round(self, observe: bool) -> None:
        try:
            at = self._work(observe)
        except Exception:  # the loop outlives a fault of ours: it is logged and tried again
            logger.exception("a round ended by a fault in ipwatch itself; trying again in a minute")
            at = self._now() + RETRY
        self._scheduler.add_job(self._run, "date", run_date=at, args=(False,), id="work", replace_existing=True)
