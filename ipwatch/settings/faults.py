"""What is wrong with a configuration: a place and a sentence each."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Fault(NamedTuple):
    """One fault. place: "ipwatch.toml:3" or "environment IPWATCH_..."; message: begins with the offending key."""

    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


class SettingsFault(ValueError):
    """The configuration can not be used. `faults`: all of them, in the file's order; str() is one line for each."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))


def nearest(word: str, choices: Sequence[str], cutoff: float = 0.6) -> str | None:
    """The permitted word that `word` was most likely meant to be, or None. cutoff: least likeness, 0 to 1."""
    import difflib  # noqa: PLC0415 - a sound configuration never needs it

    lower = {choice.lower(): choice for choice in choices}
    found = difflib.get_close_matches(word.lower()[:80], list(lower), n=1, cutoff=cutoff)
    return lower[found[0]] if found else None


def among(choices: Sequence[str]) -> str:
    """The permitted words as a clause: "there are a, b and c"."""
    quoted = [f"'{choice}'" for choice in choices]
    if not quoted:
        return "there are none"
    if len(quoted) == 1:
        return f"there is only {quoted[0]}"
    return f"there are {', '.join(quoted[:-1])} and {quoted[-1]}"
