"""Belief: how a verdict moves what we hold to be the house's address. Pure.

Only agreement moves it; silence and dispute change nothing but the note of themselves. A line that flaps between two
addresses is damped: an address never seen within the hour is taken at once, and there and back again is free; every
further return waits, each twice as long as the one before.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from ipwatch.core.address import Address
from ipwatch.core.consensus import Observation, Verdict
from ipwatch.core.state import Belief, Finding

FLAP_WINDOW = timedelta(hours=1)
FREE_RETURNS = 1  # there and back again is a failover; more returns within the window are flapping
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
        returns=tuple(at for at in belief.returns if now - at < FLAP_WINDOW),
        recent=tuple((left, at) for left, at in belief.recent if now - at < FLAP_WINDOW),
    )
    if verdict.finding is not Finding.AGREED or verdict.address is None:
        return noted
    if verdict.address == belief.address:
        return replace(noted, confirmed=now, held_back=None, held_back_since=None)
    return _move(noted, verdict.address, now)


def reached(belief: Belief, seen: Iterable[Observation], verdict: Verdict) -> Belief:
    """Note whether the line is behind another NAT. Only a round that agreed tells: without a line a router has no
    address either. It is over when the source that said so names the address agreed on."""
    if verdict.finding is not Finding.AGREED:
        return belief
    for o in seen:
        if o.behind:
            return replace(belief, behind=o.behind, behind_by=o.source)
        if o.source == belief.behind_by and o.address == verdict.address:
            return replace(belief, behind="", behind_by="")
    return belief


def _move(belief: Belief, address: Address, now: datetime) -> Belief:
    """Towards an address that was agreed on: at once, unless the line is flapping."""
    if belief.held_back != address and address in {left for left, _ in belief.recent}:
        wait = _hold(len(belief.returns))
        belief = replace(belief, held_back=address, held_back_since=now, returns=(*belief.returns, now))
        if wait:
            return belief
    elif belief.held_back == address and (until := release(belief)) is not None and now < until:
        return belief
    recent = () if belief.address is None else (*belief.recent, (belief.address, now))
    return replace(
        belief,
        address=address,
        since=now,
        confirmed=now,
        previous=belief.address,
        previous_until=belief.confirmed,
        recent=recent,
        held_back=None,
        held_back_since=None,
    )


def _hold(returns: int) -> timedelta:
    """How long a change must have been agreed on, after that many returns within the window."""
    excess = returns - FREE_RETURNS
    return timedelta(0) if excess < 0 else min(FLAP_HOLD * (1 << min(excess, 10)), FLAP_HOLD_LIMIT)


def release(belief: Belief) -> datetime | None:
    """When the address that waits is believed, if it goes on being agreed on."""
    if belief.held_back_since is None:
        return None
    return belief.held_back_since + _hold(len(belief.returns) - 1)


def flapping(belief: Belief) -> bool:
    """Whether changes are being damped; it ends when the returns are out of the window."""
    return belief.held_back is not None or len(belief.returns) > FREE_RETURNS
