"""One tunnel's life: the table of states, and what holds whatever happens in whatever order."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ipwatch.core.trouble import Kind
from ipwatch.core.tunnel import (
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
    Stop,
    Ticked,
    Tunnel,
    Up,
    Vain,
    Wake,
    WakeEnded,
    slept,
    step,
)

FATAL = (Kind.LOGIN_REFUSED, Kind.NOT_PINNED, Kind.CONFIGURATION, Kind.PORT_TAKEN)
PASSING = (Kind.NO_ADDRESS, Kind.OFFLINE, Kind.PORTAL, Kind.UNREACHABLE, Kind.NOT_SSH, Kind.NOT_WELL)
PLAIN = Rules()
WAKEABLE = Rules(wakeable=True)
STAYS = Rules(stay=True)
SEARCHING = (State.LOCATING, State.DIALLING, State.PROVING)


def s(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


class Life:
    """A tunnel that things happen to; `said` are the commands of the last one."""

    def __init__(self, rules: Rules = PLAIN) -> None:
        self.rules = rules
        self.tunnel = Tunnel()
        self.said: tuple[Command, ...] = ()

    def then(self, *happenings: Happening) -> "Life":
        for happening in happenings:
            self.tunnel, self.said = step(self.tunnel, happening, self.rules)
        return self

    @property
    def state(self) -> State:
        return self.tunnel.state


def vain(at: float, kind: Kind = Kind.UNREACHABLE, chance: float = 1.0) -> Vain:
    return Vain(s(at), kind, "no port answers", chance)


def up(rules: Rules = PLAIN, at: float = 0) -> Life:
    return Life(rules).then(Begin(s(at)), Up(s(at)))


# The table.


def test_a_start_goes_through_its_states() -> None:
    """Locating, dialling, proving, up: with one search in all."""
    life = Life()
    assert life.then(Begin(s(1))).said == (Search(),)
    assert life.state is State.LOCATING
    assert life.then(Found(s(2))).state is State.DIALLING
    assert life.then(Connected(s(3))).state is State.PROVING
    assert (life.said, life.tunnel.since) == ((), s(3))
    assert life.then(Up(s(4))).state is State.UP
    assert (life.said, life.tunnel.was_up, life.tunnel.rose) == ((), True, s(4))


@pytest.mark.parametrize("before", [(), (Found(s(1)),), (Found(s(1)), Connected(s(2))), (Connected(s(1)),)])
@pytest.mark.parametrize("end", [Up(s(3)), vain(3)])
def test_a_search_may_end_at_any_stage(before: tuple[Happening, ...], end: Happening) -> None:
    """Up and Vain are heard while locating, dialling and proving."""
    assert Life(STAYS).then(Begin(s(0)), *before, end).state in {State.UP, State.BACKING_OFF}


@pytest.mark.parametrize("kind", [*PASSING, *FATAL, Kind.STRANGER])
def test_a_start_that_finds_nothing_ends(kind: Kind) -> None:
    """Whatever the reason, the person who waits is told at once, in its own words."""
    life = Life().then(Begin(s(0)), vain(1, kind))
    assert (life.state, life.said) == (State.BLOCKED, (Stop(kind, "no port answers"),))


@pytest.mark.parametrize("kind", PASSING)
def test_who_stays_or_was_up_tries_again(kind: Kind) -> None:
    """What may pass by itself is tried again, by a tunnel that was up or was told to stay."""
    for life in (Life(STAYS).then(Begin(s(0))), up().then(Lost(s(20), "reset"))):
        assert life.then(vain(30, kind)).state is State.BACKING_OFF
        assert life.said == ()
        assert life.then(Ticked(s(31))).said == (Search(),)


@pytest.mark.parametrize("kind", FATAL)
@pytest.mark.parametrize("rules", [PLAIN, STAYS, WAKEABLE])
def test_what_asking_again_can_not_cure_is_not_asked_again(kind: Kind, rules: Rules) -> None:
    """A refused login, a missing pin, a fault of the configuration or a taken port always stops."""
    life = up(rules).then(Lost(s(20), "reset"), vain(21, kind))
    assert (life.state, life.said) == (State.BLOCKED, (Stop(kind, "no port answers"),))


def test_blocked_is_the_end() -> None:
    """Nothing leaves it, and nothing is asked for any more."""
    life = Life().then(Begin(s(0)), vain(1))
    for happening in (Begin(s(2)), Up(s(2)), vain(2), Ticked(s(99)), Resumed(s(2)), Knocked(s(2)), Lost(s(2), ""),
                      WakeEnded(s(2)), Found(s(2)), Connected(s(2))):  # fmt: skip
        assert (life.then(happening).state, life.said) == (State.BLOCKED, ())


def test_pauses_double_from_the_first_to_the_longest() -> None:
    """0.2 s, 0.4 s, 0.8 s ... 30 s, each times the chance."""
    life, spans, at = Life(STAYS).then(Begin(s(0))), [], 0.0
    for _ in range(12):
        life.then(vain(at))
        spans.append((life.tunnel.until - life.tunnel.since).total_seconds())
        at = life.tunnel.until.total_seconds()
        assert life.then(Ticked(s(at - 0.001))).said == ()
        assert life.then(Ticked(s(at))).said == (Search(),)
    assert spans == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30, 30, 30, 30]


@pytest.mark.parametrize(("chance", "pause"), [(0.0, 0.02), (0.05, 0.02), (0.5, 0.1), (1.0, 0.2), (7.0, 0.2)])
def test_a_pause_has_jitter(chance: float, pause: float) -> None:
    """It is drawn anew, never less than a tenth of the span, never more than all of it."""
    life = Life(STAYS).then(Begin(s(0)), vain(5, chance=chance))
    assert life.tunnel.until == s(5 + pause)


def test_a_new_network_begins_the_pauses_anew() -> None:
    """After sleep, or in another network, the search begins at once and the pauses with the first."""
    life = Life(STAYS).then(Begin(s(0)), vain(0), Ticked(s(1)), vain(1), Ticked(s(2)), vain(2))
    assert life.then(Resumed(s(2.1))).said == (Search(),)
    assert life.then(vain(3)).tunnel.until == s(3.2)


def test_a_knock_shortens_the_pause() -> None:
    """With somebody at the local port the next search begins 1 s after the last one began, never later."""
    life = Life(STAYS).then(Begin(s(0)))
    for at in range(0, 200, 40):
        life.then(vain(at), Ticked(s(at + 39)))
    life.then(vain(199.5), Knocked(s(199.6)))
    assert life.tunnel.until == s(200)
    assert life.then(Ticked(s(200))).said == (Search(),)


def test_a_knock_does_not_prolong_the_pause() -> None:
    """A pause that is nearly over stays as short as it was."""
    life = Life(STAYS).then(Begin(s(0)), vain(0.1))
    assert life.then(Knocked(s(0.2))).tunnel.until == s(0.3)


# Waking.


def test_nothing_answers_so_it_is_woken() -> None:
    """A wake is sent, and the next look comes 4 s later; the wake itself is not repeated for a minute."""
    life = Life(WAKEABLE).then(Begin(s(0)), vain(3))
    assert (life.state, life.said) == (State.WAKING, (Wake(),))
    assert life.then(WakeEnded(s(4))).state is State.WAKING
    assert life.then(Ticked(s(6.9))).said == ()
    assert life.then(Ticked(s(7))).said == (Search(),)
    assert life.then(vain(9, Kind.NOT_SSH)).said == ()
    assert life.state is State.WAKING
    assert life.then(Ticked(s(13)), vain(63)).said == (Wake(),)


def test_a_boot_that_takes_too_long_ends_a_start() -> None:
    """After the time a boot may take it says that it was woken, and what is wrong."""
    life = Life(WAKEABLE._replace(wake_within=s(20))).then(Begin(s(0)), vain(1), Ticked(s(5)), vain(20.9))
    assert life.state is State.WAKING
    life.then(Ticked(s(25)), vain(26))
    assert life.said == (Stop(Kind.WAKE_FAILED, "it was woken, but no port answers"),)


def test_a_tunnel_that_was_up_goes_on_waking_after_a_pause() -> None:
    """It pauses once, and then the wakes begin anew."""
    rules = WAKEABLE._replace(wake_within=s(20))
    life = up(rules).then(Lost(s(99), "reset"), vain(100), Ticked(s(104)), vain(120))
    assert (life.state, life.said, life.tunnel.waking_since) == (State.BACKING_OFF, (), None)
    assert life.then(Ticked(s(170)), vain(171)).said == (Wake(),)


def test_a_wake_that_can_not_be_sent_ends_a_start() -> None:
    """With its own sentence; a tunnel that was up looks on instead."""
    life = Life(WAKEABLE).then(Begin(s(0)), vain(1), WakeEnded(s(2), "nas does not answer"))
    assert (life.state, life.said) == (State.BLOCKED, (Stop(Kind.WAKE_FAILED, "nas does not answer"),))
    life = up(WAKEABLE).then(Lost(s(20), "reset"), vain(21), WakeEnded(s(22), "nas does not answer"))
    assert (life.state, life.said) == (State.WAKING, ())


@pytest.mark.parametrize("before", [(), (Found(s(6)),), (Connected(s(6)),)])
def test_a_wake_that_fails_late_is_told_too(before: tuple[Happening, ...]) -> None:
    """The next search has begun when the wake turns out to have failed: if that search is in vain, that is why."""
    life = Life(WAKEABLE).then(Begin(s(0)), vain(1), Ticked(s(5)), *before, WakeEnded(s(7), "nas does not answer"))
    assert (life.state in SEARCHING, life.said) == (True, ())
    assert life.then(vain(8)).said == (Stop(Kind.WAKE_FAILED, "nas does not answer"),)


def test_a_late_failure_of_the_wake_does_not_keep_out_a_host_that_is_there() -> None:
    """The search goes on and may find it."""
    life = Life(WAKEABLE).then(Begin(s(0)), vain(1), Ticked(s(5)), WakeEnded(s(7), "nas does not answer"), Up(s(8)))
    assert life.state is State.UP


def test_who_stays_wakes_again_after_a_failed_wake() -> None:
    """The old failure is forgotten with the next wake."""
    life = Life(WAKEABLE._replace(stay=True)).then(Begin(s(0)), vain(1), Ticked(s(5)), WakeEnded(s(7), "no"), vain(70))
    assert (life.said, life.tunnel.wake_fault) == ((Wake(),), "")


def test_what_was_up_is_looked_for_again_soon() -> None:
    """A moved address is likelier than sleep, so the first looks after a loss come fast while the wake is under way."""
    life = up(WAKEABLE).then(Lost(s(20), "reset"), vain(21))
    assert (life.said, life.tunnel.until) == ((Wake(),), s(21.2))
    assert life.then(Ticked(s(21.2)), vain(22, Kind.NOT_SSH)).tunnel.until == s(26)
    for at in range(30, 80, 10):
        life.then(Ticked(s(at)), vain(at))
    assert life.tunnel.until == s(74)


def test_wakes_begin_anew_after_another_trouble() -> None:
    """Hours offline do not count as time to boot."""
    life = up(WAKEABLE).then(Lost(s(20), "reset"), vain(21), Ticked(s(30)), vain(30, Kind.OFFLINE))
    assert life.then(Ticked(s(4000)), vain(4001)).said == (Wake(),)


def test_a_new_network_looks_at_once_while_waking() -> None:
    """The pause between two looks is for the network that was."""
    life = Life(WAKEABLE).then(Begin(s(0)), vain(1), Resumed(s(1.5)))
    assert (life.state, life.said) == (State.LOCATING, (Search(),))


@pytest.mark.parametrize("kind", [Kind.OFFLINE, Kind.NO_ADDRESS, Kind.STRANGER, Kind.PORTAL])
def test_only_silence_is_a_reason_to_wake(kind: Kind) -> None:
    """Where the house is unknown, or somebody else answers, no wake is sent."""
    assert Wake() not in Life(WAKEABLE).then(Begin(s(0)), vain(1, kind)).said


# Strangers.


def test_strangers_are_looked_past_for_ten_minutes() -> None:
    """A tunnel that was up looks on, for the record may be late; then it says so."""
    life = up().then(Lost(s(20), "reset"), vain(30, Kind.STRANGER))
    for at in (100, 300, 629.9):
        assert life.then(Ticked(s(at)), vain(at, Kind.STRANGER)).state is State.BACKING_OFF
    assert life.then(Ticked(s(660)), vain(661, Kind.STRANGER)).said == (Stop(Kind.STRANGER, "no port answers"),)


def test_ten_minutes_are_counted_from_the_beginning_of_time_too() -> None:
    """A clock that begins with zero is a clock."""
    life = up().then(Lost(s(0), "reset"), vain(0, Kind.STRANGER), Ticked(s(599)), vain(599, Kind.STRANGER))
    assert life.state is State.BACKING_OFF
    assert life.then(Ticked(s(630)), vain(630, Kind.STRANGER)).state is State.BLOCKED


def test_the_ten_minutes_begin_anew_when_it_was_up() -> None:
    """Each loss has its own."""
    life = up().then(Lost(s(20), "reset"), vain(30, Kind.STRANGER), Ticked(s(500)), Up(s(501)), Lost(s(620), "reset"))
    assert life.then(vain(640, Kind.STRANGER)).state is State.BACKING_OFF


def test_who_was_never_up_does_not_look_past_a_stranger() -> None:
    """Not even if told to stay: the wrong pin may be ours."""
    assert Life(STAYS).then(Begin(s(0)), vain(1, Kind.STRANGER)).state is State.BLOCKED


# Liveness.


def test_silence_is_asked_about() -> None:
    """After 2 s of silence one sign of life is asked for; an answer ends the matter."""
    life = up()
    assert life.then(Ticked(s(1.9), s(0))).said == ()
    assert life.then(Ticked(s(2), s(0))).said == (Ping(),)
    assert life.then(Ticked(s(2.25), s(0))).said == ()
    assert life.then(Ticked(s(2.5), s(2.4))).said == ()
    assert (life.state, life.tunnel.asked) == (State.UP, None)


def test_an_unanswered_question_makes_it_suspect_then_lost() -> None:
    """Suspect after 1.5 s, asked again; lost after 3.5 s, cut and searched for."""
    life = up().then(Ticked(s(2), s(0)))
    assert life.then(Ticked(s(3.5), s(0))).said == (Ping(),)
    assert life.state is State.SUSPECT
    assert life.then(Ticked(s(3.75), s(0))).said == ()
    assert life.then(Ticked(s(5.5), s(0))).said == (Cut("no sign of life for 6 s"), Search())
    assert (life.state, life.tunnel.asked) == (State.LOCATING, None)


def test_a_suspect_that_answers_is_up() -> None:
    """Since the moment it was heard."""
    life = up().then(Ticked(s(2), s(0)), Ticked(s(3.5), s(0)), Ticked(s(4), s(3.9)))
    assert (life.state, life.tunnel.since, life.said) == (State.UP, s(4), ())


def test_what_was_heard_before_the_question_is_no_answer() -> None:
    """After a change of network only what comes afterwards counts."""
    life = up().then(Resumed(s(10)), Ticked(s(10.25), s(9.99)))
    assert life.state is State.SUSPECT
    assert life.then(Ticked(s(12), s(9.99))).said == (Cut("no sign of life for 2 s"), Search())


@pytest.mark.parametrize("at", [3, 4])
def test_a_resume_never_puts_off_a_deadline(at: float) -> None:
    """A question that is open keeps its deadline, however often the network changes."""
    life = up().then(Ticked(s(2), s(0)), Ticked(s(3.5), s(0)) if at > 3.5 else Ticked(s(2.5), s(0)))
    assert life.then(Resumed(s(at))).said == (Ping(),)
    assert life.tunnel.limit == min(s(2), s(5.5 - at))
    assert life.then(Resumed(s(4.9))).said == (Ping(),)
    assert life.then(Resumed(s(5.6)), Ticked(s(5.6), s(0))).said == (Cut("no sign of life for 6 s"), Search())


def test_an_answer_to_an_earlier_question_gives_the_last_one_its_time() -> None:
    """The machine resumed twice; the first question is answered, the second may take as long as any."""
    life = up().then(Ticked(s(6), s(6)), Resumed(s(7.25)), Resumed(s(8.5)))
    assert life.tunnel.limit == s(0.75)
    assert life.then(Ticked(s(8.5), s(8.4))).tunnel.limit == s(2)
    assert life.then(Ticked(s(10.25), s(8.4))).said == ()
    assert life.then(Ticked(s(10.25), s(9.6))).state is State.UP
    assert life.tunnel.first is None


def test_a_tick_without_a_link_says_nothing() -> None:
    """There is nobody to ask."""
    assert up().then(Ticked(s(99))).said == ()


def test_a_lost_link_is_searched_for_at_once() -> None:
    """From up and from suspect."""
    for life in (up(), up().then(Resumed(s(19)))):
        assert life.then(Lost(s(20), "reset by peer")).said == (Cut("reset by peer"), Search())
        assert life.state is State.LOCATING


def test_links_that_do_not_last_are_dialled_with_pauses() -> None:
    """A host that lets us in and throws us out is not logged in to in a tight loop; one that lasted is forgiven."""
    life = up(at=0).then(Lost(s(1), "closed"))
    assert life.said[-1] == Search()
    life.then(Up(s(2)), Lost(s(3), "closed"))
    assert (life.state, life.said, life.tunnel.until) == (State.BACKING_OFF, (Cut("closed"),), s(3.2))
    life.then(Ticked(s(4)), Up(s(5)), Lost(s(6), "closed"))
    assert life.tunnel.until == s(6.4)
    life.then(Ticked(s(7)), vain(7))
    assert life.tunnel.until == s(7.8)
    life.then(Ticked(s(8)), Up(s(8)), Lost(s(18), "closed"))
    assert (life.said[-1], life.tunnel.short) == (Search(), 0)


def test_a_knock_shortens_the_pause_after_a_short_link() -> None:
    """Counted from the loss."""
    life = up().then(Lost(s(1), "closed"))
    at = 1.0
    while life.tunnel.until - life.tunnel.since < s(3):
        life.then(Ticked(life.tunnel.until), Up(s(at)), Lost(s(at), "closed"))
        at += 9
    begun = life.tunnel.since
    assert life.then(Knocked(begun)).tunnel.until == begun + s(1)


def test_a_knock_counts_from_now_without_a_search() -> None:
    """A pause whose search nobody noted ends 1 s after the knock."""
    resting = Tunnel(State.BACKING_OFF, until=s(40))
    assert step(resting, Knocked(s(10)), PLAIN)[0].until == s(11)


# Whatever happens.

_KINDS = st.sampled_from([*PASSING, *FATAL, Kind.STRANGER])
_WHAT = st.one_of(
    st.sampled_from(["begin", "found", "connected", "up", "resumed", "knocked", "lost", "wake ended", "wake failed"]),
    st.sampled_from(["tick"]),
    _KINDS,
)
_RULES = st.sampled_from([Rules(wakeable=wakeable, stay=stay) for wakeable in (True, False) for stay in (True, False)])
_STEPS = st.lists(st.tuples(st.sampled_from([0.0, 0.05, 0.25, 1.0, 7.0, 45.0, 400.0]), _WHAT), max_size=40)


def happenings(steps: Sequence[tuple[float, str | Kind]]) -> list[Happening]:
    """Times that only grow; a tick has heard nothing for a second."""
    found: list[Happening] = []
    at = s(100)
    for after, what in steps:
        at += s(after)
        match what:
            case Kind():
                found.append(Vain(at, what, "in vain", after % 1.0))
            case "tick":
                found.append(Ticked(at, at - s(after)))
            case "lost":
                found.append(Lost(at, "lost"))
            case "wake failed":
                found.append(WakeEnded(at, "no way"))
            case _:
                makes = {"begin": Begin, "found": Found, "connected": Connected, "up": Up, "resumed": Resumed,
                         "knocked": Knocked, "wake ended": WakeEnded}  # fmt: skip
                found.append(makes[what](at))
    return found


@given(_RULES, _STEPS)
def test_whatever_happens_the_promises_hold(rules: Rules, steps: list[tuple[float, str | Kind]]) -> None:
    """One search at a time; only Begin leaves idle; nothing leaves blocked; at most one wake a minute; no pause is
    longer than the longest; what is fatal stops; no link is cut that is not there."""
    tunnel = Tunnel()
    searching = False
    woken: timedelta | None = None
    for happening in happenings(steps):
        before = tunnel
        tunnel, said = step(tunnel, happening, rules)
        if before.state is State.IDLE and not isinstance(happening, Begin):
            assert (tunnel, said) == (before, ())
        if before.state is State.BLOCKED:
            assert (tunnel, said) == (before, ())
        if searching and isinstance(happening, Up | Vain):
            searching = False
        assert said.count(Search()) <= 1
        if Search() in said:
            assert not searching
            searching = True
        assert searching == (tunnel.state in SEARCHING)
        if Wake() in said:
            assert rules.wakeable
            assert woken is None or happening.at - woken >= rules.wake_every
            woken = happening.at
        if tunnel.state in {State.BACKING_OFF, State.WAKING}:
            assert timedelta() <= tunnel.until - tunnel.since <= rules.longest_pause
        if isinstance(happening, Vain) and happening.kind in FATAL and before.state in SEARCHING:
            assert said == (Stop(happening.kind, happening.sentence),)
        assert any(isinstance(c, Stop) for c in said) == (tunnel.state is State.BLOCKED and before.state is not tunnel.state)  # fmt: skip  # noqa: E501
        if any(isinstance(c, Cut | Ping) for c in said):
            assert before.state in {State.UP, State.SUSPECT}
        assert (tunnel.asked is not None) <= (tunnel.state in {State.UP, State.SUSPECT})


@given(_RULES, _STEPS, st.floats(0, 1))
def test_a_knock_never_prolongs(rules: Rules, steps: list[tuple[float, str | Kind]], after: float) -> None:
    """After a knock the pause ends no later than before, and within 1 s."""
    tunnel, at = Tunnel(), s(100)
    for happening in happenings(steps):
        tunnel, _ = step(tunnel, happening, rules)
        at = happening.at
    knocked, said = step(tunnel, Knocked(at + s(after)), rules)
    assert said == ()
    if tunnel.state is State.BACKING_OFF:
        assert knocked.until <= min(tunnel.until, at + s(after) + rules.knock_pause) or tunnel.until < at
    else:
        assert knocked == tunnel


def watched(heard: Sequence[float], resumes: Sequence[float], phase: float, delay: float | None, until: float) -> float:
    """A link that is up from 0 on, ticked every 0.25 s: when it is cut, infinity if it is not before `until`.
    heard: when bytes came; delay: how long the other side takes to answer a question, None for never."""
    life, bytes_at = up(), [0.0, *heard]
    number, resumed = 1, sorted(resumes)
    while (now := phase + number * 0.25) < until:
        number += 1
        due: list[Happening] = [Resumed(s(at)) for at in resumed if at <= now]
        resumed = resumed[len(due) :]
        for happening in (*due, Ticked(s(now), s(max(b for b in bytes_at if b <= now)))):
            life.then(happening)
            at: float = happening.at.total_seconds()
            if any(isinstance(c, Cut) for c in life.said):
                return at
            if delay is not None and Ping() in life.said:
                bytes_at.append(at + delay)
    return float("inf")


_TIMES = st.lists(st.floats(0, 20), max_size=8)
_PHASE = st.floats(0, 0.2499)


@given(_TIMES, _PHASE)
@example([1.9999], 0.0)
@example([0.0001], 0.2499)
def test_a_dead_link_is_noticed_within_6_seconds(heard: list[float], phase: float) -> None:
    """Counted from the last byte heard, ticked every 0.25 s."""
    last = max([0.0, *heard])
    for before in sorted([0.0, *heard]):
        following = [h for h in heard if h > before]
        if following and min(following) - before > 5.4:
            last = before  # that gap alone is taken for a loss
            break
    cut = watched([h for h in heard if h <= last], [], phase, None, 40)
    assert last + 5 < cut <= last + 6


@given(_TIMES, st.lists(st.floats(0, 25), min_size=1, max_size=8), _PHASE)
def test_a_dead_link_is_noticed_within_2_5_seconds_of_a_resume(
    heard: list[float], resumes: list[float], phase: float
) -> None:
    """And however often the machine resumes or changes its network, never later than 6 s after the last byte."""
    dead = max(min(resumes), 0.001)  # it came up at 0
    alive = [h for h in heard if h < dead]
    cut = watched(alive, [max(r, dead) for r in resumes], phase, None, 40)
    assert cut <= max([0.0, *alive]) + 6
    assert cut <= dead + 2.5


@given(st.floats(0, 1.45), _TIMES, _TIMES, _PHASE)
@example(1.125, [], [7.25, 8.5], 0.0)
def test_a_link_that_answers_in_time_is_never_cut(
    delay: float, heard: list[float], resumes: list[float], phase: float
) -> None:
    """Answers within 1.45 s, idle or not, resumed or not: no false alarm."""
    assert watched(heard, resumes, phase, delay, 30) == float("inf")


@given(st.lists(st.tuples(st.floats(12, 40), st.floats(0, 1)), min_size=52, max_size=52), st.booleans())
def test_strangers_end_it_after_ten_minutes_and_not_before(searches: list[tuple[float, float]], wakeable: bool) -> None:
    """However long the searches and the pauses take."""
    life, at = up(Rules(wakeable=wakeable)).then(Lost(s(50), "reset")), 50.0
    first = None
    for took, chance in searches:
        at += took
        life.then(vain(at, Kind.STRANGER, chance))
        first = at if first is None else first
        assert (life.state is State.BLOCKED) == (at - first >= 600)
        if life.state is State.BLOCKED:
            return
        at = life.tunnel.until.total_seconds()
        life.then(Ticked(s(at)))
        assert life.said == (Search(),)


@pytest.mark.parametrize(
    ("wall", "steady", "gap", "is_so"),
    [
        (0.25, 0.25, 0.0, False),
        (30, 0.25, 0.0, True),  # Linux and macOS: the monotonic clock stood still
        (30, 30, 29.75, True),  # Windows, or a stopped process: the look itself came late
        (3.25, 0.25, 0.0, False),
        (3.26, 0.25, 0.0, True),
        (0.25, 0.25, 3.0, False),
        (0.25, 0.25, 3.01, True),
        (-3600, 0.25, 0.0, False),  # the wall clock was set back
    ],
)
def test_sleep_is_seen(wall: float, steady: float, gap: float, is_so: bool) -> None:
    """By the clocks running apart, or by a look that comes late."""
    assert slept(s(wall), s(steady), s(gap)) is is_so
