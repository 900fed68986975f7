"""Folders and files that may not be written: one sentence with path, owner and what to do; reading still works."""

import os
import re
import sqlite3
import subprocess
import tempfile
from pathlib import Path

import pytest

from ipwatch.ports import StoreFault
from ipwatch.store import SqliteStore, holder, read_events, read_state, request
from ipwatch.store.faults import Damaged, fault
from tests.fakes.states import large_state
from tests.fakes.store_clock import SystemTime

NOBODY = 65534


@pytest.fixture
def folder():
    """A folder that any user may look into, with a database in it; given up as the user who must not write."""
    with tempfile.TemporaryDirectory(prefix="ipwatch-test-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        store = SqliteStore(folder / "ipwatch.db", SystemTime())
        store.commit(large_state(5))
        store.close()
        yield folder
        folder.chmod(0o755)


@pytest.fixture
def stranger(folder):
    """From here on the test is not root and may not write into the folder; the uid it runs as."""
    me = os.geteuid()
    if me == 0:
        os.seteuid(NOBODY)
    else:
        folder.chmod(0o555)
        for file in folder.iterdir():
            file.chmod(0o444)
    yield os.geteuid()
    os.seteuid(me)


def test_unwritable_file(folder, stranger):
    """A database of someone else's is refused, naming the file, its owner, our uid and the remedy."""
    with pytest.raises(StoreFault) as caught:
        SqliteStore(folder / "ipwatch.db", SystemTime())
    said = str(caught.value)
    assert f"the state file {folder}/ipwatch.db can not be written: {folder}/ipwatch.db" in said
    foreign = f"does not let uid {stranger}, as which ipwatch runs, write; run `chown -R {stranger} {folder}` as root, "
    own = f"may not be written by uid {stranger}, whose it is; run `chmod u+rwX {folder}/ipwatch.db`"
    assert foreign in said or own in said
    assert not caught.value.full


def test_unwritable_folder(folder, stranger):
    """A new database in a folder of someone else's is refused, naming the folder; so is one in a folder below."""
    for path in (folder / "new.db", folder / "deeper" / "new.db"):
        with pytest.raises(StoreFault) as caught:
            SqliteStore(path, SystemTime())
        assert f"the state file {path} can not be written: {folder} " in str(caught.value)
        assert re.search(r"run `ch(own -R|mod u\+rwX) ", str(caught.value))


def test_unwritable_file_in_a_good_folder(folder):
    """A file that is read-only in a folder of ours is found at the start, not at the first commit."""
    (folder / "ipwatch.db").chmod(0o444)
    me = os.geteuid()
    try:
        if me == 0:
            for place in (folder, *folder.iterdir()):
                os.chown(place, NOBODY, -1)
            os.seteuid(NOBODY)
        with pytest.raises(StoreFault, match=r"ipwatch.db may not be written by uid \d+, whose it is; run `chmod"):
            SqliteStore(folder / "ipwatch.db", SystemTime())
    finally:
        os.seteuid(me)


def test_door_needs_the_right_to_write(folder, stranger):
    """A request by someone who may not write is refused with the same sentence."""
    with pytest.raises(StoreFault, match=r"can not be written: .* uid \d+"):
        request(folder / "ipwatch.db", "unlock", "home")


def test_reading_needs_no_right_to_write(folder, stranger):
    """State and history can be read by someone who may not write there, with no log beside the file ..."""
    assert read_state(folder / "ipwatch.db") == large_state(5)
    assert read_events(folder / "ipwatch.db") == []


def test_reading_beside_a_log(folder, request):
    """... and with one, the newest commit included."""
    store = SqliteStore(folder / "ipwatch.db", SystemTime())
    store.commit(large_state(9))
    request.getfixturevalue("stranger")
    assert read_state(folder / "ipwatch.db") == large_state(9)
    store.close()


def test_path_that_is_a_folder(folder):
    """A folder as path, and a file where a folder should be, are refused with a sentence."""
    with pytest.raises(StoreFault, match="it is a folder; choose a file as `path` under"):
        SqliteStore(folder, SystemTime())
    with pytest.raises(StoreFault, match=r"can not be used: (Not a directory|File exists)"):
        SqliteStore(folder / "ipwatch.db" / "x.db", SystemTime())


def test_read_only_file_system():
    """On a read-only file system writing is refused with a sentence; reading works, with and without a log."""
    disk = Path(tempfile.mkdtemp(prefix="ipwatch-read-only-"))
    try:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", disk], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        disk.rmdir()
        pytest.skip("a tmpfs can not be mounted here")
    try:
        store = SqliteStore(disk / "closed.db", SystemTime())
        store.commit(large_state(5))
        for suffix in ("", "-wal"):
            (disk / f"crashed.db{suffix}").write_bytes((disk / f"closed.db{suffix}").read_bytes())
        store.close()
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True, capture_output=True)
        assert read_state(disk / "closed.db") == large_state(5)
        assert read_state(disk / "crashed.db") == large_state(5)
        with pytest.raises(StoreFault, match=r"closed.db lies on a read-only file system; choose another `path`"):
            SqliteStore(disk / "closed.db", SystemTime())
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)
        disk.rmdir()


def test_holder_that_can_not_be_told(folder, request):
    """Where the lock's file may not be read, it is not claimed that nobody writes."""
    (folder / "ipwatch.db.lock").chmod(0o000)
    if request.getfixturevalue("stranger") != NOBODY:
        (folder / "ipwatch.db.lock").chmod(0o000)
    assert holder(folder / "ipwatch.db") == 0


def test_any_other_error(tmp_path):
    """An error of no known sort is told with SQLite's or the system's own words, and is no damage; short reads are."""
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
    for path in (tmp_path / "x.db", tmp_path / "gone" / "x.db"):
        told = fault(path, error)
        assert str(told) == f"the state file {path} can not be used: disk I/O error"
        assert not isinstance(told, Damaged)
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_SHORT_READ
    assert isinstance(fault(tmp_path / "x.db", error), Damaged)
