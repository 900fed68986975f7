"""Aligned columns; colour on a terminal, plain text in a pipe, on a dumb one, and where NO_COLOR is set to something
(no-color.org)."""

import os
import re
import sys
import unicodedata
from collections.abc import Sequence

Row = Sequence[object]
_ESCAPE = re.compile(r"\033\[\d+m")


def _colour() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _paint(text: str, code: int) -> str:
    return f"\033[{code}m{text}\033[0m" if _colour() and text else text


def good(text: str) -> str:
    """Green on a terminal."""
    return _paint(text, 32)


def warn(text: str) -> str:
    """Yellow on a terminal."""
    return _paint(text, 33)


def bad(text: str) -> str:
    """Red on a terminal."""
    return _paint(text, 31)


def _width(text: str) -> int:
    plain = _ESCAPE.sub("", text)
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in plain)


def show(head: Sequence[str], rows: Sequence[Row]) -> None:
    """Print rows under a head line; the last column is not padded."""
    cells = [[str(c) for c in row] for row in ([_paint(h, 1) for h in head], *rows)]
    widths = [max(_width(row[i]) for row in cells) for i in range(len(head))]
    for row in cells:
        line = "  ".join(c + " " * (w - _width(c)) for c, w in zip(row, widths, strict=True))
        print(line.rstrip())
