"""The composition root: which adapter stands behind which port. Imports each only when it is asked for."""
# ruff: noqa: PLC0415 - see above

import random
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from ipwatch.core.trouble import Kind, Trouble
from ipwatch.laptop.memory import Memory
from ipwatch.laptop.say import Say
from ipwatch.laptop.world import World
from ipwatch.net.clock import SystemClock
from ipwatch.net.command import SubprocessCommands
from ipwatch.net.dns import DnspythonResolver
from ipwatch.net.interfaces import NetlinkInterfaces
from ipwatch.ports.remote import Prompt, Prover
from ipwatch.settings.laptop_model import Laptop


class Lazy:
    """A port whose adapter is made, and imported, when it is first used."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._made: Any = None

    def __getattr__(self, name: str) -> Any:
        with self._lock:
            if self._made is None:
                self._made = self._make()
        return getattr(self._made, name)


def world_of(settings: Laptop, say: Say) -> World:
    """Everything wired to the outside."""
    from ipwatch.laptop.find import Finder
    from ipwatch.laptop.remember import answered
    from ipwatch.laptop.terminal import ask

    ending = threading.Event()

    def ask_quietly(prompt: Prompt) -> str | None:
        with say.question():
            return answered(ask, prompt, ending)

    return World(
        settings=settings,
        memory=Memory(settings.state),
        clock=SystemClock(),
        http=Lazy(_http),
        resolver=DnspythonResolver(),
        interfaces=NetlinkInterfaces(),
        commands=SubprocessCommands(),
        waker=Lazy(_waker),
        provers=prover,
        finder=Finder,
        ask=ask_quietly,
        say=say,
        chance=random.random,
        ending=ending,
    )


def prover(engine: str) -> Prover:
    """The engine's way to prove a host and to log in."""
    if engine == "openssh":
        from ipwatch.net.openssh import OpenSshProver

        return OpenSshProver()
    if find_spec("paramiko") is None:  # the container's image has the service's packages alone
        raise Trouble(Kind.NOT_WELL, "paramiko is not installed here, and the engine paramiko needs it")
    made = Lazy(_paramiko)
    # Meanwhile names are asked for and ports called: the first time it takes longer than either. No daemon: a thread
    # that the interpreter's end meets inside of a Rust module's start would abort the process.
    threading.Thread(target=lambda: made.prove, name="load paramiko").start()
    return made


def _paramiko() -> Any:
    with _without("invoke"):  # paramiko's own reader of ssh_config wants it, which is not used: a fifth of the start
        from ipwatch.net.ssh import ParamikoProver

        return ParamikoProver()


@contextmanager
def _without(package: str) -> Iterator[None]:
    """What is imported meanwhile finds that package not installed."""
    modules: dict[str, Any] = sys.modules
    if package in modules:
        yield
        return
    modules[package] = None
    try:
        yield
    finally:
        modules.pop(package, None)


def _http() -> Any:
    from ipwatch.net.http import RequestsHttp

    return RequestsHttp()


def _waker() -> Any:
    from ipwatch.net.wol import WakeonlanWaker

    return WakeonlanWaker()
