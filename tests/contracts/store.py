"""What every Store keeps to. Inherit and give `disk` (where it is kept) and `open`."""

from dataclasses import replace
from typing import Any

import pytest

from ipwatch.core.event import Event, Topic
from ipwatch.core.state import State
from ipwatch.ports import StoreFault
from tests.fakes.states import NOON, delivery, large_state


class StoreContract:
    """The tests; `open(disk)` gives a store, `events(disk)` all events that are on disk, `ask` leaves a request."""

    @pytest.fixture
    def disk(self) -> Any:
        raise NotImplementedError

    def open(self, disk: Any) -> Any:
        raise NotImplementedError

    def events(self, disk: Any) -> list[Event]:
        raise NotImplementedError

    def ask(self, disk: Any, kind: str, argument: str) -> None:
        raise NotImplementedError

    @pytest.fixture
    def store(self, disk):
        store = self.open(disk)
        yield store
        store.close()

    def test_begins_empty(self, store):
        """A new store holds an empty state and has nothing to notice."""
        assert store.load() == State()
        assert store.notice == ""

    def test_outlives_the_store(self, disk, store):
        """What was committed is loaded by the next store on the same disk."""
        state = replace(large_state(3), outbox=(delivery("1"), delivery("2")), rounds=7, round_at=NOON)
        store.commit(state)
        store.close()
        again = self.open(disk)
        assert again.load() == state
        again.close()

    def test_replaces_whole(self, disk, store):
        """A later commit takes away what is no longer in the state, and keeps the outbox in its order."""
        store.commit(replace(large_state(3), outbox=(delivery("1"), delivery("2"), delivery("3"))))
        state = replace(large_state(2), outbox=(delivery("3"), delivery("4"), delivery("1")))
        store.commit(state)
        assert store.load() == state
        store.close()
        again = self.open(disk)
        assert again.load() == state
        again.close()

    def test_appends_events(self, disk, store):
        """Events stay for good, in the order in which they came."""
        first, second = (Event(Topic.TEST, NOON, {"n": n}) for n in "12")
        store.commit(State(rounds=1), [first])
        store.commit(State(rounds=2), [second])
        store.commit(State(rounds=2))
        assert self.events(disk) == [first, second]

    def test_one_writer(self, disk, store):
        """A second store on the same disk is refused while the first is open, and welcome afterwards."""
        with pytest.raises(StoreFault, match="in use by"):
            self.open(disk)
        store.close()
        self.open(disk).close()

    def test_requests(self, disk, store):
        """A request is given once, in the order of asking."""
        assert store.take_requests() == ()
        self.ask(disk, "unlock", "home")
        self.ask(disk, "unlock", "www.example.org")
        assert store.take_requests() == (("unlock", "home"), ("unlock", "www.example.org"))
        assert store.take_requests() == ()

    def test_closed(self, store):
        """A closed store refuses with a StoreFault, and may be closed again."""
        store.close()
        store.close()
        with pytest.raises(StoreFault, match="closed"):
            store.commit(State())
        with pytest.raises(StoreFault, match="closed"):
            store.load()
