"""One function per table of the configuration: what a reading of it makes of the data."""

from collections.abc import Iterator, Mapping
from typing import Any

from ipwatch.core.address import Family
from ipwatch.core.dnsname import BadName, canonical
from ipwatch.ports import Options, Plugin
from ipwatch.settings import kinds
from ipwatch.settings.convert import table
from ipwatch.settings.faults import among, nearest
from ipwatch.settings.fingerprint import fingerprint
from ipwatch.settings.model import AccountSpec, NotifierSpec, RecordSpec, SourceSpec, Watch
from ipwatch.settings.reader import Bad, Reader
from ipwatch.settings.tables import RecordTable, WatchTable
from ipwatch.settings.toml import KeyPath

DEFAULT_SOURCES = ("web", "dns", "stun")

_KIND = frozenset({"kind"})
_COMMON = frozenset(RecordTable.__struct_encode_fields__)


def watch(reader: Reader, raw: Any) -> Watch:
    """`[watch]`; where it is at fault, its defaults stand in so that the rest can be read."""
    if isinstance(raw, dict) and "quorum" in raw:
        raw = {**raw, "quorum": _quorum(raw["quorum"])}
        if not isinstance(raw["quorum"], dict):
            reader.fault(("watch", "quorum"), "this is a whole number, or one for each family: { ipv4 = 2, ipv6 = 1 }")
            del raw["quorum"]
    made = table(reader, ("watch",), WatchTable, raw)
    if isinstance(made, Bad):
        return Watch()
    quorum = {Family.IPV4: made.quorum.ipv4, Family.IPV6: made.quorum.ipv6}
    return Watch(made.interval, ordered(made.families), quorum, made.heartbeat)


def _quorum(raw: Any) -> Any:
    """One number stands for both families."""
    return {"ipv4": raw, "ipv6": raw} if isinstance(raw, int) and not isinstance(raw, bool) else raw


def ordered(families: tuple[Family, ...]) -> tuple[Family, ...]:
    """Each family once, in one order."""
    return tuple(family for family in Family if family in families)


def plugin(reader: Reader, key: KeyPath, family: kinds.FamilyName, raw: dict[str, Any]) -> tuple[str, Any] | None:
    """The kind of a table and its plugin; None with a fault noted."""
    kind, names = raw.get("kind"), kinds.names(family)
    if kind is None:
        reader.fault(key, f"the key 'kind' is missing; {among(names)}")
    elif not isinstance(kind, str) or kind not in names:
        meant = nearest(kind, names) if isinstance(kind, str) else None
        hint = f"'{kind}': did you mean '{meant}'?" if meant else among(names)
        reader.fault((*key, "kind"), f"unknown kind of {family}; {hint}" if not meant else f"unknown kind {hint}")
    else:
        reader.origin((*key, "kind"))
        return kind, kinds.plugin(family, kind)
    return None


def tables(reader: Reader, name: str, raw: Any) -> Iterator[tuple[KeyPath, dict[str, Any]]]:
    """The `[[name]]` tables."""
    if not isinstance(raw, list) or not all(isinstance(item, dict) for item in raw):
        reader.fault((name,), f"write [[{name}]] with two brackets: there may be several")
        return
    for number, item in enumerate(raw):
        yield (name, number), item


def sources(reader: Reader, raw: Any) -> tuple[SourceSpec, ...]:
    """`[[source]]`; none given: the built-in set."""
    if raw == []:
        return tuple(_default_source(reader, number, kind) for number, kind in enumerate(DEFAULT_SOURCES))
    made = []
    for key, item in tables(reader, "source", raw):
        if found := plugin(reader, key, "source", item):
            options = table(reader, key, found[1].settings, item, _KIND)
            if not isinstance(options, Bad):
                made.append(SourceSpec(found[0], options))
    return tuple(made)


def _default_source(reader: Reader, number: int, kind: str) -> SourceSpec:
    options = kinds.plugin("source", kind).settings()
    for name in ("kind", *options.__struct_encode_fields__):
        reader.default(("source", number, name))
    return SourceSpec(kind, options)


def accounts(reader: Reader, raw: Any) -> dict[str, AccountSpec]:
    """`[account.NAME]`."""
    if not isinstance(raw, dict) or (raw and not any(isinstance(item, dict) for item in raw.values())):
        reader.fault(("account",), "write [account.NAME], with a name of your own for each account")
        return {}
    made = {}
    for name, item in raw.items():
        key: KeyPath = ("account", name)
        if not isinstance(item, dict):
            reader.fault(key, "this key belongs under [account.NAME], with the account's name")
        elif not name.strip() or not name.isprintable() or len(name) > 64:
            reader.fault(key, "an account's name has 1 to 64 printable characters")
        elif spec := _account(reader, key, name, item):
            made[name] = spec
    return made


