"""What the laptop's commands share: settings, the world, and the way trouble is told."""

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from ipwatch.core.trouble import Kind, Trouble
from ipwatch.laptop.main import world_of
from ipwatch.laptop.say import Say
from ipwatch.laptop.world import World
from ipwatch.settings.faults import SettingsFault
from ipwatch.settings.laptop_load import load


def with_world(arguments: argparse.Namespace, act: Callable[[World], int]) -> int:
    """Do it with everything wired; a Trouble becomes its sentence and its exit status."""
    as_json = getattr(arguments, "json", False)
    say = Say(quiet=getattr(arguments, "quiet", False), as_json=as_json)
    try:
        settings = load(getattr(arguments, "config", None), os.environ, Path.cwd())
        world = world_of(settings, say)
        for name in ("SIGTERM", "SIGHUP"):  # SIGHUP: the terminal was closed; Windows has none, nohup ignores it
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, lambda *_: world.ending.set())
        for warning in settings.warnings:
            say.line(f"warning: {warning}")
        return act(world)
    except SettingsFault as fault:
        for one in fault.faults:
            print(f"ipwatch: {one}", file=sys.stderr)
        return _told(Kind.CONFIGURATION, "; ".join(map(str, fault.faults)), as_json=as_json)
    except Trouble as trouble:
        return complain(trouble, say, as_json=as_json)
    except KeyboardInterrupt:
        say.status("")  # the shell's prompt begins a line of its own
        raise


def complain(trouble: Trouble, say: Say, *, as_json: bool) -> int:
    """Print the sentence; gives the exit status."""
    say.status("")
    print(f"ipwatch: {trouble}", file=sys.stderr)
    return _told(trouble.kind, str(trouble), as_json=as_json)


def _told(kind: Kind, text: str, *, as_json: bool) -> int:
    if as_json:
        print(json.dumps({"trouble": kind.name.lower(), "exit_status": int(kind), "text": text}))
    return int(kind)
