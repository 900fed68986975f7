"""Every error of SQLite and the file system as one sentence: which file, why, and what to do."""

import errno
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ipwatch.ports import StoreFault

_BROKEN = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
# https://www.sqlite.org/rescode.html (2026-11): an error of the file's content although the low byte says I/O.
_BROKEN_IO = {sqlite3.SQLITE_IOERR_SHORT_READ, sqlite3.SQLITE_IOERR_CORRUPTFS, sqlite3.SQLITE_IOERR_DATA}
_DENIED = {
    sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH,
}  # fmt: skip
_NEARLY_FULL = 256 * 1024  # bytes: less than one growth of the write-ahead log's index and a few pages


class Damaged(StoreFault):
    """The file is not a sound database; `how`: how that shows."""

    def __init__(self, path: Path, how: str) -> None:
        super().__init__(f"the state file {path} is damaged ({how}); ipwatch keeps it aside at its next start")
        self.how = how


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Errors of SQLite and of the system become StoreFault: a Damaged where the file's content is to blame."""
    try:
        yield
    except sqlite3.Error as error:
        raise fault(path, error) from error
    except OSError as error:
        raise system_fault(path, error) from error


def fault(path: Path, error: sqlite3.Error) -> StoreFault:
    """What an error of SQLite means."""
    code = getattr(error, "sqlite_errorcode", 0) or 0
    base = code & 0xFF
    if base in _BROKEN or code in _BROKEN_IO:
        return Damaged(path, str(error))
    if base == sqlite3.SQLITE_FULL or (base in {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN} and _full(path)):
        return full_fault(path)
    if base in _DENIED:
        return StoreFault(f"the state file {path} can not be written: {_denial(path)}")
    if base in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return StoreFault(f"the state file {path} is in use: another program has been writing to it for too long")
    return StoreFault(f"the state file {path} can not be used: {error}")


def system_fault(path: Path, error: OSError) -> StoreFault:
    """What an error of the file system means."""
    if _full(path):
        return full_fault(path)
    if isinstance(error, PermissionError | IsADirectoryError) or error.errno == errno.EROFS:
        return StoreFault(f"the state file {path} can not be written: {_denial(path)}")
    return StoreFault(f"the state file {path} can not be used: {error.strerror or error}")


def full_fault(path: Path) -> StoreFault:
    """The disk is full."""
    return StoreFault(
        f"the state file {path} can not be written: its disk is full; free some space in {path.parent} "
        "and the program goes on by itself",
        full=True,
    )


def _full(path: Path) -> bool:
    """Whether so little is left that a write must fail."""
    try:
        return shutil.disk_usage(path.parent).free < _NEARLY_FULL
    except OSError:
        return False


def _denial(path: Path) -> str:
    """Which of file and folder stands in the way, whose it is, and what to do."""
    if path.is_dir():
        return "it is a folder; choose a file as `path` under [state]"
    place = _refusing(path)
    try:
        owner = place.stat().st_uid
    except OSError:
        return f"{place} does not exist; create it, or choose another `path` under [state]"
    if os.statvfs(place).f_flag & os.ST_RDONLY:
        return f"{place} lies on a read-only file system; choose another `path` under [state]"
    me, folder = os.geteuid(), place.parent if place == path else place
    if owner == me:
        return f"{place} may not be written by uid {me}, whose it is; run `chmod u+rwX {place}`"
    return (
        f"{place} belongs to uid {owner} and does not let uid {me}, as which ipwatch runs, write; "
        f"run `chown -R {me} {folder}` as root{_mounted(folder)}, or choose another `path` under [state]"
    )


def _mounted(folder: Path) -> str:
    """In a container the folder has another name where the command can be run."""
    return " (in a container: of the folder that is mounted there)" if folder.is_mount() else ""


def _refusing(path: Path) -> Path:
    """The nearest thing on the way that may not be written."""
    for place in (path, Path(f"{path}-wal"), Path(f"{path}-shm"), Path(f"{path}.lock")):
        if _exists(place) and not _writable(place):
            return place
    return next((folder for folder in path.parents if _exists(folder)), path.parent)


def _writable(place: Path) -> bool:
    return os.access(place, os.R_OK | os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def _exists(place: Path) -> bool:
    try:
        return place.exists()
    except OSError:
        return False
