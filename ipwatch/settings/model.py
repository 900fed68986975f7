"""Settings: what the configuration says, checked and complete. Frozen; every default is a value one could write."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from ipwatch.core.address import Family
from ipwatch.ports import AccountOptions, NotifierOptions, Secret, SourceOptions


@dataclass(frozen=True, slots=True)
class Watch:
    """`[watch]`. quorum: operators that must agree, per family. heartbeat: a URL pinged after each round."""

    interval: timedelta = timedelta(minutes=5)
    families: tuple[Family, ...] = (Family.IPV4,)
    quorum: Mapping[Family, int] = field(default_factory=lambda: {Family.IPV4: 2, Family.IPV6: 2})
    heartbeat: Secret | None = None  # its path is a key at such services


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """One `[[source]]`."""

    kind: str
    options: SourceOptions


@dataclass(frozen=True, slots=True)
class AccountSpec:
    """One `[account.NAME]`. fingerprint: of all its keys, secrets included; it opens a latch when it differs."""

    name: str
    kind: str
    options: AccountOptions
    fingerprint: str


@dataclass(frozen=True, slots=True)
class RecordSpec:
    """One `[[record]]`. options: what the provider's own record class makes of the further keys."""

    name: str
    account: str
    families: tuple[Family, ...]
    ttl: timedelta | None
    options: Any
    fingerprint: str


@dataclass(frozen=True, slots=True)
class NotifierSpec:
    """One `[[notify]]`."""

    name: str
    kind: str
    options: NotifierOptions


@dataclass(frozen=True, slots=True)
class Settings:
    """The whole configuration in force.

    path: the file it came from, None with the built-in defaults. warnings: sentences to log once.
    origins: for each key in force ("watch.interval", "account.home.server") where it comes from:
    "ipwatch.toml:3", "environment IPWATCH_..." or "default".
    """

    path: Path | None
    watch: Watch
    state: Path
    sources: tuple[SourceSpec, ...]
    accounts: Mapping[str, AccountSpec]
    records: tuple[RecordSpec, ...]
    notifiers: tuple[NotifierSpec, ...]
    warnings: tuple[str, ...] = ()
    origins: Mapping[str, str] = field(default_factory=dict)
