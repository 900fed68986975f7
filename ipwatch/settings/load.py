"""The one way in: configuration file, environment and secret files -> Settings, or every fault at once."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ipwatch.settings import build, check, files, locate, override, toml
from ipwatch.settings.convert import table
from ipwatch.settings.faults import SettingsFault, among, nearest
from ipwatch.settings.model import Settings
from ipwatch.settings.reader import Bad, Reader
from ipwatch.settings.tables import StateTable, WatchTable

_TABLES = ("watch", "state", "source", "account", "record", "notify")
_LATER = ("web",)  # of the same file, for parts of the program this version does not have
_OTHERS = ("host",)  # of the same file, read by `ipwatch wake` alone


def load(path: Path | None, environ: Mapping[str, str], cwd: Path, *, root: Path = Path("/")) -> Settings:
    """The settings in force; raises SettingsFault with all faults.

    path: as the user gave it by `--config`. cwd: where relative paths of command line and environment start.
    root: the folder in which /config, /data and /run are looked for.
    """
    file = locate.configuration(path, environ, cwd, root)
    reader = Reader(file, file.parent if file else cwd, environ, root)
    data: dict[str, Any] = {}
    if file is not None:
        text = files.text(file, locate.named_by(path, environ))
        data = files.parsed(file, text)
        reader.lines = toml.lines(text)
    settings = _settings(reader, override.apply(reader, data, cwd), cwd)
    if reader.faults:
        raise SettingsFault(reader.told())
    return settings


def _settings(reader: Reader, data: dict[str, Any], cwd: Path) -> Settings:
    """Every table read and checked; with faults noted the result is not to be used."""
    _top_level(reader, data)
    watch = build.watch(reader, data.get("watch", {}))
    check.watch(reader, watch)
    state = _state(reader, data.get("state", {}), cwd)
    sources = build.sources(reader, data.get("source", []))
    check.sources(reader, sources, watch)
    raw_accounts = data.get("account", {})
    accounts = build.accounts(reader, raw_accounts)
    check.nameservers(reader, accounts)
    known = raw_accounts if isinstance(raw_accounts, dict) else {}
    records = build.records(reader, data.get("record", []), known, watch)
    check.records(reader, records, watch)
    check.unused(reader, accounts, records)
    notifiers = build.notifiers(reader, data.get("notify", []))
    _readable_by_all(reader)
    specs = tuple(spec for _, spec in records)
    warnings = tuple(dict.fromkeys(reader.masked(warning) for warning in reader.warnings))
    return Settings(reader.path, watch, state, sources, accounts, specs, notifiers, warnings, reader.origins)


def _top_level(reader: Reader, data: dict[str, Any]) -> None:
    for name in data:
        if name in _LATER:
            reader.warn((name,), "not used by this version")
        elif name in WatchTable.__struct_encode_fields__:
            reader.fault((name,), "this key belongs under [watch]")
        elif name not in (*_TABLES, *_OTHERS):
            meant = nearest(name, (*_TABLES, *_LATER, *_OTHERS, *WatchTable.__struct_encode_fields__))
            under = " under [watch]" if meant in WatchTable.__struct_encode_fields__ else ""
            hint = f"did you mean '{meant}'{under}?" if meant else among(_TABLES)
            reader.fault((name,), f"unknown table; {hint}")


def _state(reader: Reader, raw: Any, cwd: Path) -> Path:
    """Where the state lives: beside the configuration file, if nobody says otherwise."""
    made = table(reader, ("state",), StateTable, raw)
    if isinstance(made, Bad) or (reader.path is None and ("state", "path") not in reader.overrides):
        return locate.state(reader.environ, cwd, reader.root)
    return reader.folder / made.path


def _readable_by_all(reader: Reader) -> None:
    if reader.path is not None and reader.inline and files.world_readable(reader.path):
        reader.warn((), "every user of this machine can read this file, and it holds secrets; chmod 600 ends that")
