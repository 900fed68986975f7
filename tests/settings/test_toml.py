"""The line finder against tomllib, and against texts whose lines are known."""

import tomllib
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ipwatch.settings.toml import DEPTH, BadToml, KeyPath, lines, parse

DOCUMENT = '''\
# a comment
[watch]
interval = "5m"   # [not.a.table]
families = [
    "ipv4",   # "ipv6",
    "ipv6",
]
quorum = { ipv4 = 2, ipv6 = 1 }
a.b."c.d" = 1

[[source]]
kind = "web"
text = """
[account.wrong]
x = 1 \\""" "" still
"""
later = 1
[[source]]
kind = 'dns'
literal = \'\'\'
[[source]]
\'\'\'
last = true
  [source.deep]
  er = [ [1, 2], { x = [3] } ]

[ account . "my home" ]
kind = "x"
'''


def test_every_form_of_toml_gives_its_line() -> None:
    """Tables, arrays of tables, dotted and quoted keys, inline tables and multi-line values have their lines."""
    found = lines(DOCUMENT)
    want: dict[KeyPath, int] = {
        ("watch",): 2,
        ("watch", "interval"): 3,
        ("watch", "families"): 4,
        ("watch", "families", 0): 5,
        ("watch", "families", 1): 6,
        ("watch", "quorum", "ipv6"): 8,
        ("watch", "a"): 9,
        ("watch", "a", "b", "c.d"): 9,
        ("source",): 11,
        ("source", 0, "kind"): 12,
        ("source", 0, "text"): 13,
        ("source", 0, "later"): 17,
        ("source", 1): 18,
        ("source", 1, "literal"): 20,
        ("source", 1, "last"): 23,
        ("source", 1, "deep"): 24,
        ("source", 1, "deep", "er", 0, 1): 25,
        ("source", 1, "deep", "er", 1, "x", 0): 25,
        ("account", "my home"): 27,
        ("account", "my home", "kind"): 28,
    }
    assert {key: found.get(key) for key in want} == want
    assert ("account", "wrong") not in found


def paths(data: Any, at: KeyPath = ()) -> set[KeyPath]:
    """Every key path of parsed data."""
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    found = {at} if at else set()
    for key, value in items:
        found |= paths(value, (*at, key))
    return found


def agrees(text: str) -> None:
    """Where tomllib reads the text, the finder has every key and no other."""
    found = lines(text)
    assert all(1 <= line <= text.count("\n") + 1 for line in found.values())
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError):
        return
    assert set(found) == paths(data)


PIECES = st.sampled_from(
    [*"[]{}=.,#\"'\\\n\tab- \x00é", "[[", "]]", '"""', "'''", "\r\n", "a = 1", "[a]", "[[a]]", "[a.b]"]  # noqa: RUF005
    + ['"k\\u0041"', "1.5", "true", "2026-11-23T01:02:03Z", '\\"']
)


@given(st.text())
def test_any_text_gives_lines_and_no_error(text: str) -> None:
    """Whatever the text, the finder returns, and never contradicts tomllib."""
    agrees(text)


@given(st.lists(PIECES, max_size=40).map("".join))
@example('a = """x"""""\nb = 1')
@example("a = '''x'''''\nb = 1")
@example('a = """\\')
@example('"\\q" = 1')
@example("a = {b = [{c = 1}")
@example("[a]\r\nb = 1\r\n[[c]]\r\n")
@example("a = 1 }\n[b")
def test_torn_toml_gives_lines_and_no_error(text: str) -> None:
    """Shreds of TOML in any order never raise, and never contradict tomllib."""
    agrees(text)


KEYS = st.sampled_from(["a", "b-1", '"q . x"', "'l'", '"\\u0041"', "7"])
DOTTED = st.lists(KEYS, min_size=1, max_size=3).map(" . ".join)
SCALARS = st.sampled_from(
    ["1", "inf", "true", '"x # [y]"', "'z'", '"""\n[q]\n"""', "'''\n= 1'''", '"\\"]"', "1979-05-27 07:32:00"]  # noqa: RUF005
    + ['"""a""b"""', '""""q"""', "''", '""']
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: "[ # c ]\n" + ",\n".join(items) + "\n]"),
        st.lists(st.tuples(DOTTED, inner), max_size=2).map(
            lambda pairs: "{ " + ", ".join(f"{key} = {value}" for key, value in pairs) + " }"
        ),
    ),
    max_leaves=6,
)
STATEMENTS = st.one_of(
    st.tuples(DOTTED, VALUES).map(lambda pair: f"{pair[0]} = {pair[1]} # end"),
    DOTTED.map(lambda key: f"[{key}]"),
    DOTTED.map(lambda key: f"[[ {key} ]]"),
    st.sampled_from(["", "# a = 1", "  "]),
)


@given(st.lists(STATEMENTS, max_size=8).map("\n".join))
def test_whole_statements_agree_with_tomllib(text: str) -> None:
    """For documents of real statements the finder knows exactly the keys tomllib knows."""
    agrees(text)


def test_nesting_without_end_is_no_trouble() -> None:
    """A value nested ten thousand deep gives lines, and one fault from the parser."""
    text = "a = " + "[" * 10_000
    assert lines(text)[("a",)] == 1
    with pytest.raises(BadToml):
        parse(text)
    assert len(max(lines("a = " + "[" * 100 + "]" * 100), key=len)) <= DEPTH + 3


def test_a_large_file_is_walked_in_one_go() -> None:
    """A file of 1 MiB with 5,000 tables is walked once, not once for each table."""
    text = "".join(f'[[record]]\nname = "r{n}"\nnote = """{"x" * 160}"""\n' for n in range(5000))
    assert lines(text)[("record", 4999, "note")] == 15_000


@pytest.mark.parametrize(
    ("text", "line", "column", "says"),
    [
        ("a = 1\nb = \n", 2, 5, "invalid value"),
        ("a = hunter2", 1, 5, 'text stands in "quotes"'),
        ('a = 1\nb = "x', 2, 7, "at the end of the file"),
        ("[a]\n[a]\n", 2, 3, "twice"),
        ("a = 1\na = 2\n", 2, 6, "overwrite"),
        ("a = " + "9" * 5000, 1, 1, "too long"),
    ],
)
def test_a_syntax_error_has_its_line_and_column(text: str, line: int, column: int, says: str) -> None:
    """What is not TOML is one fault with line, column and a reason that repeats no value."""
    with pytest.raises(BadToml, match=says) as caught:
        parse(text)
    assert (caught.value.line, caught.value.column) == (line, column)
    assert "hunter2" not in str(caught.value)
