"""The few lines of laptop.toml that `ipwatch proxy` needs before its first packet. Standard library only.

Forgiving in its own way: whatever is not exactly as it should be is left to the full loader, which has a sentence
for every fault. Faults of other hosts are no reason to stop here.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ipwatch.core.candidate import Spot
from ipwatch.protocols.hostport import split_address
from ipwatch.settings import laptop_place

_TOP = {"home", "state", "host"}
_HOME = {"names", "nameservers", "doh", "probe", "allow_insecure"}
_HOST = {
    "name", "user", "port", "names", "identity", "keys", "engine", "lan", "mac", "secureon", "wake", "sleep",
    "keep_awake", "forward", "app",
}  # fmt: skip


class Quick(NamedTuple):
    """What is needed of one host. keys: as written. wakes: whether a wake is configured."""

    name: str
    state: Path
    port: int
    names: tuple[str, ...]
    lan: Spot | None
    keys: tuple[str, ...]
    wakes: bool


class _Odd(Exception):
    """For the full loader."""


def quick(file: Path | None, host: str, environ: Mapping[str, str], cwd: Path) -> Quick | None:
    """The host's lines, or None when the full loader is to have a look."""
    try:
        if file is None:
            return None
        data = tomllib.loads(file.read_bytes().decode())
        _known(data, _TOP)
        home = _table(data.get("home", {}), _HOME)
        one = _table(_host(data.get("host"), host), _HOST)
        return Quick(
            name=host,
            state=_state(data.get("state", {}), file.parent, environ, cwd),
            port=_port(one.get("port", 22)),
            names=_texts(one.get("names", home.get("names", []))),
            lan=_spot(one["lan"]) if "lan" in one else None,
            keys=_texts(one.get("keys", [])),
            wakes="wake" in one,
        )
    except (_Odd, OSError, ValueError):  # TOMLDecodeError and UnicodeDecodeError are ValueErrors
        return None


def _known(table: Mapping[str, Any], keys: set[str]) -> None:
    if not set(table) <= keys:
        raise _Odd


def _table(raw: Any, keys: set[str]) -> dict[str, Any]:
    if not isinstance(raw, dict):
        raise _Odd
    _known(raw, keys)
    return raw


def _host(raw: Any, name: str) -> Any:
    if not isinstance(raw, list) or not all(isinstance(one, dict) for one in raw):
        raise _Odd
    named = [one for one in raw if one.get("name") == name]
    if len(named) != 1:
        raise _Odd
    return named[0]


def _texts(raw: Any) -> tuple[str, ...]:
    """A list of texts, or one alone, none with anything but letters, digits and signs in it."""
    texts = [raw] if isinstance(raw, str) else raw
    if not isinstance(texts, list) or not all(isinstance(t, str) and t.strip() and t.isprintable() for t in texts):
        raise _Odd
    return tuple(t.strip() for t in texts)


def _port(raw: Any) -> int:
    if type(raw) is not int or not 0 < raw < 65536:
        raise _Odd
    return raw


def _spot(raw: Any) -> Spot:
    """ "192.168.1.20:22", or the address alone; raises ValueError for what is none."""
    if not isinstance(raw, str):
        raise _Odd
    return Spot(*split_address(raw, 22))


def _state(raw: Any, folder: Path, environ: Mapping[str, str], cwd: Path) -> Path:
    path = _table(raw, {"path"}).get("path")
    if path is None:
        return laptop_place.state(environ, cwd)
    if not isinstance(path, str) or not path.strip() or not path.isprintable() or path.startswith("~"):
        raise _Odd
    return folder / path
