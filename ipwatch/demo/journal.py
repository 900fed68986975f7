"""What the house's own servers saw, in order. Everybody who wants to know whether something happened waits here."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Note:
    """One observation.

    at: time.monotonic() in seconds. who: "house", "web", "dns", "dyndns2", "mail", "ipwatch". what: the kind, a word
    such as "line", "asked", "changed", "answered", "request", "mail". subject: the page, name, server or mail it
    concerns; about: where it came from (an account, a name server) if that matters. address: the one spoken of, or "".
    wrong: an address was shown to the world that was not the house's at that moment.
    """

    at: float
    who: str
    what: str
    subject: str = ""
    about: str = ""
    address: str = ""
    text: str = ""
    wrong: bool = False


class Journal:
    """Notes in order; safe for threads."""

    def __init__(self) -> None:
        self._notes: list[Note] = []
        self._news = threading.Condition()

    def note(
        self, who: str, what: str, subject: str = "", *, about: str = "", address: str = "", text: str = "",
        wrong: bool = False,
    ) -> Note:  # fmt: skip
        """Write one down, with the time."""
        with self._news:
            note = Note(time.monotonic(), who, what, subject, about, address, text, wrong)
            self._notes.append(note)
            self._news.notify_all()
            return note

    def since(self, number: int = 0) -> tuple[Note, ...]:
        """All notes from that number on (the first is 0)."""
        with self._news:
            return tuple(self._notes[number:])

    def wait(self, number: int, within: float) -> tuple[Note, ...]:
        """The notes from that number on as soon as there is one; () after `within` seconds without."""
        with self._news:
            self._news.wait_for(lambda: len(self._notes) > number, max(within, 0.0))
            return tuple(self._notes[number:])

    def until(self, found: Callable[[tuple[Note, ...]], T | None], within: float) -> T | None:
        """What `found` makes of all notes as soon as that is not None; None after `within` seconds."""
        with self._news:
            found_it: list[T] = []

            def look() -> bool:
                result = found(tuple(self._notes))
                if result is not None:
                    found_it.append(result)
                return result is not None

            self._news.wait_for(look, max(within, 0.0))
            return found_it[0] if found_it else None
