"""What a tunnel is, what can happen to it and what it asks for. core/tunnel.py decides.

All times are those of the monotonic clock, as `timedelta`.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import NamedTuple

from ipwatch.core.trouble import Kind


class State(StrEnum):
    """What a tunnel is doing."""

    IDLE = "idle"
    LOCATING = "locating"
    WAKING = "waking"
    DIALLING = "dialling"
    PROVING = "proving"
    UP = "up"
    SUSPECT = "suspect"
    BACKING_OFF = "backing off"
    BLOCKED = "blocked"


class Rules(NamedTuple):
    """The times of one tunnel's life. wakeable: a way to wake the host is configured. stay: never give up at the
    start. dead + quiet + the supervisor's tick stay below the 6 s of the budget (DESIGN section 9)."""

    quiet: timedelta = timedelta(seconds=2)  # silence after which a sign of life is asked for
    doubt: timedelta = timedelta(seconds=1.5)  # unanswered for so long: suspect, asked again
    dead: timedelta = timedelta(seconds=3.5)  # unanswered for so long: lost
    resumed: timedelta = timedelta(seconds=2)  # the same after sleep or a change of network
    first_pause: timedelta = timedelta(seconds=0.2)
    longest_pause: timedelta = timedelta(seconds=30)
    knock_pause: timedelta = timedelta(seconds=1)  # with somebody waiting at the local port
    wake_every: timedelta = timedelta(seconds=60)
    wake_look: timedelta = timedelta(seconds=4)  # between two searches while it boots (OpenSSH 9.8's penalties)
    wake_within: timedelta = timedelta(minutes=4)
    strange_for: timedelta = timedelta(minutes=10)  # a tunnel that was up looks on for so long behind strangers
    wakeable: bool = False
    settled: timedelta = timedelta(seconds=10)  # a link that lived for so long is redialled at once when it is lost
    stay: bool = False


class Tunnel(NamedTuple):
    """A tunnel as it stands. since: it is in this state. was_up: it has been up at least once. asked: when the
    unanswered sign of life was asked for (the last, where several are open: `first` is the first of them). limit: how
    long after `asked` an answer may take. attempt: searches in vain in a row. searched:
    begin of the last search. until: end of the pause. woken: last wake. waking_since: begin of the wakes in a row.
    wake_fault: why the last wake could not be sent. strange_since: only strangers from then on. rose: when it last
    came up. short: links in a row that did not live long enough (Rules.settled).
    """

    state: State = State.IDLE
    since: timedelta = timedelta()
    was_up: bool = False
    asked: timedelta | None = None
    first: timedelta | None = None
    limit: timedelta = timedelta()
    attempt: int = 0
    searched: timedelta | None = None
    until: timedelta = timedelta()
    woken: timedelta | None = None
    waking_since: timedelta | None = None
    wake_fault: str = ""
    strange_since: timedelta | None = None
    rose: timedelta = timedelta()
    short: int = 0


# What can happen. `at` is when.


class Begin(NamedTuple):
    at: timedelta


class Found(NamedTuple):
    """A first candidate is known."""

    at: timedelta


class Connected(NamedTuple):
    """A port answered."""

    at: timedelta


class Up(NamedTuple):
    """The host is proved, the user is logged in."""

    at: timedelta


class Vain(NamedTuple):
    """The search ended without the host. chance: 0 to 1, for the jitter of the pause."""

    at: timedelta
    kind: Kind
    sentence: str
    chance: float = 0.5


class WakeEnded(NamedTuple):
    """The wake was sent, or could not be (sentence)."""

    at: timedelta
    sentence: str = ""


class Ticked(NamedTuple):
    """Time passed. heard: when the other side was last heard, None without a link."""

    at: timedelta
    heard: timedelta | None = None


class Resumed(NamedTuple):
    """The machine slept, or its network changed."""

    at: timedelta


class Knocked(NamedTuple):
    """Somebody connected to a local port while there was no link."""

    at: timedelta


class Lost(NamedTuple):
    """The link ended by itself."""

    at: timedelta
    reason: str


Happening = Begin | Found | Connected | Up | Vain | WakeEnded | Ticked | Resumed | Knocked | Lost


# What is to be done. No named tuples: Search() and Wake() are not equal.


@dataclass(frozen=True, slots=True)
class Search:
    """Locate, dial and prove, all of it anew."""


@dataclass(frozen=True, slots=True)
class Wake:
    """Wake the host."""


@dataclass(frozen=True, slots=True)
class Ping:
    """Ask the other side for a sign of life."""


@dataclass(frozen=True, slots=True)
class Cut:
    """End the link at once; everything carried by it is reset."""

    reason: str


@dataclass(frozen=True, slots=True)
class Stop:
    """End the tunnel with this."""

    kind: Kind
    sentence: str


Command = Search | Wake | Ping | Cut | Stop
Step = tuple[Tunnel, tuple[Command, ...]]
