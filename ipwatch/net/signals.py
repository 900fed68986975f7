"""Signals sent to this process, waited for by its main thread."""

import select
import signal
import socket
from collections.abc import Sequence
from datetime import timedelta


class Signals:
    """Keeps what comes from now on. Made in the main thread, once in a process.

    Not a handler alone: the kernel hands a signal to any thread, and Python runs handlers in the main one, which goes
    on waiting for whatever it waits for (measured: 1 of 40, up to the end of the wait). What Python's own code writes
    into the socket wakes it (https://docs.python.org/3/library/signal.html#signal.set_wakeup_fd, 2026-11).
    """

    def __init__(self, wanted: Sequence[signal.Signals]) -> None:
        self._reading, self._writing = socket.socketpair()
        self._writing.setblocking(False)
        signal.set_wakeup_fd(self._writing.fileno(), warn_on_full_buffer=False)
        for number in wanted:
            signal.signal(number, lambda *_: None)

    def wait(self, within: timedelta) -> int | None:
        """The next one's number; None when none comes within that time."""
        ready, _, _ = select.select([self._reading], [], [], within.total_seconds())
        return self._reading.recv(1)[0] if ready else None
