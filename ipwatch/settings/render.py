"""`ipwatch check`: each key in force, its value without secrets, and where it comes from."""

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import Any

import msgspec

from ipwatch.ports import Options, Secret
from ipwatch.settings import duration
from ipwatch.settings.model import Settings
from ipwatch.settings.reader import spelt

Row = tuple[str, str, str]  # key, value, origin
_USERINFO = re.compile(r"(?<=://)[^/@\s]+@")
_WIDEST = 60  # a longer value does not push the other rows' origins to the right


def lines(settings: Settings) -> list[str]:
    """The settings as lines of text: a heading for each table, below it key, value and origin in three columns."""
    tables = [(heading, list(rows)) for heading, rows in _tables(settings)]
    keys = max(len(row[0]) for _, rows in tables for row in rows)
    values = max((len(row[1]) for _, rows in tables for row in rows if len(row[1]) <= _WIDEST), default=0)
    text: list[str] = [f"configuration: {settings.path or 'none, built-in defaults'}"]
    for heading, rows in tables:
        text += ["", heading]
        text += [f"  {key:<{keys}}  {value:<{values}}  {origin}" for key, value, origin in rows]
    return text


def _tables(settings: Settings) -> Iterator[tuple[str, Iterator[Row]]]:
    watch = settings.watch
    pairs = {
        "interval": watch.interval,
        "families": watch.families,
        "quorum": watch.quorum,
        "heartbeat": watch.heartbeat,
    }
    yield "[watch]", _rows(settings, "watch", pairs)
    yield "[state]", _rows(settings, "state", {"path": settings.state})
    for number, source in enumerate(settings.sources, 1):
        yield "[[source]]", _rows(settings, f"source[{number}]", {"kind": source.kind, **_pairs(source.options)})
    for name, account in settings.accounts.items():
        pairs = {"kind": account.kind, **_pairs(account.options)}
        table = spelt(("account", name))
        yield f"[{table}]", _rows(settings, table, pairs)
    for number, record in enumerate(settings.records, 1):
        pairs = {"name": record.name, "account": record.account, "families": record.families, "ttl": record.ttl}
        yield "[[record]]", _rows(settings, f"record[{number}]", {**pairs, **_pairs(record.options)})
    for number, notifier in enumerate(settings.notifiers, 1):
        pairs = {"kind": notifier.kind, **_pairs(notifier.options), "name": notifier.name}
        yield "[[notify]]", _rows(settings, f"notify[{number}]", pairs)


def _pairs(options: Any) -> dict[str, Any]:
    if not isinstance(options, Options):
        return {}
    return {field.encode_name: getattr(options, field.name) for field in msgspec.structs.fields(options)}


def _rows(settings: Settings, table: str, pairs: Mapping[str, Any]) -> Iterator[Row]:
    for key, value in pairs.items():
        yield key, shown(value), settings.origins.get(f"{table}.{key}", "default")


def shown(value: Any) -> str:  # noqa: PLR0911 - one return per type
    """A value as one would write it in the configuration; secrets, and passwords in URLs, as stars; "-" for none."""
    match value:
        case None:
            return "-"
        case Secret():
            return '"***"'
        case bool():
            return "true" if value else "false"
        case timedelta():
            return f'"{duration.spell(value)}"'
        case Enum():
            return shown(value.value)
        case str() | Path():
            return _quoted(_USERINFO.sub("***@", str(value)))
        case Options():
            return shown(_pairs(value))
        case Mapping():
            return "{ " + ", ".join(f"{key} = {shown(item)}" for key, item in value.items()) + " }" if value else "{}"
        case tuple() | list() | frozenset():
            return "[" + ", ".join(shown(item) for item in value) + "]"
        case _:
            return str(value)


def _quoted(text: str) -> str:
    """A TOML basic string (TOML 1.0.0, String)."""
    return msgspec.json.encode(text).decode()
