"""run, once, ip: the commands that ask the sources."""

import argparse
import contextlib
import json
import logging
import os
import sys
from dataclasses import replace
from datetime import timedelta

from ipwatch.cli.common import complain, settings, start_log
from ipwatch.core import consensus, record
from ipwatch.core.address import Family
from ipwatch.core.belief import believe
from ipwatch.core.consensus import Verdict
from ipwatch.core.state import AccountStanding, Belief, Standing, State
from ipwatch.ports import StoreFault
from ipwatch.service import main as service
from ipwatch.service.world import World
from ipwatch.settings.faults import SettingsFault
from ipwatch.store import read_state

PATIENCE = timedelta(seconds=60)  # `once` waits so long for the zone and the mail server


def run(arguments: argparse.Namespace) -> int:
    """The service."""
    _one_arena()
    start_log(arguments)
    _who_asks()
    try:
        return service.Service(lambda: settings(arguments), settings(arguments)).run()
    except (SettingsFault, StoreFault) as fault:
        return complain(fault)


def _one_arena() -> None:
    """Let all threads share one heap: glibc's heap for each thread costs a tenth of the resident memory (measured)."""
    import ctypes

    with contextlib.suppress(OSError, AttributeError):  # another C library has no such knob
        ctypes.CDLL(None).mallopt(-8, 1)  # M_ARENA_MAX, malloc.h of glibc 2.10 and later


def _who_asks() -> None:
    """PUID and PGID are a custom of images that start as root; this one never does, so they can not be followed."""
    asked = {name: text for name in ("PUID", "PGID") if (text := os.environ.get(name, "")).isdecimal()}
    me = {"PUID": os.geteuid(), "PGID": os.getegid()}
    if any(int(text) != me[name] for name, text in asked.items()):
        logging.getLogger("ipwatch").warning(
            "%s: ipwatch runs as uid %d and gid %d and can not become another; the container's own `user` decides, "
            'in compose `user: "%s:%s"`', ", ".join(f"{name}={text}" for name, text in asked.items()), *me.values(),
            asked.get("PUID", me["PUID"]), asked.get("PGID", me["PGID"]),
        )  # fmt: skip


def once(arguments: argparse.Namespace) -> int:
    """One round, for cron and for trying a configuration out."""
    start_log(arguments)
    try:
        found = settings(arguments)
        if arguments.dry_run:
            return _dry(service.world_of(found))
        faults = service.once(found, PATIENCE)
    except (SettingsFault, StoreFault) as fault:
        return complain(fault)
    for fault_text in faults:
        print(f"ipwatch: {fault_text}", file=sys.stderr)
    return 1 if faults else 0


def _dry(world: World) -> int:
    """What a round would do; nothing is sent to a provider and nothing is written."""
    state = read_state(world.settings.state) or State()
    now, status = world.tools.clock.now(), 0
    beliefs = dict(state.beliefs)
    for family in world.settings.watch.families:
        verdict, lines = _ask(world, family)
        print(f"{family.label}: {verdict.address or verdict.finding.value}")
        for line in lines:
            print(f"  {line}")
        if verdict.address is None:
            status = 1
            continue
        beliefs[family] = believe(beliefs.get(family, Belief()), verdict, now)
    state = replace(state, beliefs=beliefs)
    for w in world.wanted(state):
        account, standing = world.accounts[w.key.account], state.records.get(w.key, Standing())
        why = record.reason(w, standing, account, now)
        stop = record.blocked(w, standing, account, state.accounts.get(account.name, AccountStanding()), now)
        if why is None:
            print(f"{w.key}: nothing to do" if w.address else f"{w.key}: no address is agreed on")
        else:
            print(f"{w.key}: would {'wait: ' + stop if stop else f'be set to {w.address}'} ({why})")
    world.close()
    return status


def _ask(world: World, family: Family) -> tuple[Verdict, list[str]]:
    """Ask as a first round does; the verdict, and a line for each source asked."""
    quorum = world.settings.watch.quorum[family]
    seen = world.observer.observe(family, None, {}, quorum)
    verdict = consensus.judge(seen, quorum)
    width = max((len(o.source) for o in seen), default=0)
    return verdict, [f"{o.source:<{width}}  {o.said}" for o in sorted(seen, key=lambda o: o.source)]


def ip(arguments: argparse.Namespace) -> int:
    """The agreed address, for scripts."""
    try:
        world = service.world_of(settings(arguments))
    except SettingsFault as fault:
        return complain(fault)
    family = Family(arguments.family) if arguments.family else world.settings.watch.families[0]
    if not world.observer.voices(family):
        print(f"ipwatch: no source is configured that can tell the {family.label} address", file=sys.stderr)
        return 2
    verdict, lines = _ask(world, family)
    world.close()
    if arguments.json:
        votes = {str(address): sorted(voters) for address, voters in verdict.votes.items()}
        told = {"family": family.value, "address": str(verdict.address) if verdict.address else None,
                "finding": verdict.finding.value, "votes": votes}  # fmt: skip
        print(json.dumps(told, indent=2))
    elif verdict.address is not None:
        print(verdict.address)
    if verdict.address is None:
        print(
            f"ipwatch: no {family.label} address is agreed on: the sources are {verdict.finding.value}", file=sys.stderr
        )
        for line in lines:
            print(f"  {line}", file=sys.stderr)
        return 1
    return 0
