"""Consensus: the judgement over what the sources said, and who is to be asked. Pure.

    order -> next_voices <-> observations -> settled? -> judge -> Verdict      then `belief.believe`

A voice is an operator, not a URL: two sources of one operator count once, and an operator that contradicts itself has
no voice at all. An address is agreed when at least `quorum` operators name it and they outnumber all that name another
one. Families never mix: every call is about one.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from ipwatch.core.address import Address
from ipwatch.core.state import Finding, SourceHealth

DEMOTION = timedelta(minutes=10)  # doubled with each further bad answer
DEMOTION_LIMIT = timedelta(hours=24)
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Voice:
    """A source as the judgement sees it; min_interval: its operator's own limit between two questions."""

    id: str
    operator: str
    min_interval: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Observation:
    """What one source said in one round: an address, or None and why not. behind: why the house's router shows that
    the line is behind another NAT, as a clause, where it does."""

    source: str
    operator: str
    address: Address | None
    reason: str = ""
    behind: str = ""

    @property
    def said(self) -> str:
        """The answer as text."""
        return str(self.address) if self.address is not None else self.reason


@dataclass(frozen=True, slots=True)
class Verdict:
    """finding, and with AGREED the address; votes: the operators behind each address named."""

    finding: Finding
    address: Address | None
    votes: Mapping[Address, frozenset[str]]


def judge(observations: Iterable[Observation], quorum: int) -> Verdict:
    """What a round's observations of one family come to; their order makes no difference."""
    votes = _votes(observations)
    if not votes:
        return Verdict(Finding.SILENT, None, {})
    best = max(votes, key=lambda address: (len(votes[address]), address))
    others = sum(len(voters) for address, voters in votes.items() if address != best)
    if len(votes[best]) >= quorum and len(votes[best]) > others:
        return Verdict(Finding.AGREED, best, votes)
    return Verdict(Finding.DISPUTED, None, votes)


def _votes(observations: Iterable[Observation]) -> dict[Address, frozenset[str]]:
    said: dict[str, set[Address]] = {}
    for o in observations:
        if o.address is not None:
            said.setdefault(o.operator, set()).add(o.address)
    votes: dict[Address, set[str]] = {}
    for operator, addresses in said.items():
        for address in addresses:
            # What a self-contradicting operator named stays listed without a voter, so that it is told as dissent.
            votes.setdefault(address, set())
            if len(addresses) == 1:
                votes[address].add(operator)
    return {address: frozenset(voters) for address, voters in votes.items()}


def order(voices: Iterable[Voice], health: Mapping[str, SourceHealth], now: datetime) -> tuple[Voice, ...]:
    """Whom to ask first: the well before the demoted, then those whose operator has rested longest.

    The first source of every operator stands before the second of any, so that a prefix has as many voices as it can.
    Sources that were asked less than their min_interval ago are left out. `health` is keyed by Voice.id.
    """
    rested: dict[str, datetime] = {}
    burden: dict[str, int] = {}  # breaks the tie of those that were asked in one round
    voices = tuple(voices)
    for v in voices:
        rested[v.operator] = max(rested.get(v.operator, _LONG_AGO), _asked(health, v, now))
        burden[v.operator] = burden.get(v.operator, 0) + health.get(v.id, SourceHealth()).count
    ready = [v for v in voices if now - _asked(health, v, now) >= v.min_interval]
    ready.sort(
        key=lambda v: (
            demoted(health.get(v.id), now),
            rested[v.operator],
            burden[v.operator],
            _asked(health, v, now),
            v.id,
        )
    )
    first: list[Voice] = []
    further: list[Voice] = []
    for v in ready:
        (further if v.operator in {f.operator for f in first} else first).append(v)
    return (*first, *further)


def _asked(health: Mapping[str, SourceHealth], voice: Voice, now: datetime) -> datetime:
    asked = health[voice.id].asked if voice.id in health else None
    # A time that is still to come was written before the clock was set back.
    return asked if asked is not None and asked <= now else _LONG_AGO


def demoted(health: SourceHealth | None, now: datetime) -> bool:
    """Whether a source is out of favour at this time."""
    return health is not None and health.demoted_until is not None and now < health.demoted_until


def next_voices(
    ordered: Sequence[Voice],
    asked: Collection[str],
    observations: Sequence[Observation],
    waiting: int,
    believed: Address | None,
    quorum: int,
) -> tuple[Voice, ...]:
    """Whom to ask now.

    ordered: from `order`. asked: ids asked in this round. waiting: how many of them may still answer in good time.
    In a quiet round that is `quorum` operators, and one more for each that fails; when answers differ from one another
    or from what is believed (or nothing is believed yet) it is up to 2 * quorum + 1 operators, all at once.
    """
    left = [v for v in ordered if v.id not in asked]
    answered = {o.operator for o in observations if o.address is not None}
    news = believed is None or any(o.address not in {None, believed} for o in observations)
    target = 2 * quorum + 1 if news and (observations or believed is not None) else quorum + (believed is None)
    missing = target - len(answered) - waiting
    if missing <= 0:
        return ()
    fresh = [v for v in left if v.operator not in answered]
    return tuple(fresh[:missing])


def settled(observations: Sequence[Observation], waiting: int, believed: Address | None, quorum: int) -> bool:
    """Whether no answer still on its way can change the verdict, or it is the quiet one nobody speaks against."""
    verdict = judge(observations, quorum)
    if verdict.finding is not Finding.AGREED or verdict.address is None:
        return False
    agreeing = len(verdict.votes[verdict.address])
    others = sum(len(voters) for address, voters in verdict.votes.items() if address != verdict.address)
    if verdict.address == believed and len(verdict.votes) == 1:
        return True
    return agreeing > others + waiting


def health_after(
    health: SourceHealth | None, observation: Observation, verdict: Verdict, now: datetime
) -> SourceHealth:
    """A source's health after its answer. Only a round that agreed can tell who was wrong; silence blames nobody,
    nor is a router to blame that has no public address."""
    old = health or SourceHealth()
    new = replace(old, asked=now, said=observation.said, count=old.count + 1)
    if verdict.finding is not Finding.AGREED:
        return new
    if observation.address == verdict.address:
        return replace(new, well=True, failures=0, demoted_until=None)
    if observation.behind:  # true of itself, and to be heard as soon as it ends
        return replace(new, well=False)
    failures = old.failures + 1
    lied = observation.address is not None
    pause = DEMOTION * (1 << min(failures - 1, 10))
    until = now + min(pause, DEMOTION_LIMIT) if lied or failures >= 2 else old.demoted_until
    return replace(new, well=False, failures=failures, demoted_until=until)


def dissent(observations: Iterable[Observation], verdict: Verdict) -> tuple[tuple[str, str], ...]:
    """Who named another address than the one agreed on (or, in a dispute, everybody), as (source, address)."""
    return tuple(
        sorted((o.source, o.said) for o in observations if o.address is not None and o.address != verdict.address)
    )
