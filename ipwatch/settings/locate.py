"""Which configuration file is read, and where the state lives when there is none (DESIGN section 7)."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

NAME = "ipwatch.toml"
STATE_NAME = "ipwatch.db"


def configuration(path: Path | None, environ: Mapping[str, str], cwd: Path, root: Path) -> Path | None:
    """The configuration file to read: a named one whether it exists or not, else the first that exists, else None."""
    if path is not None:
        return cwd / path
    if named := environ.get("IPWATCH_CONFIG"):
        return cwd / named
    return next((candidate for candidate in _candidates(environ, cwd, root) if _exists(candidate)), None)


def named_by(path: Path | None, environ: Mapping[str, str]) -> str:
    """Who named the file that is to be read: "--config", "IPWATCH_CONFIG", or "" if it was found."""
    if path is not None:
        return "--config"
    return "IPWATCH_CONFIG" if environ.get("IPWATCH_CONFIG") else ""


def _candidates(environ: Mapping[str, str], cwd: Path, root: Path) -> Iterator[Path]:
    yield cwd / NAME
    yield root / "config" / NAME
    if folder := _user_folder(environ, "XDG_CONFIG_HOME", ".config"):
        yield folder / "ipwatch" / NAME


def _user_folder(environ: Mapping[str, str], variable: str, below_home: str) -> Path | None:
    """A folder of the XDG Base Directory Specification 0.8; values that are not absolute do not count there."""
    folder = Path(environ.get(variable, ""))
    if folder.is_absolute():
        return folder
    home = Path(environ.get("HOME", ""))
    return home / below_home if home.is_absolute() else None


def _exists(path: Path) -> bool:
    """Whether something is there. What may not be looked at counts, so that reading it tells why."""
    try:
        return path.exists()
    except PermissionError:
        return True
    except (OSError, ValueError):
        return False


def state(environ: Mapping[str, str], cwd: Path, root: Path) -> Path:
    """Where the state lives when there is no configuration file."""
    data = root / "data"
    if data.is_dir() and os.access(data, os.W_OK):
        return data / STATE_NAME
    folder = _user_folder(environ, "XDG_STATE_HOME", ".local/state")
    return folder / "ipwatch" / STATE_NAME if folder else cwd / STATE_NAME
