"""Consensus: the judgement over a round, and who is asked."""

import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipwatch.core.address import Address
from ipwatch.core.consensus import (
    DEMOTION,
    DEMOTION_LIMIT,
    Observation,
    Voice,
    demoted,
    dissent,
    health_after,
    judge,
    next_voices,
    order,
    settled,
)
from ipwatch.core.state import Finding, SourceHealth
from tests.core.strategies import DISPUTE, MINUTE, NOW, SILENCE, A, B, C, agreed, observations, observed, voices

quorums = st.integers(1, 4)


@pytest.mark.parametrize(("said", "quorum", "finding", "address"), [
    ([], 2, Finding.SILENT, None),
    ([("google", None), ("ipify", None)], 2, Finding.SILENT, None),
    ([("google", A)], 2, Finding.DISPUTED, None),
    ([("google", A)], 1, Finding.AGREED, A),
    ([("google", A), ("google", A), ("google", A)], 2, Finding.DISPUTED, None),
    ([("google", A), ("ipify", A)], 2, Finding.AGREED, A),
    ([("google", A), ("ipify", A), ("akamai", None)], 2, Finding.AGREED, A),
    ([("google", A), ("ipify", A), ("akamai", B)], 2, Finding.AGREED, A),
    ([("google", A), ("ipify", A), ("akamai", B), ("opendns", B)], 2, Finding.DISPUTED, None),
    ([("google", A), ("ipify", A), ("akamai", B), ("opendns", C)], 2, Finding.DISPUTED, None),
    ([("google", A), ("ipify", A), ("stunner", A), ("akamai", B), ("opendns", C)], 2, Finding.AGREED, A),
    ([("google", A), ("ipify", B)], 1, Finding.DISPUTED, None),
    ([("google", A), ("google", B)], 1, Finding.DISPUTED, None),
    ([("google", A), ("google", B), ("ipify", A)], 2, Finding.DISPUTED, None),
    ([("google", A), ("google", B), ("ipify", A), ("akamai", A)], 2, Finding.AGREED, A),
])  # fmt: skip
def test_the_table_of_verdicts(
    said: list[tuple[str, Address | None]], quorum: int, finding: Finding, address: Address | None
) -> None:
    """Agreed needs a quorum of operators and more of them than all others; no answers at all is silence."""
    verdict = judge([observed(operator, what) for operator, what in said], quorum)
    assert (verdict.finding, verdict.address) == (finding, address)


@given(observations, quorums, st.randoms(use_true_random=False))
def test_the_order_of_answers_makes_no_difference(seen: list[Observation], quorum: int, chance: random.Random) -> None:
    """The judgement is order-blind, and so is the list of who disagreed."""
    mixed = list(seen)
    chance.shuffle(mixed)
    assert judge(mixed, quorum) == judge(seen, quorum)
    assert dissent(mixed, judge(mixed, quorum)) == dissent(seen, judge(seen, quorum))


@given(st.integers(1, 30), st.integers(0, 3), quorums)
def test_one_operator_never_outvotes_two(sources: int, silent: int, quorum: int) -> None:
    """However many sources one operator has, two others who agree are stronger."""
    lies = [observed("google", B, f"google-{n}") for n in range(sources)]
    truth = [observed("ipify", A), observed("akamai", A)]
    rest = [observed(f"silent-{n}", None) for n in range(silent)]
    verdict = judge([*lies, *truth, *rest], quorum)
    assert verdict.address != B
    assert judge(lies, 2).finding is Finding.DISPUTED
    if quorum <= 2:
        assert verdict.address == A


@given(observations, quorums)
def test_no_agreement_without_quorum_and_majority(seen: list[Observation], quorum: int) -> None:
    """What is agreed on was named by at least `quorum` operators who named nothing else, and by most of those."""
    verdict = judge(seen, quorum)
    named: dict[str, set[Address]] = {}
    for o in seen:
        if o.address is not None:
            named.setdefault(o.operator, set()).add(o.address)
    votes = Counter(next(iter(said)) for said in named.values() if len(said) == 1)
    if verdict.finding is Finding.AGREED:
        assert verdict.address is not None
        assert votes[verdict.address] >= quorum
        assert votes[verdict.address] * 2 > votes.total()
    else:
        assert verdict.address is None
        assert all(n < quorum or n * 2 <= votes.total() for n in votes.values())
    assert (verdict.finding is Finding.SILENT) == (not named)


