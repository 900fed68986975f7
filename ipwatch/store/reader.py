"""Reading beside a running service, or with none: nothing is written, no lock is taken.

Where SQLite can not read in place (a read-only medium, a folder of someone else's, a full disk: WAL wants to make its
index), the file is read as immutable, or, with a log beside it, from a copy.
"""

import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from ipwatch.core.event import Event
from ipwatch.core.state import State
from ipwatch.store import schema
from ipwatch.store.codec import event_of, read_rows
from ipwatch.store.faults import translated
from ipwatch.store.plain import Unreadable, time_text

_BUSY = 5.0  # seconds; readers hardly ever wait in WAL mode
_NO_INDEX = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_IOERR}

T = TypeVar("T")


def read_state(path: Path) -> State | None:
    """The state as last committed; None without a database. Raises StoreFault."""
    return _read(path, _state, None)


def read_events(path: Path, since: datetime | None = None, limit: int | None = None) -> list[Event]:
    """The events from `since` on (all), oldest first, of them the newest `limit` (all). Raises StoreFault."""
    return _read(path, lambda db: _events(db, since, limit), [])


def _state(db: sqlite3.Connection) -> State:
    return read_rows(db.execute("SELECT part, key, rank, value FROM state ORDER BY part, rank"))[0].state


def _events(db: sqlite3.Connection, since: datetime | None, limit: int | None) -> list[Event]:
    rows = db.execute(
        "SELECT at, topic, data FROM event WHERE at >= ? ORDER BY id DESC LIMIT ?",
        (time_text(since) if since else "", -1 if limit is None else max(limit, 0)),
    )
    found: list[Event] = []
    for at, topic, data in rows:
        try:
            found.append(event_of(at, topic, data))
        except Unreadable:
            continue  # of a newer program
    return found[::-1]


def _read(path: Path, action: Callable[[sqlite3.Connection], T], nothing: T) -> T:
    with translated(path):
        if not path.exists():
            return nothing
        try:
            return _at(path, "mode=ro", action, nothing)
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _NO_INDEX:
                raise
        return _elsewhere(path, action, nothing)


def _at(path: Path, how: str, action: Callable[[sqlite3.Connection], T], nothing: T) -> T:
    uri = f"file:{quote(str(path.absolute()))}?{how}"
    with closing(sqlite3.connect(uri, uri=True, timeout=_BUSY, isolation_level=None)) as db:
        return action(db) if schema.version(db, path) else nothing


def _elsewhere(path: Path, action: Callable[[sqlite3.Connection], T], nothing: T) -> T:
    log = Path(f"{path}-wal")
    if not log.exists() or not log.stat().st_size:
        return _at(path, "immutable=1", action, nothing)
    with tempfile.TemporaryDirectory(prefix="ipwatch-") as folder:
        copy = Path(folder) / path.name
        shutil.copyfile(path, copy)
        shutil.copyfile(log, f"{copy}-wal")
        return _at(copy, "mode=rw", action, nothing)
