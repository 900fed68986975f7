"""Where laptop.toml is and where the laptop's state lives. Standard library only: `ipwatch proxy` starts with this."""

import os
from collections.abc import Mapping
from pathlib import Path

NAME = "laptop.toml"
STATE = "IPWATCH_LAPTOP_STATE"


def configuration(path: str | None, environ: Mapping[str, str], cwd: Path) -> Path | None:
    """The file to read: a named one whether it exists or not, else the first that exists, else None."""
    if named := path or environ.get("IPWATCH_LAPTOP_CONFIG"):
        return cwd / named
    folders = [cwd, *(f / "ipwatch" for f in _folders(environ, ("XDG_CONFIG_HOME", "APPDATA"), ".config"))]
    return next((folder / NAME for folder in folders if os.path.exists(folder / NAME)), None)  # noqa: PTH110 - no raise


def state(environ: Mapping[str, str], cwd: Path) -> Path:
    """Where pins and memory are kept when the configuration names no folder: $IPWATCH_LAPTOP_STATE, else the user's
    state folder (XDG Base Directory Specification 0.8; %LOCALAPPDATA% on Windows), else a folder here."""
    if named := environ.get(STATE):
        return cwd / named
    for folder in _folders(environ, ("XDG_STATE_HOME", "LOCALAPPDATA"), ".local/state"):
        return folder / "ipwatch"
    return cwd / ".ipwatch"


def _folders(environ: Mapping[str, str], variables: tuple[str, ...], below_home: str) -> list[Path]:
    """The folders these variables name (values that are not absolute do not count), else the one below home."""
    named = [Path(environ[v]) for v in variables if os.path.isabs(environ.get(v, ""))]  # noqa: PTH117 - of a text
    home = environ.get("HOME", "") or environ.get("USERPROFILE", "")
    return named or ([Path(home) / below_home] if os.path.isabs(home) else [])  # noqa: PTH117