@given(observations, quorums)
def test_a_self_contradicting_operator_has_no_vote(seen: list[Observation], quorum: int) -> None:
    """An operator that names two addresses changes no verdict beyond being listed."""
    liar = [observed("two-faced", A, "t1"), observed("two-faced", B, "t2")]
    without, with_liar = judge(seen, quorum), judge([*seen, *liar], quorum)
    assert with_liar.address == without.address
    assert all("two-faced" not in voters for voters in with_liar.votes.values())
    assert {"t1", "t2"} & {source for source, _ in dissent([*seen, *liar], with_liar)}


@given(observations, quorums)
def test_dissent_names_whoever_said_another_address(seen: list[Observation], quorum: int) -> None:
    """With agreement only the others are listed, in a dispute everybody, in silence nobody."""
    verdict = judge(seen, quorum)
    odd = dissent(seen, verdict)
    assert len(odd) == sum(o.address is not None and o.address != verdict.address for o in seen)
    assert verdict.finding is not Finding.SILENT or odd == ()


def asked_in_a_round(
    pool: tuple[Voice, ...],
    health: Mapping[str, SourceHealth],
    believed: Address | None,
    quorum: int,
    answer: Callable[[Voice], Address | None],
) -> tuple[list[list[Voice]], list[Observation]]:
    """The batches of voices a round asks when each batch has answered before the next is chosen."""
    ordered, asked, seen, waves = order(pool, health, NOW), set[str](), list[Observation](), list[list[Voice]]()
    while batch := next_voices(ordered, asked, seen, 0, believed, quorum):
        assert not asked & {v.id for v in batch}, "nobody is asked twice"
        assert len({v.id for v in batch}) == len(batch)
        asked |= {v.id for v in batch}
        seen += [observed(v.operator, answer(v), v.id) for v in batch]
        waves.append(list(batch))
    return waves, seen


@given(st.integers(1, 8), st.integers(1, 3), quorums)
def test_a_quiet_round_asks_a_quorum_and_no_more(count: int, each: int, quorum: int) -> None:
    """Where all answer what is believed, at most `quorum` operators are asked, all at once, each by one source."""
    waves, _ = asked_in_a_round(voices(count, each), {}, A, quorum, lambda v: A)
    operators = [v.operator for wave in waves for v in wave]
    assert len(set(operators)) == min(count, quorum)
    if count >= quorum:
        assert len(waves) == 1
        assert len(operators) == quorum


@given(st.integers(2, 9), quorums, st.integers(1, 30))
def test_quiet_rounds_spread_the_load(count: int, quorum: int, rounds: int) -> None:
    """Over any number of quiet rounds equal operators are asked equally often, give or take one."""
    pool, health, load = voices(count), dict[str, SourceHealth](), Counter[str]()
    for n in range(rounds):
        at = NOW + n * MINUTE
        for v in next_voices(order(pool, health, at), (), (), 0, A, min(quorum, count)):
            load[v.operator] += 1
            health[v.id] = health_after(health.get(v.id), observed(v.operator, A, v.id), agreed(A), at)
    counts = [load[v.operator] for v in pool]
    assert max(counts) - min(counts) <= 1


def test_several_sources_of_one_operator_do_not_double_its_load() -> None:
    """An operator with many sources is asked no oftener than one with a single source."""
    pool = (*voices(2), *(Voice(f"big-{n}", "big") for n in range(5)))
    health, load = dict[str, SourceHealth](), Counter[str]()
    for n in range(30):
        at = NOW + n * MINUTE
        for v in next_voices(order(pool, health, at), (), (), 0, A, 2):
            load[v.operator] += 1
            health[v.id] = health_after(health.get(v.id), observed(v.operator, A, v.id), agreed(A), at)
    assert load == {"op0": 20, "op1": 20, "big": 20}


