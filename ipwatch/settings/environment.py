"""A record, its account and a mail notifier out of environment variables alone, for forms such as Container Manager's.

IPWATCH_RECORD_<KEY>, IPWATCH_ACCOUNT_<KEY> and IPWATCH_MAIL_<KEY> become the tables of the same keys; <KEY>_FILE names
a file that holds a secret. They stand beside the tables of a configuration file, in an account called "environment".
"""

import types
from collections.abc import Mapping
from typing import Any, Union, get_args, get_origin

import msgspec

from ipwatch.ports import Options, Secret
from ipwatch.settings import kinds
from ipwatch.settings.reader import Reader
from ipwatch.settings.toml import KeyPath

ACCOUNT = "environment"
RECORD, ACCOUNT_PREFIX, MAIL_PREFIX = "IPWATCH_RECORD_", "IPWATCH_ACCOUNT_", "IPWATCH_MAIL_"
PREFIXES = (RECORD, ACCOUNT_PREFIX, MAIL_PREFIX)
USUAL = (
    f"{RECORD}NAME",
    *(f"{ACCOUNT_PREFIX}{key}" for key in ("KIND", "SERVICE", "USERNAME", "PASSWORD", "PASSWORD_FILE", "TOKEN")),
    *(f"{MAIL_PREFIX}{key}" for key in ("SERVER", "USERNAME", "PASSWORD", "PASSWORD_FILE", "SENDER", "TO")),
)  # what others are likely to be misspellings of


def apply(reader: Reader, data: dict[str, Any]) -> None:
    """Put the tables that the variables make into the data, with their places; faults are found by who reads them."""
    account = _keys(reader.environ, ACCOUNT_PREFIX)
    mail = _keys(reader.environ, MAIL_PREFIX)
    record = _keys(reader.environ, RECORD)
    if account:
        kind = account.pop("kind", ("IPWATCH_ACCOUNT_KIND", "dyndns2"))[1]
        settings = kinds.plugin("provider", kind).settings if kind in kinds.names("provider") else None
        table = {"kind": kind, **_table(reader, ("account", ACCOUNT), account, settings)}
        reader.overrides["account", ACCOUNT] = f"{ACCOUNT_PREFIX}..."
        reader.overrides["account", ACCOUNT, "kind"] = "IPWATCH_ACCOUNT_KIND"
        data["account"] = {**_dict(data.get("account")), ACCOUNT: table}
    if record:
        _records(reader, data, record)
    if mail:
        _mail(reader, data, mail)


def _records(reader: Reader, data: dict[str, Any], keys: Mapping[str, tuple[str, str]]) -> None:
    """One [[record]] for each name; the further keys are those of all of them."""
    rows = _list(data.get("record"))
    variable, names = keys.get("name", ("IPWATCH_RECORD_NAME", ""))
    more = {key: value for key, value in keys.items() if key != "name"}
    for name in names.replace(",", " ").split() or [""]:
        where: KeyPath = ("record", len(rows))
        row: dict[str, Any] = {"account": ACCOUNT} | ({"name": name} if name else {})
        row |= {key: _words(text) if key == "families" else _flag(text) for key, (_, text) in more.items()}
        reader.overrides[where] = variable
        reader.overrides.update({(*where, key): given for key, (given, _) in more.items()})
        rows.append(row)
    data["record"] = rows


def _mail(reader: Reader, data: dict[str, Any], keys: dict[str, tuple[str, str]]) -> None:
    """One [[notify]] by e-mail; the sender is who logs in, if that is an address, else who gets it."""
    rows = _list(data.get("notify"))
    where: KeyPath = ("notify", len(rows))
    reader.overrides[where] = f"{MAIL_PREFIX}..."
    table = {"kind": "email", **_table(reader, where, keys, kinds.plugin("notifier", "email").settings)}
    if "sender" not in table:
        to = table.get("to") or [""]
        user = str(table.get("username", ""))
        table["sender"] = user if "@" in user else to[0]
        reader.overrides[(*where, "sender")] = "IPWATCH_MAIL_SENDER"
    data["notify"] = [*rows, table]


def _keys(environ: Mapping[str, str], prefix: str) -> dict[str, tuple[str, str]]:
    """What follows the prefix in lower case -> variable and text. One that is set but empty does not count."""
    found = {name: text for name, text in environ.items() if name.startswith(prefix) and text.strip()}
    return {name.removeprefix(prefix).lower(): (name, text) for name, text in sorted(found.items())}


def _table(
    reader: Reader, where: KeyPath, keys: Mapping[str, tuple[str, str]], settings: type[Options] | None
) -> dict[str, Any]:
    """The keys as a configuration file would hold them."""
    fields = {f.encode_name: f.type for f in msgspec.structs.fields(settings)} if settings else {}
    made: dict[str, Any] = {}
    for key, (variable, text) in keys.items():
        plain = key.removesuffix("_file")
        by_file = plain != key and key not in fields
        if by_file and plain in keys:
            reader.warnings.append(f"environment {keys[plain][0]}: not read, for {variable} is set, too")
        name = plain if by_file else key
        reader.overrides[(*where, name)] = variable
        if by_file:
            made[name] = {"file": text.strip()}
        elif Secret in _kinds(fields.get(name)):
            made[name] = {"env": variable}
        else:
            made[name] = _value(fields.get(name), text.strip())
    return made


def _kinds(kind: Any) -> tuple[Any, ...]:
    """The types a field may have."""
    return get_args(kind) if get_origin(kind) in {Union, types.UnionType} else (kind,)


def _value(kind: Any, text: str) -> Any:
    """Text in the form a configuration file has for that type; what does not fit stays text, so that it is told."""
    choices = _kinds(kind)
    if any(get_origin(one) is tuple for one in choices):
        return _words(text)
    if bool in choices:
        return {"1": True, "0": False}.get(text, _flag(text))
    if int in choices and text.isdigit() and len(text) < 10:
        return int(text)
    return text


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()


def _flag(text: str) -> bool | str:
    """Yes or no where that is what it says."""
    return {"true": True, "yes": True, "false": False, "no": False}.get(text.strip().lower(), text.strip())


def _dict(found: Any) -> dict[str, Any]:
    return found if isinstance(found, dict) else {}


def _list(found: Any) -> list[Any]:
    return list(found) if isinstance(found, list) else []
