"""The store: SQLite in WAL mode, every commit on disk before it returns (https://www.sqlite.org/wal.html, 2026-11)."""

import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TypeVar

from ipwatch.core.event import Event, Topic
from ipwatch.core.state import State
from ipwatch.ports import Clock, StoreFault
from ipwatch.store import schema
from ipwatch.store.aside import finish, replace_damaged
from ipwatch.store.codec import Image, read_rows
from ipwatch.store.faults import Damaged, fault, translated
from ipwatch.store.lock import WriterLock
from ipwatch.store.plain import time_text, to_json

KEPT_EVENTS = 20_000  # of the topics that are not lasting; about 4 MB
LASTING = (Topic.ADDRESS_FOUND, Topic.ADDRESS_CHANGED, Topic.OFFLINE, Topic.ONLINE)  # the history itself: never pruned
_PRUNE_EVERY = 500  # events
_BUSY = 5.0  # seconds to wait for the side door's transaction to end
_LOG_LIMIT = 1_048_576  # bytes of write-ahead log left on disk after a checkpoint

_PUT = "INSERT OR REPLACE INTO state (part, key, rank, value) VALUES (?, ?, ?, ?)"
_DROP = "DELETE FROM state WHERE part = ? AND key = ?"
_APPEND = "INSERT INTO event (at, topic, data) VALUES (?, ?, ?)"
# not ?1, ?2: Python 3.12.1 warns of numbered ones given a tuple (3.11 and 3.13 do not)
_APPEND_AGAIN = """WITH new (at, topic, data) AS (VALUES (?, ?, ?)) INSERT INTO event (at, topic, data)
  SELECT at, topic, data FROM new WHERE NOT EXISTS (
    SELECT 1 FROM event AS old WHERE old.at = new.at AND old.topic = new.topic AND old.data = new.data)"""
_STRAY = """INSERT INTO stray (part, key, value, found)
  SELECT part, key, value, ? FROM state WHERE part = ? AND key = ?"""
_PRUNE = f"""DELETE FROM event WHERE id IN (
  SELECT id FROM event WHERE topic NOT IN ({", ".join("?" * len(LASTING))})
  ORDER BY id DESC LIMIT -1 OFFSET ?)"""  # noqa: S608 - question marks only

T = TypeVar("T")


