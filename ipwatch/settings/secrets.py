"""Secrets: a string, { file = "..." } or { env = "..." }. No message ever holds what was found or written there."""

import re
import stat
from pathlib import Path
from typing import Any

from ipwatch.ports import Secret
from ipwatch.settings.faults import nearest
from ipwatch.settings.files import FOLDER, expanded, reason, world_readable
from ipwatch.settings.reader import Bad, Reader
from ipwatch.settings.toml import KeyPath

LIMIT = 65536  # bytes of a secret file: a certificate's key is a tenth of that
_HOW = 'a secret is text in "quotes", { file = "/path" } or { env = "NAME" }'
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*\Z")


def secret(reader: Reader, key: KeyPath, value: Any) -> Secret | Bad:
    """The secret that a value of the configuration stands for."""
    if isinstance(value, str):
        _note(reader, value)
        reader.inline = reader.inline or reader.override(key) is None
        reader.origin(key)
        return _checked(reader, key, value, "it")
    if not isinstance(value, dict):
        _note(reader, str(value))
        return reader.fault(key, _HOW)
    if len(value) != 1 or not set(value) <= {"file", "env"}:
        meant = [nearest(word, ("file", "env")) for word in value if word not in {"file", "env"}]
        hint = f"; did you mean '{meant[0]}'?" if len(value) == 1 and meant[0] else ""
        return reader.fault(key, _HOW + hint)
    ((way, where),) = value.items()
    if not isinstance(where, str) or not where:
        return reader.fault((*key, way), _HOW)
    return _from_file(reader, (*key, way), where) if way == "file" else _from_env(reader, (*key, way), where)


def _from_env(reader: Reader, key: KeyPath, name: str) -> Secret | Bad:
    shown = f"the environment variable {name}" if _VARIABLE.match(name) else "the environment variable named here"
    if name not in reader.environ:
        return reader.fault(key, f"{shown} is not set")
    reader.origin(key[:-1], "environment")
    return _checked(reader, key, reader.environ[name].rstrip("\r\n"), shown)


def _from_file(reader: Reader, key: KeyPath, name: str) -> Secret | Bad:
    path = reader.folder / expanded(name, reader.environ)
    # Anything else may be the password itself, written at the wrong place: base64 has slashes too.
    sure = name.startswith(("/", "./", "../", "~/")) or ("/" in name and _exists(path.parent))
    shown = f"the file {path}" if sure else f"the file named here (in {reader.folder})"
    try:
        text = _read(path)
    except UnicodeDecodeError:
        return reader.fault(key, f"{shown} is not UTF-8 text")
    except (OSError, ValueError) as error:
        return reader.fault(key, f"{shown} can not be read: {reason(error)}")
    if _open_to_all(path, reader.root):
        reader.warn(key, f"{shown} can be read by every user of this machine; chmod 600 ends that")
    reader.origin(key[:-1], "file")
    return _checked(reader, key, text.rstrip("\r\n"), shown)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # too long, or a character no name can have
        return False


def _read(path: Path) -> str:
    """The text of a regular file; raises OSError, UnicodeDecodeError, or ValueError with a clause."""
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):  # a pipe without a writer would hang the start
        raise OSError(FOLDER if stat.S_ISDIR(mode) else "it is not a regular file")
    with path.open("rb") as file:
        content = file.read(LIMIT + 1)
    if len(content) > LIMIT:
        raise OSError(f"it is larger than {LIMIT // 1024} KiB")
    return content.decode("utf-8-sig")


def _checked(reader: Reader, key: KeyPath, text: str, shown: str) -> Secret | Bad:
    """The secret, if the text can be one."""
    _note(reader, text)
    if not text.isascii() and any("\ud800" <= c <= "\udfff" for c in text):  # bytes Python could not decode (PEP 383)
        return reader.fault(key, f"{shown} is not UTF-8 text")
    if not text.strip():
        return reader.fault(key, f"{shown} is empty" if shown != "it" else "a secret can not be empty")
    if any(ord(c) < 32 or ord(c) == 127 for c in text):
        return reader.fault(key, f"{shown} holds a line break or another control character, a secret is one line")
    return Secret(text)


def _note(reader: Reader, text: str) -> None:
    """Remember it, so that no fault repeats it: as it stands and as Python would quote it."""
    reader.secrets.update({text, repr(text)[1:-1]} - {"", "True", "False"})


def _open_to_all(path: Path, root: Path) -> bool:
    """Whether every user may read it and there may be others: Docker and Podman mount secrets readable to all at
    /run/secrets, but in one container only (https://docs.docker.com/compose/how-tos/use-secrets/, 2026-11)."""
    return world_readable(path) and not path.is_relative_to(root / "run" / "secrets")
