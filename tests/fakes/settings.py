"""A folder with a configuration in it, read by the real loader."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from ipwatch.settings.faults import Fault, SettingsFault
from ipwatch.settings.load import load
from ipwatch.settings.model import Settings


def read(folder: Path, text: str, environ: Mapping[str, str] | None = None, mode: int = 0o600) -> Settings:
    """The settings of a configuration with that text; `folder` stands for the root of the machine too."""
    file = folder / "ipwatch.toml"
    file.write_text(text, encoding="utf-8")
    file.chmod(mode)
    return load(file, environ or {}, folder, root=folder)


def faults(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> tuple[Fault, ...]:
    """The faults of a configuration that has some."""
    with pytest.raises(SettingsFault) as caught:
        read(folder, text, environ)
    return caught.value.faults


def told(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> list[str]:
    """The faults as "line: message"."""
    start = f"{folder / 'ipwatch.toml'}:"
    return [str(fault).removeprefix(start) for fault in faults(folder, text, environ)]
