"""What no single table can say: limits, duplicates, and whether the quorum can be reached at all."""

from collections.abc import Collection, Mapping
from datetime import timedelta

from ipwatch.core.address import Family
from ipwatch.protocols.hostport import BadHostPort, split_address
from ipwatch.settings.faults import Fault
from ipwatch.settings.model import AccountSpec, RecordSpec, Settings, SourceSpec, Watch
from ipwatch.settings.reader import Reader
from ipwatch.settings.toml import KeyPath

LEAST_INTERVAL = timedelta(seconds=1)
MOST_QUORUM = 99
MOST_TTL = timedelta(seconds=2**31 - 1)  # RFC 2181 section 8


def watch(reader: Reader, made: Watch) -> None:
    """The limits of `[watch]`."""
    if made.interval < LEAST_INTERVAL:
        reader.fault(("watch", "interval"), 'it must be at least "1s"')
    if not made.families:
        reader.fault(("watch", "families"), 'name at least one: families = ["ipv4"]')
    for key, least in _quorums(made).items():
        if least < 1:
            reader.fault(key, "at least one operator must be asked")
        elif least > MOST_QUORUM:
            reader.fault(key, "there are not that many operators in the world")
    if made.heartbeat and not made.heartbeat.reveal().startswith(("https://", "http://")):
        reader.fault(("watch", "heartbeat"), "this is a URL that begins with https://")


def _quorums(made: Watch) -> Mapping[KeyPath, int]:
    """Each number with the key it was written at: one for all, or one for each family."""
    if len(set(made.quorum.values())) == 1:
        return {("watch", "quorum"): next(iter(made.quorum.values()))}
    return {("watch", "quorum", family.value): least for family, least in made.quorum.items()}


def nameservers(reader: Reader, accounts: Mapping[str, AccountSpec]) -> None:
    """`nameservers` of the accounts can be spoken to."""
    for name, account in accounts.items():
        for number, text in enumerate(account.options.nameservers):
            try:
                split_address(text, 53)
            except BadHostPort as error:
                reader.fault(("account", name, "nameservers", number), str(error))


def sources(reader: Reader, made: tuple[SourceSpec, ...], watch: Watch) -> None:
    """A source for no watched family is never asked."""
    for number, source in enumerate(made):
        families = source.options.families
        if families is not None and not set(families) & set(watch.families):
            reader.warn(("source", number, "families"), "none of them is watched, so this source is never asked")


def records(reader: Reader, made: tuple[tuple[KeyPath, RecordSpec], ...], watch: Watch) -> None:
    """No record twice, none for a family that is not watched, no TTL that DNS can not hold."""
    seen: dict[tuple[str, Family], dict[str, KeyPath]] = {}
    for key, record in made:
        if record.ttl is not None and (record.ttl > MOST_TTL or record.ttl % timedelta(seconds=1)):
            reader.fault((*key, "ttl"), "a TTL is whole seconds, at most 2147483647 (RFC 2181 section 8)")
        if not record.families:
            reader.fault((*key, "families"), "name at least one, or leave the key out")
        for family in record.families:
            if family not in watch.families:
                reader.fault((*key, "families"), f"'{family}' is not watched: add it to families in [watch]")
            _once(reader, key, record, seen.setdefault((record.name, family), {}), family)


def _once(reader: Reader, key: KeyPath, record: RecordSpec, earlier: dict[str, KeyPath], family: Family) -> None:
    """The same name and family at the same account is a fault; at another account it may be meant (split DNS)."""
    what = f"{record.name} ({family.rdtype})"
    if record.account in earlier:
        reader.fault(
            (*key, "name"), f"{what} was already given for this account in line {reader.line(earlier[record.account])}"
        )
    elif earlier:
        reader.warn(
            (*key, "name"), f"{what} is kept at account '{next(iter(earlier))}' too: two accounts may undo each other"
        )
    earlier.setdefault(record.account, key)


def unused(reader: Reader, accounts: Mapping[str, object], made: tuple[tuple[KeyPath, RecordSpec], ...]) -> None:
    """An account without a record publishes nothing."""
    used = {record.account for _, record in made}
    for name in [name for name in accounts if name not in used]:
        reader.warn(("account", name), "no [[record]] names this account, so nothing is published there")


def check_quorum(settings: Settings, operators: Mapping[Family, Collection[str]]) -> tuple[Fault, ...]:
    """Faults for each watched family whose quorum the operators of the built sources can never reach."""
    found = []
    for family in settings.watch.families:
        names, least = sorted(set(operators.get(family, ()))), settings.watch.quorum[family]
        if len(names) < least:
            found.append(Fault(_place(settings, family, bool(names)), _unreachable(family, names, least)))
    return tuple(found)


def _place(settings: Settings, family: Family, any_source: bool) -> str:
    keys = (f"watch.quorum.{family}", "watch.quorum") if any_source else ("watch.families",)
    origins = (settings.origins.get(key, "default") for key in keys)
    return next((origin for origin in origins if origin != "default"), str(settings.path or "built-in defaults"))


def _unreachable(family: Family, names: list[str], least: int) -> str:
    if not names:
        return f"watch.families: no source can tell an {family.label} address; add one, or leave '{family}' out"
    voices = "operator" if len(names) == 1 else "operators"
    return (
        f"watch.quorum: {least} operators must agree on the {family.label} address, but the sources have only "
        f"{len(names)} {voices} ({', '.join(names)}): add sources of others, "
        f"or set quorum = {{ {family} = {len(names)} }}"
    )
