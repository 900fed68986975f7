"""A store whose process is killed at any moment has lost nothing that it acknowledged."""

import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from ipwatch.store import read_state

ROOT = Path(__file__).parents[2]


def killed_after(path, delay):
    """Let the program commit for that long (seconds) after its first commit; the last number it acknowledged."""
    argv = [sys.executable, "-m", "tests.fakes.commit_loop", str(path)]
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout.readline() == b"notice \n", child.stderr.read().decode()
        child.stdout.readline()
        time.sleep(delay)
        child.send_signal(signal.SIGKILL)
        said, _ = child.communicate(timeout=10)
    lines = said.split(b"\n")[:-1]  # the last may be half a line
    return int(lines[-1]) if lines else 0


@pytest.mark.slow
def test_killed_at_fifty_moments(tmp_path):
    """After each of 50 kills the database is sound, every acknowledged commit is there with its event and its outbox
    entry, and at most one that was not acknowledged."""
    path = tmp_path / "ipwatch.db"
    moments = random.Random(20261123)
    last = 0
    for _ in range(50):
        acknowledged = killed_after(path, moments.uniform(0, 0.12))
        state = read_state(path)
        assert state is not None
        assert max(acknowledged, last + 1) <= state.rounds
        assert acknowledged == 0 or state.rounds <= acknowledged + 1
        assert state.outbox[-1].id == str(state.rounds)
        assert max(standing.attempts for standing in state.records.values()) == state.rounds
        with closing(sqlite3.connect(path)) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            counts = db.execute("SELECT count(*), count(DISTINCT data), max(id) FROM event").fetchone()
        assert counts == (state.rounds,) * 3
        last = state.rounds
    assert last > 200
    assert list(tmp_path.glob("*.corrupt-*")) == []
