"""`ipwatch open`: find or start an app there, forward it, wait for its page, show it, stay.

The app is nobody's child: it goes on when this ends, and is found again by the next `ipwatch open`.
"""

import os
import secrets
import threading
from datetime import timedelta
from typing import NamedTuple

from ipwatch.core import app
from ipwatch.core.app import Answer, Place, Recipe, Running
from ipwatch.core.forward import Forward, Sort, Target
from ipwatch.core.trouble import Kind, Trouble
from ipwatch.laptop.apps import there
from ipwatch.laptop.apps.page import Opener, best
from ipwatch.laptop.apps.watch import Watch
from ipwatch.laptop.say import Tone
from ipwatch.laptop.supervisor import Supervisor
from ipwatch.laptop.world import World
from ipwatch.net import loopback
from ipwatch.ports import Refused, Unreachable
from ipwatch.ports.remote import Link
from ipwatch.protocols.told import Told
from ipwatch.settings.laptop_model import Host

START_WITHIN = timedelta(seconds=90)  # a Jupyter Lab's first start, from a slow disk
LINK_WITHIN = timedelta(seconds=60)
TRIES = 3  # starts, when another program takes the port first


class Opened(NamedTuple):
    """What there is to show. text: what standard output gets. secret: it holds a token. ready: the page answered 200.

    browsable: it is a page for people.
    """

    text: str
    url: str
    place: Place
    port: int
    ready: bool
    secret: bool = False
    browsable: bool = True


