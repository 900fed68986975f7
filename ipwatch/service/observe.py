"""Observe: put the question to as many sources as the judgement wants, at once, within a deadline."""

import logging
from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from datetime import timedelta

from ipwatch.core import consensus
from ipwatch.core.address import Address, Family
from ipwatch.core.consensus import Observation, Voice
from ipwatch.core.state import SourceHealth
from ipwatch.ports import Clock, Garbled, PortError, Source

HEDGE = timedelta(seconds=1)  # a source that takes longer gets company
LIMIT = timedelta(seconds=12)  # one round's observing, in all
logger = logging.getLogger("ipwatch")


class Observer:
    """Asks the sources of one configuration. Keeps no state: health comes in, observations go out."""

    def __init__(
        self, sources: Mapping[str, Source], timeouts: Mapping[str, timedelta], clock: Clock, pool: Executor
    ) -> None:
        self._sources = sources  # by an id that is theirs alone
        self._timeouts = timeouts
        self._clock = clock
        self._pool = pool

    def voices(self, family: Family) -> tuple[Voice, ...]:
        """The sources that can answer for this family."""
        return tuple(
            Voice(name, s.operator, s.min_interval) for name, s in self._sources.items() if family in s.families
        )

    def observe(
        self, family: Family, believed: Address | None, health: Mapping[str, SourceHealth], quorum: int
    ) -> tuple[Observation, ...]:
        """One round of one family; `health` is keyed by source id."""
        ordered = consensus.order(self.voices(family), health, self._clock.now())
        asked: set[str] = set()
        seen: list[Observation] = []
        pending: dict[Future[Observation], tuple[Voice, timedelta]] = {}
        end = self._clock.monotonic() + LIMIT
        while (now := self._clock.monotonic()) < end:
            waiting = sum(1 for _, since in pending.values() if now - since < HEDGE)
            for voice in consensus.next_voices(ordered, asked, seen, waiting, believed, quorum):
                asked.add(voice.id)
                pending[self._pool.submit(self._ask, voice, family)] = (voice, now)
            awaited = sum(1 for _, since in pending.values() if now - since < HEDGE)
            if not pending or consensus.settled(seen, awaited, believed, quorum):
                break
            done, _ = wait(pending, timeout=min(HEDGE, end - now).total_seconds(), return_when=FIRST_COMPLETED)
            for future in done:
                seen.append(future.result())
                del pending[future]
        now = self._clock.monotonic()
        late = [
            Observation(v.id, v.operator, None, f"no answer within {HEDGE.total_seconds():g} s")
            for v, since in pending.values()
            if now - since >= HEDGE
        ]
        return (*seen, *late)

    def _ask(self, voice: Voice, family: Family) -> Observation:
        try:
            address = self._sources[voice.id].observe(family, self._timeouts[voice.id])
        except Garbled as error:
            return Observation(voice.id, voice.operator, None, str(error), error.behind)
        except PortError as error:
            return Observation(voice.id, voice.operator, None, str(error))
        except Exception:
            logger.exception("source %s failed by a fault in ipwatch itself", voice.id)
            return Observation(voice.id, voice.operator, None, "a fault in ipwatch itself, see the log")
        return Observation(voice.id, voice.operator, address)