def test_news_brings_more_voices_at_once() -> None:
    """One answer that differs from what is believed asks up to 2 * quorum + 1 operators in one further step."""
    waves, seen = asked_in_a_round(voices(9), {}, A, 2, lambda v: B)
    assert [len(w) for w in waves] == [2, 3]
    assert judge(seen, 2).address == B
    first = iter([A])
    waves, seen = asked_in_a_round(voices(9), {}, A, 2, lambda v: next(first, B))
    assert [len(w) for w in waves] == [2, 3]
    assert judge(seen, 2).address == B


def test_a_dispute_asks_everybody_it_may_and_then_ends() -> None:
    """Where all differ, 2 * quorum + 1 operators are asked and then no more."""
    names = iter([A, B] * 20)
    waves, seen = asked_in_a_round(voices(20), {}, A, 2, lambda v: Address.parse(f"8.8.8.{v.operator[2:]}"))
    assert [len(w) for w in waves] == [2, 3]
    assert judge(seen, 2).finding is Finding.DISPUTED
    waves, seen = asked_in_a_round(voices(20), {}, A, 2, lambda v: next(names))
    assert sum(map(len, waves)) == 5
    assert judge(seen, 2).finding is Finding.AGREED


def test_nothing_believed_asks_one_more_than_the_quorum() -> None:
    """The first address ever is asked for with one voice to spare, and cross-checked like any news."""
    waves, _ = asked_in_a_round(voices(9), {}, None, 2, lambda v: A)
    assert [len(w) for w in waves] == [3, 2]
    silent = iter([None, None])
    waves, seen = asked_in_a_round(voices(9), {}, None, 2, lambda v: next(silent, A))
    assert [len(w) for w in waves] == [3, 4]
    assert judge(seen, 2).address == A


def test_a_voice_that_fails_is_replaced() -> None:
    """In a quiet round each source that gives nothing is made up for by one other; those still expected count."""
    silent = iter([None])
    waves, _ = asked_in_a_round(voices(9), {}, A, 2, lambda v: next(silent, A))
    assert [len(w) for w in waves] == [2, 1]
    ordered = order(voices(9), {}, NOW)
    assert next_voices(ordered, {"op0-0", "op1-0"}, [], 2, A, 2) == ()
    assert [v.id for v in next_voices(ordered, {"op0-0", "op1-0"}, [], 1, A, 2)] == ["op2-0"]


@given(st.integers(0, 7), st.integers(1, 3), quorums, st.none() | st.just(A), st.randoms(use_true_random=False))
def test_asking_ends_and_asks_nobody_twice(
    count: int, each: int, quorum: int, believed: Address | None, chance: random.Random
) -> None:
    """Whatever is answered, a round ends, and an operator that answered is not asked again."""
    waves, seen = asked_in_a_round(
        voices(count, each), {}, believed, quorum, lambda v: chance.choice([None, A, A, B, C])
    )
    assert len(waves) <= count * each
    heard: set[str] = set()
    answers = {o.source: o.address for o in seen}
    for wave in waves:
        assert not heard & {v.operator for v in wave}
        heard |= {v.operator for v in wave if answers[v.id] is not None}
    if len({v.operator for w in waves for v in w}) < min(count, quorum):
        assert settled(seen, 0, believed, quorum)


@given(observations, st.lists(st.sampled_from([A, B, None]), max_size=4), st.none() | st.just(A), quorums)
def test_settled_means_that_no_other_operator_can_change_the_verdict(
    seen: list[Observation], late: list[Address | None], believed: Address | None, quorum: int
) -> None:
    """Once settled, answers of further operators change no verdict, except the quiet one nobody speaks against."""
    verdict = judge(seen, quorum)
    if not settled(seen, len(late), believed, quorum):
        return
    assert verdict.finding is Finding.AGREED
    if verdict.address != believed:
        further = [observed(f"late-{n}", address) for n, address in enumerate(late)]
        assert judge([*seen, *further], quorum).address == verdict.address


