"""Notices that the machine slept, or is in another network."""

from datetime import timedelta

from ipwatch.core import tunnel as table
from ipwatch.laptop.world import World
from ipwatch.ports import Unreachable

_LOOK = timedelta(seconds=1)  # between two looks at the addresses


class Watch:
    """Looks at both clocks and at the machine's addresses. tick: seconds between two looks when nothing happens."""

    def __init__(self, world: World, tick: float) -> None:
        self._world = world
        self._tick = tick
        self._wall = world.clock.now()
        self._steady = world.now()
        self._looked = self._steady
        self._addresses = self._now_held()

    def changed(self, now: timedelta, *, expecting: bool) -> str:
        """What happened since the last look, as a sentence, or "". expecting: the wait ended by its timeout."""
        wall, steady = self._world.clock.now(), now
        passed = wall - self._wall
        gap = steady - self._steady - timedelta(seconds=self._tick if expecting else 0)
        slept = table.slept(passed, steady - self._steady, gap)
        self._wall, self._steady = wall, steady
        if slept:
            self._addresses, self._looked = self._now_held(), now
            away = f"{max(passed, gap).total_seconds():.0f} s"
            doubt = "" if gap > timedelta(seconds=3) else ", or its clock was set"
            return f"this machine slept for {away}{doubt}, looking whether the link stands"
        if now - self._looked < _LOOK:
            return ""
        self._looked = now
        before, self._addresses = self._addresses, self._now_held()
        return (
            "" if before == self._addresses else "this machine's network changed, looking whether the link still stands"
        )

    def _now_held(self) -> frozenset[str]:
        try:
            held = self._world.interfaces.addresses()
        except Unreachable:  # a system that does not tell: sleep and silence are still noticed
            return frozenset()
        return frozenset(str(one.address) for one in held if not (one.temporary or one.deprecated or one.tentative))
