"""One writer: an flock on "<path>.lock", with the writer's pid in it.

The kernel lets go of it whatever way the writer ends, so a stale lock can not be; the file itself stays.
"""

import errno
import fcntl
import os
from datetime import timedelta
from pathlib import Path

from ipwatch.ports import Clock, StoreFault

_TRIES = 5  # `holder` takes the lock for an instant to see whether it is free: a writer just starting tries again
_PAUSE = timedelta(milliseconds=20)


def lock_path(path: Path) -> Path:
    """The lock's file."""
    return Path(f"{path}.lock")


class WriterLock:
    """The right to write. Raises StoreFault naming the pid that has it, and OSError where the file can not be made."""

    def __init__(self, path: Path, clock: Clock) -> None:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        self._fd = os.open(lock_path(path), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            self._take(path, clock)
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)
        except BaseException:
            os.close(self._fd)
            raise

    def _take(self, path: Path, clock: Clock) -> None:
        for _ in range(_TRIES):
            if _try(self._fd, fcntl.LOCK_EX):
                return
            clock.sleep(_PAUSE)
        pid = _pid(self._fd)
        who = f"the process with pid {pid}" if pid else "another process"
        raise StoreFault(
            f"the state file {path} is in use by {who}: ipwatch runs already; stop that one, "
            "or choose another `path` under [state]"
        )

    def release(self) -> None:
        """Let go; may be called again."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def holder(path: Path) -> int | None:
    """The pid of the process that writes to this database; None when nobody does, 0 when it can not be told."""
    try:
        fd = os.open(lock_path(path), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError:
        return 0
    try:
        return None if _try(fd, fcntl.LOCK_SH) else _pid(fd)
    finally:
        os.close(fd)


def _try(fd: int, mode: int) -> bool:
    try:
        fcntl.flock(fd, mode | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _pid(fd: int) -> int:
    text = os.pread(fd, 32, 0).decode("ascii", "replace").strip()
    return int(text) if text.isdecimal() else 0
