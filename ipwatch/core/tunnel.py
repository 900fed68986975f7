"""One tunnel's life: a table of states. Everything that decides about a tunnel stands in this file.

Rule 1. `step(tunnel, happening)` is the only way a tunnel changes; it does nothing, it returns what is to be done.
Rule 2. A tunnel leaves `blocked` only by its end: what asking again can not cure is not asked again.
Rule 3. Nothing is dialled twice at the same moment: one search, one link, one wake.

    idle --begin--> locating --candidate--> dialling --connected--> proving --up--> up
                       |   \\__________________ searched in vain ______/  \\           | silence
                       |                          |                       refused     v
                       |<--- time --- backing off/waking                   |       suspect --answer--> up
                       |<-------------------------------------------------/|----------| silence, loss
                       `-- (wakeable, nothing answered) --> waking         `-> blocked

All times are those of the monotonic clock, as `timedelta`.
"""

from collections.abc import Callable
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
    stay: bool = False


class Tunnel(NamedTuple):
    """A tunnel as it stands. since: it is in this state. lost_at: when it was last up. asked: when the unanswered
    sign of life was asked for. limit: how long that may take. attempt: searches in vain in a row. until: end of the
    pause. woken: last wake. waking_since: begin of the wakes in a row. strange_since: only strangers from then on.
    """

    state: State = State.IDLE
    since: timedelta = timedelta()
    was_up: bool = False
    asked: timedelta | None = None
    limit: timedelta = timedelta()
    attempt: int = 0
    searched: timedelta | None = None
    until: timedelta = timedelta()
    woken: timedelta | None = None
    waking_since: timedelta | None = None
    strange_since: timedelta | None = None


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


# What is to be done.


class Search(NamedTuple):
    """Locate, dial and prove, all of it anew."""


class Wake(NamedTuple):
    """Wake the host."""


class Ping(NamedTuple):
    """Ask the other side for a sign of life."""


class Cut(NamedTuple):
    """End the link at once; everything carried by it is reset."""

    reason: str


class Stop(NamedTuple):
    """End the tunnel with this."""

    kind: Kind
    sentence: str


Command = Search | Wake | Ping | Cut | Stop
Step = tuple[Tunnel, tuple[Command, ...]]

# Asking again does not cure these, whatever happened before.
_FATAL = frozenset({Kind.LOGIN_REFUSED, Kind.NOT_PINNED, Kind.CONFIGURATION, Kind.PORT_TAKEN})


def step(tunnel: Tunnel, happening: Happening, rules: Rules) -> Step:
    """The tunnel after that happened, and what is to be done now; what the table does not name changes nothing."""
    act = _TABLE.get((tunnel.state, type(happening)))
    return act(tunnel, happening, rules) if act else (tunnel, ())


def _search(tunnel: Tunnel, at: timedelta, state: State = State.LOCATING) -> Step:
    return tunnel._replace(state=state, since=at, searched=at, asked=None), (Search(),)


def _begin(tunnel: Tunnel, happening: Happening, _rules: Rules) -> Step:
    return _search(tunnel, happening.at)


def _into(state: State) -> "_Act":
    return lambda tunnel, happening, _rules: (tunnel._replace(state=state, since=happening.at), ())


def _up(tunnel: Tunnel, happening: Happening, _rules: Rules) -> Step:
    return Tunnel(State.UP, happening.at, was_up=True, woken=tunnel.woken), ()


def _vain(tunnel: Tunnel, happening: Happening, rules: Rules) -> Step:
    """The search failed: give up, wake, or pause."""
    assert isinstance(happening, Vain)  # noqa: S101 - the table says so; for the type checker
    at, kind, sentence, chance = happening
    strange_since = (tunnel.strange_since or at) if kind is Kind.STRANGER else None
    tunnel = tunnel._replace(strange_since=strange_since, attempt=tunnel.attempt + 1)
    if kind in _FATAL or (strange_since is not None and not _looks_on(tunnel, at, rules)):
        return _block(tunnel, at, kind, sentence)
    if rules.wakeable and kind in {Kind.UNREACHABLE, Kind.NOT_SSH}:
        return _waking(tunnel, at, sentence, rules)
    if not (tunnel.was_up or rules.stay):
        return _block(tunnel, at, kind, sentence)
    return _pause(tunnel, at, chance, rules), ()


def _looks_on(tunnel: Tunnel, at: timedelta, rules: Rules) -> bool:
    """Behind strangers only a tunnel that was up looks on, for the name servers may be late; and not for ever."""
    return tunnel.was_up and at - (tunnel.strange_since or at) < rules.strange_for


def _block(tunnel: Tunnel, at: timedelta, kind: Kind, sentence: str) -> Step:
    return tunnel._replace(state=State.BLOCKED, since=at), (Stop(kind, sentence),)


def _waking(tunnel: Tunnel, at: timedelta, sentence: str, rules: Rules) -> Step:
    """Nothing answered: send a wake unless one was just sent, and look again while it boots."""
    since = tunnel.waking_since if tunnel.waking_since is not None else at
    if at - since >= rules.wake_within:
        if not (tunnel.was_up or rules.stay):
            return _block(tunnel, at, Kind.WAKE_FAILED, f"it was woken, but {sentence}")
        return _pause(tunnel._replace(waking_since=None), at, 1.0, rules), ()
    asleep = tunnel._replace(state=State.WAKING, since=at, waking_since=since, until=at + rules.wake_look)
    if tunnel.woken is not None and at - tunnel.woken < rules.wake_every:
        return asleep, ()
    return asleep._replace(woken=at), (Wake(),)


