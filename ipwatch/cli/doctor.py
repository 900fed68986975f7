"""doctor: the whole chain to each host, line by line, with what mends what is not well.

On a terminal a table for each host; with --quiet only what is not well; in a pipe one line for each finding, its fields
separated by tabs: host, verdict (ok, warn, bad, unknown), check, text, and what mends it.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence

from ipwatch.cli import table
from ipwatch.cli.laptop import with_world
from ipwatch.core import doctor as judge
from ipwatch.core.doctor import Finding, Verdict
from ipwatch.core.trouble import Kind, Trouble
from ipwatch.laptop.doctor import examine
from ipwatch.laptop.say import plain
from ipwatch.laptop.world import World, no_hosts

_PAINT: dict[Verdict, Callable[[str], str]] = {
    Verdict.OK: table.good,
    Verdict.WARN: table.warn,
    Verdict.BAD: table.bad,
    Verdict.UNKNOWN: str,
}


def doctor(arguments: argparse.Namespace) -> int:
    """Exit status: 0 when nothing is bad, else 1."""
    return with_world(arguments, lambda world: _doctor(world, arguments))


def _doctor(world: World, arguments: argparse.Namespace) -> int:
    hosts = [world.host(arguments.host)] if arguments.host else list(world.settings.hosts.values())
    if not hosts:
        raise Trouble(Kind.CONFIGURATION, no_hosts(str(world.settings.path or "")))

    def tell(text: str) -> None:
        world.say.status(text if world.say.on_terminal else "")

    found = [_clean(one) for one in examine(world, hosts, wake=arguments.wake, tell=tell)]
    world.say.status("")
    status = int(judge.worst(found) is Verdict.BAD)
    shown = [one for one in found if not (getattr(arguments, "quiet", False) and one.verdict is Verdict.OK)]
    if arguments.json:
        _as_json(found, status)
    elif sys.stdout.isatty():
        _show(shown)
    else:
        for one in shown:
            print(f"{one.host}\t{one.verdict}\t{one.check}\t{one.text}\t{one.mend}".rstrip("\t"))
    return status


def _clean(finding: Finding) -> Finding:
    """Without control characters: some of the words are those of a machine far away."""
    return finding._replace(text=plain(finding.text), mend=plain(finding.mend))


def _as_json(found: Sequence[Finding], status: int) -> None:
    findings = [one._asdict() | {"mend": one.mend or None} for one in found]
    print(json.dumps({"verdict": judge.worst(found), "exit_status": status, "findings": findings}, indent=2))


def _show(found: Sequence[Finding]) -> None:
    """For a person: a part for each host, and beneath it what is to be done."""
    for number, host in enumerate(dict.fromkeys(one.host for one in found)):
        own = [one for one in found if one.host == host]
        if number:
            print()
        table.show((host, "", ""), [(_PAINT[one.verdict](one.verdict), one.check, one.text) for one in own])
        for one in (one for one in own if one.mend):
            print(f"  {one.check}: {one.mend}")
