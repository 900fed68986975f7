"""A full disk: told, nothing half written, and made up for when there is space again."""

import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from ipwatch.core.event import Event, Topic
from ipwatch.core.state import State
from ipwatch.ports import StoreFault
from ipwatch.store import SqliteStore, read_events, read_state
from tests.fakes.small_disk import fill, mounted
from tests.fakes.states import NOON, delivery, large_state
from tests.fakes.store_clock import SystemTime

FIRST, SECOND, THIRD = (Event(Topic.TEST, NOON, {"n": n}) for n in "123")


@pytest.fixture
def small_disk():
    """A file system of 1 MiB, where root may mount one."""
    with mounted() as folder:
        yield folder


def test_full_file_system(small_disk):
    """On a full disk a commit is refused as full, the state stays readable, and the next commit with space writes all
    that is missing, the events of the refused ones too."""
    path = small_disk / "ipwatch.db"
    store = SqliteStore(path, SystemTime())
    small = State(rounds=1, outbox=(delivery("1"),))
    store.commit(small, [FIRST])
    filler = fill(small_disk)
    large = replace(large_state(200), rounds=2)
    for _ in range(3):
        with pytest.raises(StoreFault, match="its disk is full; free some space in") as caught:
            store.commit(large, [SECOND])
        assert caught.value.full
    assert store.load() == small
    assert read_state(path) == small
    filler.unlink()
    store.commit(large, [SECOND, THIRD])
    assert (read_state(path), read_events(path)) == (large, [FIRST, SECOND, THIRD])
    store.close()
    again = SqliteStore(path, SystemTime())
    assert (again.load(), again.notice) == (large, "")
    again.close()


def start(path):
    """Start and end at once; the faults met."""
    try:
        SqliteStore(path, SystemTime()).close()
    except StoreFault as fault:
        return [fault]
    return []


def test_start_on_a_full_file_system(small_disk):
    """A start on a full disk ends in the full disk's sentence or works; the state can be read either way and is whole
    afterwards."""
    path = small_disk / "ipwatch.db"
    store = SqliteStore(path, SystemTime())
    store.commit(large_state(50))
    store.close()
    filler = fill(small_disk)
    assert all(fault.full for fault in start(path))
    assert read_state(path) == large_state(50)
    filler.unlink()
    again = SqliteStore(path, SystemTime())
    assert (again.load(), again.notice) == (large_state(50), "")
    again.close()


def test_first_start_on_a_full_file_system(small_disk):
    """A first start on a full disk is refused as full, and succeeds once there is space."""
    filler = fill(small_disk)
    path = small_disk / "ipwatch.db"
    with pytest.raises(StoreFault) as caught:
        SqliteStore(path, SystemTime())
    assert caught.value.full
    filler.unlink()
    SqliteStore(path, SystemTime()).close()


def test_damaged_on_a_full_file_system(small_disk):
    """A damaged file on a full disk stays where it is until there is space to take its rows over."""
    path = small_disk / "ipwatch.db"
    store = SqliteStore(path, SystemTime())
    store.commit(large_state(100), [FIRST] * 200)
    store.close()
    with closing(sqlite3.connect(path)) as db:
        (root,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'event'").fetchone()
    with path.open("r+b") as file:
        file.seek((root - 1) * 4096)
        file.write(b"\xa5" * 4096)
    filler = fill(small_disk)
    assert [fault.full for fault in start(path)] == [True]
    assert list(small_disk.glob("*corrupt*")) == []
    filler.unlink()
    again = SqliteStore(path, SystemTime())
    assert again.load() == large_state(100)
    assert "it is kept as ipwatch.db.corrupt-" in again.notice
    again.close()


def test_no_more_pages(tmp_path):
    """SQLite's own "full", which needs no root: refused as full, rolled back, made up for."""
    path = tmp_path / "ipwatch.db"
    store = SqliteStore(path, SystemTime())
    store.commit(State(rounds=1), [FIRST])
    store._db.execute("PRAGMA max_page_count = 12")
    for events in ([SECOND], [SECOND, THIRD], []):
        with pytest.raises(StoreFault) as caught:
            store.commit(large_state(300), events)
        assert caught.value.full
    assert store.load() == State(rounds=1)
    store._db.execute("PRAGMA max_page_count = 100000")
    store.commit(large_state(300))
    assert (read_state(path), read_events(path)) == (large_state(300), [FIRST, SECOND, THIRD])
    store.close()
