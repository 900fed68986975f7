"""The order of work, written once: observe, decide, publish, verify, announce.

One worker runs this and is the only one that holds or writes the state. The state is on disk before anything is sent;
where the disk refuses, the work goes on from memory, the fault is told, and the next commit writes all that is missing.
"""

import logging
from concurrent.futures import Future
from dataclasses import replace
from datetime import datetime, timedelta

from ipwatch.core import belief, consensus, due, outbox, record, telling, unlock
from ipwatch.core.address import Address, Family
from ipwatch.core.consensus import Observation
from ipwatch.core.event import Event, Topic
from ipwatch.core.outcome import Kind, Outcome
from ipwatch.core.record import Step, Wanted
from ipwatch.core.state import AccountStanding, Belief, Finding, RecordKey, State
from ipwatch.core.verification import Verification
from ipwatch.ports import PortError, Store, StoreFault, outcome_of
from ipwatch.service import log
from ipwatch.service.announce import Announcer
from ipwatch.service.world import World

VERIFY_WITHIN = timedelta(seconds=5)
_FAULT = Outcome(Kind.UNSURE, "fault", "could not confirm the change: a fault in ipwatch itself, see the log")
logger = logging.getLogger("ipwatch")


class Round:
    """Holds the state between rounds. Not thread-safe: one worker calls it."""

    def __init__(self, world: World, store: Store, state: State) -> None:
        self.world = world
        self._store = store
        self._unsaved: list[Event] = []
        self._announcer = Announcer(world)
        self.stopping = False
        self.state = state

    @classmethod
    def start(cls, world: World, store: Store) -> "Round":
        """Take up the state where it was left: what was on its way is unsure, edited configuration opens latches."""
        now = world.tools.clock.now()
        state = record.recover(store.load(), now)
        return cls(world, store, unlock.forgive(state, world.fingerprints, world.accounts))

    def reconfigure(self, world: World) -> None:
        """Go on with another configuration."""
        self.world.close()
        self.world, self._announcer = world, Announcer(world)
        self.state = unlock.forgive(self.state, world.fingerprints, world.accounts)

    def work(self, *, observe: bool = False) -> datetime:
        """Do what is due now; gives the time at which something is due again."""
        now = self._now()
        self.state = unlock.rewind(self.state, now)
        if observe or self._round_due(now):
            self._observe(now)
        self._publish()
        self._verify()
        self._announce()
        now = self._now()
        at = due.next_time(
            self.state, self.world.wanted(self.state), self.world.accounts, self.world.settings.watch.interval, now
        )
        self.state = replace(self.state, next_at=at, alive_at=now)
        self._commit()
        return at

    def hopeful(self, until: datetime) -> bool:
        """Whether waiting until then can still change something."""
        wanted = self.world.wanted(self.state)
        return due.hopeful(self.state, wanted, self.world.accounts, until, self._now())

    def tell(self, event: Event) -> None:
        """Put an event of another part (a refused configuration ...) on its way with the next work."""
        self._post((event,))

    def unlock(self, name: str) -> tuple[str, ...]:
        """Open the latches of a record or an account."""
        self.state, opened = unlock.unlock(self.state, name)
        logger.info("unlock %s: %s", name, ", ".join(opened) or "nothing was locked")
        return opened

    # -- observe, decide

    def _round_due(self, now: datetime) -> bool:
        at, interval = self.state.round_at, self.world.settings.watch.interval
        # A clock that was set back must not stop the watch; an address that was held back is looked at when it is free.
        free = [r for b in self.state.beliefs.values() if (r := belief.release(b)) is not None]
        return at is None or now - at >= interval or at > now or any(at < r <= now for r in free)

    def _observe(self, now: datetime) -> None:
        watch = self.world.settings.watch
        asking: dict[Family, Future[tuple[Observation, ...]]] = {}
        for family in watch.families:
            known = self.state.beliefs.get(family, Belief()).address
            health = {
                k.removesuffix(f"/{family}"): h for k, h in self.state.sources.items() if k.endswith(f"/{family}")
            }
            asking[family] = self.world.pool.submit(
                self.world.observer.observe, family, known, health, watch.quorum[family]
            )
        beliefs, sources = dict(self.state.beliefs), dict(self.state.sources)
        dissents: list[Event] = []
        for family, future in asking.items():
            seen = future.result()
            if not seen:  # every source asks for a longer rest than this round's: nothing was learnt
                beliefs.setdefault(family, Belief())
                continue
            verdict = consensus.judge(seen, watch.quorum[family])
            before = beliefs.get(family, Belief())
            odd = consensus.dissent(seen, verdict)
            beliefs[family] = belief.reached(belief.believe(before, verdict, now, odd), seen, verdict)
            dissents += log.dissents(family, before, beliefs[family], now)
            for o in seen:
                key = f"{o.source}/{family}"
                sources[key] = consensus.health_after(sources.get(key), o, verdict, now)
            log.verdict(family, verdict, seen, before, beliefs[family])
        was_offline = self.state.offline_since is not None
        self.state = replace(
            self.state, beliefs={f: beliefs[f] for f in watch.families}, sources=sources,
            rounds=self.state.rounds + 1, round_at=now,
        )  # fmt: skip
        self._unsaved += dissents
        self._tell()
        if was_offline and self.state.offline_since is None:
            self.state = outbox.hurry(self.state)

    # -- publish

    def _publish(self) -> None:
        now, accounts = self._now(), self.world.accounts
        steps = record.plan(self.world.wanted(self.state), accounts, self.state, now)
        if not steps:
            return
        self.state = record.begin(self.state, steps, accounts, now)
        self._commit()
        by_account: dict[str, list[Step]] = {}
        for step in steps:
            by_account.setdefault(step.account, []).append(step)
        sending = [self.world.pool.submit(self._send, name, mine) for name, mine in by_account.items()]
        fingerprints = self.world.fingerprints
        for future in sending:
            for step, outcomes in future.result():
                if outcomes is None:
                    self.state = record.unsent(self.state, step)
                    continue
                log.outcomes(step, outcomes)
                self.state = record.note(self.state, step, outcomes, accounts, fingerprints, self._now())
        self._commit()

    def _send(self, account: str, steps: list[Step]) -> list[tuple[Step, dict[RecordKey, Outcome] | None]]:
        """In a thread of the pool: the calls of one account, one after the other; None where a call was not made."""
        provider, options = self.world.providers[account], self.world.settings.accounts[account].options
        done: list[tuple[Step, dict[RecordKey, Outcome] | None]] = []
        ended = False
        for step in steps:
            if ended or self.stopping:
                done.append((step, None))
                continue
            try:
                answers = provider.publish(log.updates(step), options.timeout)
                outcomes = {key: answers[key.name, key.family] for key in step.keys}
            except PortError as error:
                outcomes = dict.fromkeys(step.keys, outcome_of(error))
            except Exception:
                # Our own fault must not make us a nuisance: it backs off like an answer that did not come.
                logger.exception("account %s: publishing failed by a fault in ipwatch itself", account)
                outcomes = dict.fromkeys(step.keys, _FAULT)
            ended = record.ends_account(outcomes.values())
            done.append((step, outcomes))
        return done

    # -- verify

    def _verify(self) -> None:
        now = self._now()
        wanted = due.verifications(self.state, self.world.wanted(self.state), self.world.accounts, now)
        asking = {w.key: self.world.pool.submit(self._check, w, target) for w in wanted
                  if (target := record.target(self.state.records[w.key])) is not None}  # fmt: skip
        records = dict(self.state.records)
        for key, future in asking.items():
            found = future.result()
            log.verification(key, records[key], found)
            records[key] = record.checked(records[key], found, self._now())
        self.state = replace(self.state, records=records)

    def _check(self, wanted: Wanted, target: Address) -> Verification:
        options = self.world.settings.accounts[wanted.key.account].options
        key = wanted.key
        return self.world.verifier.check(key.name, key.family, target, options.nameservers, VERIFY_WITHIN)

    # -- announce

    def _tell(self) -> None:
        """Make events of what is to be told, into the outbox and the history."""
        world = self.world
        prints = {k: (p, world.accounts[k.account].fingerprint) for k, p in world.fingerprints.items()}
        repairs = {name: a.repairs for name, a in world.accounts.items()}
        self.state, events = telling.tell(self.state, prints, repairs, self._now())
        self._post(events)

    def _post(self, events: tuple[Event, ...]) -> None:
        names = self.world.tellers
        ids = [self.world.random_id() for _ in range(len(events) * len(names))]
        self.state = outbox.post(self.state, events, names, ids)
        self._unsaved += events
        log.events(events)

    def _announce(self) -> None:
        self._tell()
        batches = outbox.batches(self.state, self.world.fingerprints, self._now())
        if batches:
            self._commit()
            self.state = self._announcer.send(batches, self.state)
        self.state = self._announcer.reflect(self.state)

    # -- the disk

    def _commit(self) -> None:
        now = self._now()
        try:
            self._store.commit(replace(self.state, store_fault="", store_fault_since=None), self._unsaved)
        except StoreFault as fault:
            self._fault(str(fault), now)
            return
        self._unsaved.clear()
        if self.state.store_fault:
            logger.info("the state can be written again")
            since = (self.state.store_fault_since or now).isoformat()
            self.state = replace(self.state, store_fault="", store_fault_since=None)
            self._post((Event(Topic.STORE_WELL, now, {"since": since}),))

    def _fault(self, reason: str, now: datetime) -> None:
        if self.state.store_fault:
            return
        logger.error("the state can not be written: %s; going on from memory", reason)
        self.state = replace(self.state, store_fault=reason, store_fault_since=now)
        self._post((Event(Topic.STORE_FAULT, now, {"reason": reason}),))

    def _now(self) -> datetime:
        return self.world.tools.clock.now()


