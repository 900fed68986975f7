"""file: the current addresses in a file, replaced atomically."""

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import ClassVar, Literal

from ipwatch.core.address import Family
from ipwatch.notifiers._document import known
from ipwatch.ports import Files, Message, Notifier, NotifierOptions, Plugin, Tools


class Settings(NotifierOptions, frozen=True, kw_only=True):
    """`[[notify]]` with kind = "file"."""

    DOC: ClassVar[Mapping[str, str]] = {
        "path": "the file; its folder must exist",
        "format": '"text": one address per line, IPv4 first; "json": {"ipv4": ..., "ipv6": ..., "updated": ...}',
    }

    path: Path
    format: Literal["text", "json"] = "text"


class AddressFile:
    """Mirrors the addresses; while none is known the file stays as it is."""

    reflects = True

    def __init__(self, settings: Settings, files: Files) -> None:
        self._settings = settings
        self._files = files

    def send(self, message: Message, within: timedelta) -> None:  # noqa: ARG002 - a local file needs no deadline
        """Replace the file; raises Unreachable."""
        if message.addresses:
            text = _json(message) if self._settings.format == "json" else _lines(message)
            self._files.replace(self._settings.path, text.encode())


def _lines(message: Message) -> str:
    return "".join(f"{message.addresses[family]}\n" for family in Family if family in message.addresses)


def _json(message: Message) -> str:
    return json.dumps({**known(message.addresses), "updated": message.at.isoformat()}) + "\n"


def _build(settings: Settings, tools: Tools) -> Notifier:
    return AddressFile(settings, tools.files)


PLUGIN: Plugin[Settings, Notifier] = Plugin(
    title="the current addresses in a file, replaced atomically",
    manual="https://man7.org/linux/man-pages/man2/rename.2.html",
    settings=Settings,
    build=_build,
)