def _account(reader: Reader, key: KeyPath, name: str, raw: dict[str, Any]) -> AccountSpec | None:
    found = plugin(reader, key, "provider", raw)
    options = table(reader, key, found[1].settings, raw, _KIND) if found else None
    if found is None or options is None or isinstance(options, Bad):
        return None
    return AccountSpec(name, found[0], options, fingerprint(name, {"kind": found[0], "options": options}))


def records(
    reader: Reader, raw: Any, accounts: Mapping[str, Any], watch: Watch
) -> tuple[tuple[KeyPath, RecordSpec], ...]:
    """`[[record]]`. accounts: the raw tables, so that a fault in one is not told as a missing account too."""
    made = ((key, _record(reader, key, item, accounts, watch)) for key, item in tables(reader, "record", raw))
    return tuple((key, spec) for key, spec in made if spec is not None)


def _record(
    reader: Reader, key: KeyPath, raw: dict[str, Any], accounts: Mapping[str, Any], watch: Watch
) -> RecordSpec | None:
    before = len(reader.faults)
    extra = _record_class(reader, key, raw, accounts)
    # With no account to go by, nobody can say which further keys there are.
    beside = frozenset(raw) if isinstance(extra, Bad) else frozenset(extra.__struct_encode_fields__ if extra else ())
    common = table(reader, key, RecordTable, raw, beside)
    options = table(reader, key, extra, raw, _COMMON) if extra and not isinstance(extra, Bad) else None
    name = _name(reader, key, raw)
    if isinstance(common, Bad) or isinstance(options, Bad) or name is None or len(reader.faults) > before:
        return None
    families = watch.families if common.families is None else ordered(common.families)
    parts = {"name": name, "account": common.account, "families": families, "ttl": common.ttl, "options": options}
    return RecordSpec(name, common.account, families, common.ttl, options, fingerprint(common.account, parts))


def _record_class(
    reader: Reader, key: KeyPath, raw: dict[str, Any], accounts: Mapping[str, Any]
) -> type[Options] | Bad | None:
    """What the record's account adds to its keys."""
    name = raw.get("account")
    if not isinstance(name, str):
        return Bad()  # told by `table`
    if name not in accounts:
        meant = nearest(name, tuple(accounts))
        hint = f"no account is called '{name}'; did you mean '{meant}'?" if meant else _accounts(accounts)
        return reader.fault((*key, "account"), hint)
    item = accounts[name]
    kind = item.get("kind") if isinstance(item, dict) else None
    if not isinstance(kind, str) or kind not in kinds.names("provider"):
        return Bad()
    found: Plugin[Any, Any] = kinds.plugin("provider", kind)
    return found.record


def _accounts(accounts: Mapping[str, Any]) -> str:
    if not accounts:
        return "there is no account; write an [account.NAME] table for it"
    return f"no account is called so; {among(sorted(accounts))}"


def _name(reader: Reader, key: KeyPath, raw: dict[str, Any]) -> str | None:
    name = raw.get("name")
    if not isinstance(name, str):
        return None  # told by `table`
    try:
        return canonical(name)
    except BadName as error:
        reader.fault((*key, "name"), str(error))
        return None


def notifiers(reader: Reader, raw: Any) -> tuple[NotifierSpec, ...]:
    """`[[notify]]`, each with a name of its own: the given one, else the kind, numbered ("email", "email-2")."""
    made = []
    for key, item in tables(reader, "notify", raw):
        if found := plugin(reader, key, "notifier", item):
            options = table(reader, key, found[1].settings, item, _KIND)
            if not isinstance(options, Bad):
                made.append((key, found[0], options))
    return _named(reader, made)


def _named(reader: Reader, made: list[tuple[KeyPath, str, Any]]) -> tuple[NotifierSpec, ...]:
    given: set[str] = set()
    for key, _, options in made:
        if options.name is None:
            continue
        if options.name in given:
            reader.fault((*key, "name"), "two notifiers have this name")
        elif not options.name.strip() or not options.name.isprintable():
            reader.fault((*key, "name"), "a notifier's name has at least one printable character")
        given.add(options.name)
    specs = []
    for _, kind, options in made:
        name = options.name if options.name is not None else _free(kind, given)
        given.add(name)
        specs.append(NotifierSpec(name, kind, options))
    return tuple(specs)


def _free(kind: str, taken: set[str]) -> str:
    number = 1
    while (name := kind if number == 1 else f"{kind}-{number}") in taken:
        number += 1
    return name
