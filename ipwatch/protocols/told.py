"""What the script on the host tells (laptop/apps/there.sh): one JSON object a line, the last one {"fact": "end"}."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from ipwatch.core.app import Running, Server
from ipwatch.protocols import jupyter


class Stopped(NamedTuple):
    """An app that was ended."""

    pid: int
    title: str


class Told(NamedTuple):
    """Everything the script told. complete: it came to its end. fault: what stood in its way (a word) and where.

    started: it was started just now; else `running`, if it is set, ran before. lines: the end of its log.
    """

    complete: bool = False
    fault: tuple[str, str] | None = None
    folder: str = ""
    running: Running | None = None
    started: bool = False
    gone: bool = False
    servers: tuple[Server, ...] = ()
    socket: str = ""
    stopped: tuple[Stopped, ...] = ()
    lines: tuple[str, ...] = ()


def parse(output: bytes) -> Told:
    """Read it; lines that are none of the script's (a login message, say) are passed over."""
    told = Told()
    for fact in _facts(output):
        told = _add(told, fact)
    return told


def _facts(output: bytes) -> Iterator[dict[str, Any]]:
    for row in output.decode("utf-8", "replace").splitlines():
        try:
            fact = json.loads(row) if row.startswith("{") else None
        except (ValueError, RecursionError):
            continue
        if isinstance(fact, dict):
            yield fact


def _add(told: Told, fact: dict[str, Any]) -> Told:
    new: dict[str, Any] = {}
    match fact.get("fact"):
        case "end":
            new = {"complete": True}
        case "fault":
            new = {"fault": (_text(fact, "what"), _text(fact, "text"))}
        case "folder":
            new = {"folder": _text(fact, "path")}
        case "running" | "started" as how:
            running = Running(_number(fact, "pid"), _number(fact, "port"), _text(fact, "log"))
            new = {"running": running, "started": how == "started"}
        case "gone":
            new = {"gone": True}
        case "server" if isinstance(fact.get("is"), dict) and (server := jupyter.server(fact["is"])):
            new = {"servers": (*told.servers, server)}
        case "socket":
            new = {"socket": _text(fact, "path")}
        case "stopped":
            new = {"stopped": (*told.stopped, Stopped(_number(fact, "pid"), _text(fact, "title")))}
        case "line":
            new = {"lines": (*told.lines, _text(fact, "text"))}
    return told._replace(**new)


def _text(fact: dict[str, Any], key: str) -> str:
    found = fact.get(key)
    return found if isinstance(found, str) else ""


def _number(fact: dict[str, Any], key: str) -> int:
    """A number, which the script writes as text."""
    found = _text(fact, key)
    return int(found) if found.isascii() and found.isdigit() and len(found) < 10 else 0
