"""What a waiting person sees: a status line on a terminal, plain lines in a pipe, JSON lines, or nothing (--quiet).

Everything goes to standard error; results of commands go to standard output, by the commands themselves. Texts may hold
words of machines far away: their control characters are not written.
"""

import json
import os
import sys
import threading
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from typing import Any, TextIO


class Tone(StrEnum):
    """How a line is meant; on a terminal its colour."""

    PLAIN = "plain"
    GOOD = "good"
    WARN = "warn"
    BAD = "bad"


_COLOUR = {Tone.PLAIN: "", Tone.GOOD: "\033[32m", Tone.WARN: "\033[33m", Tone.BAD: "\033[31m"}


class Say:
    """Writes for people. A status is replaced in place on a terminal, written once as a line elsewhere."""

    def __init__(
        self,
        out: TextIO | None = None,
        *,
        quiet: bool = False,
        as_json: bool = False,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._out = sys.stderr if out is None else out
        self._quiet = quiet
        self._json = as_json
        self._terminal = self._out.isatty() and not as_json and environ.get("TERM") != "dumb"
        self._colour = self._terminal and not environ.get("NO_COLOR")  # no-color.org: present and not empty
        self._lock = threading.Lock()
        self._status = ""
        self._asking = 0
        self._after: list[str] = []  # lines that wait for the end of the questions

    @property
    def on_terminal(self) -> bool:
        """Whether a person watches."""
        return self._terminal

    def line(self, text: str, tone: Tone = Tone.PLAIN, **facts: Any) -> None:
        """One line that stays. facts: further keys of the JSON form. Warnings and faults are written even if quiet."""
        if self._quiet and tone in {Tone.PLAIN, Tone.GOOD}:
            return
        with self._lock:
            if self._json:
                self._write(_json({"tone": tone.value, "text": text, **facts}))
                return
            text = "\n".join(plain(row) for row in text.split("\n"))
            text = f"{_COLOUR[tone]}{text}\033[0m\n" if self._colour and tone is not Tone.PLAIN else text + "\n"
            if self._asking and self._terminal:
                self._after.append(text)
                return
            self._clear()
            self._write(text)
            self._redraw()

    def status(self, text: str) -> None:
        """What is going on now; "" for nothing. In a pipe each different status is one line."""
        text = plain(text)
        with self._lock:
            if self._quiet or text == self._status:
                return
            if self._json:
                if text:
                    self._write(_json({"status": text}))
            elif self._terminal:
                self._clear()
            elif text:
                self._write(text + "\n")
            self._status = text
            if self._terminal:
                self._redraw()

    @contextmanager
    def question(self) -> Iterator[None]:
        """While it lasts the terminal belongs to a question: no status is drawn over it, lines wait for its end."""
        with self._lock:
            self._clear()
            self._asking += 1
        try:
            yield
        finally:
            with self._lock:
                self._asking -= 1
                if not self._asking:
                    late, self._after = self._after, []
                    self._write("".join(late))
                    self._redraw()

    def _clear(self) -> None:
        if self._terminal and self._status and not self._asking:
            self._write("\r\033[K")

    def _redraw(self) -> None:
        if self._terminal and self._status and not self._asking:
            try:
                width = os.get_terminal_size(self._out.fileno()).columns or 80  # 0: a serial line's, for one
            except (OSError, ValueError):
                width = 80
            self._write(fitting(self._status, width - 3))  # a full last column, or ^C there, would break the line

    def _write(self, text: str) -> None:
        try:
            self._out.write(text)
            self._out.flush()
        except (OSError, ValueError):  # nobody reads any more: no reason to stop working
            pass


def fitting(text: str, columns: int) -> str:
    """The beginning of a text that takes at most so many columns of a terminal, at least one character."""
    taken = 0
    for at, letter in enumerate(text):
        wide = unicodedata.east_asian_width(letter) in {"W", "F"}
        taken += 0 if unicodedata.combining(letter) else 2 if wide else 1
        if taken > columns:
            return text[: max(1, at)]
    return text


def plain(text: str) -> str:
    """Without control characters: a banner must not move the cursor."""
    return text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)


def _json(facts: dict[str, Any]) -> str:
    return json.dumps(facts, default=str) + "\n"