def test_settled_waits_for_those_who_could_turn_it() -> None:
    """New address: as many as could outvote it are waited for; believed address: the quorum is enough."""
    two = [observed("google", B), observed("ipify", B)]
    assert not settled([], 3, A, 2)
    assert not settled(two[:1], 0, A, 2)
    assert not settled(two, 2, A, 2)
    assert settled(two, 1, A, 2)
    assert settled(two, 5, B, 2)
    assert not settled([*two, observed("akamai", A)], 1, B, 2)


def test_the_demoted_are_asked_last_and_the_rested_first() -> None:
    """Order: the well before the demoted, then who has rested longest, first sources before second ones."""
    pool = voices(3, 2)
    health = {
        "op0-0": SourceHealth(asked=NOW - MINUTE),
        "op1-0": SourceHealth(asked=NOW - 5 * MINUTE, demoted_until=NOW + MINUTE),
        "op1-1": SourceHealth(asked=NOW - 9 * MINUTE),
        "op2-0": SourceHealth(asked=NOW - 2 * MINUTE),
    }
    assert [v.id for v in order(pool, health, NOW)] == ["op1-1", "op2-1", "op0-1", "op2-0", "op0-0", "op1-0"]
    assert not demoted(health["op1-0"], NOW + MINUTE)
    assert not demoted(None, NOW)


def test_min_interval_leaves_a_source_out() -> None:
    """A source whose operator limits the questions is not asked before its time."""
    pool = (Voice("slow", "slow", 10 * MINUTE), Voice("free", "free"))
    asked = {"slow": SourceHealth(asked=NOW - 9 * MINUTE), "free": SourceHealth(asked=NOW)}
    assert [v.id for v in order(pool, asked, NOW)] == ["free"]
    assert [v.id for v in order(pool, asked, NOW + MINUTE)] == ["slow", "free"]


def test_a_clock_set_back_leaves_no_source_out() -> None:
    """Sources asked "in the future" (the clock was wrong and is right now) are asked all the same."""
    asked = {v.id: SourceHealth(asked=NOW + timedelta(days=400)) for v in voices(3)}
    assert len(order(voices(3), asked, NOW)) == 3


@given(st.integers(1, 30))
def test_who_lies_is_demoted_twice_as_long_each_time(lies: int) -> None:
    """A source that names another address than the agreed one is demoted at once, doubled up to a day."""
    health, at = None, NOW
    for n in range(lies):
        at = NOW + n * MINUTE
        health = health_after(health, observed("google", B), agreed(A), at)
    assert health is not None
    assert (health.well, health.failures, health.said) == (False, lies, str(B))
    assert health.demoted_until == at + min(DEMOTION * 2 ** (lies - 1), DEMOTION_LIMIT)
    good = health_after(health, observed("google", A), agreed(A), at)
    assert (good.well, good.failures, good.demoted_until) == (True, 0, None)


def test_one_silence_is_forgiven_and_two_are_not() -> None:
    """A source that gives nothing once keeps its place, twice in a row it is demoted."""
    once = health_after(None, observed("google", None), agreed(A), NOW)
    assert (once.well, once.failures, once.demoted_until, once.said) == (False, 1, None, "timed out")
    twice = health_after(once, observed("google", None), agreed(A), NOW)
    assert twice.demoted_until == NOW + 2 * DEMOTION


@pytest.mark.parametrize("verdict", [SILENCE, DISPUTE])
def test_only_agreement_blames(verdict: object) -> None:
    """In silence and dispute nobody is blamed or cleared; that the source was asked is noted."""
    old = SourceHealth(failures=3, well=False, demoted_until=NOW + MINUTE)
    new = health_after(old, observed("google", B), verdict, NOW)  # type: ignore[arg-type]
    assert new == replace(old, asked=NOW, said=str(B), count=old.count + 1)


def test_a_router_behind_another_nat_is_never_demoted() -> None:
    """What it says is no address, yet true: it goes on being asked in its turn, so that the end is heard."""
    health = SourceHealth()
    for _ in range(5):
        health = health_after(health, Observation("r", "r", None, "no address", behind="no address"), agreed(A), NOW)
    assert not health.well
    assert (health.failures, demoted(health, NOW), health.said) == (0, False, "no address")