class SqliteStore:
    """The port `Store` on one file. Any thread may call; one process may have it open.

    notice: "" or the sentences about what had to be done to the file (damaged and kept aside, removed meanwhile).
    Every method raises StoreFault. After one the store goes on: the next commit writes all that is missing, the
    events of failed commits too, whether or not they are handed in again.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self.notice = ""
        self._path = path
        self._clock = clock
        self._guard = threading.RLock()
        self._db: sqlite3.Connection | None = None
        self._file = (0, 0)  # device and inode of what is open
        self._image: Image | None = None  # None: what is on disk has to be read first
        self._unwritten: tuple[Event, ...] = ()
        self._appended = 0
        self._closed = False
        with ExitStack() as undo:
            with translated(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                self._lock = WriterLock(path, clock)
            undo.callback(self.close)
            with translated(path):
                finish(path)
            self._run(self._prune)
            undo.pop_all()

    def load(self) -> State:
        """The state as last committed; an empty one at first."""
        return self._run(lambda db: self._seen(db).state)

    def commit(self, state: State, events: Sequence[Event] = ()) -> None:
        """Write both in one transaction; on disk when it returns. Costs what differs from the last commit."""
        with self._guard:
            fresh = tuple(event for event in events if event not in self._unwritten)
            try:
                self._run(lambda db: self._write(db, state, fresh))
            except StoreFault:
                self._unwritten = (self._unwritten + fresh)[-KEPT_EVENTS:]
                raise
            self._unwritten = ()

    def take_requests(self) -> tuple[tuple[str, str], ...]:
        """What other processes asked for through `request`, as (kind, argument), oldest first; each is given once."""
        return self._run(self._take)

    def close(self) -> None:
        """Let go of the file."""
        with self._guard:
            self._closed = True
            self._drop_connection()
            self._lock.release()

    def _run(self, action: Callable[[sqlite3.Connection], T]) -> T:
        """Do it; on a damaged file begin a fresh one and do it there."""
        with self._guard, translated(self._path):
            if self._closed:
                raise StoreFault(f"the state file {self._path} was closed")
            try:
                return action(self._connection())
            except (sqlite3.Error, Damaged) as error:
                damage = error if isinstance(error, Damaged) else fault(self._path, error)
                if not isinstance(damage, Damaged):
                    raise damage from error
                self._begin_anew(damage)
                return action(self._connection())

    def _connection(self) -> sqlite3.Connection:
        """The open database; opened again where the last try failed or someone removed the file under us."""
        if self._db is not None and self._file != _identity(self._path):
            self._drop_connection()
            self._say(
                f"the state file {self._path} was removed or replaced while ipwatch ran; the state was written anew"
            )
        if self._db is None:
            self._db = _connect(self._path)
            self._file = _identity(self._path)
        return self._db

    def _drop_connection(self) -> None:
        db, self._db, self._image = self._db, None, None
        if db is not None:
            with suppress(sqlite3.Error):
                db.close()

    def _begin_anew(self, damage: Damaged) -> None:
        self._drop_connection()
        kept, saved = replace_damaged(self._path, self._clock.now())
        self._say(
            f"the state file {self._path} was damaged ({damage.how}): it is kept as {kept.name} beside a fresh one, "
            f"into which {saved} of its rows could be taken over"
        )

    def _seen(self, db: sqlite3.Connection) -> Image:
        """What is on disk; rows that can not be read are moved to the table `stray`."""
        if self._image is None:
            image, strays = read_rows(db.execute("SELECT part, key, rank, value FROM state ORDER BY part, rank"))
            if strays:
                with schema.transaction(db):
                    db.executemany(_STRAY, [(time_text(self._clock.now()), *stray) for stray in strays])
                    db.executemany(_DROP, strays)
                self._say(
                    f"{len(strays)} entries of the state file {self._path} made no sense and were set aside in it"
                )
            self._image = image
        return self._image

    def _write(self, db: sqlite3.Connection, state: State, fresh: Sequence[Event]) -> None:
        after, difference = self._seen(db).towards(state)
        if not (difference or fresh or self._unwritten):
            return
        self._image = None  # unknown until COMMIT has returned
        with schema.transaction(db):
            db.executemany(_DROP, difference.drop)
            db.executemany(_PUT, difference.put)
            db.executemany(_APPEND_AGAIN, map(_columns, self._unwritten))
            db.executemany(_APPEND, map(_columns, fresh))
        self._image = after
        self._appended += len(fresh)
        if self._appended >= _PRUNE_EVERY:
            with suppress(sqlite3.Error):  # what was asked for is on disk; a damage shows again at the next commit
                self._prune(db)

    def _prune(self, db: sqlite3.Connection) -> None:
        self._appended = 0
        db.execute(_PRUNE, (*LASTING, KEPT_EVENTS))

    def _take(self, db: sqlite3.Connection) -> tuple[tuple[str, str], ...]:
        rows = db.execute("SELECT id, kind, argument FROM request ORDER BY id").fetchall()
        if rows:
            db.execute("DELETE FROM request WHERE id <= ?", (rows[-1][0],))
        return tuple((kind, argument) for _, kind, argument in rows)

    def _say(self, sentence: str) -> None:
        self.notice = f"{self.notice}; {sentence}" if self.notice else sentence


def _columns(event: Event) -> tuple[str, str, str]:
    return time_text(event.at), event.topic.value, to_json(event.data)


def _identity(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except FileNotFoundError:
        return (0, 0)
    return found.st_dev, found.st_ino


def _connect(path: Path) -> sqlite3.Connection:
    """Open, check and upgrade; raises sqlite3.Error, Damaged and StoreFault."""
    with ExitStack() as undo:
        db = sqlite3.connect(path, timeout=_BUSY, isolation_level=None, check_same_thread=False)
        undo.callback(db.close)
        schema.version(db, path)  # before anything is written: the file may be another program's
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute(f"PRAGMA journal_size_limit = {_LOG_LIMIT}")
        _check(db, path)
        schema.upgrade(db, path)
        with schema.transaction(db):
            pass  # a file that may only be read opens without complaint: find it out now
        undo.pop_all()
        return db


def _check(db: sqlite3.Connection, path: Path) -> None:
    said = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    if said != "ok":
        raise Damaged(path, " ".join(str(said).split())[:200])
