"""Announce: hand the outbox's batches to the notifiers, and the current addresses to those that mirror them."""

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import Future

from ipwatch.core import outbox
from ipwatch.core.address import Address, Family
from ipwatch.core.message import compose
from ipwatch.core.outbox import Batch
from ipwatch.core.state import State
from ipwatch.ports import Busy, Message, PortError, Refused, Unreachable
from ipwatch.service.world import World

logger = logging.getLogger("ipwatch")


class Announcer:
    """Speaks to the notifiers of one configuration."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._within = {n.name: n.options.timeout for n in world.settings.notifiers}
        self._reflected: dict[str, Mapping[Family, Address]] = {}
        self._unwell: set[str] = set()

    def send(self, batches: Sequence[Batch], state: State) -> State:
        """Try every batch, all notifiers at once; gives the state that follows."""
        sending: list[tuple[Batch, Future[None] | None]] = []
        for batch in batches:
            if batch.notifier not in self._world.notifiers:
                logger.warning("notifier %s is no longer configured: its messages are dropped", batch.notifier)
                sending.append((batch, None))
            elif outbox.trivial(batch):
                sending.append((batch, None))
            else:
                sending.append((batch, self._world.pool.submit(self._deliver, batch, addresses(state))))
        for batch, future in sending:
            state = self._noted(state, batch, future)
        return state

    def _deliver(self, batch: Batch, known: Mapping[Family, Address]) -> None:
        now = self._world.tools.clock.now()
        made = compose(batch.events, known, now, self._world.zone)
        at = batch.events[0].at
        message = Message(batch.id, at, made.subject, made.text, made.html, batch.events, known)
        self._world.notifiers[batch.notifier].send(message, self._within[batch.notifier])

    def _noted(self, state: State, batch: Batch, future: Future[None] | None) -> State:
        now = self._world.tools.clock.now()
        try:
            if future is not None:
                future.result()
        except PortError as error:
            logger.warning("%s: could not deliver %d event(s): %s", batch.notifier, len(batch.deliveries), error)
            return outbox.failed(
                state, batch, str(error), now,
                maybe=isinstance(error, Unreachable) and error.sent,
                refused=isinstance(error, Refused),
                after=error.after if isinstance(error, Busy) else None,
            )  # fmt: skip
        except Exception:
            logger.exception("%s: delivering failed by a fault in ipwatch itself", batch.notifier)
            return outbox.failed(state, batch, "a fault in ipwatch itself", now, maybe=True, refused=False, after=None)
        if future is not None:
            logger.info("%s: delivered %s", batch.notifier, ", ".join(e.topic.value for e in batch.events))
        return outbox.delivered(state, batch, now)

    def reflect(self, state: State) -> State:
        """Give the current addresses to every notifier that mirrors them and has not got them yet."""
        known = addresses(state)
        for name, notifier in self._world.notifiers.items():
            if not notifier.reflects or not known or self._reflected.get(name) == known:
                continue
            now = self._world.tools.clock.now()
            text = " ".join(str(a) for a in known.values())
            try:
                notifier.send(Message(name, now, text, text, text, (), known), self._within[name])
            except PortError as error:
                if name not in self._unwell:
                    logger.warning("%s: %s", name, error)
                self._unwell.add(name)
                state = outbox.ill(state, name, str(error), now)
                continue
            self._reflected[name] = known
            self._unwell.discard(name)
            state = outbox.well(state, name, now)
        return state


def addresses(state: State) -> dict[Family, Address]:
    """What is believed now."""
    return {family: b.address for family, b in state.beliefs.items() if b.address is not None}
