"""explain, status, history, health: the commands that read the state, also while the service runs."""

import argparse
import csv
import json
import sys
from datetime import UTC, datetime, timedelta

from ipwatch.cli import table
from ipwatch.cli.common import complain, settings
from ipwatch.core import history as past
from ipwatch.core.address import Family
from ipwatch.core.consensus import demoted
from ipwatch.core.state import AccountStanding, Belief, Finding, RecordKey, Shown, Standing, State
from ipwatch.ports import StoreFault
from ipwatch.settings.faults import SettingsFault
from ipwatch.settings.model import Settings
from ipwatch.store import read_events, read_state

GRACE = timedelta(minutes=2)  # a round may take its time
STUCK = timedelta(hours=1)  # an event that waits longer, the line being up, is stuck


def _open(arguments: argparse.Namespace) -> tuple[Settings, State] | int:
    try:
        found = settings(arguments)
        state = read_state(found.state)
    except (SettingsFault, StoreFault) as fault:
        return complain(fault)
    if state is None:
        print(
            f"ipwatch: there is no state in {found.state} yet: `ipwatch run` or `ipwatch once` makes it",
            file=sys.stderr,
        )
        return 1
    return found, state


def _keys(found: Settings) -> list[RecordKey]:
    return [RecordKey(r.account, r.name, f) for r in found.records for f in r.families]


def _ago(at: datetime | None, now: datetime) -> str:
    """A time as people say it."""
    if at is None:
        return "never"
    seconds = int((now - at).total_seconds())
    size = abs(seconds)
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if size >= 2 * length:
            return f"{size // length} {unit} ago" if seconds >= 0 else f"in {size // length} {unit}"
    return f"{size} s ago" if seconds >= 0 else f"in {size} s"


def status(arguments: argparse.Namespace) -> int:
    """Addresses, records, outbox, next work; exit 1 when something is not well."""
    opened = _open(arguments)
    if isinstance(opened, int):
        return opened
    found, state = opened
    now = datetime.now(UTC)
    if arguments.json:
        print(json.dumps(_as_json(found, state), indent=2))
    else:
        _print_status(found, state, now)
    return 0 if _well(found, state) else 1


def _print_status(found: Settings, state: State, now: datetime) -> None:
    rows = [_belief_row(family, state.beliefs.get(family, Belief()), now) for family in found.watch.families]
    table.show(("", "address", "", "since", "last agreed"), rows)
    if found.records:
        print()
        records = [_record_row(key, state, now) for key in _keys(found)]
        table.show(("record", "published", "", "zone shows", "at"), records)
    print()
    due = _ago(state.next_at, now) if state.next_at and state.next_at > now else "due"
    print(f"next work {due}, {state.rounds} rounds so far, {len(state.outbox)} message(s) waiting")
    for entry in state.outbox:
        if entry.last_error:
            print(f"  {entry.notifier}: {entry.event.topic.value} not delivered: {entry.last_error}")
    if state.offline_since:
        print(f"no source answers since {state.offline_since:%Y-%m-%d %H:%M:%S} UTC: the line seems to be down")


def _belief_row(family: Family, b: Belief, now: datetime) -> table.Row:
    mark = table.good(b.finding.value) if b.finding is Finding.AGREED else table.bad(b.finding.value)
    return (family.label, str(b.address or "unknown"), mark, _ago(b.since, now), _ago(b.confirmed, now))


def _record_row(key: RecordKey, state: State, now: datetime) -> table.Row:
    s, account = state.records.get(key, Standing()), state.accounts.get(key.account, AccountStanding())
    latch = s.latch or account.latch
    if latch:
        mark = table.bad(f"refused: {latch.code}")
    elif s.failing_since:
        mark = table.bad(s.last_code)
    else:
        mark = table.good(s.last_code or "-") if s.published else "-"
    shown = table.good(s.shown.value) if s.shown in {Shown.SEEN, Shown.HIDDEN} else table.bad(s.shown.value)
    return (str(key), str(s.published or "nothing yet"), mark, shown, _ago(s.published_at, now))


