"""A damaged database is kept under another name, never deleted, and what can still be read of it is taken over."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ipwatch.store import schema

_TABLES = {  # what is taken over, oldest first
    "state": ("part", "key", "rank", "value"),
    "event": ("at", "topic", "data"),
    "request": ("kind", "argument"),
}


def replace_damaged(path: Path, now: datetime) -> tuple[Path, int]:
    """Put a fresh database in the place of a damaged one; the old one's new name, and how many rows were taken over.

    The old one stays where it is until the fresh one is complete. Raises sqlite3.Error and OSError.
    """
    fresh = _fresh(path)
    for suffix in ("", "-journal"):
        Path(f"{fresh}{suffix}").unlink(missing_ok=True)
    with closing(sqlite3.connect(fresh, isolation_level=None)) as db:
        schema.upgrade(db, fresh)
        with schema.transaction(db):
            saved = _take_over(path, db)
    kept = _keep(path, now)
    fresh.rename(path)
    _sync(path.parent)
    return kept, saved


def finish(path: Path) -> None:
    """Do what a `replace_damaged` that was interrupted between its two steps left to do."""
    if not path.exists() and _fresh(path).exists():
        _fresh(path).rename(path)


def _fresh(path: Path) -> Path:
    return path.with_name(f"{path.name}.fresh")


def _keep(path: Path, now: datetime) -> Path:
    """Rename the file, its log and its index. The log goes first: it must never lie beside the fresh file."""
    kept = _free_name(path, f"{path.name}.corrupt-{now:%Y%m%dT%H%M%SZ}")
    for suffix in ("-wal", "-shm", ""):
        with suppress(FileNotFoundError):
            Path(f"{path}{suffix}").rename(f"{kept}{suffix}")
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


def _take_over(path: Path, db: sqlite3.Connection) -> int:
    """Copy every row that can still be read; how many those were.

    A latch that got lost would be a request the provider forbade, so even a part is worth having.
    """
    count = 0
    with closing(_read_only(path)) as old:
        for table, columns in _TABLES.items():
            names, marks = ", ".join(columns), ", ".join("?" * len(columns))
            into = f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({marks})"  # noqa: S608 - names from the table above
            for row in _rows(old, table, columns):
                count += db.execute(into, row).rowcount
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
