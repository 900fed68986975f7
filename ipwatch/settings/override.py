"""The few environment variables that stand above the file, for containers. One that is set but empty does not count."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ipwatch.settings import environment
from ipwatch.settings.faults import nearest
from ipwatch.settings.reader import Reader

_PREFIX = "IPWATCH_"
_OTHERS = ("IPWATCH_CONFIG", "IPWATCH_LAPTOP_CONFIG", "IPWATCH_LAPTOP_STATE", *environment.USUAL)


def _words(text: str) -> list[str]:
    """ "ipv4, ipv6" -> a list."""
    return [word for word in re.split(r"[\s,]+", text) if word]


def _number(text: str) -> Any:
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text.strip()) else text


def _quorum(text: str) -> Any:
    """ "2", or "ipv4=2,ipv6=1"."""
    if "=" not in text:
        return _number(text)
    pairs = (word.partition("=") for word in _words(text))
    return {name: _number(number) for name, _, number in pairs}


VARIABLES: Mapping[str, tuple[str, str, Callable[[str], Any]]] = {
    "IPWATCH_WATCH_INTERVAL": ("watch", "interval", str.strip),
    "IPWATCH_WATCH_FAMILIES": ("watch", "families", _words),
    "IPWATCH_WATCH_QUORUM": ("watch", "quorum", _quorum),
    "IPWATCH_STATE_PATH": ("state", "path", str),
}


def apply(reader: Reader, data: dict[str, Any], cwd: Path) -> dict[str, Any]:
    """The data with the variables' values put above it. Their relative paths start where the program was started."""
    merged = dict(data)
    for variable, (table, key, read) in VARIABLES.items():
        text = reader.environ.get(variable, "")
        below = merged.get(table, {})
        if not text.strip() or not isinstance(below, dict):
            continue
        value = read(text)
        merged[table] = {**below, key: str(cwd / text) if key == "path" and not text.startswith("~") else value}
        reader.overrides[(table, key)] = variable
    environment.apply(reader, merged)
    _misspelt(reader)
    return merged


def _misspelt(reader: Reader) -> None:
    """A variable that is nearly one of ours does nothing: say so."""
    known = [name.removeprefix(_PREFIX) for name in (*VARIABLES, *_OTHERS)]
    for name in sorted(reader.environ):
        short = name.removeprefix(_PREFIX)
        if name.startswith(environment.PREFIXES):
            continue
        if name.startswith(_PREFIX) and short not in known and (meant := nearest(short, known, 0.65)):
            reader.warnings.append(f"environment {name}: this variable is not read; did you mean {_PREFIX}{meant}?")
