"""Dial candidates as they arrive, prove them; the first that is the host wins."""

import threading
from collections.abc import Callable, Collection
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from ipwatch.core.candidate import Candidate, Claim, Spot
from ipwatch.core.host import HostKey
from ipwatch.ports.remote import Prover, Session
from ipwatch.settings.laptop_model import Host

if TYPE_CHECKING:
    from ipwatch.laptop.world import World


class Sight(NamedTuple):
    """Something seen while searching, told as it happens (from any thread).

    what: "claim" (somebody named an address), "silent" (a way gave nothing; text says why), "note" (text: the network
    hijacks port 53 ...), "dialling", "connected" (a port answers), "closed" (it does not; text), "stranger" (key; text),
    "not ssh" (text), "proved" (key).
    """

    what: str
    spot: Spot | None = None
    claim: Claim | None = None
    key: HostKey | None = None
    text: str = ""


class Finding(NamedTuple):
    """The host. took: from the begin of the search."""

    candidate: Candidate
    session: Session
    took: timedelta


class Finder:
    """Finds hosts. One object may run several searches at once."""

    def __init__(self, world: "World") -> None:
        self._world = world

    def find(self, host: Host, within: timedelta, tell: Callable[[Sight], None] = lambda _sight: None, *,
             prover: Prover | None = None, shun: Collection[Spot] = (),
             cancel: threading.Event | None = None) -> Finding:  # fmt: skip
        """Locate, dial and prove the host. The proof is remembered (memory.note_proved).

        prover: instead of the host's engine's. shun: spots that showed another key a moment ago; they are not dialled.
        Raises Trouble: NOT_PINNED (at once), OFFLINE, PORTAL, NO_ADDRESS, UNREACHABLE, NOT_SSH, STRANGER (strangers
        at every candidate that answers, and no other candidate left), INTERRUPTED (cancel or world.ending was set).
        """
        raise NotImplementedError
