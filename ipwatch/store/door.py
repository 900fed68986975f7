"""The side door: another process asks the writer for something while that one runs (`ipwatch unlock NAME`)."""

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from ipwatch.ports import StoreFault
from ipwatch.store import schema
from ipwatch.store.faults import translated

_BUSY = 5.0  # seconds to wait for the writer's transaction to end; they take milliseconds


def request(path: Path, kind: str, argument: str) -> None:
    """Leave a request for the writer, on disk when this returns; raises StoreFault.

    It is taken by the service's next `take_requests`, should that be after its next start.
    """
    if not path.exists():
        raise StoreFault(
            f"there is no state file {path}: the service has not run yet, or another configuration is meant"
        )
    with translated(path), closing(_open(path)) as db:
        db.execute("PRAGMA synchronous = FULL")  # in here: on a damaged file it fails
        if schema.version(db, path) == 0:
            raise StoreFault(f"the state file {path} is empty: the service has not run yet")
        db.execute("INSERT INTO request (kind, argument) VALUES (?, ?)", (kind, argument))


def _open(path: Path) -> sqlite3.Connection:
    uri = f"file:{quote(str(path.absolute()))}?mode=rw"
    return sqlite3.connect(uri, uri=True, timeout=_BUSY, isolation_level=None)
