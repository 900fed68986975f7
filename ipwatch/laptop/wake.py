"""Wake a host through its configured way (ways.py) and watch it boot; put it to sleep."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from ipaddress import ip_address, ip_network

from ipwatch.core import waking
from ipwatch.core.candidate import Spot
from ipwatch.core.trouble import Kind, Trouble
from ipwatch.core.waking import Stage, Watch
from ipwatch.laptop.find import Finding, Sight
from ipwatch.laptop.say import Tone
from ipwatch.laptop.ways import Way, logged_in, own_addresses, way_of
from ipwatch.laptop.world import World
from ipwatch.ports import Unreachable
from ipwatch.ports.remote import Link
from ipwatch.settings.laptop_model import Host

_FIRST = timedelta(seconds=5)  # to see that it is up already
_LOOK = 4.0  # seconds of one look: enough for the system's second and third SYN (after 1 s and 3 s, RFC 6298 2.1, 5.5)
_PROOF = timedelta(seconds=15)  # but who has answered may take as long: a machine that boots is slow
_LAN_LOOK = timedelta(seconds=3)  # between two questions whether it answers on the LAN
_PLAIN = 15.0  # seconds between two status lines where no terminal replaces them
_SLEEP = timedelta(seconds=10)
_SILENT = timedelta(seconds=3)  # a host that leaves a ping unanswered for so long is asleep
_AT_ONCE = frozenset({Kind.INTERRUPTED, Kind.NOT_PINNED, Kind.CONFIGURATION, Kind.PORTAL})  # waiting cures none
_LINES = {
    Stage.LAN: "{} answers on the LAN after {:.0f} s",
    Stage.OPEN: "{}'s port is open after {:.0f} s",
    Stage.BANNER: "an SSH server answers at {}'s port after {:.0f} s",
    Stage.SSH: "an SSH server with another key answers in place of {} after {:.0f} s",
    Stage.PROVED: "{} shows its pinned key after {:.0f} s",
}


def send_wake(world: World, host: Host) -> str:
    """Send the wake through the configured way; gives a clause for the status line ("magic packet sent through nas").
    Raises Trouble: CONFIGURATION, WAKE_FAILED, INTERRUPTED."""
    with way_of(world, host) as way:
        return way.send()


def wake_and_wait(world: World, host: Host) -> Finding:
    """Wake it unless it is up, show how far its boot has come, and give it proved. Raises Trouble: WAKE_FAILED with
    the stage reached and likely causes, CONFIGURATION, INTERRUPTED, and what says that waiting is in vain."""
    return wake_unless_up(world, host)[0]


def wake_unless_up(world: World, host: Host) -> tuple[Finding, bool]:
    """The same; and whether it had to be woken."""
    with way_of(world, host) as way:
        boot = Boot(world, host, way)
        try:
            return world.finder(world).find(host, _FIRST, boot.first_look), False
        except Trouble as trouble:
            if trouble.kind is Kind.NOT_PINNED:
                raise Trouble(trouble.kind, f"{way.send()}, but nothing can prove its answer: {trouble}") from None
            if trouble.kind in _AT_ONCE | {Kind.OFFLINE}:
                raise
        return boot.watched(), True


class Boot:
    """One boot, from the wake to the proof. Sights come from several threads."""

    def __init__(self, world: World, host: Host, way: Way) -> None:
        self._world, self._host, self._way = world, host, way
        self._lock = threading.Lock()
        self._watch = Watch()
        self._judging: set[Spot] = set()  # connected to, and not yet known what they are
        self._began = timedelta(0)
        self._usual = waking.usual(world.memory.boots(host.name))
        self._takes = host.wake.takes if host.wake else timedelta(0)

    def first_look(self, sight: Sight) -> None:
        """What is seen before the wake."""
        with self._lock:
            self._watch = self._seen(sight)

    def watched(self) -> Finding:
        """Wake it and look until it is proved or its time is over."""
        slept = self._watch.stage is Stage.SENT
        self._watch = self._watch.begun()
        self._began = self._world.now()
        clause = self._way.send()
        self._world.say.line(f"{self._host.name}: {clause}", stage="sent", host=self._host.name)
        with self._shown():
            finding = self._looked()
        if slept:
            self._world.memory.note_boot(self._host.name, self._elapsed().total_seconds())
        return finding

    def _looked(self) -> Finding:
        finder, last = self._world.finder(self._world), ""
        sent = asked = self._world.now()
        while (left := self._takes - self._elapsed()) > timedelta(0):
            now = self._world.now()
            if self._way.again and self._watch.stage < Stage.OPEN and now - sent >= self._way.again:
                sent = now
                self._send_again()
            if self._watch.stage is Stage.SENT and now - asked >= _LAN_LOOK:
                asked = now
                self._look_on_lan()
            cancel = threading.Event()
            try:
                with self._bounded(cancel):
                    shun = self._watch.shunned(now)
                    return finder.find(self._host, min(_PROOF, left), self._tell, shun=shun, cancel=cancel)
            except Trouble as trouble:
                ours = trouble.kind is Kind.INTERRUPTED and cancel.is_set() and not self._world.ending.is_set()
                if trouble.kind in _AT_ONCE and not ours:
                    raise
                last = str(trouble) if trouble.kind in {Kind.OFFLINE, Kind.NO_ADDRESS} else ""
            self._rest()
        raise Trouble(Kind.WAKE_FAILED, self._failure(last))

    @contextmanager
    def _bounded(self, cancel: threading.Event) -> Iterator[None]:
        """Sets `cancel` after 4 s, or as soon after as nobody who answered is still to be judged."""
        over = threading.Event()

        def watch() -> None:
            wait = _LOOK
            while not over.wait(wait):
                wait = 0.2
                if not self._judging:
                    cancel.set()
                    return

        thread = threading.Thread(target=watch, name=f"look for {self._host.name}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            self._judging.clear()

    def _send_again(self) -> None:
        """A lost packet is likelier than a broken way: its faults are no reason to stop waiting."""
        try:
            self._way.send()
        except Trouble as trouble:
            if trouble.kind is Kind.INTERRUPTED:
                raise
            self._world.say.line(f"the wake was not repeated: {trouble}", Tone.WARN)

    def _look_on_lan(self) -> None:
        if self._way.on_lan():
            self._reach(self._watch.lan())

    def _rest(self) -> None:
        now = self._world.now()
        wait = min(self._watch.due(now) - now, self._takes - self._elapsed())
        if self._world.ending.wait(max(0.0, wait.total_seconds())):
            raise Trouble(Kind.INTERRUPTED, "interrupted")

    def _tell(self, sight: Sight) -> None:
        with self._lock:
            if sight.spot and sight.what in {"connected", "closed", "not ssh", "stranger", "proved"}:
                (self._judging.add if sight.what == "connected" else self._judging.discard)(sight.spot)
            self._reach(self._seen(sight))

    def _seen(self, sight: Sight) -> Watch:
        text = f"{sight.key.kind} {sight.key.fingerprint} at {sight.spot}" if sight.key else sight.text
        return self._watch.sight(sight.what, sight.spot, text, self._world.now())

    def _reach(self, seen: Watch) -> None:
        before, self._watch = self._watch, seen
        if seen.stage > before.stage:
            seconds = self._elapsed().total_seconds()
            tone = Tone.WARN if seen.stage is Stage.SSH else Tone.GOOD
            text = _LINES[seen.stage].format(self._host.name, seconds)
            facts = {"stage": seen.stage.name.lower(), "host": self._host.name, "seconds": round(seconds, 1)}
            self._world.say.line(text, tone, **facts)

    def _elapsed(self) -> timedelta:
        return self._world.now() - self._began

    def _failure(self, last: str) -> str:
        host, ways = self._host, self._way.name
        within = f"{host.name} did not wake within {waking.span(self._takes)}"
        if last:
            return f"{within}, as far as one can see from here: {last}"
        cause = waking.diagnosis(self._watch, host.mac, way=ways, port=host.port, near=_near(self._world, host))
        return f"{within}: {cause}"

    @contextmanager
    def _shown(self) -> Iterator[None]:
        """The status line, as long as this lasts."""
        done = threading.Event()
        thread = threading.Thread(target=self._show, args=(done,), name=f"waking {self._host.name}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
            self._world.say.status("")

    def _show(self, done: threading.Event) -> None:
        while True:
            text = waking.progress(self._watch.stage, self._elapsed(), self._usual)
            self._world.say.status(f"{self._host.name}: {text}")
            if done.wait(1.0 if self._world.say.on_terminal else _PLAIN):
                return


def _near(world: World, host: Host) -> bool | None:
    """Whether this machine has an address in the host's network; None where that can not be known."""
    own = own_addresses(world)
    if not own or host.lan is None:
        return None
    lan = ip_address(host.lan.ip.partition("%")[0])
    return any(lan in ip_network((one.address, one.prefix), strict=False) for one in own)


