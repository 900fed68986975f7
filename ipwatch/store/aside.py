"""A damaged database is kept under another name, never deleted, and what can still be read of it is taken over."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

_TABLES = {  # what is taken over, oldest first
    "state": ("part", "key", "rank", "value"),
    "event": ("at", "topic", "data"),
    "request": ("kind", "argument"),
}


def keep_aside(path: Path, now: datetime) -> Path:
    """Rename the file, its log and its index; gives the file's new name. Raises OSError.

    The log goes first: left alone beside a fresh file, SQLite would throw it away.
    """
    kept = _free_name(path, f"{path.name}.corrupt-{now:%Y%m%dT%H%M%SZ}")
    for suffix in ("-wal", "-shm", ""):
        with suppress(FileNotFoundError):
            Path(f"{path}{suffix}").rename(f"{kept}{suffix}")
    _sync(path.parent)
    return kept


def _free_name(path: Path, name: str) -> Path:
    kept, count = path.with_name(name), 1
    while any(Path(f"{kept}{suffix}").exists() for suffix in ("", "-wal", "-shm")):
        count += 1
        kept = path.with_name(f"{name}.{count}")
    return kept


def _sync(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def take_over(kept: Path, db: sqlite3.Connection) -> int:
    """Copy every row that can still be read into the fresh database; how many those were.

    A latch that got lost would be a request the provider forbade, so even a part is worth having.
    """
    count = 0
    with suppress(sqlite3.Error), closing(_read_only(kept)) as old:
        for table, columns in _TABLES.items():
            marks = ", ".join("?" * len(columns))
            for row in _rows(old, table, columns):
                names = ", ".join(columns)
                count += db.execute(f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({marks})", row).rowcount  # noqa: S608
    return count


def _read_only(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True)
    db.text_factory = lambda raw: raw.decode("utf-8", "replace")
    return db


def _rows(db: sqlite3.Connection, table: str, columns: tuple[str, ...]) -> Iterator[tuple[Any, ...]]:
    """Rows in the table's order, until the damage is met."""
    with suppress(sqlite3.Error):
        for row in db.execute(f"SELECT {', '.join(columns)} FROM {table}"):  # noqa: S608 - names from the table above
            if all(isinstance(value, int if name == "rank" else str) for name, value in zip(columns, row, strict=True)):
                yield row
