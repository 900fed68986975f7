"""Older databases are upgraded, newer and foreign ones are left alone."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ipwatch.core.address import Address, Family
from ipwatch.core.event import Event, Topic
from ipwatch.core.state import AccountStanding, Belief, Latch, RecordKey, Standing, State
from ipwatch.ports import StoreFault
from ipwatch.store import SqliteStore, read_events, read_state, request, schema
from tests.fakes.states import NOON, delivery, large_state
from tests.fakes.store_clock import SystemTime

DUMP = Path(__file__).with_name("schema-1.sql")
OLD = State(
    beliefs={Family.IPV4: Belief(address=Address.parse("192.0.2.7"), since=NOON)},
    records={
        RecordKey("home", "h.example.org", Family.IPV4): Standing(latch=Latch("badauth", "wrong password", NOON, "f"))
    },
    accounts={"home": AccountStanding()},
    outbox=(delivery("1"),),
    rounds=4,
)


def test_schema_1_is_read(tmp_path):
    """A database of the first schema is read: missing fields take their default, unknown ones are passed over."""
    path = tmp_path / "ipwatch.db"
    with closing(sqlite3.connect(path)) as db:
        db.executescript(DUMP.read_text())
    assert read_state(path) == OLD
    assert read_events(path) == [Event(Topic.ADDRESS_FOUND, NOON, {"family": "ipv4", "new": "192.0.2.7"})]
    store = SqliteStore(path, SystemTime())
    assert (store.load(), store.notice, store.take_requests()) == (OLD, "", (("unlock", "home"),))
    store.close()


def test_schema_1_is_what_is_made():
    """The dump has the tables that the first migration makes."""
    with closing(sqlite3.connect(":memory:")) as made, closing(sqlite3.connect(":memory:")) as dumped:
        schema.upgrade(made, Path("made"), schema.MIGRATIONS[:1])
        dumped.executescript(DUMP.read_text())
        question = "SELECT name, sql FROM sqlite_master ORDER BY name"
        assert made.execute(question).fetchall() == dumped.execute(question).fetchall()
        assert schema.version(dumped, Path("dumped")) == 1


def later(statement):
    return (*schema.MIGRATIONS, (statement,))


def test_migrations_keep_the_data(tmp_path):
    """A migration brings an older database to the new schema with all its rows; the older program then refuses it."""
    path = tmp_path / "ipwatch.db"
    store = SqliteStore(path, SystemTime())
    store.commit(large_state(5))
    store.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        schema.upgrade(db, path, later("ALTER TABLE event ADD COLUMN note TEXT NOT NULL DEFAULT ''"))
        assert db.execute("PRAGMA user_version").fetchone() == (len(schema.MIGRATIONS) + 1,)
        assert db.execute("SELECT count(*) FROM state").fetchone() == (5,)
    newer = r"was written by a newer ipwatch \(schema 2, this one knows 1\): install that version again"
    for use in (read_state, read_events, lambda p: request(p, "a", "b"), lambda p: SqliteStore(p, SystemTime())):
        with pytest.raises(StoreFault, match=newer):
            use(path)
    assert [file.name for file in tmp_path.glob("*corrupt*")] == []


def test_failed_migration_changes_nothing(tmp_path):
    """A migration that fails leaves the database as it was."""
    path = tmp_path / "ipwatch.db"
    SqliteStore(path, SystemTime()).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        with pytest.raises(sqlite3.OperationalError):
            schema.upgrade(db, path, later("ALTER TABLE nowhere ADD COLUMN x"))
        assert schema.version(db, path) == len(schema.MIGRATIONS)
    SqliteStore(path, SystemTime()).close()


def test_another_programs_database(tmp_path):
    """Another program's database is refused with a sentence and not touched."""
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE mine (x)")
        db.commit()
    before = path.read_bytes()
    for use in (read_state, lambda p: request(p, "a", "b"), lambda p: SqliteStore(p, SystemTime())):
        with pytest.raises(StoreFault, match="is a database of another program; choose another `path` under"):
            use(path)
    assert path.read_bytes() == before
