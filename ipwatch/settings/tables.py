"""The classes of the tables that belong to no adapter. Their defaults are those of `model`."""

from datetime import timedelta
from pathlib import Path

from ipwatch.core.address import Family
from ipwatch.ports import Options, Secret
from ipwatch.settings.model import Watch

_WATCH = Watch()


class Quorum(Options, frozen=True, kw_only=True):
    """`[watch] quorum` in its long form: one number for each family."""

    ipv4: int = _WATCH.quorum[Family.IPV4]
    ipv6: int = _WATCH.quorum[Family.IPV6]


class WatchTable(Options, frozen=True, kw_only=True):
    """`[watch]`."""

    interval: timedelta = _WATCH.interval
    families: tuple[Family, ...] = _WATCH.families
    quorum: Quorum = Quorum()
    heartbeat: Secret | None = None


class StateTable(Options, frozen=True, kw_only=True):
    """`[state]`."""

    path: Path = Path("ipwatch.db")


class RecordTable(Options, frozen=True, kw_only=True):
    """The keys that every `[[record]]` takes; the provider of its account may add to them."""

    name: str
    account: str
    families: tuple[Family, ...] | None = None
    ttl: timedelta | None = None
