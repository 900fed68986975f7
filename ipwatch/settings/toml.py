"""TOML text -> data, and the line of each key, which tomllib does not keep.

The line finder is a second, forgiving reader: it never raises, and for text that tomllib accepts it knows every key
(TOML 1.0.0, https://toml.io/en/v1.0.0, 2026-11). For other text it gives what it can.
"""

import re
import tomllib
from bisect import bisect_left
from typing import Any

KeyPath = tuple[str | int, ...]

DEPTH = 64  # values nested deeper than this keep no lines; no configuration of ours needs more than three

_BLANK = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_REST = re.compile(r"[^\n]*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_QUOTED_KEY = re.compile(r""""(?:[^"\\\n]|\\[^\n])*"|'[^'\n]*'""")
_VALUE = re.compile(
    r'''"""(?:\\.|[^\\])*?(?:"""(?:"{0,2})|\\?\Z)'''
    r"""|'''.*?(?:'''(?:'{0,2})|\Z)"""
    r"""|"(?:[^"\\\n]|\\[^\n])*"?"""
    r"""|'[^'\n]*'?"""
    r"""|[^,\]}#\n"'\[{]*""",
    re.DOTALL,
)
_PLACE = re.compile(r"(.*?) \(at (?:line (\d+), column (\d+)|end of document)\)\Z", re.DOTALL)


class BadToml(ValueError):
    """The text is not TOML; str() is the clause why. line and column count from 1."""

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


def parse(text: str) -> dict[str, Any]:
    """The data of a TOML text; raises BadToml."""
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise BadToml("values are nested too deeply", 1, 1) from None
    except ValueError as error:
        raise _bad(str(error), text) from None


def _bad(message: str, text: str) -> BadToml:
    """The fault with its place; tomllib says it only in its sentence."""
    found = _PLACE.match(message)
    if found is None:  # an integer of thousands of digits: int() complains, not tomllib
        return BadToml("a number is too long", 1, 1)
    why = found[1][:1].lower() + found[1][1:]
    if why == "invalid value":
        why += ' (text stands in "quotes")'
    if found[2] is None:
        return BadToml(f"{why} at the end of the file", text.count("\n") + 1, len(text) - text.rfind("\n"))
    return BadToml(why, int(found[2]), int(found[3]))


def lines(text: str) -> dict[KeyPath, int]:
    """The line, counted from 1, at which each key first stands: ("source", 0, "url") -> 7. Never raises."""
    return _Finder(text.replace("\r\n", "\n")).run()


class _Finder:
    """One walk through the text. Each method starts at `at` and leaves it behind what it has read."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.ends = [i for i, c in enumerate(text) if c == "\n"]
        self.found: dict[KeyPath, int] = {}
        self.counts: dict[KeyPath, int] = {}  # how many [[tables]] of that path there were so far

    def run(self) -> dict[KeyPath, int]:
        """Statement after statement: a header or a pair, each ends its line."""
        table: KeyPath = ()
        while not self._ends(_BLANK):
            if self.text.startswith("[", self.at):
                table = self._header()
            else:
                self._pair(table, 0)
            self._skip(_REST)
        return self.found

    def _skip(self, pattern: re.Pattern[str]) -> str:
        """Read what fits the pattern (possibly nothing)."""
        match = pattern.match(self.text, self.at)
        if match is None:
            return ""
        self.at = match.end()
        return match[0]

    def _ends(self, pattern: re.Pattern[str]) -> bool:
        """Whether nothing is left behind what fits the pattern."""
        self._skip(pattern)
        return self.at >= len(self.text)

    def _takes(self, word: str) -> bool:
        """Read the word if it is next."""
        if not self.text.startswith(word, self.at):
            return False
        self.at += len(word)
        return True

    def _mark(self, base: KeyPath, keys: KeyPath, line: int) -> KeyPath:
        """Note the line of base + keys and of every step towards it; gives the whole path."""
        for end in range(1, len(keys) + 1):
            self.found.setdefault(base + keys[:end], line)
        return base + keys

    def _line(self) -> int:
        return bisect_left(self.ends, self.at) + 1

    def _keys(self) -> KeyPath:
        """A dotted key; empty if there is none."""
        keys: list[str] = []
        while True:
            self._skip(_SPACE)
            if bare := self._skip(_BARE):
                keys.append(bare)
            elif quoted := self._skip(_QUOTED_KEY):
                keys.append(_unquoted(quoted))
            else:
                return tuple(keys)
            self._skip(_SPACE)
            if not self._takes("."):
                return tuple(keys)

    def _header(self) -> KeyPath:
        """[table] or [[table]]: where the pairs below it belong. A step into [[tables]] means the latest of them."""
        line = self._line()
        many = self._takes("[[")
        if not many:
            self._takes("[")
        keys = self._keys()
        path: KeyPath = ()
        for number, key in enumerate(keys, 1):
            path = self._mark(path, (key,), line)
            if many and number == len(keys):
                self.counts[path] = self.counts.get(path, 0) + 1
            if path in self.counts:
                path = self._mark(path, (self.counts[path] - 1,), line)
        return path

    def _pair(self, base: KeyPath, depth: int) -> None:
        """key = value."""
        start, line = self.at, self._line()
        path = self._mark(base, self._keys(), line)
        if self._takes("="):
            self._skip(_SPACE)
            self._value(path, depth)
        if self.at == start:
            self.at += 1  # what can not be read is passed over, so that the walk ends

    def _value(self, path: KeyPath, depth: int) -> None:
        if depth > DEPTH:
            self.at = len(self.text)
        elif self._takes("["):
            self._array(path, depth + 1)
        elif self._takes("{"):
            self._inline(path, depth + 1)
        else:
            self._skip(_VALUE)

    def _array(self, path: KeyPath, depth: int) -> None:
        """Behind its bracket."""
        index = 0
        while not self._ends(_BLANK):
            if self._takes("]"):
                return
            if self._takes(","):
                continue
            start = self.at
            self._value(self._mark(path, (index,), self._line()), depth)
            index += 1
            if self.at == start:
                self.at += 1

    def _inline(self, path: KeyPath, depth: int) -> None:
        """An inline table, behind its brace."""
        while not self._ends(_BLANK):
            if self._takes("}"):
                return
            if not self._takes(","):
                self._pair(path, depth)


def _unquoted(key: str) -> str:
    """The text of a quoted key."""
    if key.startswith("'") or "\\" not in key:
        return key[1:-1]
    try:
        return next(iter(tomllib.loads(f"{key} = 0")))
    except ValueError:
        return key[1:-1]
