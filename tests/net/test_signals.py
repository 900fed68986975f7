"""net.signals in a process of its own, with threads that the kernel may hand a signal to."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PROGRAM = """\
import signal, threading
from datetime import timedelta
from ipwatch.net.signals import Signals
signals = Signals((signal.SIGUSR1, signal.SIGTERM))
stop = threading.Event()
for _ in range(4):
    threading.Thread(target=stop.wait, args=(30,), daemon=True).start()
print(signals.wait(timedelta(milliseconds=10)), flush=True)
while (got := signals.wait(timedelta(seconds=30))) != signal.SIGTERM:
    print(got, flush=True)
"""


@pytest.fixture
def process() -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True) as it:
        try:
            yield it
        finally:
            it.kill()


def test_each_signal_is_taken_at_once(process: "subprocess.Popen[str]") -> None:
    """Whichever thread the kernel hands it to, a signal ends the wait; without one it ends in time with nothing."""
    assert process.stdout is not None
    assert process.stdout.readline() == "None\n"
    tasks = sorted(int(path.name) for path in Path(f"/proc/{process.pid}/task").iterdir())
    assert len(tasks) == 5
    for task in tasks:
        ctypes.CDLL(None).tgkill(process.pid, task, signal.SIGUSR1)  # glibc 2.30 and later
        assert process.stdout.readline() == f"{int(signal.SIGUSR1)}\n"
    os.kill(process.pid, signal.SIGTERM)
    assert process.wait(10) == 0
