"""Dial candidates as they arrive, prove them; the first that is the host wins."""

import threading
from collections.abc import Callable, Collection
from datetime import timedelta
from typing import TYPE_CHECKING

from ipwatch.core.candidate import Spot
from ipwatch.core.trouble import Kind, Trouble
from ipwatch.laptop.hunt import Hunter
from ipwatch.laptop.locate import Around, Locator, Race
from ipwatch.laptop.sight import Finding, Hunt, Outcome, Sight
from ipwatch.ports.remote import Prover
from ipwatch.settings.laptop_model import Host

if TYPE_CHECKING:
    from ipwatch.laptop.world import World

__all__ = ["Finder", "Finding", "Outcome", "Sight", "not_pinned"]


class Finder:
    """Finds hosts. One object may run several searches at once; it remembers the zones' servers between them."""

    def __init__(self, world: "World", around: Around | None = None) -> None:
        self._world = world
        self._around = around or Around()
        self._locator = Locator(world, self._around)

    def find(self, host: Host, within: timedelta, tell: Callable[[Sight], None] = lambda _sight: None, *,
             prover: Prover | None = None, shun: Collection[Spot] = (),
             cancel: threading.Event | None = None) -> Finding:  # fmt: skip
        """Locate, dial and prove the host. The proof is remembered (memory.note_proved).

        prover: instead of the host's engine's. shun: spots that showed another key a moment ago; they are not dialled.
        Raises Trouble: NOT_PINNED (at once), OFFLINE, PORTAL, NO_ADDRESS, UNREACHABLE, NOT_SSH, STRANGER (strangers
        at every candidate that answers, and no other candidate left), INTERRUPTED (cancel or world.ending was set).
        Strangers at addresses that are only remembered, or at the house's private one seen from elsewhere, are no
        reason while somebody names another address.
        """
        pins = self._world.memory.pins(host.name, host.keys)
        if not pins.keys:
            raise Trouble(Kind.NOT_PINNED, not_pinned(host.name))
        prover = prover or self._world.provers(host.engine)
        hunt = Hunt(host, pins, within, tell, prover, shun, cancel)
        outcome = Hunter(self._world, self._around, self.race(host), hunt).run()
        if outcome.finding is None:
            raise Trouble(*(outcome.trouble or (Kind.UNREACHABLE, f"{host.name} was not found")))
        return outcome.finding

    def race(self, host: Host) -> Race:
        """Begin to ask where its names are."""
        return self._locator.race(host.names)

    def look(self, hunt: Hunt, race: Race) -> Outcome:
        """Search and tell everything, for `ipwatch where`; raises Trouble only for INTERRUPTED."""
        return Hunter(self._world, self._around, race, hunt).run()


def not_pinned(host: str) -> str:
    """The sentence for a host of which no key is known."""
    return f"no host key is pinned for {host}, so nothing can be proved: run `ipwatch trust {host}`"
