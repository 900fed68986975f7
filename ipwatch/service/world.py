"""World: everything one configuration needs at run time, built from its settings. The ports are handed in."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, timedelta, tzinfo
from typing import Any

from ipwatch.core.address import Address, Family
from ipwatch.core.record import Account, Wanted
from ipwatch.core.state import Belief, RecordKey, State
from ipwatch.ports import Notifier, Plugin, Provider, Source, Tools
from ipwatch.service.observe import Observer
from ipwatch.service.verify import Verifier
from ipwatch.settings.kinds import plugin
from ipwatch.settings.model import Settings

POOL = 8  # threads that only wait (DESIGN section 5)


@dataclass(slots=True)
class World:
    """The adapters of one configuration and the thread pool they wait in."""

    settings: Settings
    tools: Tools
    sources: tuple[Source, ...]
    providers: Mapping[str, Provider]
    notifiers: Mapping[str, Notifier]
    observer: Observer
    verifier: Verifier
    pool: ThreadPoolExecutor
    accounts: Mapping[str, Account]
    random_id: Callable[[], str]
    zone: tzinfo = UTC  # in which people are told times

    def wanted(self, state: State) -> tuple[Wanted, ...]:
        """Every configured record with the address it is to show."""
        return tuple(
            Wanted(RecordKey(r.account, r.name, family), _believed(state, family), r.fingerprint, r.ttl, r.options)
            for r in self.settings.records
            for family in r.families
        )

    @property
    def fingerprints(self) -> dict[RecordKey, str]:
        """Per configured record its configuration's fingerprint."""
        return {RecordKey(r.account, r.name, f): r.fingerprint for r in self.settings.records for f in r.families}

    @property
    def tellers(self) -> tuple[str, ...]:
        """The notifiers that are told events."""
        return tuple(name for name, notifier in self.notifiers.items() if not notifier.reflects)

    def operators(self) -> dict[Family, frozenset[str]]:
        """Per family the operators that could be asked."""
        return {f: frozenset(s.operator for s in self.sources if f in s.families) for f in Family}

    def close(self) -> None:
        """Let the threads go once they are done waiting."""
        self.verifier.close()
        self.pool.shutdown(wait=False, cancel_futures=True)


def _believed(state: State, family: Family) -> Address | None:
    return state.beliefs.get(family, Belief()).address


def _unique(name: str, taken: Mapping[str, Source]) -> str:
    """A name of its own for a source: two programs, or two tries of one page, may share theirs."""
    number = 1
    while (free := name if number == 1 else f"{name}#{number}") in taken:
        number += 1
    return free


def build(settings: Settings, tools: Tools, random_id: Callable[[], str], zone: tzinfo = UTC) -> World:
    """Build every adapter that is configured, and no other."""
    sources: dict[str, Source] = {}
    timeouts: dict[str, timedelta] = {}
    for spec in settings.sources:
        kind: Plugin[Any, list[Source]] = plugin("source", spec.kind)
        for source in kind.build(spec.options, tools):
            name = _unique(source.id, sources)
            sources[name] = source
            timeouts[name] = spec.options.timeout
    providers: dict[str, Provider] = {}
    accounts: dict[str, Account] = {}
    for name, account in settings.accounts.items():
        provider: Provider = plugin("provider", account.kind).build(account.options, tools)
        providers[name] = provider
        accounts[name] = Account(
            name, provider.batch, provider.repairs, provider.refresh, provider.pause, provider.service,
            account.options.verify, account.fingerprint,
        )  # fmt: skip
    notifiers = {n.name: plugin("notifier", n.kind).build(n.options, tools) for n in settings.notifiers}
    pool = ThreadPoolExecutor(POOL, thread_name_prefix="wait")
    observer = Observer(sources, timeouts, tools.clock, pool)
    verifier = Verifier(tools.resolver, tools.clock)
    return World(
        settings, tools, tuple(sources.values()), providers, notifiers, observer, verifier, pool, accounts, random_id,
        zone,
    )  # fmt: skip
