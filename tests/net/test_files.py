"""net.files on a real file system."""

import os
import stat
import threading
from pathlib import Path

import pytest

from ipwatch.net.files import LocalFiles
from ipwatch.ports import Garbled, Unreachable

files = LocalFiles()


def test_replaced_and_read(tmp_path: Path) -> None:
    """What was written is read, and no temporary file is left."""
    path = tmp_path / "ip.txt"
    files.replace(path, b"1")
    files.replace(path, b"2")
    assert files.read(path) == b"2"
    assert list(tmp_path.iterdir()) == [path]


def test_mode_and_links_are_kept(tmp_path: Path) -> None:
    """The mode stays, and a link stays a link to the replaced file."""
    path, link = tmp_path / "ip.txt", tmp_path / "link"
    path.write_bytes(b"old")
    path.chmod(0o640)
    link.symlink_to(path)
    files.replace(link, b"new")
    assert link.is_symlink()
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_reader_never_sees_a_part(tmp_path: Path) -> None:
    """A reader sees the old content or the new one, never a mixture or nothing."""
    path = tmp_path / "ip.txt"
    files.replace(path, b"a" * 5000)
    seen: set[bytes] = set()
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            seen.add(files.read(path))

    reader = threading.Thread(target=look)
    reader.start()
    for letter in b"bcdefgh":
        files.replace(path, bytes([letter]) * 5000)
    over.set()
    reader.join()
    assert all(len(content) == 5000 and len(set(content)) == 1 for content in seen)


def test_failed_replacement_leaves_the_old(tmp_path: Path) -> None:
    """Where the new content can not take its place, that is Unreachable and nothing is left behind."""
    place = tmp_path / "folder"
    place.mkdir()
    with pytest.raises(Unreachable, match="can not be written"):
        files.replace(place, b"x")
    with pytest.raises(Unreachable, match="no such file"):
        files.replace(tmp_path / "none" / "ip.txt", b"x")
    assert list(tmp_path.iterdir()) == [place]


def test_what_can_not_be_read(tmp_path: Path) -> None:
    """A missing file, a folder and a named pipe are Unreachable at once; one too large is Garbled."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "none", tmp_path, tmp_path / "pipe"):
        with pytest.raises(Unreachable):
            files.read(path)
    (tmp_path / "big").write_bytes(b"x" * 11)
    assert files.read(tmp_path / "big", limit=11)
    with pytest.raises(Garbled, match="larger than 10"):
        files.read(tmp_path / "big", limit=10)
