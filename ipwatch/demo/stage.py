"""The stage: follows what the house's servers see, prints it, and keeps the times of the current change."""

import time
from collections.abc import Callable

from ipwatch.demo.echo import Manner
from ipwatch.demo.house import DNS_NAME, DYN_NAME, NAMES, PAGES, House
from ipwatch.demo.journal import Note
from ipwatch.demo.service import Service
from ipwatch.demo.timeline import Change, Timeline

_LOOK = 0.1  # seconds between two looks at what the journal does not tell (whether the service still runs)
_THROUGH = {DYN_NAME: "dyndns2", DNS_NAME: "a signed DNS update"}


class Failed(Exception):
    """The play can not go on; str() is the sentence that says why."""


class Stage:
    """One run. Everything it knows of the service it knows from the house's side."""

    def __init__(self, house: House, service: Service, timeline: Timeline) -> None:
        self.house = house
        self.service = service
        self.timeline = timeline
        self.changes: list[Change] = []
        self.cause = service.started  # time.monotonic(): what delays are counted from
        self._read = 0
        self._published: set[str] = set()
        self._seen: set[tuple[str, str]] = set()  # (name, server)
        self._lagging = False
        self._liars: set[str] = set()

    def change(self, title: str, at: float | None = None) -> Change:
        """From now on everything is measured from this change of the house's address."""
        change = Change(title, self.house.address, time.monotonic() if at is None else at)
        self.changes.append(change)
        self.cause = change.at
        self._published.clear()
        self._seen.clear()
        self._lagging = False
        return change

    def until(self, done: Callable[[], bool], within: float, otherwise: str) -> None:
        """Print what happens until `done`; raises Failed with the sentence `otherwise` after `within` seconds."""
        end = time.monotonic() + within
        while True:
            self._catch_up(min(_LOOK, end - time.monotonic()))
            if done():
                return
            if self.service.ended is not None:
                raise Failed(f"the service ended by itself, exit status {self.service.ended}")
            if time.monotonic() >= end:
                raise Failed(f"{otherwise} (waited {within:g} s)")

    def pause(self, seconds: float) -> None:
        """Let time pass, and print what happens in it."""
        end = time.monotonic() + seconds
        self.until(lambda: time.monotonic() >= end, seconds + 1, "the clock stands still")

    def asked(self, since: float, manner: Manner) -> int:
        """How many questions pages of that manner have had since then."""
        return sum(1 for n in self.house.journal.since() if n.what == "asked" and n.at >= since and n.about == manner)

    def _catch_up(self, within: float) -> None:
        notes = self.house.journal.wait(self._read, within)
        self._read += len(notes)
        for note in notes:
            match note.what:
                case "changed" if note.subject in NAMES:
                    self._on_changed(note)
                case "answered" if note.subject in NAMES and note.text == "A":
                    self._on_answered(note)
                case "mail":
                    self._on_mail(note)
                case "request" if not note.text.startswith("good"):
                    self._step(note, f"the dyndns2 server answers {note.text}")
                case "asked" if note.about == Manner.LIE and note.subject not in self._liars:
                    self._liars.add(note.subject)
                    self._step(note, f"{PAGES[note.subject]} tells ipwatch {note.address}")

    def _step(self, note: Note, what: str) -> None:
        self.timeline.step(note.who, what, at=note.at, cause=self.cause)

    def _on_changed(self, note: Note) -> None:
        self._step(note, f"{note.subject} {note.text} {note.address or 'gone'}, through {_THROUGH[note.subject]}")
        if self.changes and note.address == self.changes[-1].address:
            self._published.add(note.subject)
            if self._published == set(NAMES):
                self.changes[-1].published = note.at - self.changes[-1].at

    def _on_answered(self, note: Note) -> None:
        if not self.changes or note.subject not in self._published:
            return
        change = self.changes[-1]
        if note.address != change.address:
            if not self._lagging:
                self._step(note, f"{note.about} lags, it still shows {note.address or 'nothing'}")
            self._lagging = True
            return
        self._seen.add((note.subject, note.about))
        if change.verified is None and len(self._seen) == 2 * len(NAMES):
            change.verified = note.at - change.at
            self._step(note, "ipwatch has been shown both names by both name servers")

    def _on_mail(self, note: Note) -> None:
        self._step(note, f'"{note.subject}"')
        newest = self.house.mail.mails[-1].text
        if self.changes and self.changes[-1].mailed is None and self.changes[-1].address in newest:
            self.changes[-1].mailed = note.at - self.changes[-1].at