class Opening:
    """One app on one host."""

    def __init__(self, world: World, host: Host, recipe: Recipe, supervisor: Supervisor, *, port: int = 0,
                 within: timedelta = START_WITHIN) -> None:  # fmt: skip
        self._world, self._host, self._recipe, self._supervisor, self._port = world, host, recipe, supervisor, port
        self._within = within
        self.started = False  # by this one, and not known to have ended
        self._known_link: Link | None = None
        self._patience = LINK_WITHIN + (host.wake.takes if host.wake else timedelta())

    def open(self) -> Opened:
        """Everything up to an answer through the local port. Raises Trouble."""
        try:
            place, page = self._found() or self._started()
        except _Dead as dead:
            raise self._died(dead.told, "") from None
        forward = self._attached(place)
        self._known_link = self._link()
        page, status = self._through(Opener(forward=forward, target=place.target), place, page)
        ready = app.judge(status) is Answer.READY
        if not ready:
            what = f"answers {status} at {app.path_of(place, page)}, not 200" if status else "does not speak HTTP"
            self._say(f"{self._recipe.name} {what}", Tone.WARN)
        return self._opened(place, page, forward, ready=ready)

    def stay(self, opened: Opened) -> None:
        """Until the tunnel ends, the app is found dead after a loss, or world.ending. Raises Trouble."""
        watch = Watch(self._recipe, opened.place, self._host.name, self._say, lambda: self._ask("look").lines,
                      self._known_link)  # fmt: skip
        trouble: list[Trouble | None] = []
        over = threading.Event()

        def wait() -> None:
            trouble.append(self._supervisor.wait())
            over.set()

        waiter = threading.Thread(target=wait, name="open", daemon=True)
        waiter.start()
        self._supervisor.on_up(watch.back)
        while not over.wait(0.25) and watch.trouble is None:
            pass
        self._supervisor.stop()
        waiter.join(10)
        ended = watch.trouble or (trouble[0] if trouble else None)
        if ended is not None:
            raise ended

    def stop(self, key: str) -> int:
        """End what was started under that key; how many there were."""
        told = there.ask(self._link(), self._host.name, "stop", self._recipe, key=key)
        for one in told.stopped:
            self._say(f"{self._host.name}: stopped {one.title} (process {one.pid})", Tone.GOOD)
        return len(told.stopped)

    def _say(self, text: str, tone: Tone = Tone.PLAIN) -> None:
        self._world.say.line(text, tone)

    def _link(self) -> Link:
        return self._supervisor.link(self._patience)

    def _pause(self, seconds: float) -> None:
        if self._world.ending.wait(seconds):
            raise Trouble(Kind.INTERRUPTED, f"{self._recipe.name} was not waited for")

    def _ask(self, mode: str, token: str = "") -> Told:
        """Run the script there, once more when the line was lost meanwhile: it does nothing twice."""
        for _ in range(TRIES):
            link = self._link()
            try:
                return there.ask(link, self._host.name, mode, self._recipe, token)
            except Unreachable as error:
                self._pause(0.5)
                if self._link() is link:
                    raise Trouble(Kind.APP_FAILED, f"{self._host.name} did not answer: {error}") from None
        raise Trouble(Kind.UNREACHABLE, f"the line to {self._host.name} was lost {TRIES} times while it was asked")

    # Find.

    def _found(self) -> tuple[Place, str] | None:
        """A running one whose page answers, and that page."""
        recipe, name = self._recipe, self._host.name
        if recipe.finds == "socket":
            return Place(Target(self._ask("socket").socket, 0)), recipe.pages[0]
        self._link()
        self._say(f"{name}: looking for a running {recipe.title}")
        told = self._ask("find")
        if recipe.finds != "jupyter":
            return self._come(_ours(told.running), told.running) if told.running else None
        for server in app.fitting(told.servers, told.running, told.folder if recipe.folder else ""):
            place = app.place_of(server, told.running)
            try:
                page, status = self._best(Opener(link=self._link(), target=place.target), place)
            except (Refused, Unreachable):  # it has just ended, or hangs: the next one
                continue
            if app.judge(status) is Answer.READY:
                root = f", serving {server.root}" if server.root else ""
                self._say(f"{name}: found a running Jupyter at {place.target}{root}", Tone.GOOD)
                return place, page
        return self._listed(told.running) if told.running else None

    def _best(self, opener: Opener, place: Place) -> tuple[str, int]:
        if self._recipe.pages:
            return best(opener, place, self._recipe.pages)
        opener.connection().close()  # no web page: whoever takes a connection is up
        return "", 200

    def _come(self, place: Place, running: Running) -> tuple[Place, str]:
        """One of ours that runs: it may still be starting."""
        self._say(f"{self._host.name}: {self._recipe.title} runs already, port {running.port} there", Tone.GOOD)
        return self._answering(place)

    def _listed(self, running: Running) -> tuple[Place, str]:
        """A Jupyter of ours that runs: its token stands in its own list as soon as it is up."""
        until = self._world.now() + self._within
        while self._world.now() < until:
            told = self._ask("find")
            if told.running is None:
                raise self._died(self._ask("look"), "")
            for server in told.servers:
                if server.pid == running.pid:
                    return self._answering(app.place_of(server, told.running))
            self._pause(0.5)
        raise Trouble(Kind.APP_FAILED, f"{self._never()}; its log there: {running.log}")

    # Start.

    def _started(self) -> tuple[Place, str]:
        """Start it, again at another port when somebody was faster, and wait until it answers."""
        recipe = self._recipe
        token = secrets.token_hex(24) if recipe.token_in else ""
        for left in reversed(range(TRIES)):
            told = self._ask("start", token)
            if told.running is None:
                raise Trouble(Kind.APP_FAILED, f"{self._host.name} did not say how {recipe.title} was started")
            if not told.started and recipe.finds == "jupyter":
                return self._listed(told.running)
            self._say(f"{self._host.name}: started {recipe.title}, port {told.running.port} there, waiting for it")
            self.started = True
            try:
                return self._answering(_ours(told.running, token))
            except _Dead as dead:
                if left and not recipe.port and app.port_was_taken(dead.told.lines):
                    continue
                raise self._died(dead.told, token) from None
        raise Trouble(Kind.APP_FAILED, self._never())

    def _answering(self, place: Place) -> tuple[Place, str]:
        """Wait until it answers through the link. Raises _Dead when it ended, Trouble when it takes too long."""
        until = self._world.now() + self._within
        pause, reason = 0.2, "its page is not ready"
        while True:
            try:
                page, status = self._best(Opener(link=self._link(), target=place.target), place)
            except (Refused, Unreachable) as error:
                reason, told = str(error), self._ask("look")
                if told.gone:
                    raise _Dead(told) from None
            else:
                known = self._known(place, status)
                if known is not None:
                    return known, page
            if self._world.now() >= until:
                raise Trouble(Kind.APP_FAILED, f"{self._never()} ({reason}); its log there: {place.log}")
            self._pause(pause)
            pause = min(1.0, pause * 1.5)

    def _known(self, place: Place, status: int) -> Place | None:
        """The place, when that status means it is up. A Jupyter whose configuration overrules our token, or puts it
        below another path, says so in its list."""
        answer = app.judge(status)
        if answer is Answer.STARTING:
            return None
        if answer is Answer.ELSEWHERE and self._recipe.finds == "jupyter":
            told = self._ask("find")
            for server in told.servers:
                if server.pid == place.pid and app.place_of(server, told.running) != place:
                    return app.place_of(server, told.running)
        return place

    def _never(self) -> str:
        seconds = self._within.total_seconds()
        return f"{self._recipe.title} on {self._host.name} runs, but did not answer within {seconds:g} s"

    def _died(self, told: Told, token: str) -> Trouble:
        self.started = False
        words = app.last_words(told.lines, token)
        for line in words:
            self._say(f"  | {line}", Tone.BAD)
        why = f": {words[-1].strip()}" if words else " without a word in its log"
        return Trouble(
            Kind.APP_FAILED, f"{self._recipe.title} ended as soon as it was started on {self._host.name}{why}"
        )

    # Forward.

    def _attached(self, place: Place) -> Forward:
        """A local port, the same number as there if it is free; for a socket there a socket here, which, unlike a
        port, other users of this machine can not open. Raises Trouble."""
        name, target = self._recipe.name, place.target
        if target.is_path and not self._port and os.name == "posix":
            path = self._world.settings.state / f"{name}-{self._host.name}.sock"
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            forward = Forward(name, Sort.LOCAL, str(path), 0, target)
            self._supervisor.forward(forward)
            return forward
        if self._port:
            return self._listening(self._port, target)
        for port in ([target.port] if target.port else []) + [loopback.free_port() for _ in range(TRIES - 1)]:
            try:
                return self._listening(port, target)
            except Trouble as trouble:
                if trouble.kind is not Kind.PORT_TAKEN:
                    raise
        return self._listening(loopback.free_port(), target)

    def _listening(self, port: int, target: Target) -> Forward:
        forward = Forward(self._recipe.name, Sort.LOCAL, "", port, target)
        self._supervisor.forward(forward)
        return forward

    def _through(self, opener: Opener, place: Place, page: str) -> tuple[str, int]:
        """Ask through the local port, as the browser will."""
        if not self._recipe.pages:
            return page, 200
        try:
            return best(opener, place, (page,))
        except (Refused, Unreachable) as error:
            raise Trouble(
                Kind.APP_FAILED, f"{self._recipe.title} does not answer through the tunnel: {error}"
            ) from None

    def _opened(self, place: Place, page: str, forward: Forward, *, ready: bool) -> Opened:
        port = forward.port
        if self._recipe.finds == "socket":
            url = f"tcp://localhost:{port}" if port else f"unix://{forward.bind}"
            return Opened(f"export DOCKER_HOST={url}", url, place, port, ready, browsable=False)
        if not self._recipe.pages:
            return Opened(f"localhost:{port}", f"localhost:{port}", place, port, ready, browsable=False)
        url = app.address(place, page, port, place.token)
        return Opened(url, url, place, port, ready, secret=bool(place.token))


class _Dead(Exception):
    """It ended."""

    def __init__(self, told: Told) -> None:
        super().__init__("it ended")
        self.told = told


def _ours(running: Running, token: str = "") -> Place:
    return Place(Target("localhost", running.port), token=token, pid=running.pid, ours=True, log=running.log)
