"""What the converters share while one configuration is read: places, faults, warnings, origins."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from ipwatch.settings.faults import Fault, among, nearest
from ipwatch.settings.toml import KeyPath


class Bad:
    """The place holder of a value that could not be made; its fault is noted."""


BAD: Final = Bad()

_BARE = re.compile(r"[A-Za-z0-9_-]+\Z")


def spelt(key: KeyPath) -> str:
    """A key as people read it: ("source", 0, "url") -> "source[1].url", ("account", "a b") -> 'account."a b"'."""
    text = ""
    for step in key:
        if isinstance(step, int):
            text += f"[{step + 1}]"
        else:
            text += ("." if text else "") + (step if _BARE.match(step) else f'"{step}"')
    return text


class Reader:
    """One reading of one configuration.

    path: the file, None without one. lines: of its keys. overrides: keys that an environment variable stands above.
    folder: where relative paths start. secrets: texts that no message may hold.
    inline: whether a secret stands in the file itself.
    """

    def __init__(
        self,
        path: Path | None,
        folder: Path,
        environ: Mapping[str, str],
        root: Path = Path("/"),
        lines: Mapping[KeyPath, int] | None = None,
    ) -> None:
        self.path = path
        self.folder = folder
        self.environ = environ
        self.root = root
        self.lines: Mapping[KeyPath, int] = lines or {}
        self.overrides: dict[KeyPath, str] = {}
        self.faults: list[tuple[int, Fault]] = []
        self.warnings: list[str] = []
        self.origins: dict[str, str] = {}
        self.secrets: set[str] = set()
        self.inline = False

    def line(self, key: KeyPath) -> int:
        """The line of the key, or of the nearest table around it; 0 for none."""
        for end in range(len(key), 0, -1):
            if key[:end] in self.lines:
                return self.lines[key[:end]]
        return 0

    def override(self, key: KeyPath) -> str | None:
        """The environment variable that gave this key's value."""
        return next((self.overrides[key[:end]] for end in range(len(key), 0, -1) if key[:end] in self.overrides), None)

    def place(self, key: KeyPath) -> str:
        """Where to look for the key: "/config/ipwatch.toml:3", "environment IPWATCH_..."."""
        if variable := self.override(key):
            return f"environment {variable}"
        if self.path is None:
            return "built-in defaults"
        line = self.line(key)
        return f"{self.path}:{line}" if line else str(self.path)

    def origin(self, key: KeyPath, note: str = "") -> None:
        """Note where the value of a key came from."""
        if variable := self.override(key):
            origin = f"environment {variable}"
        else:
            origin = f"{self.path.name if self.path else 'defaults'}:{self.line(key)}"
        self.origins[spelt(key)] = f"{origin}, {note}" if note else origin

    def default(self, key: KeyPath) -> None:
        """Note that a key has its built-in value."""
        self.origins[spelt(key)] = "default"

    def one_origin(self, key: KeyPath) -> None:
        """A list has one origin: forget those of its items."""
        for item in [name for name in self.origins if name.startswith(f"{spelt(key)}[")]:
            del self.origins[item]

    def fault(self, key: KeyPath, message: str) -> Bad:
        """Note what is wrong with a key."""
        head = f"{spelt(key)}: " if key else ""
        self.faults.append((self.line(key), Fault(self.place(key), head + message)))
        return BAD

    def unknown(self, key: KeyPath, choices: Sequence[str]) -> Bad:
        """Note that the last step of a key is none of the permitted ones."""
        meant = nearest(str(key[-1]), choices)
        hint = f"did you mean '{meant}'?" if meant else among(choices)
        return self.fault(key, f"unknown key; {hint}")

    def warn(self, key: KeyPath, message: str) -> None:
        """Note what does no harm yet."""
        self.warnings.append(f"{self.place(key)}: {spelt(key)}: {message}" if key else f"{self.place(key)}: {message}")

    def told(self) -> tuple[Fault, ...]:
        """All faults in the file's order, each once, without any secret that found its way into one."""
        ordered = dict.fromkeys(fault for _, fault in sorted(self.faults, key=lambda found: found[0]))
        return tuple(Fault(fault.place, self.masked(fault.message)) for fault in ordered)

    def masked(self, message: str) -> str:
        """The message without secrets; texts of one to three characters would only tear it up."""
        for secret in sorted(self.secrets, key=len, reverse=True):
            if len(secret) > 3:
                message = message.replace(secret, "***")
        return message
