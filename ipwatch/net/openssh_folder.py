"""The private folder of one ssh: its control socket, the pins, our desk. It is locked while it is in use, so that what
a killed process left behind is told apart from what a living one needs; the next one that makes a folder removes it."""

import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ipwatch.ports.remote import LoginRefused

_PREFIX = "ipwatch-ssh-"
_SUN_PATH = 104  # bytes of a Unix socket's path (macOS; 108 on Linux), its end included
# Eight characters of mkdtemp's, and the longer name ssh makes its control socket under first (mux.c, OpenSSH 9.2).
_MARGIN = len(f"/{_PREFIX}01234567/c.0123456789abcdef")
_TRIES = 5  # a folder may be taken for a leftover in the instant before it is locked


class Folder:
    """Makes it; raises LoginRefused. path: where. The lock also keeps systemd-tmpfiles from it (tmpfiles.d(5))."""

    def __init__(self) -> None:
        self._closing = threading.Lock()
        self._descriptor: int | None = None
        for base in _bases():
            clear(base)
            for _ in range(_TRIES):
                with suppress(OSError):
                    self.path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
                    self._descriptor = held(self.path)
                if self._descriptor is not None:
                    return
        raise LoginRefused("no folder with a name short enough for a socket can be written")

    def close(self) -> None:
        """Remove it; again is no fault. From any thread."""
        with self._closing:
            if self._descriptor is not None:
                shutil.rmtree(self.path, ignore_errors=True)
                os.close(self._descriptor)
                self._descriptor = None


def held(path: Path) -> int | None:
    """A descriptor that locks the folder; None when somebody else has it, or it is gone. Raises OSError."""
    import fcntl  # noqa: PLC0415 - not on Windows

    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(descriptor).st_ino == path.lstat().st_ino:
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    except OSError:  # a file system without locks
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def clear(base: str) -> None:
    """Remove the user's own folders below it that nobody holds."""
    with suppress(OSError), os.scandir(base) as entries:
        for entry in entries:
            with suppress(OSError):
                mine = entry.name.startswith(_PREFIX) and entry.stat(follow_symlinks=False).st_uid == os.geteuid()
                if mine and (descriptor := held(Path(entry.path))) is not None:
                    shutil.rmtree(entry.path, ignore_errors=True)
                    os.close(descriptor)


def _bases() -> Iterator[str]:
    """Where it may be made, the best place first: what is left in XDG_RUNTIME_DIR ends with the user's session."""
    for base in (os.environ.get("XDG_RUNTIME_DIR", ""), tempfile.gettempdir(), "/tmp"):  # noqa: S108 - mkdtemp in it
        if base and len(os.fsencode(base)) + _MARGIN < _SUN_PATH:
            yield base