def _well(found: Settings, state: State) -> bool:
    beliefs = [state.beliefs.get(f, Belief()) for f in found.watch.families]
    records = [(state.records.get(k, Standing()), state.beliefs.get(k.family, Belief())) for k in _keys(found)]
    return (
        all(b.finding is Finding.AGREED for b in beliefs)
        and all(s.published is not None and s.published == b.address and not s.told_trouble for s, b in records)
        and not any(a.latch for a in state.accounts.values())
        and not state.store_fault
    )


def _as_json(found: Settings, state: State) -> dict[str, object]:
    def time(at: datetime | None) -> str | None:
        return at.isoformat() if at else None

    def address(value: object) -> str | None:
        return str(value) if value is not None else None

    beliefs = {f.value: state.beliefs.get(f, Belief()) for f in found.watch.families}
    return {
        "well": _well(found, state),
        "addresses": {
            f: {"address": address(b.address), "finding": b.finding.value, "since": time(b.since),
                "confirmed": time(b.confirmed), "held_back": address(b.held_back)}
            for f, b in beliefs.items()
        },
        "records": [
            {"name": k.name, "type": k.family.rdtype, "account": k.account, "published": address(s.published),
             "published_at": time(s.published_at), "shown": s.shown.value, "shown_detail": s.shown_detail,
             "verified_at": time(s.verified_at), "last_code": s.last_code, "last_text": s.last_text,
             "latched": bool(s.latch or state.accounts.get(k.account, AccountStanding()).latch),
             "not_before": time(s.not_before)}
            for k in _keys(found)
            for s in (state.records.get(k, Standing()),)
        ],
        "outbox": [
            {"notifier": d.notifier, "topic": d.event.topic.value, "at": time(d.event.at), "attempts": d.attempts,
             "last_error": d.last_error}
            for d in state.outbox
        ],
        "rounds": state.rounds, "round_at": time(state.round_at), "next_at": time(state.next_at),
        "offline_since": time(state.offline_since), "store_fault": state.store_fault,
    }  # fmt: skip


def explain(arguments: argparse.Namespace) -> int:
    """The whole reasoning, from the state."""
    opened = _open(arguments)
    if isinstance(opened, int):
        return opened
    found, state = opened
    now = datetime.now(UTC)
    if arguments.json:
        print(json.dumps(_as_json(found, state) | {"sources": _sources_json(state)}, indent=2))
        return 0
    for family in found.watch.families:
        _explain_family(family, found, state, now)
    for key in _keys(found):
        _explain_record(key, state, now)
    return 0


def _sources_json(state: State) -> list[dict[str, object]]:
    return [
        {"source": key, "said": h.said, "asked": h.asked.isoformat() if h.asked else None, "well": h.well,
         "failures": h.failures, "demoted_until": h.demoted_until.isoformat() if h.demoted_until else None}
        for key, h in sorted(state.sources.items())
    ]  # fmt: skip


def _explain_family(family: Family, found: Settings, state: State, now: datetime) -> None:
    b = state.beliefs.get(family, Belief())
    print(f"{family.label}: {b.address or 'unknown'}, {b.finding.value} {_ago(b.finding_since, now)}"
          f" (quorum: {found.watch.quorum[family]} operators)")  # fmt: skip
    if b.held_back:
        print(f"  {table.bad('flapping')}: {b.held_back} is agreed on but waits ({len(b.returns)} returns in an hour)")
    rows = []
    for key, h in sorted(state.sources.items()):
        if not key.endswith(f"/{family}"):
            continue
        out = f"demoted, back {_ago(h.demoted_until, now)}" if demoted(h, now) else ""
        said = table.good(h.said) if h.well else table.bad(h.said)
        rows.append((f"  {key.removesuffix(f'/{family}')}", said, _ago(h.asked, now), out))
    table.show(("  source", "said", "asked", ""), rows)
    print()


