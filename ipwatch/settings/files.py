"""Files that a configuration is read from or names. Standard library only, like all of the laptop's way in."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ipwatch.settings import toml
from ipwatch.settings.faults import Fault, SettingsFault

LIMIT = 1_048_576  # bytes of a configuration file: ten thousand records fit
FOLDER = "it is a folder (Docker makes one where the file to be mounted is missing)"


def text(file: Path, named_by: str) -> str:
    """A configuration file's text; raises SettingsFault. named_by: who named it ("--config"), "" if it was found."""
    try:
        if file.is_dir():
            raise OSError(FOLDER)
        if not stat.S_ISREG(file.stat().st_mode):
            raise OSError("it is not a regular file")
        with file.open("rb") as opened:
            content = opened.read(LIMIT + 1)
        if len(content) > LIMIT:
            raise OSError(f"it is larger than {LIMIT // 1024} KiB")
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise SettingsFault([Fault(f"{file}:{line}", "the file is not UTF-8 text")]) from None
    except (OSError, ValueError) as error:
        by = f" (named by {named_by})" if named_by else ""
        raise SettingsFault([Fault(str(file), f"the configuration can not be read: {reason(error)}{by}")]) from None


def parsed(file: Path, content: str) -> dict[str, Any]:
    """Its data; raises SettingsFault."""
    try:
        return toml.parse(content)
    except toml.BadToml as error:
        raise SettingsFault([Fault(f"{file}:{error.line}", f"column {error.column}: {error}")]) from None


def world_readable(path: Path) -> bool:
    """Whether the file's mode lets every user of the machine read it."""
    try:
        return bool(path.stat().st_mode & stat.S_IROTH)
    except OSError:  # gone since it was read
        return False


def expanded(name: str, environ: Mapping[str, str]) -> Path:
    """A path as written, with "~" as the user's home folder."""
    home = environ.get("HOME", "")
    return Path(home + name[1:]) if home and (name == "~" or name.startswith("~/")) else Path(name)


def reason(error: OSError | ValueError) -> str:
    """Why a file can not be read, without its name."""
    match error:
        case FileNotFoundError():
            return "there is no such file"
        case PermissionError():
            return f"permission denied{_to_me()}"
        case OSError(strerror=None):
            return str(error)
        case OSError():
            return str(error.strerror).lower()
        case _:
            return "the name holds a character no file name can have"


def _to_me() -> str:
    """Who it is that may not, where users have numbers: in a container no name tells it."""
    return f" to uid {os.geteuid()}, as which ipwatch runs" if hasattr(os, "geteuid") else ""