def well(world: World, state: State) -> tuple[str, ...]:
    """What is not as it should be, one clause each; empty when all is well."""
    faults: list[str] = []
    for family, b in state.beliefs.items():
        if b.finding is not Finding.AGREED:
            faults.append(f"{family.label}: the sources are {b.finding.value}")
    for w in world.wanted(state):
        standing = state.records.get(w.key)
        account = state.accounts.get(w.key.account, AccountStanding())
        if w.address is None:
            faults.append(f"{w.key}: no address is known yet")
        elif standing is None or standing.published != w.address:
            why = standing.last_text if standing is not None and standing.last_text else "not published yet"
            latch = account.latch
            faults.append(f"{w.key}: {latch.text if latch else why}")
        elif world.accounts[w.key.account].verify and standing.verified_at is None:
            faults.append(
                f"{w.key}: published, but not seen at the zone's servers ({standing.shown_detail or 'not asked'})"
            )
        elif standing.drifts:
            faults.append(f"{w.key}: somebody else changed it ({standing.shown_detail})")
    faults += [f"{d.notifier}: not delivered: {d.last_error}" for d in state.outbox if d.last_error]
    if state.store_fault:
        faults.append(f"the state can not be written: {state.store_fault}")
    return tuple(dict.fromkeys(faults))
