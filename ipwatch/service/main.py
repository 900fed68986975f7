"""The composition root of the service: the one place where adapters meet the ports."""

import contextlib
import logging
import os
import secrets
import signal
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from ipwatch.core.event import Event, Topic
from ipwatch.net.clock import LocalZone, SystemClock, zone_doubt
from ipwatch.net.command import SubprocessCommands
from ipwatch.net.datagram import UdpDatagram
from ipwatch.net.dns import DnspythonResolver
from ipwatch.net.files import LocalFiles
from ipwatch.net.http import RequestsHttp
from ipwatch.net.interfaces import NetlinkInterfaces
from ipwatch.net.mail import SmtpMailer
from ipwatch.net.signals import Signals
from ipwatch.ports import Clock, HttpRequest, PortError, StoreFault, Tools
from ipwatch.service.round import Round, well
from ipwatch.service.timetable import Timetable
from ipwatch.service.world import World, build
from ipwatch.settings.check import check_quorum
from ipwatch.settings.duration import spell
from ipwatch.settings.faults import SettingsFault
from ipwatch.settings.model import Settings
from ipwatch.store import SqliteStore

STOP_WITHIN = timedelta(seconds=9)  # Docker kills after 10 s
TICK = timedelta(seconds=30)
HEARTBEAT_WITHIN = timedelta(seconds=10)
logger = logging.getLogger("ipwatch")


def tools() -> Tools:
    """The real adapters."""
    return Tools(
        clock=SystemClock(), http=RequestsHttp(), resolver=DnspythonResolver(), datagram=UdpDatagram(),
        interfaces=NetlinkInterfaces(), commands=SubprocessCommands(), files=LocalFiles(), mailer=SmtpMailer(),
    )  # fmt: skip


def world_of(settings: Settings, ports: Tools | None = None) -> World:
    """Build the world of a configuration; raises SettingsFault where its quorum can never be reached."""
    zone = UTC if zone_doubt(os.environ.get("TZ", "")) else LocalZone()
    world = build(settings, ports or tools(), lambda: secrets.token_hex(12), zone)
    if faults := check_quorum(settings, world.operators()):
        world.close()
        raise SettingsFault(faults)
    return world


class Service:
    """`ipwatch run`: a worker that does rounds, and a main thread that waits for signals."""

    def __init__(self, read: Callable[[], Settings], settings: Settings) -> None:
        self._read = read
        world = world_of(settings)
        self._clock: Clock = world.tools.clock
        self._store = SqliteStore(settings.state, self._clock)
        self._round = Round.start(world, self._store)
        self._timetable = Timetable(self._work, self._clock.now)
        self._next: datetime | None = None
        self._observed = 0
        self._noticed = ""

    def run(self) -> int:
        """Until SIGTERM or SIGINT; gives the exit status."""
        signals = Signals((signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1))
        self._greet()
        self._timetable.start()
        while (got := signals.wait(TICK)) not in {signal.SIGTERM, signal.SIGINT}:
            if got == signal.SIGHUP:
                self._timetable.call(self._reread)
            elif got == signal.SIGUSR1:
                logger.info("SIGUSR1: a round now")
                self._timetable.poke()
            else:
                self._watch_clock()
        return self._stop(signal.Signals(got).name if got else "")

    def _greet(self) -> None:
        settings = self._round.world.settings
        for warning in (*settings.warnings, zone_doubt(os.environ.get("TZ", ""))):
            if warning:
                logger.warning("%s", warning)
        logger.info(
            "watching %s every %s from %s, %d record(s), %d notifier(s), state in %s",
            ", ".join(f.label for f in settings.watch.families), spell(settings.watch.interval),
            settings.path or "built-in defaults", len(settings.records), len(settings.notifiers), settings.state,
        )  # fmt: skip
        self._heed_store()

    def _heed_store(self) -> None:
        """Tell of a database that had to be put aside, once."""
        if self._store.notice and self._store.notice != self._noticed:
            self._noticed = self._store.notice
            logger.error("%s", self._noticed)
            self._round.tell(Event(Topic.STORE_FAULT, self._clock.now(), {"reason": self._noticed}))

    def _watch_clock(self) -> None:
        """The scheduler sleeps by the wall clock: one that was set back would sleep on."""
        now = self._clock.now()
        if (
            self._next is not None
            and not now - TICK <= self._next <= now + self._round.world.settings.watch.interval + TICK
        ):
            logger.info("the clock jumped: a round now")
            self._timetable.poke()

    def _work(self, observe: bool) -> datetime:
        for kind, argument in self._requests():
            if kind == "unlock":
                self._round.unlock(argument)
        self._next = self._round.work(observe=observe)
        self._heed_store()
        if self._round.state.rounds != self._observed:
            self._observed = self._round.state.rounds
            heartbeat(self._round.world, self._round)
        return self._next

    def _requests(self) -> tuple[tuple[str, str], ...]:
        try:
            return self._store.take_requests()
        except StoreFault:  # the round's own commit tells of it; a request waits until the disk can be written
            return ()

    def _reread(self) -> None:
        try:
            settings = self._read()
            if settings.state != self._round.world.settings.state:
                settings = replace(settings, state=self._round.world.settings.state)
                logger.warning("[state] path is taken up at the next start only")
            self._round.reconfigure(world_of(settings))
        except SettingsFault as fault:
            reason = "; ".join(str(f) for f in fault.faults)
            logger.error("SIGHUP: the new configuration is refused, the old one goes on: %s", reason)  # noqa: TRY400 - no trace
            self._round.tell(Event(Topic.CONFIG_REFUSED, self._clock.now(), {"reason": reason}))
        else:
            logger.info("SIGHUP: the configuration was read again")
        self._timetable.poke()

    def _stop(self, why: str) -> int:
        logger.info("%s: stopping", why)
        self._round.stopping = True
        ending = threading.Thread(target=self._timetable.stop, daemon=True)
        ending.start()
        ending.join(STOP_WITHIN.total_seconds())
        if ending.is_alive():
            logger.warning("a request did not end in time; it is looked into at the next start")
        else:
            self._store.close()
        logger.info("stopped")
        logging.shutdown()
        # A thread that still waits for a dead server must not hold the exit up: all state is on disk.
        os._exit(0)


def heartbeat(world: World, done: Round) -> None:
    """Ping the heartbeat URL after a round (healthchecks.io/docs/http_api: GET URL, or URL/fail)."""
    url = world.settings.watch.heartbeat
    if url is None:
        return
    ill = well(world, done.state)
    target = url.reveal().rstrip("/") + ("/fail" if ill else "")

    def ping() -> None:
        try:
            world.tools.http.send(HttpRequest(target, insecure=True), HEARTBEAT_WITHIN)
        except PortError as error:
            logger.info("the heartbeat was not taken: %s", str(error).replace(target, "its address"))

    with contextlib.suppress(RuntimeError):  # the pool is closing
        world.pool.submit(ping)


def once(settings: Settings, patience: timedelta) -> tuple[str, ...]:
    """One full round: until all is published, verified and delivered, or patience ends. Gives what is not well."""
    world = world_of(settings)
    store = SqliteStore(settings.state, world.tools.clock)
    clock = world.tools.clock
    try:
        round_ = Round.start(world, store)
        end = clock.monotonic() + patience
        at = round_.work(observe=True)
        while (left := end - clock.monotonic()) > timedelta(0) and round_.hopeful(clock.now() + left):
            clock.sleep(min(left, max(at - clock.now(), timedelta(milliseconds=20))))
            at = round_.work()
        return well(world, round_.state)
    finally:
        store.close()
        world.close()
