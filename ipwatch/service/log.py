"""The service's log: one line per decision. Also the two small translations whose result is logged or sent."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime

from ipwatch.core.address import Family
from ipwatch.core.consensus import Observation, Verdict
from ipwatch.core.event import Event, Topic
from ipwatch.core.outcome import Kind, Outcome
from ipwatch.core.record import Step
from ipwatch.core.state import Belief, Finding, RecordKey, Standing
from ipwatch.core.verification import Verification
from ipwatch.ports import Update

logger = logging.getLogger("ipwatch")


def verdict(family: Family, found: Verdict, seen: Sequence[Observation], before: Belief, after: Belief) -> None:
    """What a round of one family came to; quiet rounds only at debug level."""
    said = "; ".join(f"{o.source}: {o.said}" for o in seen)
    if after.address != before.address:
        logger.info("%s address is %s (was %s), agreed by %s", family.label, after.address, before.address or "unknown",
                    ", ".join(sorted(found.votes.get(after.address, ()))) if after.address else "")  # fmt: skip
    elif after.held_back is not None and before.held_back != after.held_back:
        logger.warning("%s address flaps: %s is kept, %s waits", family.label, after.address, after.held_back)
    elif found.finding is Finding.AGREED and before.finding is Finding.AGREED:
        logger.debug("%s address is still %s", family.label, after.address)
    elif found.finding is Finding.AGREED:
        logger.info("%s address is %s again, agreed", family.label, found.address)
    elif found.finding is not before.finding:
        logger.warning("%s address unclear, sources are %s (%s); %s is kept", family.label, found.finding.value,
                       said or "none could be asked", after.address or "nothing")  # fmt: skip


def dissents(family: Family, before: Belief, after: Belief, now: datetime) -> list[Event]:
    """For the history: sources that began to say something else than what was agreed."""
    if after.finding is not Finding.AGREED:
        return []
    return [
        Event(Topic.SOURCE_DISSENT, now, {"family": family.value, "source": source, "said": said,
                                          "address": str(after.address)})
        for source, said in after.dissent
        if (source, said) not in before.dissent
    ]  # fmt: skip


def updates(step: Step) -> list[Update]:
    """A step as the provider takes it."""
    return [Update(name, step.addresses, step.held, step.ttl, step.options) for name in step.names]


def outcomes(step: Step, found: Mapping[RecordKey, Outcome]) -> None:
    """What each record's publishing is known to have done."""
    by_family = {a.family: a for a in step.addresses}
    for key, outcome in found.items():
        level = logging.INFO if outcome.held else logging.ERROR if outcome.kind is Kind.REFUSED else logging.WARNING
        logger.log(level, "%s -> %s at %s: %s (%s) %s", key, by_family[key.family], key.account, outcome.kind.value,
                   outcome.code, outcome.text)  # fmt: skip


def verification(key: RecordKey, standing: Standing, found: Verification) -> None:
    """What the zone shows, when that is news."""
    if found.shown is not standing.shown:
        logger.info("%s at %s is %s: %s", key, key.account, found.shown.value, found.detail)


def events(made: Sequence[Event]) -> None:
    """Each event, at debug level: the decisions behind them have lines of their own."""
    for event in made:
        logger.debug("event %s %s", event.topic.value, dict(event.data))
