"""Verification: what the zone's own name servers show, compared with what they should. Pure.

`compare` judges the servers' answers, `schedule` says when to look again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from ipwatch.core.address import Address, proxied
from ipwatch.core.state import Shown

# Primary and secondaries of well-run zones agree within seconds (NOTIFY, RFC 1996); providers that rebuild their
# zones in batches name one to five minutes. Before that a difference is ordinary and nobody is told.
DEADLINE = timedelta(minutes=5)
# Twice an hour finds a record changed by somebody else soon enough, at 48 small questions a day to each server.
DRIFT_CHECK = timedelta(minutes=30)

_MOMENTS = tuple(timedelta(seconds=s) for s in (1, 2, 4, 8, 15, 30, 60))  # after the first look, at 0 s
_SLOW = timedelta(minutes=5)
_LEAST = timedelta(milliseconds=500)  # a moment nearer than this is as good as now: take the next one


@dataclass(frozen=True, slots=True)
class Sighting:
    """What one address of one name server answered.

    shows: the addresses it showed with authority, empty when it says there are none; None when it gave no answer
    that counts. note: why it gave none ("timed out", "not authoritative", "REFUSED"), or why it shows none
    ("NXDOMAIN", "an alias of other.example.net").
    """

    server: str
    address: str
    shows: tuple[Address, ...] | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Verification:
    """The judgement, and a clause for the user that names the servers."""

    shown: Shown
    detail: str


def compare(wanted: Address, sightings: Iterable[Sighting], *, proxied_by_design: bool = False) -> Verification:
    """Judge the sightings of one record; their order does not matter.

    SEEN: at least one server answered, and every answer is exactly the wanted address. LATE: some answers hold it and
    others not, or not alone. WRONG: no answer holds it. HIDDEN: all answers are addresses of a content network's proxy
    and the wanted one is not. UNKNOWN: no server answered with authority. A server silent at one of its addresses and
    answering at another is not silent.
    """
    ordered = sorted(set(sightings), key=lambda s: (s.server, s.address, s.shows or (), s.note))
    answers = [s for s in ordered if s.shows is not None]
    heard = {s.server for s in answers}
    silent = [s for s in ordered if s.server not in heard]
    shown = _judge(wanted, [frozenset(s.shows or ()) for s in answers])
    said = [_hidden_clause(proxied_by_design=proxied_by_design)] if shown is Shown.HIDDEN else []
    said += _answers(answers) + _silence(silent)
    return Verification(shown, "; ".join(said) or "no name server is known")


def _judge(wanted: Address, answers: Sequence[frozenset[Address]]) -> Shown:
    if not answers:
        return Shown.UNKNOWN
    if all(shows == {wanted} for shows in answers):
        return Shown.SEEN
    if any(wanted in shows for shows in answers):
        return Shown.LATE
    if not proxied(wanted) and all(shows and all(map(proxied, shows)) for shows in answers):
        return Shown.HIDDEN
    return Shown.WRONG


def _hidden_clause(*, proxied_by_design: bool) -> str:
    if proxied_by_design:
        return "the record is proxied as configured, so the zone shows the proxy and not the house"
    return "a content network's proxy hides the record"


def _answers(answers: Sequence[Sighting]) -> list[str]:
    """One clause for each different answer, with the servers that gave it."""
    by_answer: dict[str, dict[str, None]] = {}
    for sighting in answers:
        shows = ", ".join(map(str, sorted(sighting.shows or ())))
        none = f"no address ({sighting.note})" if sighting.note else "no address"
        by_answer.setdefault(shows or none, {})[sighting.server] = None
    return [f"{_names(tuple(servers))} {shows}" for shows, servers in by_answer.items()]


def _names(servers: Sequence[str]) -> str:
    if len(servers) == 1:
        return f"{servers[0]} shows"
    return f"{', '.join(servers[:-1])} and {servers[-1]} show"


def _silence(silent: Sequence[Sighting]) -> list[str]:
    """One clause for each silent server, with each reason once."""
    notes: dict[str, dict[str, None]] = {}
    for sighting in silent:
        notes.setdefault(sighting.server, {})[sighting.note or "no answer"] = None
    return [f"{server} did not answer ({', '.join(reasons)})" for server, reasons in notes.items()]


def schedule(since: timedelta) -> timedelta:
    """How long to wait before the next look, `since` after the publication; the first look is due at once.

    Looks fall at 0, 1, 2, 4, 8, 15, 30 and 60 s, then every 5 min. Never below half a second.
    """
    since = max(since, timedelta(0))
    return next((moment - since for moment in _MOMENTS if moment - since >= _LEAST), _SLOW)
