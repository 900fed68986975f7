"""The table: what went wrong, what was lost, how long until all was well again."""

from pathlib import Path
from typing import NamedTuple

_BEGIN, _END = "<!-- lab: written by `python -m tests.lab --write` -->", "<!-- /lab -->"


class Row(NamedTuple):
    """One fault. seconds: from the fault, or its cure, to when it worked again; from: which."""

    fault: str
    lost: str
    seconds: float
    since: str


ROWS: list[Row] = []


def note(fault: str, lost: str, seconds: float, since: str = "the fault") -> None:
    """Remember a row, and say it."""
    ROWS.append(Row(fault, lost, seconds, since))
    print(f"lab: {fault}: lost {lost}; {seconds:.1f} s since {since}")


def text() -> str:
    """All rows as Markdown."""
    head = "| fault | what was lost | seconds to recovery | counted from |\n|---|---|---|---|\n"
    return head + "".join(f"| {r.fault} | {r.lost} | {r.seconds:.1f} | {r.since} |\n" for r in ROWS)


def write(readme: Path) -> bool:
    """Put it between the marks; whether there are any."""
    before, begin, rest = readme.read_text().partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not (begin and end):
        return False
    readme.write_text(f"{before}{begin}\n{text()}{end}{after}")
    return True
