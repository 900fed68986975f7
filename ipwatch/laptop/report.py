"""What `ipwatch up` shows: lines for what happens to the tunnel, a status line for how it stands."""

import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from ipwatch.core import tunnel as table
from ipwatch.core.candidate import Spot
from ipwatch.core.forward import Forward, Sort
from ipwatch.core.trouble import Kind
from ipwatch.core.tunnel import State, Tunnel
from ipwatch.laptop.find import Finding, Sight
from ipwatch.laptop.say import Say, Tone

if TYPE_CHECKING:
    from ipwatch.laptop.forwarder import Forwarder

_DOING = {
    State.LOCATING: "looking for {host}",
    State.DIALLING: "calling {host}",
    State.PROVING: "proving {host}",
    State.WAKING: "waiting for {host} to wake up",
    State.BACKING_OFF: "{host} is away, another try soon",
    State.SUSPECT: "{host} is silent, asking",
}
_LINKED = frozenset({State.UP, State.SUSPECT})


class Report:
    """Says each thing once. now: the monotonic clock."""

    def __init__(self, say: Say, host: str, now: Callable[[], timedelta]) -> None:
        self._say = say
        self._host = host
        self._now = now
        self._lock = threading.Lock()
        self._told: set[str] = set()
        self._lost_at: timedelta | None = None
        self._reason = ""
        self._forwards_told = False

    def aside(self, text: str) -> None:
        """A sentence, once until the next change of the link."""
        self._once(text, Tone.PLAIN)

    def warn(self, text: str) -> None:
        """A warning, once until the next change of the link."""
        self._once(text, Tone.WARN)

    def _once(self, text: str, tone: Tone) -> None:
        if self._is_new(text):
            self._say.line(text, tone)

    def _is_new(self, text: str) -> bool:
        with self._lock:
            known = text in self._told
            self._told.add(text)
        return not known

    def sighted(self, sight: Sight) -> None:
        """What the search saw and a user should know."""
        if sight.what in {"stranger", "note"}:
            self.warn(sight.text)

    def moved(self, before: Tunnel, after: Tunnel, happening: table.Happening) -> None:
        """The table moved."""
        if before.state in _LINKED and after.state not in _LINKED:
            self._lost_at = happening.at
            with self._lock:
                self._told.clear()
            why = happening.reason if isinstance(happening, table.Lost) else "no sign of life"
            self._say.line(f"{self._host}: lost ({why}), looking for it again", Tone.WARN, event="lost")
        if isinstance(happening, table.Vain) and happening.kind is not Kind.INTERRUPTED:
            self._reason = happening.sentence
            if after.state in {State.BACKING_OFF, State.WAKING}:
                self.aside(happening.sentence)

    def arrived(self, finding: Finding, forwards: Sequence[Forward]) -> None:
        """The link is up."""
        spot, claim = finding.candidate.spot, finding.candidate.claims[0] if finding.candidate.claims else None
        by = f" ({claim.way}: {claim.who})" if claim and claim.who else ""
        gone = f", back after {_seconds(self._now() - self._lost_at)}" if self._lost_at is not None else ""
        key = finding.session.key
        text = f"{self._host}: up at {spot}{by}, proved by its {key.kind} key{gone}"
        self._say.line(text, Tone.GOOD, event="up", spot=str(spot), fingerprint=key.fingerprint)
        self._lost_at = None
        with self._lock:
            self._told.clear()
        if not self._forwards_told:
            self._forwards_told = True
            for forward in forwards:
                name = "" if ":" in forward.name else f"{forward.name:<12} "  # written out on the command line
                self._say.line(f"  {name}{_place(forward)}", event="forward", name=forward.name)

    def show(self, tunnel: Tunnel, forwarder: "Forwarder", spot: Spot | None) -> None:
        """How it stands now; seconds are counted on a terminal only, and elsewhere each state is a line but once until
        the next change of the link: a log of a host that is away for a night stays short."""
        carried, held, served = forwarder.counts
        since = self._now() - (self._lost_at if self._lost_at is not None else tunnel.since)
        if tunnel.state is State.UP:
            text = f"{self._host} up at {spot}, {carried} open, {served} served, {_span(since)}  (Ctrl-C ends it)"
            self._say.status(text if self._say.on_terminal else "")
            return
        text = _DOING.get(tunnel.state, "").format(host=self._host)
        if text and self._say.on_terminal:
            waits = {0: "", 1: ", a connection waits"}.get(held, f", {held} connections wait")
            text += f"  {_seconds(since)}{waits}"
        if self._say.on_terminal or self._is_new(text):
            self._say.status(text)

    def done(self) -> None:
        """Nothing more to show."""
        self._say.status("")


def _place(forward: Forward) -> str:
    if forward.sort is Sort.LOCAL and forward.port and not forward.bind:
        return f"localhost:{forward.port} -> {forward.target}"
    return str(forward)


def _seconds(time: timedelta) -> str:
    return f"{time.total_seconds():.1f} s" if time < timedelta(seconds=10) else f"{time.total_seconds():.0f} s"


def _span(time: timedelta) -> str:
    minutes = int(time.total_seconds()) // 60
    if minutes < 1:
        return "just now"
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
