"""The folders of the openssh engine: in use, left behind, and none of ours."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ipwatch.net import openssh_folder
from ipwatch.net.openssh_folder import Folder

_MAKE = "from ipwatch.net.openssh_folder import Folder; f = Folder(); print(f.path); {then}"


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder whose name leaves room for a socket's, which pytest's own do not always."""
    with tempfile.TemporaryDirectory(prefix="iw", dir="/tmp") as folder:
        yield Path(folder)


def made_elsewhere(then: str, **environ: str) -> str:
    """The folder another process made, which has ended."""
    words = [sys.executable, "-c", _MAKE.format(then=then)]
    done = subprocess.run(words, env={**os.environ, **environ}, stdout=subprocess.PIPE, text=True, check=False)
    return done.stdout.strip()


def test_folder_is_private_and_goes() -> None:
    """Nobody else can look into it; it is removed once, whoever has the name next."""
    folder = Folder()
    (folder.path / "k").write_text("pins")
    assert folder.path.stat().st_mode & 0o777 == 0o700
    folder.close()
    assert not folder.path.exists()
    folder.path.mkdir()
    folder.close()
    folder.path.rmdir()


def test_leftovers_go_and_nothing_else(short: Path) -> None:
    """What a killed process left is removed by the next; what is in use, a link, a file and other names stay."""
    left = Path(
        made_elsewhere("(f.path / 'k').touch(); import os; os.kill(os.getpid(), 9)", XDG_RUNTIME_DIR=str(short))
    )
    assert left.parent == short
    assert (left / "k").exists()
    used = short / "ipwatch-ssh-used"
    away = short / "away"
    for path in (used, away, short / "ipwatch"):
        path.mkdir()
    (short / "ipwatch-ssh-link").symlink_to(away)
    (short / "ipwatch-ssh-file").touch()
    descriptor = openssh_folder.held(used)
    assert descriptor is not None
    assert openssh_folder.held(used) is None
    after = Path(made_elsewhere("f.close()", XDG_RUNTIME_DIR=str(short)))
    os.close(descriptor)
    assert after.parent == short
    expected = {"ipwatch-ssh-used", "away", "ipwatch", "ipwatch-ssh-link", "ipwatch-ssh-file"}
    assert {path.name for path in short.iterdir()} == expected
    openssh_folder.clear(str(short))
    assert not used.exists()
    openssh_folder.clear(str(short / "none"))


def test_place_with_a_long_name_is_passed_over(tmp_path: Path) -> None:
    """A Unix socket's path is short."""
    long = tmp_path / ("x" * 100)
    long.mkdir()
    made = Path(made_elsewhere("f.close()", XDG_RUNTIME_DIR=str(long), TMPDIR=str(long)))
    assert made.parent == Path("/tmp")