def send_to_sleep(world: World, host: Host) -> str:
    """Log in and run the host's sleep command; gives a clause. Raises Trouble."""
    if not host.sleep:
        example = 'sleep = "sudo -n systemctl suspend"'
        raise Trouble(Kind.CONFIGURATION, f"no sleep command is configured for {host.name}: add {example}")
    link, user = logged_in(world, host)
    try:
        status, _, stderr = link.run(host.sleep, _SLEEP)
    except Unreachable:
        if _asleep(world, link):
            return "goes to sleep"
        seconds = f"{_SLEEP.total_seconds():.0f} s"
        raise Trouble(
            Kind.NOT_WELL, f"{host.name} still answers: {host.sleep!r} did not end within {seconds}"
        ) from None
    else:
        if status == 0 or (status < 0 and _asleep(world, link)):
            return "goes to sleep"
        text = stderr.decode("utf-8", "replace")
        raise Trouble(Kind.NOT_WELL, f"{host.name} does not sleep: {waking.exec_fault(host.sleep, status, text, user)}")
    finally:
        link.cut()


def _asleep(world: World, link: Link) -> bool:
    """Whether the link has ended, or the host leaves it unanswered."""
    lost = threading.Event()
    link.watch(lambda _reason: lost.set())
    began = world.now()
    link.ping()
    while not lost.wait(0.1):
        if link.heard() > began:
            return False
        if world.now() - began > _SILENT:
            break
    return True
