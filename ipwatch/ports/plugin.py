"""Secret, the bases of all settings classes, and Plugin."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, TypeVar

import msgspec

from ipwatch.core.address import Family
from ipwatch.ports.interfaces import Tools


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every adapter's settings class.

    Field types a settings class may use: str, bool, int, float, timedelta (written "30s", "5m", "1h", "2d"), Secret
    (written as a string, { file = "..." } or { env = "..." }), Path (relative to the configuration file), Family,
    StrEnum, Literal, nested Options, and tuple[...], dict[str, ...], X | None of these. Raise ValueError with a clause
    in __post_init__ for what a type can not say. `doc` of each field stands in DOC, for the reference and for `check`.
    """


class SourceOptions(Options, frozen=True, kw_only=True):
    """What every `[[source]]` takes besides its own keys."""

    operator: str | None = None  # who stands behind it; default: chosen by the kind
    families: tuple[Family, ...] | None = None  # default: all the kind can do of those watched
    timeout: timedelta = timedelta(seconds=5)


class AccountOptions(Options, frozen=True, kw_only=True):
    """What every `[account.NAME]` takes besides its own keys."""

    verify: bool = True  # ask the zone's own servers afterwards
    nameservers: tuple[str, ...] = ()  # "127.0.0.1:5353": these instead of the discovered ones
    timeout: timedelta = timedelta(seconds=20)


class NotifierOptions(Options, frozen=True, kw_only=True):
    """What every `[[notify]]` takes besides its own keys."""

    name: str | None = None  # how state and log call it; default: the kind, numbered when used twice
    timeout: timedelta = timedelta(seconds=30)


S = TypeVar("S", bound=Options)
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Plugin(Generic[S, R]):
    """What an adapter's file offers as PLUGIN; the file's name is the `kind`.

    title: half a line for `ipwatch kinds`. manual: the address of the manual it was written against.
    settings: its keys. build(settings, tools) gives the adapter (for sources: a list of them, a kind may stand for a
    table). record: for providers, the keys a `[[record]]` of such an account takes besides the common ones.
    """

    title: str
    manual: str
    settings: type[S]
    build: Callable[[S, Tools], R]
    record: type[Options] | None = None
