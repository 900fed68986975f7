"""A damaged file: kept aside, never deleted, what can be read is taken over, and the user is told."""

import random
import re
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from ipwatch.core.event import Event, Topic
from ipwatch.core.state import State
from ipwatch.ports import StoreFault
from ipwatch.store import SqliteStore, read_events, read_state, request
from tests.fakes.states import NOON, delivery, large_state
from tests.fakes.store_clock import SystemTime

WHOLE = replace(large_state(300), rounds=4, outbox=tuple(delivery(str(n)) for n in range(30)))
HAPPENED = [Event(Topic.TEST, NOON, {"n": str(n)}) for n in range(200)]
PAGE = 4096


@pytest.fixture
def path(tmp_path):
    """A database that was closed in good order."""
    path = tmp_path / "ipwatch.db"
    store = SqliteStore(path, SystemTime())
    store.commit(WHOLE, HAPPENED)
    store.close()
    return path


def reopened(path):
    """The next start's store, closed again: its state and its notice."""
    store = SqliteStore(path, SystemTime())
    store.commit(replace(store.load(), next_at=NOON))
    state, notice = store.load(), store.notice
    store.close()
    assert read_state(path) == state
    return state, notice


@pytest.mark.parametrize("seed", range(25))
def test_random_pages_overwritten(path, seed):
    """With any pages overwritten the next start works; what it loads was committed; the damaged file is still there."""
    chance = random.Random(seed)
    raw = bytearray(path.read_bytes())
    for _ in range(chance.randint(1, 3)):
        begin = chance.randrange(len(raw) // PAGE) * PAGE
        raw[begin : begin + PAGE] = chance.randbytes(PAGE)
    path.write_bytes(raw)
    state, notice = reopened(path)
    assert state.records.items() <= WHOLE.records.items()
    assert all(entry in WHOLE.outbox for entry in state.outbox)
    assert all(event in HAPPENED for event in read_events(path))
    (kept,) = path.parent.glob("ipwatch.db.corrupt-*Z")
    assert kept.read_bytes() == raw
    assert re.search(
        rf"was damaged \(.+\): it is kept as {kept.name} beside a fresh one, into which \d+ of its", notice
    )


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.9, 0.999])
def test_truncated(path, share):
    """With its end cut off the next start works; the rest is kept aside (an empty file holds nothing to keep)."""
    raw = path.read_bytes()[: int(path.stat().st_size * share)]
    path.write_bytes(raw)
    state, notice = reopened(path)
    assert state.records.items() <= WHOLE.records.items()
    kept = list(path.parent.glob("ipwatch.db.corrupt-*Z"))
    assert [file.read_bytes() for file in kept] == ([raw] if raw else [])
    assert bool(notice) == bool(raw)


def test_state_survives_a_damage_elsewhere(path):
    """With the history's pages destroyed, the whole state, latches and outbox included, is taken over."""
    with closing(sqlite3.connect(path)) as db:
        (root,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'event'").fetchone()
    raw = bytearray(path.read_bytes())
    raw[(root - 1) * PAGE : root * PAGE] = b"\xa5" * PAGE
    path.write_bytes(raw)
    state, notice = reopened(path)
    assert state == replace(WHOLE, next_at=NOON)
    assert notice


def test_no_database_at_all(path):
    """A file that never was a database is kept aside too, as it was."""
    path.write_text("interval = '5m'\n" * 100)
    state, notice = reopened(path)
    assert state == State(next_at=NOON)
    assert "file is not a database" in notice
    (kept,) = path.parent.glob("ipwatch.db.corrupt-*Z")
    assert kept.read_text() == "interval = '5m'\n" * 100


def test_damaged_twice_in_a_second(path):
    """A second damaged file never takes the place of the first."""
    for text in ("first" * 100, "second" * 100):
        path.write_text(text)
        reopened(path)
    kept = [
        file.read_text()
        for file in path.parent.glob("ipwatch.db.corrupt-*Z*")
        if not file.name.endswith(("-wal", "-shm"))
    ]
    assert sorted(kept) == ["first" * 100, "second" * 100]


def test_damaged_while_running(path):
    """A damage that shows at a commit is survived: the commit is written, whole, to a fresh file."""
    store = SqliteStore(path, SystemTime())
    path.write_bytes(b"\xa5" * path.stat().st_size)
    store._db.execute("PRAGMA shrink_memory")  # as if the pages had left the cache long ago
    state = replace(WHOLE, rounds=5)
    store.commit(state, HAPPENED[:1])
    assert read_state(path) == state
    assert HAPPENED[0] in read_events(path)
    assert "was damaged" in store.notice
    store.close()


@pytest.mark.parametrize("seed", range(10))
def test_torn_log(path, tmp_path, seed):
    """A write-ahead log torn anywhere, as after a power cut, gives the state of one commit, whole, and a sound file."""
    store = SqliteStore(path, SystemTime())
    for count in range(5, 30):
        store.commit(replace(WHOLE, rounds=count, store_fault=str(count)))
    crashed = tmp_path / "crashed.db"
    shutil.copyfile(path, crashed)
    log = bytearray((path.parent / "ipwatch.db-wal").read_bytes())
    store.close()
    chance = random.Random(seed)
    at = chance.randrange(len(log))
    torn = log[:at] + (chance.randbytes(len(log) - at) if seed % 2 else b"")
    (tmp_path / "crashed.db-wal").write_bytes(torn)
    again = SqliteStore(crashed, SystemTime())
    state = again.load()
    assert again.notice == ""
    assert state in [WHOLE, *(replace(WHOLE, rounds=n, store_fault=str(n)) for n in range(5, 30))]
    again.close()


def test_reader_and_door_on_a_damaged_file(path):
    """Readers and the side door say that the file is damaged, and leave it alone."""
    path.write_bytes(b"\xa5" * 8192)
    for use in (read_state, read_events, lambda path: request(path, "unlock", "home")):
        with pytest.raises(StoreFault, match=r"is damaged \(.+\); ipwatch keeps it aside at its next start"):
            use(path)
    assert path.read_bytes() == b"\xa5" * 8192


def test_rows_that_make_no_sense(path):
    """A row that can not be read is set aside inside the file; all others are loaded."""
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE state SET value = '{' WHERE key = '7' AND part = 'outbox'")
        db.execute("UPDATE state SET key = 'home|x|ipv5' WHERE key = 'home|h3.example.org|ipv4'")
        db.execute("INSERT INTO event (at, topic, data) VALUES ('2026-11-23', 'of-tomorrow', '{}')")
        db.commit()
    assert read_state(path).outbox == WHOLE.outbox[:7] + WHOLE.outbox[8:]
    assert read_events(path) == HAPPENED
    state, notice = reopened(path)
    assert len(state.outbox) == 29
    assert len(state.records) == 299
    assert "2 entries of the state file" in notice
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT part, key, value FROM stray ORDER BY part").fetchall()[0] == ("outbox", "7", "{")
    assert reopened(path)[1] == ""


def test_replacement_interrupted(path):
    """A start after a crash in the midst of replacing a damaged file finishes it: what was taken over is not lost."""
    path.rename(path.with_name("ipwatch.db.fresh"))
    store = SqliteStore(path, SystemTime())
    assert (store.load(), store.notice) == (WHOLE, "")
    store.close()
