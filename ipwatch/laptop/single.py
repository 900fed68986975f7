"""One process at a time: a lock file that names who holds it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ipwatch.core.trouble import Kind, Trouble


@contextmanager
def only_one(folder: Path, name: str, what: str) -> Iterator[None]:
    """Hold the lock for the block; raises Trouble ALREADY_UP that names the process which holds it."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(folder / f"{name}.lock", os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
    except OSError as error:
        why = (error.strerror or "error").lower()
        raise Trouble(Kind.NOT_WELL, f"the folder {folder} can not be used: {why}") from None
    try:
        if not _locked(descriptor):
            pid = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
            by = f" (process {pid})" if pid.isdigit() else ""
            raise Trouble(Kind.ALREADY_UP, f"{what} runs already{by}: end that one first, or use its forwards")
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    """Whether the lock is ours now; it ends with the descriptor, however the process ends."""
    if os.name != "posix":
        import msvcrt  # noqa: PLC0415 - Windows only

        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        except OSError:
            return False
        return True
    import fcntl  # noqa: PLC0415 - not on Windows

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
