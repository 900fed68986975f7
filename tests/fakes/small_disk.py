"""A file system of one MiB that can be filled."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def _unmount(folder: Path) -> None:
    """Away with it at once, or else as soon as nobody uses it."""
    if os.path.ismount(folder) and subprocess.run(["umount", folder], check=False, capture_output=True).returncode:
        subprocess.run(["umount", "--lazy", folder], check=True)
    folder.rmdir()


@contextmanager
def mounted() -> Iterator[Path]:
    """Its folder, where root may mount one; else the test is skipped.

    Outside pytest's own folder, which other runs clear: a mount that a killed run leaves there would be in their way.
    """
    folder = Path(tempfile.mkdtemp(prefix="ipwatch-full-disk-"))
    try:
        try:
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", folder], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("a tmpfs can not be mounted here")
        yield folder
    finally:
        _unmount(folder)


def fill(folder: Path) -> Path:
    """Write until nothing fits any more; the file that fills the disk."""
    filler = folder / "filler"
    fd = os.open(filler, os.O_WRONLY | os.O_CREAT)
    try:
        for size in (65536, 4096, 1):
            try:
                while os.write(fd, b"x" * size):
                    pass
            except OSError:
                continue
    finally:
        os.close(fd)
    return filler
