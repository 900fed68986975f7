"""The timeline a person watches: when, who, what, and how long after its cause. Plain lines in a pipe."""

import os
import textwrap
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TextIO

_COLOURS = {
    "house": "1;33",
    "ipwatch": "1;36",
    "dns": "32",
    "mail": "35",
    "demo": "1",
}  # SGR parameters (ECMA-48 8.3.117)
_FAULT, _DIM = "1;31", "2"
_INDENT = " " * 30  # up to where a step tells what
_WIDTH = 100  # columns of quoted text


@dataclass(slots=True)
class Change:
    """One change of the address, and how long everything took: seconds after `at` (time.monotonic()), None: never."""

    title: str
    address: str
    at: float
    published: float | None = None
    verified: float | None = None
    mailed: float | None = None


class Timeline:
    """Prints as things happen. colour: None asks the stream whether it is a terminal that wants it (no-color.org)."""

    def __init__(self, out: TextIO, *, colour: bool | None = None) -> None:
        self._out = out
        self._colour = _coloured(out) if colour is None else colour
        self._encoding = getattr(out, "encoding", None) or "utf-8"
        self._start = time.monotonic()

    def scene(self, title: str) -> None:
        """A heading."""
        self._print("")
        self._print(self._paint("1", title))

    def step(self, who: str, what: str, *, at: float | None = None, cause: float | None = None) -> None:
        """One line. at: when (time.monotonic(), default now); cause: since when the delay is counted."""
        at = time.monotonic() if at is None else at
        delay = "" if cause is None else f"+{max(at - cause, 0.0):.2f} s"
        who = self._paint(_COLOURS.get(who, "0"), f"{who:<8}")
        self._print(f"{max(at - self._start, 0.0):6.2f} s {self._paint(_DIM, f'{delay:>9}')}   {who} {what}")

    def quote(self, text: str) -> None:
        """A text somebody got, wrapped and set in."""
        for line in textwrap.wrap(text, _WIDTH - len(_INDENT) - 2):
            self._print(self._paint(_DIM, f"{_INDENT}| {line}"))

    def fault(self, what: str) -> None:
        """A line that says what went wrong."""
        self._print(self._paint(_FAULT, f"{time.monotonic() - self._start:6.2f} s {'':9}   FAILED   {what}"))

    def say(self, text: str = "") -> None:
        """A plain line."""
        self._print(text)

    def summary(self, changes: Sequence[Change], facts: Sequence[tuple[str, str, bool]]) -> None:
        """The table of the changes, and named facts below it: (name, value, whether it is as it should be)."""
        self.scene("Summary")
        self._print(f"  {'seconds from the change until':<36}{'published':>10}{'verified':>10}{'mailed':>10}")
        for change in changes:
            figures = "".join(f"{_seconds(s):>10}" for s in (change.published, change.verified, change.mailed))
            self._print(f"  {change.title + ' (' + change.address + ')':<36}{figures}")
        for name, value, well in facts:
            self._print(f"  {name:<36}" + self._paint("32" if well else _FAULT, f"{value:>10}"))
        self._print(f"  {'took':<36}{time.monotonic() - self._start:>8.1f} s")

    def _paint(self, sgr: str, text: str) -> str:
        return f"\x1b[{sgr}m{text}\x1b[0m" if self._colour else text

    def _print(self, line: str) -> None:
        # A mail's text may hold what the terminal's character set can not show.
        print(line.encode(self._encoding, "replace").decode(self._encoding), file=self._out, flush=True)


def _coloured(out: TextIO) -> bool:
    return out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
