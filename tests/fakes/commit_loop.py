"""A program to be killed: commits as fast as it can and prints the number of each commit that returned.

python -m tests.fakes.commit_loop DATABASE
"""

import sys
from dataclasses import replace
from pathlib import Path

from ipwatch.core.event import Event, Topic
from ipwatch.core.state import RecordKey
from ipwatch.store import SqliteStore
from tests.fakes.states import NOON, delivery, large_state
from tests.fakes.store_clock import SystemTime


def main(path: Path) -> None:
    store = SqliteStore(path, SystemTime())
    print("notice", store.notice, flush=True)
    state = store.load()
    records = dict(state.records or large_state(50).records)
    keys: list[RecordKey] = list(records)
    while True:
        number = state.rounds + 1
        key = keys[number % len(keys)]
        records[key] = replace(records[key], attempts=number, last_text="x" * 2000)
        outbox = (*state.outbox[-3:], delivery(str(number)))
        state = replace(state, rounds=number, records=dict(records), outbox=outbox)
        store.commit(state, [Event(Topic.ADDRESS_FOUND, NOON, {"n": str(number)})])
        print(number, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