def _explain_record(key: RecordKey, state: State, now: datetime) -> None:
    s, b = state.records.get(key, Standing()), state.beliefs.get(key.family, Belief())
    print(f"{key} at account {key.account}: published {s.published or 'nothing yet'} ({_ago(s.published_at, now)})")
    if s.last is not None:
        print(f"  last answer {_ago(s.last_at, now)}: {s.last.value} ({s.last_code}) {s.last_text}")
    if s.shown is not Shown.UNKNOWN or s.shown_detail:
        print(f"  the zone's servers: {s.shown.value}: {s.shown_detail} ({_ago(s.shown_at, now)})")
    latch = s.latch or state.accounts.get(key.account, AccountStanding()).latch
    if latch:
        print(f"  {table.bad('refused')} since {latch.since:%Y-%m-%d %H:%M} UTC, nothing more is sent: {latch.text}"
              f" (then: ipwatch unlock {key.name if s.latch else key.account})")  # fmt: skip
    elif s.published != b.address and b.address is not None:
        wait = f"not before {s.not_before:%Y-%m-%d %H:%M:%S} UTC" if s.not_before else "at the next work"
        print(f"  due: to be set to {b.address}, {wait}")
    elif s.verify_at is not None:
        print(f"  nothing is due; the zone is looked at again {_ago(s.verify_at, now)}")
    print()


def history(arguments: argparse.Namespace) -> int:
    """Addresses, outages and dissent, oldest first."""
    try:
        events = read_events(settings(arguments).state)
    except (SettingsFault, StoreFault) as fault:
        return complain(fault)
    now = datetime.now(UTC)
    rows = [
        {"what": s.family.value, "value": str(s.address), "since": s.since.isoformat(timespec="seconds"),
         "until": s.until.isoformat(timespec="seconds") if s.until else "", "seconds": int(s.duration.total_seconds()),
         "dissent": "; ".join(f"{d.source} said {d.said}" for d in s.dissent)}
        for s in past.spans(events, now)
    ] + [
        {"what": "offline", "value": "", "since": o.since.isoformat(timespec="seconds"),
         "until": o.until.isoformat(timespec="seconds") if o.until else "", "seconds": int(o.duration.total_seconds()),
         "dissent": ""}
        for o in past.outages(events, now)
    ]  # fmt: skip
    rows.sort(key=lambda row: str(row["since"]))
    if arguments.json:
        print(json.dumps(rows, indent=2))
    elif arguments.csv:
        writer = csv.DictWriter(sys.stdout, ("what", "value", "since", "until", "seconds", "dissent"))
        writer.writeheader()
        writer.writerows(rows)
    elif not rows:
        print("nothing happened yet")
    else:
        table.show(("", "address", "since", "until", "how long", "who disagreed"), [
            (r["what"] if r["what"] != "offline" else table.bad("offline"), r["value"], _short(r["since"]),
             _short(r["until"]) or "now", str(timedelta(seconds=int(str(r["seconds"])))), r["dissent"])
            for r in rows
        ])  # fmt: skip
    return 0


def _short(iso: object) -> str:
    """A time of the history as people read it: in the machine's own zone."""
    return f"{datetime.fromisoformat(str(iso)).astimezone():%Y-%m-%d %H:%M:%S}" if iso else ""


def health(arguments: argparse.Namespace) -> int:
    """For a container's health check: from the state alone, no look-up."""
    opened = _open(arguments)
    if isinstance(opened, int):
        return 1
    found, state = opened
    now = datetime.now(UTC)
    last = state.alive_at
    due = max(state.next_at, last + found.watch.interval) if state.next_at and last else None
    if last is None or due is None or now > due + GRACE:
        print(f"unhealthy: the loop last went round {_ago(last, now)}")
        return 1
    waiting = [d for d in state.outbox if d.attempts and now - d.event.at > STUCK]
    if waiting and state.offline_since is None:
        print(f"unhealthy: {len(waiting)} message(s) wait for more than an hour: {waiting[0].last_error}")
        return 1
    print(f"healthy: the loop went round {_ago(last, now)}")
    return 0
