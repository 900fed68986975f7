"""SqliteStore, and the reader and the side door beside it."""

import os
import sqlite3
import threading
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ipwatch.core.event import Event, Topic
from ipwatch.core.state import State
from ipwatch.ports import StoreFault
from ipwatch.store import SqliteStore, holder, read_events, read_state, request
from ipwatch.store import sqlite as module
from tests.contracts.store import StoreContract
from tests.fakes.states import NOON, delivery, events, large_state, states
from tests.fakes.store_clock import SystemTime


class TestSqliteStore(StoreContract):
    """The contract on a real file."""

    @pytest.fixture
    def disk(self, tmp_path):
        return tmp_path / "ipwatch.db"

    def open(self, disk):
        return SqliteStore(disk, SystemTime())

    def events(self, disk):
        return read_events(disk)

    def ask(self, disk, kind, argument):
        request(disk, kind, argument)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "folder" / "ipwatch.db"


@pytest.fixture
def store(path):
    store = SqliteStore(path, SystemTime())
    yield store
    store.close()


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(states, st.lists(events, max_size=3)), min_size=1, max_size=3))
def test_any_state_comes_back(tmp_path_factory, commits):
    """Whatever states and events are committed one after another, reader and next store find the last and all."""
    path = tmp_path_factory.mktemp("any") / "ipwatch.db"
    store = SqliteStore(path, SystemTime())
    for state, happened in commits:
        store.commit(state, happened)
        assert store.load() == state
    assert read_state(path) == commits[-1][0]
    assert read_events(path) == [event for _, happened in commits for event in happened]
    store.close()
    again = SqliteStore(path, SystemTime())
    assert again.load() == commits[-1][0]
    assert again.notice == ""
    again.close()


def test_writes_only_what_differs(store, path):
    """One changed record of a thousand is one written row."""
    state = large_state(1000)
    store.commit(state)
    key = next(iter(state.records))
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE written (key TEXT)")
        other.execute("CREATE TRIGGER t AFTER INSERT ON state BEGIN INSERT INTO written VALUES (new.key); END")
        other.commit()
        store.commit(replace(state, records={**state.records, key: replace(state.records[key], attempts=1)}))
        assert other.execute("SELECT key FROM written").fetchall() == [("|".join(key),)]
        store.commit(store.load())
        assert other.execute("SELECT count(*) FROM written").fetchone() == (1,)


def test_delivery_ids_may_repeat(store, path):
    """Two deliveries of one id are both kept."""
    state = State(outbox=(delivery("1"), replace(delivery("1"), notifier="webhook")))
    store.commit(state)
    assert read_state(path) == state


def test_pragmas(store, path):
    """The file is in WAL mode and every commit is synced."""
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert store._db.execute("PRAGMA synchronous").fetchone() == (2,)


def test_used_from_another_thread(store, path):
    """A store made in one thread is used from others, even at once."""
    faults = []

    def work(number):
        try:
            for count in range(20):
                store.commit(State(rounds=count), [Event(Topic.TEST, NOON, {"n": f"{number}.{count}"})])
        except (StoreFault, sqlite3.Error) as error:
            faults.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert len(read_events(path)) == 60


def test_history_is_pruned(store, path):
    """Beyond the limit the oldest events go, but never those of addresses and outages."""
    lasting = [Event(topic, NOON, {"family": "ipv4"}) for topic in module.LASTING]
    crowd = [Event(Topic.SOURCE_DISSENT, NOON + timedelta(seconds=n)) for n in range(module.KEPT_EVENTS + 30)]
    store.commit(State(), lasting + crowd)
    kept = read_events(path)
    assert kept[: len(lasting)] == lasting
    assert kept[len(lasting) :] == crowd[30:]


def test_read_events_since_and_limit(store, path):
    """`since` and `limit` choose the newest, given oldest first."""
    all_events = [Event(Topic.TEST, NOON + timedelta(hours=n), {"n": str(n)}) for n in range(5)]
    store.commit(State(), all_events)
    assert read_events(path, since=NOON + timedelta(hours=2)) == all_events[2:]
    assert read_events(path, limit=2) == all_events[3:]
    assert read_events(path, since=NOON, limit=0) == []


def test_reader_without_database(path):
    """Without a database there is no state and no history, and reading makes no file."""
    assert read_state(path) is None
    assert read_events(path) == []
    assert not path.parent.exists()


def test_reader_while_writing(store, path):
    """A reader beside a busy writer sees whole commits only, never an older one after a newer, and is not refused."""
    done = threading.Event()

    def write():
        for count in range(1, 150):
            store.commit(State(rounds=count, store_fault=str(count), outbox=(delivery(str(count)),)))
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = [0]
    while not done.is_set():
        state = read_state(path)
        assert state is not None
        if state.rounds:
            assert (state.store_fault, state.outbox[0].id) == (str(state.rounds), str(state.rounds))
        seen.append(state.rounds)
    writer.join()
    assert seen == sorted(seen)
    assert len(set(seen)) > 5


def test_second_writer_is_told_the_pid(store, path):
    """Who opens it a second time is told who has it; `holder` tells too, until it is closed."""
    assert holder(path) == os.getpid()
    with pytest.raises(StoreFault, match=rf"{path} is in use by the process with pid {os.getpid()}: .*stop that one"):
        SqliteStore(path, SystemTime())
    store.close()
    assert holder(path) is None


def test_holder_without_a_lock(path):
    """Nobody holds what does not exist."""
    assert holder(path) is None


def test_request_without_a_service(path):
    """A request for a service that has never run is refused with a sentence."""
    with pytest.raises(StoreFault, match=r"there is no state file .*: the service has not run yet"):
        request(path, "unlock", "home")
    path.parent.mkdir()
    path.touch()
    with pytest.raises(StoreFault, match="is empty: the service has not run yet"):
        request(path, "unlock", "home")


def test_request_waits_for_the_next_start(path, store):
    """A request left while no service runs is there at its next start."""
    store.close()
    request(path, "unlock", "home")
    again = SqliteStore(path, SystemTime())
    assert again.take_requests() == (("unlock", "home"),)
    again.close()


def test_removed_while_open(path, store):
    """When someone removes the file under the running service, the next commit makes it anew, whole, and says so."""
    store.commit(large_state(20))
    path.unlink()
    store.commit(replace(large_state(20), rounds=1))
    assert read_state(path) == replace(large_state(20), rounds=1)
    assert "was removed or replaced while ipwatch ran" in store.notice


def test_written_to_by_another_program(store, path):
    """A file that another program keeps locked is told as in use, and is no damage."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        store._db.execute("PRAGMA busy_timeout = 10")
        with pytest.raises(StoreFault, match="is in use: another program has been writing to it for too long"):
            store.commit(State(rounds=1))
        other.execute("ROLLBACK")
    store.commit(State(rounds=1))
    assert (read_state(path), store.notice) == (State(rounds=1), "")
