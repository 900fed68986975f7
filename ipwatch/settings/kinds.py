"""Which sources, providers and notifiers there are: the files of their packages, imported only when asked for."""

import pkgutil
from functools import cache
from importlib import import_module
from typing import Any, Literal

from ipwatch.ports import Plugin

FamilyName = Literal["source", "provider", "notifier"]


@cache
def names(family: FamilyName) -> tuple[str, ...]:
    """The kinds of a family in alphabetical order; nothing but the package itself is imported."""
    package = import_module(f"ipwatch.{family}s")
    found = (module.name for module in pkgutil.iter_modules(package.__path__))
    return tuple(sorted(name for name in found if not name.startswith("_")))


def plugin(family: FamilyName, kind: str) -> Plugin[Any, Any]:
    """What the kind's file offers; raises LookupError for a kind that is none."""
    if kind not in names(family):
        raise LookupError(f"{kind!r} is no kind of {family}")
    found = import_module(f"ipwatch.{family}s.{kind}").PLUGIN
    if not isinstance(found, Plugin):
        raise TypeError(f"PLUGIN of ipwatch.{family}s.{kind} is no Plugin")
    return found
