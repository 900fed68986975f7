"""Values that the tests of the core share, and Hypothesis strategies for them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from ipwatch.core.address import Address, Family
from ipwatch.core.consensus import Observation, Verdict, Voice
from ipwatch.core.outcome import Kind, Outcome, Scope
from ipwatch.core.record import Account, Step, Wanted, begin, note
from ipwatch.core.state import Belief, Delivery, Finding, RecordKey, Standing, State

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
A, B, C, D = (Address.parse(f"8.8.4.{n}") for n in (1, 2, 3, 4))
A6, B6 = (Address.parse(f"2a00:1450::{n}") for n in (1, 2))
NAME = "home.example.org"
KEY = RecordKey("home", NAME, Family.IPV4)
KEY6 = RecordKey("home", NAME, Family.IPV6)

GOOD = Outcome(Kind.CHANGED, "good", "held")
NOCHG = Outcome(Kind.UNCHANGED, "nochg", "held already")
SILENT = Outcome(Kind.UNSURE, "no answer", "could not confirm the change")
AWAY = Outcome(Kind.BUSY, "unreachable", "nothing was sent")
DOWN = Outcome(Kind.BUSY, "911", "out of order", after=timedelta(minutes=30))
LATER = Outcome(Kind.BUSY, "busy", "later", after=timedelta(seconds=97))
NOHOST = Outcome(Kind.REFUSED, "nohost", "no such host", scope=Scope.RECORD)
BADAUTH = Outcome(Kind.REFUSED, "badauth", "wrong password", scope=Scope.ACCOUNT)
BADAGENT = Outcome(Kind.REFUSED, "badagent", "blocked program", scope=Scope.PROVIDER)
OUTCOMES = (GOOD, NOCHG, SILENT, AWAY, DOWN, LATER, NOHOST, BADAUTH, BADAGENT)

addresses = st.sampled_from((A, B, C, D))
operators = st.sampled_from(("opendns", "google", "akamai", "ipify", "stunner"))
outcomes = st.sampled_from(OUTCOMES)


def observed(operator: str, address: Address | None, source: str = "") -> Observation:
    """What a source of that operator said."""
    return Observation(source or operator, operator, address, "" if address else "timed out")


observations = st.lists(st.builds(observed, operators, st.none() | addresses), max_size=12)


def agreed(address: Address) -> Verdict:
    """A round that agreed."""
    return Verdict(Finding.AGREED, address, {address: frozenset({"google", "opendns"})})


SILENCE = Verdict(Finding.SILENT, None, {})
DISPUTE = Verdict(Finding.DISPUTED, None, {A: frozenset({"google"}), B: frozenset({"opendns"})})
verdicts = st.one_of(st.builds(agreed, addresses), st.just(SILENCE), st.just(DISPUTE))


def voices(count: int, each: int = 1) -> tuple[Voice, ...]:
    """`each` sources of each of `count` operators."""
    return tuple(Voice(f"op{n}-{m}", f"op{n}") for n in range(count) for m in range(each))


def wanted(address: Address | None = A, key: RecordKey = KEY, fingerprint: str = "r1", **more: Any) -> Wanted:
    """A configured record that is to show the address."""
    return Wanted(key, address, fingerprint, **more)


def account(name: str = "home", **more: Any) -> Account:
    """A configured account."""
    return Account(name, **({"fingerprint": "a1", "service": f"{name}.example"} | more))


def accounts(**more: Any) -> dict[str, Account]:
    """The one account most tests need."""
    return {"home": account(**more)}


def standing(state: State, **more: Any) -> State:
    """The state with the first record's standing changed."""
    return replace(state, records={**state.records, KEY: replace(state.records.get(KEY, Standing()), **more)})


def held(address: Address = A, **more: Any) -> State:
    """The state in which the first record was published, seen and told an hour ago."""
    settled: dict[str, Any] = {
        "published": address, "published_at": NOW - HOUR, "fingerprint": "r1", "told": address, "shown": "seen",
        "verified_at": NOW - HOUR, "verify_at": NOW + MINUTE, "verify_until": NOW - HOUR,
    }  # fmt: skip
    believed = Belief(address, NOW - HOUR, NOW, Finding.AGREED, NOW - HOUR, told=address)
    state = State(beliefs={Family.IPV4: believed}, rounds=9, round_at=NOW)
    return standing(state, **(settled | more))


def sent(
    state: State, steps: Sequence[Step], known: dict[str, Account], answer: Outcome, at: datetime, prints: str = "r1"
) -> State:
    """The state after the steps were sent and all answered so."""
    state = begin(state, steps, known, at)
    for step in steps:
        state = note(state, step, dict.fromkeys(step.keys, answer), known, dict.fromkeys(step.keys, prints), at)
    return state


def delivery(number: int, event: Any, notifier: str = "mail", **more: Any) -> Delivery:
    """An entry of the outbox."""
    return Delivery(f"id{number}", notifier, event, **more)
