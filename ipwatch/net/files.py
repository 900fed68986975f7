"""Files of the user's, read with a limit and replaced atomically."""

import os
import secrets
import stat
from pathlib import Path

from ipwatch.ports import Garbled, Unreachable


class LocalFiles:
    """ports.Files on the local file system."""

    def read(self, path: Path, limit: int = 65536) -> bytes:
        """The bytes of a regular file; raises Unreachable, and Garbled when there are more than `limit`."""
        try:
            # Without O_NONBLOCK the opening of a named pipe waits for a writer for ever.
            with os.fdopen(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    raise Unreachable(f"{path} is not a file")
                content = file.read(limit + 1)
        except OSError as error:
            raise Unreachable(f"{path} can not be read: {_reason(error)}") from None
        if len(content) > limit:
            raise Garbled(f"{path} is larger than {limit} bytes")
        return content

    def replace(self, path: Path, content: bytes) -> None:
        """Replace the file, or what a link of that name points to; its mode is kept. A reader sees the old content or
        the new, also after a power cut. Raises Unreachable; then the old content stands."""
        try:
            target = Path(os.path.realpath(path))
            _replace(target, content)
        except OSError as error:
            raise Unreachable(f"{path} can not be written: {_reason(error)}") from None


def _replace(target: Path, content: bytes) -> None:
    temporary = target.with_name(f".{target.name[:200]}.{secrets.token_hex(6)}.tmp")
    try:
        # 0o666 is cut by the user's umask, as for any new file.
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666), "wb") as file:
            _keep_mode(target, file.fileno())
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_directory(target.parent)


def _keep_mode(target: Path, descriptor: int) -> None:
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        return
    os.fchmod(descriptor, stat.S_IMODE(mode))


def _sync_directory(directory: Path) -> None:
    """Put the renaming on disk (fsync(2): the directory needs a sync of its own)."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _reason(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
