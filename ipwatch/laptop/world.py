"""What every command of the laptop is handed."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from ipwatch.core.trouble import Kind, Trouble
from ipwatch.laptop.memory import Memory
from ipwatch.laptop.say import Say
from ipwatch.ports import Clock, Commands, Http, Interfaces, Resolver
from ipwatch.ports.remote import Prompt, Prover, Waker
from ipwatch.settings.laptop_model import Host, Laptop

if TYPE_CHECKING:
    from ipwatch.laptop.find import Finder


@dataclass(frozen=True, slots=True)
class World:
    """Settings, memory and ports. provers: by engine. ask: puts a question to the user, None without a terminal.
    chance: 0 to 1, drawn anew each time. ending: set when the command is to end (Ctrl-C, SIGTERM): every long wait
    of the laptop's looks at it."""

    settings: Laptop
    memory: Memory
    clock: Clock
    http: Http
    resolver: Resolver
    interfaces: Interfaces
    commands: Commands
    waker: Waker
    provers: "Callable[[str], Prover]"
    finder: "Callable[[World], Finder]"
    ask: Callable[[Prompt], str | None]
    say: Say
    chance: Callable[[], float]
    ending: threading.Event

    def host(self, name: str) -> Host:
        """The host of that name; raises Trouble with the names there are."""
        if name in self.settings.hosts:
            return self.settings.hosts[name]
        raise Trouble(Kind.CONFIGURATION, unknown_host(name, tuple(self.settings.hosts), str(self.settings.path or "")))

    def now(self) -> timedelta:
        """The monotonic clock."""
        return self.clock.monotonic()


def no_hosts(path: str) -> str:
    """The sentence for a configuration without any."""
    return f"{path} has no [[host]]" if path else "there is no laptop.toml with a [[host]] yet"


def unknown_host(name: str, known: tuple[str, ...], path: str) -> str:
    """The sentence for a host that is not configured."""
    if not known:
        return f"no host is called {name}: {no_hosts(path)}"
    return f"no host is called {name}; {path} has {', '.join(known)}"
