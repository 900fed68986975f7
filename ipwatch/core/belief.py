"""Belief: how a verdict moves what we hold to be the house's address. Pure.

Only agreement moves it; silence and dispute change nothing but the note of themselves. A line that flaps between two
addresses is damped: the second return within the hour waits, each further one twice as long.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from ipwatch.core.address import Address
from ipwatch.core.consensus import Verdict
from ipwatch.core.state import Belief, Finding

FLAP_WINDOW = timedelta(hours=1)
FREE_CHANGES = 2  # there and back again is a failover; more within the window is flapping
FLAP_HOLD = timedelta(minutes=5)
FLAP_HOLD_LIMIT = timedelta(hours=1)


def believe(belief: Belief, verdict: Verdict, now: datetime, dissent: tuple[tuple[str, str], ...] = ()) -> Belief:
    """The belief after a round."""
    same = belief.finding is verdict.finding
    noted = replace(
        belief,
        finding=verdict.finding,
        finding_since=belief.finding_since if same else now,
        streak=belief.streak + 1 if same else 1,
        dissent=dissent,
        changes=tuple(at for at in belief.changes if now - at < FLAP_WINDOW),
    )
    if verdict.finding is not Finding.AGREED or verdict.address is None:
        return noted
    if verdict.address == belief.address:
        return replace(noted, confirmed=now, held_back=None, held_back_since=None)
    return _move(noted, verdict.address, now)


def _move(belief: Belief, address: Address, now: datetime) -> Belief:
    """Towards an address that was agreed on: at once, unless the line is flapping."""
    since = belief.held_back_since if belief.held_back == address else now
    wait = hold(belief)
    if wait and since is not None and now - since < wait:
        return replace(belief, held_back=address, held_back_since=since)
    return replace(
        belief,
        address=address,
        since=now,
        confirmed=now,
        previous=belief.address,
        previous_until=belief.confirmed,
        changes=(*belief.changes, now) if belief.address is not None else belief.changes,
        held_back=None,
        held_back_since=None,
    )


def hold(belief: Belief) -> timedelta:
    """How long the next change must have been agreed on before it is believed."""
    excess = len(belief.changes) - FREE_CHANGES
    if excess < 0:
        return timedelta(0)
    return min(FLAP_HOLD * (1 << min(excess, 10)), FLAP_HOLD_LIMIT)


def flapping(belief: Belief) -> bool:
    """Whether changes are being damped."""
    return belief.held_back is not None
