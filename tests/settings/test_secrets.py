"""Secrets: the three ways to give one, what is wrong with them, and who else can read them."""

import os
from pathlib import Path

import pytest

from ipwatch.ports import Secret
from ipwatch.settings.files import reason
from tests.fakes.settings import read, told

ACCOUNT = "[account.a]\nkind = 'duckdns'\ntoken = {}\n[[record]]\nname = 'x.duckdns.org'\naccount = 'a'\n"


def token(folder: Path, written: str, environ: dict[str, str] | None = None) -> Secret:
    """The secret that a value stands for."""
    found: Secret = read(folder, ACCOUNT.replace("{}", written), environ).accounts["a"].options.token  # type: ignore[attr-defined]
    return found


def put(folder: Path, name: str, content: bytes, mode: int = 0o600) -> None:
    """A file in a folder below `folder`."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)


def test_a_secret_is_text_a_file_or_a_variable(tmp_path: Path) -> None:
    """All three ways give the same; the line break at the end of a file does not belong to it, spaces do."""
    put(tmp_path, "sub/token", b"t0ken \r\n")
    assert token(tmp_path, "'t0ken '") == Secret("t0ken ")
    assert token(tmp_path, "{ file = 'sub/token' }") == Secret("t0ken ")
    assert token(tmp_path, "{ file = '~/token' }", {"HOME": str(tmp_path / "sub")}) == Secret("t0ken ")
    assert token(tmp_path, "{ env = 'TOKEN' }", {"TOKEN": "t0ken \n"}) == Secret("t0ken ")


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("''", "token: a secret can not be empty"),
        ("{ file = 'f/empty' }", "token.file: the file {}/f/empty is empty"),
        ("{ file = 'f/none' }", "token.file: the file {}/f/none can not be read: there is no such file"),
        ("{ file = 'f' }", "token.file: the file named here (in {}) can not be read: it is a folder (Docker makes one"),
        ("{ file = 'f/pipe' }", "token.file: the file {}/f/pipe can not be read: it is not a regular file"),
        ("{ file = 'f/huge' }", "token.file: the file {}/f/huge can not be read: it is larger than 64 KiB"),
        ("{ file = 'f/binary' }", "token.file: the file {}/f/binary is not UTF-8 text"),
        ("{ file = 'f/two' }", "token.file: the file {}/f/two holds a line break or another control character"),
        ('{ file = "f/\\u0000" }', "can not be read: the name holds a character no file name can have"),
        ("{ env = 'TOKEN' }", "token.env: the environment variable TOKEN is not set"),
        ("{ env = 'EMPTY' }", "token.env: the environment variable EMPTY is empty"),
        ("{ env = 'hunter2' }", "token.env: the environment variable named here is not set"),
        ("{ fil = 'f/none' }", "did you mean 'file'?"),
        ("{ file = 3 }", "token.file: a secret is text"),
        ("{ file = 'a', env = 'b' }", "token: a secret is text"),
        ("{ }", "token: a secret is text"),
        ("12345", "token: a secret is text"),
        ("['x']", "token: a secret is text"),
    ],
)
def test_a_secret_that_is_none_is_told_with_its_place(tmp_path: Path, written: str, says: str) -> None:
    """Missing, empty, unreadable or of a wrong type: the fault has line and key, and shows no value."""
    put(tmp_path, "f/empty", b"\n")
    put(tmp_path, "f/huge", b"x" * 70_000)
    put(tmp_path, "f/binary", b"\xff\xfe")
    put(tmp_path, "f/two", b"one\ntwo\n")
    os.mkfifo(tmp_path / "f/pipe")
    (fault,) = told(tmp_path, ACCOUNT.replace("{}", written), {"EMPTY": ""})
    assert fault.startswith("3: account.a.token")
    assert says.replace("{}", str(tmp_path)) in fault
    assert "hunter2" not in fault
    assert "12345" not in fault


def test_bytes_that_are_no_text_are_no_secret(tmp_path: Path) -> None:
    """A variable with bytes that are not UTF-8 is told, not handed on."""
    (fault,) = told(tmp_path, ACCOUNT.replace("{}", "{ env = 'TOKEN' }"), {"TOKEN": "t0ken\udcff"})
    assert fault == "3: account.a.token.env: the environment variable TOKEN is not UTF-8 text"


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (PermissionError(13, "Permission denied"), f"permission denied to uid {os.geteuid()}, as which ipwatch runs"),
        (OSError(5, "Input/output error"), "input/output error"),
        (OSError("it is odd"), "it is odd"),
    ],
)
def test_the_reason_of_a_file_fault_is_a_clause(error: OSError, says: str) -> None:
    """What the system says, without the file's name, in lower case."""
    assert reason(error) == says


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_secret_file_of_somebody_else_is_told(tmp_path: Path) -> None:
    """A file that may not be read says so."""
    put(tmp_path, "f/token", b"x", 0o000)
    assert "permission denied" in told(tmp_path, ACCOUNT.replace("{}", "{ file = 'f/token' }"))[0]


def test_secrets_that_everybody_can_read_are_a_warning(tmp_path: Path) -> None:
    """A configuration with secrets in it, or a secret file, readable by all is warned about; others are not."""
    inline = ACCOUNT.replace("{}", "'t0ken'")
    (warning,) = read(tmp_path, inline, mode=0o644).warnings
    assert warning == (
        f"{tmp_path}/ipwatch.toml: every user of this machine can read this file, "
        "and it holds secrets; chmod 600 ends that"
    )
    assert read(tmp_path, inline, mode=0o640).warnings == ()
    put(tmp_path, "f/token", b"t0ken", 0o644)
    by_file = ACCOUNT.replace("{}", "{ file = 'f/token' }")
    (warning,) = read(tmp_path, by_file, mode=0o644).warnings
    assert "ipwatch.toml:3: account.a.token.file: " in warning
    assert "can be read by every user of this machine" in warning


def test_docker_s_own_secrets_are_no_warning(tmp_path: Path) -> None:
    """/run/secrets is readable to all inside a container, where nobody else is."""
    put(tmp_path, "run/secrets/token", b"t0ken", 0o444)
    assert read(tmp_path, ACCOUNT.replace("{}", "{ file = 'run/secrets/token' }")).warnings == ()
