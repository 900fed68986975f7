"""Runs the table of core/tunnel.py for one host: does what the table asks for, and reports to it what happened.

One thread decides (`_run`); searches, wakes and whatever may wait run in threads of their own and report by `_post`.
"""

import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import timedelta
from functools import partial

from ipwatch.core import tunnel as table
from ipwatch.core.forward import Forward, Sort
from ipwatch.core.trouble import Kind, Trouble
from ipwatch.core.tunnel import State, Tunnel
from ipwatch.laptop.forwarder import Events, Forwarder
from ipwatch.laptop.report import Report
from ipwatch.laptop.seek import Arrived, Seeker
from ipwatch.laptop.vain import reason
from ipwatch.laptop.watch import Watch
from ipwatch.laptop.world import World
from ipwatch.ports import Refused, Unreachable
from ipwatch.ports.remote import Link
from ipwatch.settings.laptop_model import Host

TICK = 0.25  # seconds between two looks at the clock


class Supervisor:
    """Keeps a tunnel to one host and its forwards, until `stop` or a Trouble that asking again can not cure."""

    def __init__(self, world: World, host: Host, forwards: Sequence[Forward], *, stay: bool = False) -> None:
        self._world = world
        self._host = host
        self._first = tuple(f for f in forwards if f.sort is not Sort.REMOTE)
        self._remote = [f for f in forwards if f.sort is Sort.REMOTE]
        takes = host.wake.takes if host.wake else table.Rules().wake_within
        self._rules = table.Rules(wakeable=host.wake is not None, stay=stay, wake_within=takes)
        self._tunnel = Tunnel()
        self._inbox: queue.SimpleQueue[table.Happening | Arrived] = queue.SimpleQueue()
        self._report = report = Report(world.say, host.name, world.now)
        self._forwarder = Forwarder(world.now, Events(lambda: self._post(table.Knocked(world.now())), report.aside))
        self._link: Link | None = None
        self._changed = threading.Condition()
        self._ended = False
        self._trouble: Trouble | None = None
        self._stopping = threading.Event()
        self._cancel = threading.Event()
        self._seeker = Seeker(world, host, report, self._post, self._cancel)
        self._acts: list[Callable[[Link], None]] = []
        self._workers: set[threading.Thread] = set()
        self._thread = threading.Thread(target=self._run, name=f"tunnel {host.name}", daemon=True)

    def start(self) -> None:
        """Open the listeners (raises Trouble PORT_TAKEN, then nothing is left open) and begin."""
        try:
            for forward in self._first:
                self._forwarder.add(forward)
        except Trouble:
            self._forwarder.close()
            raise
        self._forwarder.start()
        self._thread.start()

    def link(self, within: timedelta) -> Link:
        """The link, waited for; raises the Trouble the tunnel ended with, or UNREACHABLE when the time is over."""
        until = self._world.now() + within
        with self._changed:
            while self._link is None:
                if self._ended:
                    raise self._trouble or Trouble(Kind.INTERRUPTED, "the tunnel was ended")
                left = (until - self._world.now()).total_seconds()
                if left <= 0:
                    seconds = within.total_seconds()
                    raise Trouble(Kind.UNREACHABLE, f"no link to {self._host.name} within {seconds:g} s")
                self._changed.wait(min(left, TICK))
            return self._link

    def forward(self, forward: Forward) -> None:
        """Add a forward while it runs; raises Trouble."""
        if forward.sort is not Sort.REMOTE:
            self._forwarder.add(forward)
            return
        self._remote.append(forward)
        with self._changed:
            link = self._link
        if link is not None:
            self._listen_there(link, (forward,))

    def on_up(self, act: Callable[[Link], None]) -> None:
        """Call it, in a thread, each time the link comes up, and at once if it is up."""
        with self._changed:
            self._acts.append(act)
            link = self._link
        if link is not None:
            self._work(partial(act, link), "on up")

    @property
    def counts(self) -> tuple[int, int, int]:
        """Connections carried now, held back now, and carried since the start."""
        return self._forwarder.counts

    def wait(self) -> Trouble | None:
        """Wait for its end: the Trouble, or None after `stop` or world.ending."""
        with self._changed:
            while not self._ended:
                self._changed.wait(TICK)
        return self._trouble

    def stop(self) -> None:
        """End it; nothing is left open when this returns."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(10)

    # The deciding thread.

    def _run(self) -> None:
        self._post(table.Begin(self._world.now()))
        watch = Watch(self._world, TICK)
        try:
            while not (self._stopping.is_set() or self._world.ending.is_set() or self._trouble):
                self._take(watch)
        except Exception as error:  # a fault of ours: the user is told, and the exit status says so too
            self._trouble = Trouble(*reason(error, self._host.name))
            raise
        finally:
            self._finish()

    def _take(self, watch: Watch) -> None:
        """One happening, or a tick; and whether the machine slept or moved meanwhile."""
        try:
            happening = self._inbox.get(timeout=TICK)
        except queue.Empty:
            happening = None
        now = self._world.now()
        if changed := watch.changed(now, expecting=happening is None):
            self._report.aside(changed)
            self._step(table.Resumed(now))
        if isinstance(happening, Arrived):
            self._arrive(happening)
        elif happening is not None:
            self._step(happening)
        link = self._link
        self._step(table.Ticked(now, link.heard() if link else None))
        self._forwarder.tick()
        self._report.show(self._tunnel, self._forwarder, link.spot if link else None)

    def _step(self, happening: table.Happening) -> None:
        before = self._tunnel
        self._tunnel, commands = table.step(before, happening, self._rules)
        self._report.moved(before, self._tunnel, happening)
        for command in commands:
            self._do(command)

    def _do(self, command: table.Command) -> None:
        match command:
            case table.Search():
                self._work(partial(self._seeker.search, self._tunnel.was_up), "search")
            case table.Wake():
                self._work(self._wake, "wake")
            case table.Ping() if self._link is not None:
                self._link.ping()
            case table.Cut():
                self._let_go()
            case table.Stop(kind, sentence):
                self._trouble = Trouble(kind, sentence)

    def _arrive(self, arrived: Arrived) -> None:
        """The table decides whether the link is wanted; a link that comes too late is let go."""
        link = arrived.link
        self._step(table.Up(self._world.now()))
        if self._tunnel.state is not State.UP or self._link is not None:
            link.cut()
            return
        with self._changed:
            self._link = link
            acts = list(self._acts)
            self._changed.notify_all()
        link.watch(lambda reason: self._lost(link, reason))
        self._seeker.forgive()
        self._forwarder.up(link)
        self._report.arrived(arrived.finding, (*self._forwarder.forwards, *self._remote))
        for act in acts:
            self._work(partial(act, link), "on up")
        if self._remote:
            self._work(partial(self._listen_there, link, tuple(self._remote)), "remote forwards")

    def _let_go(self) -> None:
        with self._changed:
            link, self._link = self._link, None
        self._forwarder.down()
        if link is not None:
            link.cut()

    def _finish(self) -> None:
        """Every step is done whatever another one raises: whoever waits is told, and no listener stays."""
        self._cancel.set()
        with ExitStack() as last:  # the last one named comes first
            last.callback(self._is_over)
            last.callback(self._cut_late)
            last.callback(self._join_workers)
            last.callback(self._report.done)
            last.callback(self._forwarder.close)
            last.callback(self._let_go)

    def _join_workers(self) -> None:
        for worker in [one for one in list(self._workers) if one.ident is not None]:  # started by now
            worker.join(5)

    def _cut_late(self) -> None:
        while not self._inbox.empty():  # a link that arrived while we were ending
            late = self._inbox.get()
            if isinstance(late, Arrived):
                late.link.cut()

    def _is_over(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    # What other threads do.

    def _post(self, happening: table.Happening | Arrived) -> None:
        self._inbox.put(happening)

    def _lost(self, link: Link, reason: str) -> None:
        if self._link is link:
            self._post(table.Lost(self._world.now(), reason))

    def _work(self, act: Callable[[], None], name: str) -> None:
        def run() -> None:
            try:
                act()
            finally:
                self._workers.discard(worker)

        worker = threading.Thread(target=run, name=f"{name} {self._host.name}", daemon=True)
        self._workers.add(worker)
        worker.start()

    def _wake(self) -> None:
        from ipwatch.laptop.wake import send_wake  # noqa: PLC0415 - most tunnels never wake anything

        try:
            self._report.aside(send_wake(self._world, self._host))
        except Trouble as trouble:
            self._post(table.WakeEnded(self._world.now(), str(trouble)))
        else:
            self._post(table.WakeEnded(self._world.now()))

    def _listen_there(self, link: Link, forwards: Sequence[Forward]) -> None:
        for forward in forwards:
            try:
                link.remote(forward)
            except Refused as error:
                self._report.warn(f"{forward.name}: {self._host.name} does not listen on port {forward.port}: {error}")
            except Unreachable:  # the loss is told by itself
                return
