"""Dial candidates as they arrive, prove them; the first that is the host wins."""

import threading
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
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

    def survey(self, hosts: Sequence[Host], within: timedelta, tell: Callable[[Host, Sight], None], *,
               prove: bool = True, grace: timedelta = timedelta(0)) -> list[Outcome]:  # fmt: skip
        """Look for all of them at the same time and tell everything; hosts of the same names share one race. Nothing
        raises but INTERRUPTED. Sessions are closed again. A host without pins is located, but not dialled.

        grace: how long to go on after a proof (without proving: after a first address), for the other ways' words.
        """
        races: dict[tuple[str, ...], Race] = {}
        cancel = threading.Event()
        telling = threading.Lock()

        def survey_one(host: Host, race: Race) -> Outcome:
            def told(sight: Sight) -> None:
                with telling:
                    tell(host, sight)

            pins = self._world.memory.pins(host.name, host.keys)
            prover = self._world.provers(host.engine) if prove and pins.keys else None
            outcome = Hunter(
                self._world, self._around, race, Hunt(host, pins, within, told, prover, (), cancel, grace)
            ).run()
            if outcome.finding is not None:
                outcome.finding.session.close()
            if prove and not pins.keys:
                return outcome._replace(trouble=(Kind.NOT_PINNED, not_pinned(host.name)))
            return outcome

        for host in hosts:
            if host.names not in races:
                races[host.names] = self.race(host)
        with ThreadPoolExecutor(max(1, len(hosts)), "where") as pool:
            try:
                futures = [pool.submit(survey_one, host, races[host.names]) for host in hosts]
                return [future.result() for future in futures]
            finally:
                cancel.set()


def not_pinned(host: str) -> str:
    """The sentence for a host of which no key is known."""
    return f"no host key is pinned for {host}, so nothing can be proved: run `ipwatch trust {host}`"
