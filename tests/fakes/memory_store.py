"""A store without a disk: what was committed outlives the store in a Disk, which can be full."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from ipwatch.core.event import Event
from ipwatch.core.state import State
from ipwatch.ports import StoreFault


@dataclass
class Disk:
    """What outlives a store. full: commits fail; commits: every state that was committed, oldest first."""

    state: State = field(default_factory=State)
    events: list[Event] = field(default_factory=list)
    requests: list[tuple[str, str]] = field(default_factory=list)
    commits: list[State] = field(default_factory=list)
    full: bool = False
    opened: bool = False


class MemoryStore:
    """The port `Store`, with the rules of SqliteStore: one writer, events of failed commits follow with the next."""

    def __init__(self, disk: Disk | None = None) -> None:
        self.disk = disk or Disk()
        if self.disk.opened:
            raise StoreFault("the state is in use by another process")
        self.disk.opened = True
        self.notice = ""
        self._closed = False
        self._unwritten: list[Event] = []

    def load(self) -> State:
        """The state as last committed."""
        self._check()
        return self.disk.state

    def commit(self, state: State, events: Sequence[Event] = ()) -> None:
        """Write both, or neither and raise StoreFault."""
        self._check()
        self._unwritten += [event for event in events if event not in self._unwritten]
        if self.disk.full:
            raise StoreFault("the state can not be written: its disk is full", full=True)
        self.disk.state = state
        self.disk.events += self._unwritten
        self.disk.commits.append(state)
        self._unwritten = []

    def take_requests(self) -> tuple[tuple[str, str], ...]:
        """What was asked for, each once."""
        self._check()
        taken = tuple(self.disk.requests)
        self.disk.requests.clear()
        return taken

    def close(self) -> None:
        """Let go of the disk."""
        if not self._closed:
            self.disk.opened = False
        self._closed = True

    def _check(self) -> None:
        if self._closed:
            raise StoreFault("the state was closed")
