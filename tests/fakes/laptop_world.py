"""A World for tests: real ports, a memory of its own, and what is said kept as text."""

import io
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ipwatch.laptop.main import Lazy, prover
from ipwatch.laptop.memory import Memory
from ipwatch.laptop.say import Say
from ipwatch.laptop.world import World
from ipwatch.net.clock import SystemClock
from ipwatch.net.command import SubprocessCommands
from ipwatch.net.dns import DnspythonResolver
from ipwatch.net.http import RequestsHttp
from ipwatch.net.interfaces import NetlinkInterfaces
from ipwatch.settings.laptop_model import Host, Laptop


def no_waker() -> Any:
    raise AssertionError("no test of this kind sends magic packets")


def laptop_world(folder: Path, *hosts: Host, finder: Callable[[World], Any] | None = None, **more: Any) -> World:
    """A world with these hosts. The text of what was said is `said(world)`."""
    from ipwatch.laptop.find import Finder

    out = io.StringIO()
    settings = more.pop("settings", None) or Laptop(
        folder / "laptop.toml", folder / "state", {h.name: h for h in hosts}
    )
    parts: dict[str, Any] = {
        "settings": settings, "memory": Memory(settings.state), "clock": SystemClock(), "http": RequestsHttp(),
        "resolver": DnspythonResolver(), "interfaces": NetlinkInterfaces(), "commands": SubprocessCommands(),
        "waker": Lazy(no_waker), "provers": prover, "finder": finder or Finder, "ask": lambda _prompt: None,
        "say": Say(out), "chance": lambda: 0.0, "ending": threading.Event(),
    }  # fmt: skip
    return World(**(parts | more))


def said(world: World) -> str:
    """What a person would have read so far."""
    text: str = world.say._out.getvalue()  # type: ignore[attr-defined]
    return text
