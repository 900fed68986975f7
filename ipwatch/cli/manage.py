"""unlock, notify, kinds, check: the commands that tend the configuration."""

import argparse
import os
import signal
import sys
from typing import Literal

from ipwatch.cli import table
from ipwatch.cli.common import complain, settings
from ipwatch.core.event import Event, Topic
from ipwatch.core.message import compose
from ipwatch.core.state import State
from ipwatch.ports import Message, PortError, StoreFault
from ipwatch.settings import render
from ipwatch.settings.faults import SettingsFault
from ipwatch.settings.kinds import names, plugin
from ipwatch.settings.model import Settings
from ipwatch.store import holder, read_state, request


def unlock(arguments: argparse.Namespace) -> int:
    """Ask the service (now, or at its next start) to open a latch."""
    try:
        found = settings(arguments)
        state = read_state(found.state) or State()
        known = {r.name for r in found.records} | set(found.accounts)
        if arguments.name not in known:
            there = ", ".join(sorted(known)) or "none"
            print(f"ipwatch: no record or account is called {arguments.name}; there are: {there}",
                  file=sys.stderr)  # fmt: skip
            return 2
        request(found.state, "unlock", arguments.name)
    except (SettingsFault, StoreFault) as fault:
        return complain(fault)
    locked = [str(k) for k, s in state.records.items() if s.latch and arguments.name in {k.name, k.account}]
    locked += [f"account {n}" for n, a in state.accounts.items() if a.latch and n in _accounts(found, arguments.name)]
    pid = holder(found.state)
    if pid:
        os.kill(pid, signal.SIGUSR1)
    when = "now" if pid else "at the next round or start of the service"
    print(f"{', '.join(locked) or arguments.name}: unlocked {when}" + ("" if locked else " (nothing was locked)"))
    return 0


def _accounts(found: Settings, name: str) -> set[str]:
    return {name} | {r.account for r in found.records if r.name == name}


def notify(arguments: argparse.Namespace) -> int:
    """Send a test message through every notifier, now and outside the outbox."""
    from ipwatch.service.main import world_of

    try:
        world = world_of(settings(arguments))
    except SettingsFault as fault:
        return complain(fault)
    if not world.notifiers:
        print("ipwatch: no [[notify]] is configured", file=sys.stderr)
        return 2
    now, state, status = world.tools.clock.now(), read_state(world.settings.state) or State(), 0
    known = {f: b.address for f, b in state.beliefs.items() if b.address is not None}
    event = Event(Topic.TEST, now)
    made = compose((event,), known, now, world.zone)
    message = Message(world.random_id(), now, made.subject, made.text, made.html, (event,), known)
    for spec in world.settings.notifiers:
        try:
            world.notifiers[spec.name].send(message, spec.options.timeout)
        except PortError as error:
            print(f"{spec.name}: {table.bad('not delivered')}: {error}")
            status = 1
        else:
            print(f"{spec.name}: {table.good('delivered')}")
    world.close()
    return status


def kinds(_arguments: argparse.Namespace) -> int:
    """Every kind there is, with its manual."""
    families: tuple[Literal["source", "provider", "notifier"], ...] = ("source", "provider", "notifier")
    for family in families:
        rows = []
        for kind in names(family):
            one = plugin(family, kind)
            rows.append((kind, one.title, one.manual))
        table.show((f"{family} kind", "", "manual"), rows)
        print()
    return 0


def check(arguments: argparse.Namespace) -> int:
    """Whether the configuration is sound, and what is in force."""
    from ipwatch.service.main import world_of

    try:
        found = settings(arguments)
        world_of(found).close()
    except SettingsFault as fault:
        return complain(fault)
    for warning in found.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    for line in render.lines(found):
        print(line)
    return 0
