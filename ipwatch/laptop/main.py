"""The composition root: which adapter stands behind which port. Imports each only when it is asked for."""
# ruff: noqa: PLC0415 - see above

import random
import threading
from collections.abc import Callable
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
    try:
        from ipwatch.net.ssh import ParamikoProver
    except ModuleNotFoundError as error:  # the container's image has the service's packages alone
        raise Trouble(Kind.NOT_WELL, f"{error.name} is not installed here, and the engine paramiko needs it") from None
    return ParamikoProver()


def _http() -> Any:
    from ipwatch.net.http import RequestsHttp

    return RequestsHttp()


def _waker() -> Any:
    from ipwatch.net.wol import WakeonlanWaker

    return WakeonlanWaker()
