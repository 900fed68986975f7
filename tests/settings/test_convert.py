"""Every type a settings class may use, from a TOML value; and what is told about one that does not fit."""

from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipwatch.core.address import Family
from ipwatch.ports import Options, Secret
from ipwatch.settings import toml
from ipwatch.settings.convert import table
from ipwatch.settings.reader import BAD, Bad, Reader


class Colour(StrEnum):
    """Some words."""

    RED = "red"
    GREEN = "green"


class Inner(Options, frozen=True, kw_only=True):
    """A nested table."""

    key: str
    wait: timedelta = timedelta(seconds=1)


class Everything(Options, frozen=True, kw_only=True):
    """One field of each type."""

    text: str = ""
    flag: bool = False
    whole: int = 0
    number: float = 0.0
    wait: timedelta = timedelta(0)
    interval: timedelta = timedelta(1)
    word: Literal["one", "two"] = "one"
    digit: Literal[4, 6] = 4
    colour: Colour = Colour.RED
    family: Family | None = None
    secret: Secret | None = None
    path: Path = Path("beside.txt")
    inner: Inner | None = None
    inners: tuple[Inner, ...] = ()
    pair: tuple[str, int] = ("a", 1)
    secrets: dict[str, Secret] = {}  # noqa: RUF012 - msgspec copies it
    either: int | str = 0
    percent: Annotated[int, msgspec.Meta(ge=0, le=100)] = 0
    renamed: str = msgspec.field(default="", name="other-name")
    low: int = 0
    high: int = 10

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError("low is above high")
        if self.text == "odd" and self.flag:
            raise ValueError(f"these two do not go together: {self.secret.reveal() if self.secret else ''}")


def read(text: str) -> tuple[Everything | Bad, list[str]]:
    """The value and the faults of a text."""
    reader = Reader(Path("/c/t.toml"), Path("/c"), {}, lines=toml.lines(text))
    made = table(reader, (), Everything, toml.parse(text))
    return made, [str(fault).removeprefix("/c/t.toml:") for fault in reader.told()]


@pytest.mark.parametrize(
    ("text", "field", "want"),
    [
        ("text = 'x'", "text", "x"),
        ("flag = true", "flag", True),
        ("whole = -7", "whole", -7),
        ("number = 2", "number", 2.0),
        ("number = 2.5", "number", 2.5),
        ("wait = '1h30m'", "wait", timedelta(hours=1, minutes=30)),
        ("wait = '0s'", "wait", timedelta(0)),
        ("word = 'two'", "word", "two"),
        ("digit = 6", "digit", 6),
        ("colour = 'green'", "colour", Colour.GREEN),
        ("family = 'ipv6'", "family", Family.IPV6),
        ("secret = 's'", "secret", Secret("s")),
        ("path = 'a/b'", "path", Path("/c/a/b")),
        ("path = '/a/b'", "path", Path("/a/b")),
        ("", "path", Path("/c/beside.txt")),
        ("inner = { key = 'k' }", "inner", Inner(key="k")),
        ("[[inners]]\nkey = 'k'\nwait = '2s'", "inners", (Inner(key="k", wait=timedelta(seconds=2)),)),
        ("pair = ['b', 2]", "pair", ("b", 2)),
        ("secrets = { a = 's' }", "secrets", {"a": Secret("s")}),
        ("either = 'x'", "either", "x"),
        ("either = 3", "either", 3),
        ("percent = 100", "percent", 100),
        ("other-name = 'x'", "renamed", "x"),
    ],
)
def test_each_type_is_read(text: str, field: str, want: Any) -> None:
    """A value of the right type becomes the field."""
    made, faults = read(text)
    assert not faults
    assert getattr(made, field) == want


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("text = 1", '1: text: this is text in "quotes", not a number'),
        ("flag = 'true'", "1: flag: this is true or false, not text"),
        ("flag = 1", "1: flag: this is true or false, not a number"),
        ("whole = true", "1: whole: this is a whole number, not true or false"),
        ("whole = 1.0", "1: whole: this is a whole number, not a number with a point"),
        ("whole = 99999999999999999999", "1: whole: the number is too large"),
        ("number = inf", "1: number: this is a finite number, not a number with a point"),
        ("number = 1979-05-27", "1: number: this is a finite number, not a date or a time"),
        ("wait = 90", '1: wait: a duration needs its unit: wait = "1m30s" if seconds are meant'),
        ("wait = 1.5", '1: wait: a duration is written with its unit, like "30s", "5m", "1h" or "2d"'),
        ("wait = '5 minutes'", '1: wait: a duration is written with its unit, like "30s", "5m", "1h" or "2d"'),
        ("interval = '0m'", "1: interval: it can not be zero"),
        ("word = 'tow'", "1: word: this is not one of the permitted words: 'tow' is not; did you mean 'two'?"),
        ("word = 'xyz'", "1: word: this is not one of the permitted words: there are 'one' and 'two'"),
        ("colour = 3", "1: colour: this is not one of the permitted words: there are 'red' and 'green'"),
        ("family = 'IPv4'", "1: family: this is not one of the permitted words: 'IPv4' is not; did you mean 'ipv4'?"),
        ("path = 3", '1: path: this is the path of a file, text in "quotes"'),
        ("inner = 3", "1: inner: this is a table, with keys of its own"),
        ("inner = { kye = 'k', key = 'k' }", "1: inner.kye: unknown key; did you mean 'key'?"),
        ("[[inners]]\nwait = '1s'", "1: inners[1]: the key 'key' is missing"),
        ("pair = ['b']", "1: pair: this is a list of 2"),
        ("pair = { a = 1 }", "1: pair: this is a list: pair = [...]"),
        ("secrets = ['a']", "1: secrets: this is a table: { name = ... }"),
        ("either = true", "1: either: this is a whole number, not true or false"),
        ("percent = 101", "1: percent: expected 'int' <= 100"),
        ("high = 1\nlow = 2", "2: low: low is above high"),
        ("other_name = 'x'", "1: other_name: unknown key; did you mean 'other-name'?"),
        ("text = 'odd'\nflag = true\nsecret = 'hunter2'", " these two do not go together: ***"),
    ],
)
def test_each_type_has_its_fault(text: str, says: str) -> None:
    """A value of another type is one fault at its line, which does not repeat it."""
    made, faults = read(text)
    assert made is BAD or isinstance(made, Bad)
    assert faults == [says]


@given(st.integers(0, 10 * 365 * 24 * 3600 * 1000).map(lambda n: timedelta(milliseconds=n)))
def test_durations_survive_being_written(time: timedelta) -> None:
    """What `check` prints of a duration reads as the same."""
    from ipwatch.settings import duration

    assert duration.parse(duration.spell(time)) == time


@given(st.text())
def test_any_text_is_a_duration_or_its_one_error(text: str) -> None:
    """Any text gives a duration from zero to ten years, or BadDuration."""
    from ipwatch.settings import duration

    try:
        time = duration.parse(text)
    except duration.BadDuration:
        return
    assert timedelta(0) <= time <= duration.LONGEST
