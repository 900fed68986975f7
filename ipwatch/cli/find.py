"""where: the house's address now, and who says so.

On a terminal a table for each host; with --quiet nothing but proved addresses; in a pipe one line for each claim, its
fields separated by tabs: host, address, port, verdict (proved, stranger, not ssh, closed, unproved; silent for a way
that gave none), way, who, when, and what else is known.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from ipwatch.cli import table
from ipwatch.cli.laptop import with_world
from ipwatch.core.candidate import Candidate, Claim, Way
from ipwatch.core.locating import End, Fate
from ipwatch.core.trouble import Kind, Trouble
from ipwatch.laptop.find import Outcome, Sight
from ipwatch.laptop.say import Tone
from ipwatch.laptop.world import World, no_hosts
from ipwatch.settings.laptop_model import Host

WITHIN = timedelta(seconds=8)
GRACE = timedelta(seconds=1.5)  # for what the other ways say once the host is proved

_ORDER = (Fate.PROVED, Fate.STRANGER, Fate.NOT_SSH, Fate.CLOSED, Fate.OPEN)
_WORDS = {Fate.OPEN: "unproved"}
_WAYS = {
    Way.LAN: "at home",
    Way.PROVED: "memory",
    Way.ZONE: "zone",
    Way.DOH: "DNS over HTTPS",
    Way.SYSTEM: "system",
    Way.GIVEN: "given",
}


def where(arguments: argparse.Namespace) -> int:
    """Show the candidates of one host or of all, and which of them is it. Exit status: 0 proved (with --no-proof:
    an address is known), else that of the first trouble."""
    return with_world(arguments, lambda world: _where(world, arguments))


def _where(world: World, arguments: argparse.Namespace) -> int:
    hosts = [world.host(arguments.host)] if arguments.host else list(world.settings.hosts.values())
    if not hosts:
        raise Trouble(Kind.CONFIGURATION, no_hosts(str(world.settings.path or "")))
    watch = _Watch(world)
    outcomes = world.finder(world).survey(hosts, WITHIN, watch.take, prove=not arguments.no_proof, grace=GRACE)
    world.say.status("")
    found = [
        _Found(host, outcome, watch.silent.get(host.name, [])) for host, outcome in zip(hosts, outcomes, strict=True)
    ]
    now = world.clock.now()
    if arguments.json:
        document = {"hosts": [one.as_json(now) for one in found], "notes": watch.notes}
        print(json.dumps(document, indent=2))
    elif getattr(arguments, "quiet", False):
        for one in (one for one in found if one.proved is not None):
            print(one.proved.spot.ip if arguments.host else f"{one.host.name} {one.proved.spot.ip}")  # type: ignore[union-attr]
    elif sys.stdout.isatty():
        _show(found, now)
    else:
        for one in found:
            for row in one.rows(now):
                print("\t".join(row))
    return _complain(outcomes)


def _complain(outcomes: Sequence[Outcome]) -> int:
    troubles = list(dict.fromkeys(outcome.trouble for outcome in outcomes if outcome.trouble is not None))
    for _, sentence in troubles:
        print(f"ipwatch: {sentence}", file=sys.stderr)
    return int(troubles[0][0]) if troubles else 0


class _Watch:
    """What is told while the search goes on. One call at a time."""

    def __init__(self, world: World) -> None:
        self._say = world.say
        self.notes: list[str] = []
        self.silent: dict[str, list[Sight]] = {}
        self._say.status("asking where the house is ..." if self._say.on_terminal else "")

    def take(self, host: Host, sight: Sight) -> None:
        """Keep it, and show how far the search is to who waits."""
        if sight.what == "silent":
            self.silent.setdefault(host.name, []).append(sight)
        elif sight.what == "note" and sight.text not in self.notes:
            self.notes.append(sight.text)
            self._say.line(sight.text, Tone.WARN)
        elif self._say.on_terminal and sight.what in {"dialling", "connected", "proved", "stranger"}:
            self._say.status(f"{host.name}: {sight.spot} {_STAGES[sight.what]} ...")


_STAGES = {
    "dialling": "is dialled",
    "connected": "answers, its key is asked for",
    "proved": "is it, the other ways are heard",
    "stranger": "is another machine",
}


class _Found:
    """What was found of one host, in the order in which it is shown: the proved candidates first."""

    def __init__(self, host: Host, outcome: Outcome, silent: Sequence[Sight]) -> None:
        self.host, self.outcome, self.silent = host, outcome, silent
        candidates = (one._replace(claims=_latest_first(one.claims)) for one in outcome.candidates)
        pairs = zip(outcome.ends, candidates, strict=True)
        self.pairs: list[tuple[End, Candidate]] = sorted(pairs, key=lambda pair: _ORDER.index(pair[0].fate))
        first = outcome.finding.candidate.spot if outcome.finding is not None else None
        self.pairs.sort(key=lambda pair: pair[0].spot != first)
        self.proved = next((end for end, _ in self.pairs if end.fate is Fate.PROVED), None)

    def rows(self, now: datetime) -> Iterator[tuple[str, ...]]:
        """For a pipe."""
        name = self.host.name
        for end, candidate in self.pairs:
            for claim in candidate.claims:
                more = "; ".join(text for text in (claim.detail, _why(end)) if text)
                yield (name, end.spot.ip, str(end.spot.port), _word(end), claim.way, claim.who, _when(claim, now), more)
        for sight in self.silent:
            if sight.claim is not None:
                yield (name, "-", "-", "silent", sight.claim.way, sight.claim.who, "now", sight.text)

    def as_json(self, now: datetime) -> dict[str, Any]:
        """Everything. address and port: where it proved itself, null if nowhere."""
        proved, trouble = self.proved, self.outcome.trouble
        took = self.outcome.finding.took.total_seconds() if self.outcome.finding is not None else None
        return {
            "host": self.host.name,
            "address": proved.spot.ip if proved is not None else None,
            "port": proved.spot.port if proved is not None else None,
            "fingerprint": proved.key.fingerprint if proved is not None and proved.key is not None else None,
            "seconds": took,
            "trouble": trouble[0].name.lower() if trouble is not None else None,
            "exit_status": int(trouble[0]) if trouble is not None else 0,
            "text": trouble[1] if trouble is not None else None,
            "candidates": [_candidate_json(end, candidate, now) for end, candidate in self.pairs],
            "silent": [
                {"way": sight.claim.way, "who": sight.claim.who, "text": sight.text}
                for sight in self.silent
                if sight.claim is not None
            ],
        }


def _latest_first(claims: Sequence[Claim]) -> tuple[Claim, ...]:
    """What is said now before what is only remembered."""
    return tuple(sorted(claims, key=lambda claim: claim.way is Way.PROVED))


def _candidate_json(end: End, candidate: Candidate, now: datetime) -> dict[str, Any]:
    return {
        "address": end.spot.ip,
        "port": end.spot.port,
        "verdict": _word(end),
        "text": end.text,
        "key": end.key.kind if end.key is not None else None,
        "fingerprint": end.key.fingerprint if end.key is not None else None,
        "claims": [
            {
                "way": claim.way,
                "who": claim.who,
                "at": claim.at.isoformat(timespec="seconds") if claim.at is not None else None,
                "age_seconds": round((now - claim.at).total_seconds()) if claim.at is not None else None,
                "detail": claim.detail,
            }
            for claim in candidate.claims
        ],
    }


def _show(found: Sequence[_Found], now: datetime) -> None:
    """For a person."""
    for number, one in enumerate(found):
        if number:
            print()
        if one.proved is not None:
            print(table.good(f"{one.host.name} is at {one.proved.spot}") + f", proved by {_fingerprint(one.proved)}")
        else:
            print(table.bad(f"{one.host.name} is not proved anywhere"))
        rows = list(_lines(one, now))
        if rows:
            table.show(("address", "", "said by", "", "when"), rows)
    for text in dict.fromkeys(sight.text for one in found for sight in one.silent):
        print(f"- {text}")


def _lines(one: _Found, now: datetime) -> Iterator[tuple[str, ...]]:
    for end, candidate in one.pairs:
        cells = (str(end.spot), _coloured(end))
        for claim in candidate.claims:
            detail = f" ({claim.detail})" if claim.detail else ""
            yield (*cells, _WAYS[claim.way], claim.who, _when(claim, now) + detail)
            cells = ("", "")


def _coloured(end: End) -> str:
    text = ", ".join(part for part in (_word(end), _why(end)) if part)
    return table.good("proved") if end.fate is Fate.PROVED else table.bad(text) if end.fate is Fate.STRANGER else text


def _word(end: End) -> str:
    return _WORDS.get(end.fate, str(end.fate))


def _why(end: End) -> str:
    return _fingerprint(end) if end.key is not None else end.text


def _fingerprint(end: End) -> str:
    return f"{end.key.kind} {end.key.fingerprint}" if end.key is not None else "its key"


def _when(claim: Claim, now: datetime) -> str:
    """How old it is."""
    if claim.at is None:
        return "-"
    size = max(0, int((now - claim.at).total_seconds()))
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if size >= 2 * length:
            return f"{size // length} {unit} ago"
    return f"{size} s ago" if size > 15 or claim.way is Way.PROVED else "now"
