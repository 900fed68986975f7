"""The tables, and how an older database becomes one of today.

`user_version` counts the migrations a file has seen; `application_id` says that the file is ours at all.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from ipwatch.ports import StoreFault

APPLICATION = 0x69707761  # "ipwa", https://www.sqlite.org/pragma.html#pragma_application_id (2026-11)

# Never change one that was released: append. One statement each entry of the inner tuple.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE state (
             part TEXT NOT NULL, key TEXT NOT NULL, rank INTEGER NOT NULL, value TEXT NOT NULL,
             PRIMARY KEY (part, key)) WITHOUT ROWID""",
        """CREATE TABLE stray (
             part TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, found TEXT NOT NULL)""",
        """CREATE TABLE event (
             id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, topic TEXT NOT NULL, data TEXT NOT NULL)""",
        "CREATE INDEX event_at ON event (at)",
        """CREATE TABLE request (
             id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, argument TEXT NOT NULL)""",
    ),
)


def version(db: sqlite3.Connection, path: Path, known: int = len(MIGRATIONS)) -> int:
    """The schema's number, 0 for an empty file; raises StoreFault for a newer one and for another program's file."""
    number, mark, used = _marks(db)
    if mark != APPLICATION and (number or mark or used):
        raise StoreFault(f"{path} is a database of another program; choose another `path` under [state]")
    if number > known:
        raise StoreFault(
            f"{path} was written by a newer ipwatch (schema {number}, this one knows {known}): "
            "install that version again, or choose another `path` under [state]"
        )
    return number


def _marks(db: sqlite3.Connection) -> tuple[int, int, bool]:
    """user_version, application_id and whether there is any table, of one moment: a writer may just make them."""
    alone = not db.in_transaction
    if alone:
        db.execute("BEGIN")
    try:
        used = db.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is not None
        number = int(db.execute("PRAGMA user_version").fetchone()[0])
        return number, int(db.execute("PRAGMA application_id").fetchone()[0]), used
    finally:
        if alone and db.in_transaction:
            db.execute("COMMIT")


def upgrade(db: sqlite3.Connection, path: Path, migrations: Sequence[Sequence[str]] = MIGRATIONS) -> None:
    """Bring the tables up to date, all in one transaction; raises StoreFault as `version` does."""
    if version(db, path, len(migrations)) == len(migrations):
        return
    with transaction(db):
        for statements in migrations[version(db, path, len(migrations)) :]:
            for statement in statements:
                db.execute(statement)
        db.execute(f"PRAGMA application_id = {APPLICATION}")
        db.execute(f"PRAGMA user_version = {len(migrations)}")


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All or nothing; on disk when it ends well."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            with suppress(sqlite3.Error):
                db.execute("ROLLBACK")
        raise
