"""`ipwatch wake` and `ipwatch sleep`."""

import argparse
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from ipwatch.cli.laptop import with_world
from ipwatch.core.trouble import Kind, Trouble
from ipwatch.laptop.wake import send_to_sleep, send_wake, wake_unless_up
from ipwatch.laptop.world import World
from ipwatch.settings import files, locate
from ipwatch.settings.faults import SettingsFault
from ipwatch.settings.laptop_host import host
from ipwatch.settings.laptop_model import Host
from ipwatch.settings.reader import Reader


def wake(arguments: argparse.Namespace) -> int:
    """Wake a host; with --wait, watch it until it is proved."""
    as_json = getattr(arguments, "json", False)

    def act(world: World) -> int:
        world = world if world.settings.hosts else _of_the_service(world, arguments.host)
        sleeper = world.host(arguments.host)
        facts: dict[str, Any]
        if arguments.wait:
            began = world.now()
            finding, woken = wake_unless_up(world, sleeper)
            finding.session.close()
            seconds = (world.now() - began).total_seconds()
            spot = finding.candidate.spot
            text = f"is up at {spot}, {seconds:.0f} s after the wake" if woken else f"is up already, at {spot}"
            facts = {"up": True, "woken": woken, "address": spot.ip, "port": spot.port, "seconds": round(seconds, 1)}
        else:
            text = send_wake(world, sleeper)
            facts = {"sent": text}
        world.say.status("")
        print(json.dumps({"host": sleeper.name, **facts}) if as_json else f"{sleeper.name}: {text}")
        return 0

    return with_world(arguments, act)


def sleep(arguments: argparse.Namespace) -> int:
    """Run the command that puts a host to sleep."""

    def act(world: World) -> int:
        tired = world.host(arguments.host)
        print(f"{tired.name}: {send_to_sleep(world, tired)}")
        return 0

    return with_world(arguments, act)


def _of_the_service(world: World, name: str) -> World:
    """Without a laptop.toml, as in the service's container: the hosts of its ipwatch.toml, woken directly."""
    file = locate.configuration(None, os.environ, Path.cwd(), Path("/"))
    if world.settings.path:
        return world
    if file is None:
        where = "neither a laptop.toml nor, as in the service's container, an ipwatch.toml with a [[host]] (/config)"
        raise Trouble(Kind.CONFIGURATION, f"no host is called {name}: there is {where}")
    data = files.parsed(file, files.text(file, ""))
    reader = Reader(file, file.parent, os.environ)
    raws = data.get("host", [])
    hosts = [_sleeper(reader, number, raw) for number, raw in enumerate(raws if isinstance(raws, list) else [raws])]
    if reader.faults:
        raise SettingsFault(reader.told())
    return replace(world, settings=world.settings._replace(path=file, hosts={one.name: one for one in hosts}))


def _sleeper(reader: Reader, number: int, raw: Any) -> Host:
    data = raw if isinstance(raw, dict) else {}
    named = {"name": "name", "mac": "mac", "secureon": "secureon", "address": "lan"}
    known = {ours: data[theirs] for theirs, ours in named.items() if theirs in data}
    return host(reader, ("host", number), {**known, "wake": {"via": "direct"}}, ())
