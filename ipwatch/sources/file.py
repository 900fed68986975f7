"""A file that something else keeps up to date, such as a router's hook."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from ipwatch.core.address import Address, Family
from ipwatch.ports import Files, Garbled, Plugin, SourceOptions, Tools
from ipwatch.protocols import echo

_OK = 200  # echo.read judges by HTTP status; a file that could be read counts as that


class FileOptions(SourceOptions, frozen=True, kw_only=True):
    """`[[source]]` of kind "file"."""

    path: Path


DOC = {"path": "the file; it holds one address and nothing else"}


@dataclass(frozen=True, slots=True)
class FileSource:
    """One file."""

    id: str
    operator: str
    families: frozenset[Family]
    min_interval: timedelta
    path: Path
    files: Files

    def observe(self, family: Family, within: timedelta) -> Address:  # noqa: ARG002 - a file does not wait
        """Read it once, strictly; raises PortError."""
        content = self.files.read(self.path, limit=4096)
        try:
            return echo.read(content, _OK, family)
        except echo.BadAnswer as error:
            raise Garbled(str(error), excerpt=content.decode("utf-8", "replace")) from None


def _build(options: FileOptions, tools: Tools) -> list[FileSource]:
    name = f"file:{options.path}"
    return [
        FileSource(
            id=name,
            operator=options.operator or name,
            families=frozenset(Family if options.families is None else options.families),
            min_interval=timedelta(0),
            path=options.path,
            files=tools.files,
        )
    ]


PLUGIN = Plugin(
    title="a file that holds the address",
    manual="https://man7.org/linux/man-pages/man2/rename.2.html",
    settings=FileOptions,
    build=_build,
)