def _wake_ended(tunnel: Tunnel, happening: Happening, rules: Rules) -> Step:
    """A wake that could not be sent ends a start; otherwise the pause until the next look goes on."""
    assert isinstance(happening, WakeEnded)  # noqa: S101 - see _vain
    if happening.sentence and not (tunnel.was_up or rules.stay):
        return _block(tunnel, happening.at, Kind.WAKE_FAILED, happening.sentence)
    return tunnel, ()


def _pause(tunnel: Tunnel, at: timedelta, chance: float, rules: Rules) -> Tunnel:
    """Back off: twice as long each time, full jitter, never less than a tenth of the span."""
    span = min(rules.first_pause * 2 ** min(tunnel.attempt, 16), rules.longest_pause)
    return tunnel._replace(state=State.BACKING_OFF, since=at, until=at + span * max(0.1, chance))


def _when_due(tunnel: Tunnel, happening: Happening, _rules: Rules) -> Step:
    return _search(tunnel, happening.at) if happening.at >= tunnel.until else (tunnel, ())


def _knocked(tunnel: Tunnel, happening: Happening, rules: Rules) -> Step:
    """Somebody waits: look again soon, however long the pause was to be."""
    soon = (tunnel.searched or happening.at) + rules.knock_pause
    return tunnel._replace(until=min(tunnel.until, max(soon, happening.at))), ()


def _awake(tunnel: Tunnel, happening: Happening, _rules: Rules) -> Step:
    """The network is another one: what failed before proves nothing."""
    return _search(tunnel._replace(attempt=0), happening.at)


def _watch(tunnel: Tunnel, happening: Happening, rules: Rules) -> Step:
    """Liveness is a question with a deadline, not a keepalive."""
    assert isinstance(happening, Ticked)  # noqa: S101 - see _vain
    at, heard = happening
    if heard is None:
        return tunnel, ()
    if tunnel.asked is not None and heard > tunnel.asked:
        tunnel = tunnel._replace(
            asked=None, state=State.UP, since=at if tunnel.state is State.SUSPECT else tunnel.since
        )
    if tunnel.asked is None:
        if at - heard < rules.quiet:
            return tunnel, ()
        return tunnel._replace(asked=at, limit=rules.dead), (Ping(),)
    waited = at - tunnel.asked
    if waited >= tunnel.limit:
        return _lost_link(tunnel, at, f"no sign of life for {(at - heard).total_seconds():.0f} s")
    if waited >= rules.doubt and tunnel.state is State.UP:
        return tunnel._replace(state=State.SUSPECT, since=at), (Ping(),)
    return tunnel, ()


def _doubt(tunnel: Tunnel, happening: Happening, rules: Rules) -> Step:
    """After sleep, or in another network: one question with a short deadline."""
    return tunnel._replace(state=State.SUSPECT, since=happening.at, asked=happening.at, limit=rules.resumed), (Ping(),)


def _lost_link(tunnel: Tunnel, at: timedelta, reason: str) -> Step:
    searching, commands = _search(tunnel, at)
    return searching, (Cut(reason), *commands)


def _lost(tunnel: Tunnel, happening: Happening, _rules: Rules) -> Step:
    assert isinstance(happening, Lost)  # noqa: S101 - see _vain
    return _lost_link(tunnel, happening.at, happening.reason)


_Act = Callable[[Tunnel, Happening, Rules], Step]
_SEARCHING = (State.LOCATING, State.DIALLING, State.PROVING)

_TABLE: dict[tuple[State, type], _Act] = {
    (State.IDLE, Begin): _begin,
    (State.LOCATING, Found): _into(State.DIALLING),
    (State.LOCATING, Connected): _into(State.PROVING),
    (State.DIALLING, Connected): _into(State.PROVING),
    **{(state, Up): _up for state in _SEARCHING},
    **{(state, Vain): _vain for state in _SEARCHING},
    (State.WAKING, WakeEnded): _wake_ended,
    (State.WAKING, Ticked): _when_due,
    (State.WAKING, Resumed): _awake,
    (State.BACKING_OFF, Ticked): _when_due,
    (State.BACKING_OFF, Knocked): _knocked,
    (State.BACKING_OFF, Resumed): _awake,
    (State.UP, Ticked): _watch,
    (State.UP, Resumed): _doubt,
    (State.UP, Lost): _lost,
    (State.SUSPECT, Ticked): _watch,
    (State.SUSPECT, Resumed): _doubt,
    (State.SUSPECT, Lost): _lost,
}


def slept(wall: timedelta, steady: timedelta, gap: timedelta) -> bool:
    """Whether the machine slept between two looks. wall, steady: what the wall clock and the monotonic clock say has
    passed since the last one (Linux and macOS stop the second in sleep); gap: how much later than asked the look
    came, which shows a stopped process, too."""
    return wall - steady > timedelta(seconds=3) or gap > timedelta(seconds=3)
