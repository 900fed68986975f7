"""One tunnel's life: a table of states. All that decides about a tunnel stands here; its words in tunnel_model.

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

from ipwatch.core.trouble import Kind
from ipwatch.core.tunnel_model import (
    Begin,
    Command,
    Connected,
    Cut,
    Found,
    Happening,
    Knocked,
    Lost,
    Ping,
    Resumed,
    Rules,
    Search,
    State,
    Step,
    Stop,
    Ticked,
    Tunnel,
    Up,
    Vain,
    Wake,
    WakeEnded,
)

__all__ = [
    "Begin",
    "Command",
    "Connected",
    "Cut",
    "Found",
    "Happening",
    "Knocked",
    "Lost",
    "Ping",
    "Resumed",
    "Rules",
    "Search",
    "State",
    "Step",
    "Stop",
    "Ticked",
    "Tunnel",
    "Up",
    "Vain",
    "Wake",
    "WakeEnded",
    "slept",
    "step",
]

# Asking again does not cure these, whatever happened before.
_FATAL = frozenset({Kind.LOGIN_REFUSED, Kind.NOT_PINNED, Kind.CONFIGURATION, Kind.PORT_TAKEN})
# So it looks when a host sleeps or boots.
_ASLEEP = frozenset({Kind.UNREACHABLE, Kind.NOT_SSH})


def step(tunnel: Tunnel, happening: Happening, rules: Rules) -> Step:
    """The tunnel after that happened, and what is to be done now; what the table does not name changes nothing."""
    act = _TABLE.get((tunnel.state, type(happening)))
    return act(tunnel, happening, rules) if act else (tunnel, ())


def _search(tunnel: Tunnel, at: timedelta, state: State = State.LOCATING) -> Step:
    return tunnel._replace(state=state, since=at, searched=at, asked=None, first=None), (Search(),)


def _begin(tunnel: Tunnel, happening: Happening, _rules: Rules) -> Step:
    return _search(tunnel, happening.at)


def _into(state: State) -> "_Act":
    return lambda tunnel, happening, _rules: (tunnel._replace(state=state, since=happening.at), ())


def _up(tunnel: Tunnel, happening: Happening, _rules: Rules) -> Step:
    return Tunnel(
        State.UP, happening.at, was_up=True, woken=tunnel.woken, rose=happening.at, short=tunnel.short
    ), ()  # fmt: skip


def _vain(tunnel: Tunnel, happening: Happening, rules: Rules) -> Step:
    """The search failed: give up, wake, or pause."""
    assert isinstance(happening, Vain)  # noqa: S101 - the table says so; for the type checker
    at, kind, sentence, chance = happening
    tunnel = tunnel._replace(attempt=tunnel.attempt + 1, strange_since=_strange_since(tunnel, happening))
    if kind in _FATAL or not _looks_on(tunnel, at, rules):
        return _block(tunnel, at, kind, sentence)
    if rules.wakeable and kind in _ASLEEP:
        return _waking(tunnel, happening, rules)
    tunnel = tunnel._replace(waking_since=None, wake_fault="")
    if not (tunnel.was_up or rules.stay):
        return _block(tunnel, at, kind, sentence)
    return _pause(tunnel, at, chance, rules), ()


def _strange_since(tunnel: Tunnel, vain: Vain) -> timedelta | None:
    if vain.kind is not Kind.STRANGER:
        return None
    return vain.at if tunnel.strange_since is None else tunnel.strange_since


def _looks_on(tunnel: Tunnel, at: timedelta, rules: Rules) -> bool:
    """Behind strangers only a tunnel that was up looks on, for the name servers may be late; and not for ever."""
    return tunnel.strange_since is None or (tunnel.was_up and at - tunnel.strange_since < rules.strange_for)


def _block(tunnel: Tunnel, at: timedelta, kind: Kind, sentence: str) -> Step:
    return tunnel._replace(state=State.BLOCKED, since=at), (Stop(kind, sentence),)


def _waking(tunnel: Tunnel, vain: Vain, rules: Rules) -> Step:
    """Nothing answered: send a wake unless one was just sent, and look again while it boots."""
    at, start = vain.at, not (tunnel.was_up or rules.stay)
    if start and tunnel.wake_fault:
        return _block(tunnel, at, Kind.WAKE_FAILED, tunnel.wake_fault)
    since = at if tunnel.waking_since is None else tunnel.waking_since
    if at - since >= rules.wake_within:
        if start:
            return _block(tunnel, at, Kind.WAKE_FAILED, f"it was woken, but {vain.sentence}")
        return _pause(tunnel._replace(waking_since=None), at, 1.0, rules), ()
    look = _next_look(tunnel, vain, rules)
    asleep = tunnel._replace(state=State.WAKING, since=at, waking_since=since, until=at + look)
    if tunnel.woken is not None and at - tunnel.woken < rules.wake_every:
        return asleep, ()
    return asleep._replace(woken=at, wake_fault=""), (Wake(),)


def _next_look(tunnel: Tunnel, vain: Vain, rules: Rules) -> timedelta:
    """How long to wait before the next search. What was up a moment ago has rather moved than fallen asleep, and
    where nothing answers no sshd is bothered."""
    if tunnel.was_up and vain.kind is Kind.UNREACHABLE:
        return min(rules.wake_look, _span(tunnel.attempt, rules))
    return rules.wake_look


def _wake_ended(tunnel: Tunnel, happening: Happening, rules: Rules) -> Step:
    """A wake that could not be sent ends a start; otherwise the pause until the next look goes on."""
    assert isinstance(happening, WakeEnded)  # noqa: S101 - see _vain
    if happening.sentence and not (tunnel.was_up or rules.stay):
        return _block(tunnel, happening.at, Kind.WAKE_FAILED, happening.sentence)
    return tunnel, ()


def _wake_ended_late(tunnel: Tunnel, happening: Happening, _rules: Rules) -> Step:
    """The next search has begun meanwhile: it may yet find the host, and if it does not, this is why."""
    assert isinstance(happening, WakeEnded)  # noqa: S101 - see _vain
    return tunnel._replace(wake_fault=happening.sentence), ()


def _pause(tunnel: Tunnel, at: timedelta, chance: float, rules: Rules) -> Tunnel:
    """Back off: twice as long each time, full jitter, never less than a tenth of the span."""
    span = _span(max(tunnel.attempt, tunnel.short), rules)
    return tunnel._replace(state=State.BACKING_OFF, since=at, until=at + span * min(max(0.1, chance), 1.0))


def _span(times: int, rules: Rules) -> timedelta:
    """The longest pause after so many failures in a row (at least one)."""
    return min(rules.first_pause * (1 << min(times - 1, 16)), rules.longest_pause)


def _when_due(tunnel: Tunnel, happening: Happening, _rules: Rules) -> Step:
    return _search(tunnel, happening.at) if happening.at >= tunnel.until else (tunnel, ())


def _knocked(tunnel: Tunnel, happening: Happening, rules: Rules) -> Step:
    """Somebody waits: look again soon, however long the pause was to be."""
    soon = (happening.at if tunnel.searched is None else tunnel.searched) + rules.knock_pause
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
    tunnel = _answered(tunnel, at, heard, rules)
    if tunnel.asked is None:
        if at - heard < rules.quiet:
            return tunnel, ()
        return tunnel._replace(asked=at, first=at, limit=rules.dead), (Ping(),)
    waited = at - tunnel.asked
    if waited >= tunnel.limit:
        return _lost_link(tunnel, at, f"no sign of life for {(at - heard).total_seconds():.0f} s", rules)
    if waited >= rules.doubt and tunnel.state is State.UP:
        return tunnel._replace(state=State.SUSPECT, since=at), (Ping(),)
    return tunnel, ()


def _answered(tunnel: Tunnel, at: timedelta, heard: timedelta, rules: Rules) -> Tunnel:
    """What was heard since a question was asked answers it (a coarse clock gives both the same time). Where only an
    earlier one is answered, the last one gets all its time."""
    if tunnel.asked is None or tunnel.first is None or heard < tunnel.first:
        return tunnel
    if heard < tunnel.asked:
        return tunnel._replace(first=tunnel.asked, limit=rules.resumed)
    since = at if tunnel.state is State.SUSPECT else tunnel.since
    return tunnel._replace(state=State.UP, since=since, asked=None, first=None)


def _doubt(tunnel: Tunnel, happening: Happening, rules: Rules) -> Step:
    """After sleep, or in another network: one question with a short deadline. A deadline that runs already is not
    put off, or a network that changes every second would hide the loss."""
    at, limit, first = happening.at, rules.resumed, happening.at
    if tunnel.asked is not None and tunnel.first is not None:
        limit, first = min(limit, max(timedelta(), tunnel.asked + tunnel.limit - at)), tunnel.first
    return tunnel._replace(state=State.SUSPECT, since=at, asked=at, first=first, limit=limit), (Ping(),)


def _lost_link(tunnel: Tunnel, at: timedelta, reason: str, rules: Rules) -> Step:
    """Search at once; but a host that lets us in and throws us out again is not asked again without a pause."""
    if at - tunnel.rose >= rules.settled:
        tunnel = tunnel._replace(short=0)
    elif tunnel.short:
        resting = _pause(tunnel._replace(searched=at, asked=None, first=None), at, 1.0, rules)
        return resting._replace(short=tunnel.short + 1), (Cut(reason),)
    else:
        tunnel = tunnel._replace(short=1)
    searching, commands = _search(tunnel, at)
    return searching, (Cut(reason), *commands)


def _lost(tunnel: Tunnel, happening: Happening, rules: Rules) -> Step:
    assert isinstance(happening, Lost)  # noqa: S101 - see _vain
    return _lost_link(tunnel, happening.at, happening.reason, rules)


_Act = Callable[[Tunnel, Happening, Rules], Step]
_SEARCHING = (State.LOCATING, State.DIALLING, State.PROVING)

_TABLE: dict[tuple[State, type], _Act] = {
    (State.IDLE, Begin): _begin,
    (State.LOCATING, Found): _into(State.DIALLING),
    (State.LOCATING, Connected): _into(State.PROVING),
    (State.DIALLING, Connected): _into(State.PROVING),
    **{(state, Up): _up for state in _SEARCHING},
    **{(state, Vain): _vain for state in _SEARCHING},
    **{(state, WakeEnded): _wake_ended_late for state in _SEARCHING},
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
