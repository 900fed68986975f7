"""The fake store keeps the contract of the real one."""

import pytest

from ipwatch.core.event import Event, Topic
from ipwatch.core.state import State
from ipwatch.ports import StoreFault
from tests.contracts.store import StoreContract
from tests.fakes.memory_store import Disk, MemoryStore
from tests.fakes.states import NOON


class TestMemoryStore(StoreContract):
    """The contract on a Disk in memory."""

    @pytest.fixture
    def disk(self):
        return Disk()

    def open(self, disk):
        return MemoryStore(disk)

    def events(self, disk):
        return disk.events

    def ask(self, disk, kind, argument):
        disk.requests.append((kind, argument))


def test_full_disk_is_made_up_for():
    """Events of a commit that failed on the full disk come with the next one, once, repeated or not."""
    store = MemoryStore(Disk(full=True))
    event = Event(Topic.TEST, NOON)
    with pytest.raises(StoreFault) as caught:
        store.commit(State(rounds=1), [event])
    assert caught.value.full
    assert store.load() == State()
    store.disk.full = False
    store.commit(State(rounds=1), [event])
    assert (store.load(), store.disk.events) == (State(rounds=1), [event])
