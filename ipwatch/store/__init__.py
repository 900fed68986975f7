"""State, history and outbox on disk: one SQLite file, one writer, any number of readers.

sqlite    SqliteStore: the port `Store`, what the service holds open
reader    read_state, read_events: for commands beside a running service
lock      who writes: `holder(path)`
door      `request(path, ...)`: how another process asks the writer for something
codec     State <-> rows     schema   tables and migrations     faults   every error as one sentence
aside     a damaged file is kept, and what it still gives is taken over
"""

from ipwatch.store.door import request
from ipwatch.store.lock import holder
from ipwatch.store.reader import read_events, read_state
from ipwatch.store.sqlite import SqliteStore

__all__ = ["SqliteStore", "holder", "read_events", "read_state", "request"]
