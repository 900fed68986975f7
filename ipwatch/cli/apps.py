"""open: a remote app, found or started, forwarded and shown."""

import argparse
import json
from collections.abc import Callable
from datetime import timedelta

from ipwatch.cli.laptop import with_world
from ipwatch.core.app import Recipe
from ipwatch.core.trouble import Kind, Trouble
from ipwatch.laptop.apps import recipe_of
from ipwatch.laptop.apps.browser import has_browser, open_browser
from ipwatch.laptop.apps.run import START_WITHIN, Opened, Opening
from ipwatch.laptop.apps.there import everything
from ipwatch.laptop.lease import kept_awake
from ipwatch.laptop.say import Tone
from ipwatch.laptop.supervisor import Supervisor
from ipwatch.laptop.world import World
from ipwatch.settings.laptop_model import Host

Browse = Callable[[Opened], bool]


def open(arguments: argparse.Namespace) -> int:  # noqa: A001 - the command's word
    """Until Ctrl-C or a trouble that trying again can not cure. The app goes on."""
    return with_world(arguments, lambda world: opened(world, arguments, browse))


def browse(shown: Opened) -> bool:
    """Open the system's browser; whether there was one."""
    return has_browser() and open_browser(shown.url, secret=shown.secret)


def opened(world: World, arguments: argparse.Namespace, show: Browse, within: timedelta = START_WITHIN) -> int:
    """Open it, print what it is reached by, stay."""
    host = world.host(arguments.host)
    if not 0 <= arguments.port < 65536:
        raise Trouble(Kind.CONFIGURATION, f"--port {arguments.port}: a port is 1 to 65535")
    if arguments.stop:
        return _stop(world, host, arguments)
    recipe = recipe_of(arguments.app, arguments.words, arguments.folder, host.apps)
    supervisor = Supervisor(world, host, ())
    with kept_awake(world, host, supervisor):
        supervisor.start()
        try:
            opening = Opening(world, host, recipe, supervisor, port=arguments.port, within=within)
            try:
                shown = opening.open()
            except (Trouble, KeyboardInterrupt):
                if opening.started:
                    _goes_on(world, host, recipe)
                raise
            _tell(world, host, recipe, shown, as_json=arguments.json)
            if shown.ready and shown.browsable and not arguments.no_browser and not show(shown):
                world.say.line("no browser here: open the address above yourself")
            opening.stay(shown)
        finally:
            supervisor.stop()
    return 0


def _tell(world: World, host: Host, recipe: Recipe, shown: Opened, *, as_json: bool) -> None:
    """The result, on standard output and nowhere else: it may hold a token."""
    place = shown.place
    if as_json:
        facts = {"host": host.name, "app": recipe.name, "url": shown.url, "port": shown.port, "ready": shown.ready}
        more = {"there": str(place.target), "pid": place.pid or None, "log": place.log or None}
        print(json.dumps({**facts, **more}), flush=True)
    else:
        print(shown.text, flush=True)
    if place.ours:
        _goes_on(world, host, recipe)


def _goes_on(world: World, host: Host, recipe: Recipe) -> None:
    stop = f"to end it: ipwatch open {host.name} {recipe.name} --stop"
    world.say.line(f"{recipe.name} goes on there when this ends; {stop}", Tone.PLAIN)


def _stop(world: World, host: Host, arguments: argparse.Namespace) -> int:
    """End what `ipwatch open` started there under that name; with words or a folder, only that one."""
    name = arguments.app
    if arguments.words or arguments.folder:
        recipe = recipe_of(name, arguments.words, arguments.folder, host.apps)
        key = recipe.key
    else:
        recipe, key = Recipe(name), everything(Recipe(name))
    supervisor = Supervisor(world, host, ())
    supervisor.start()
    try:
        stopped = Opening(world, host, recipe, supervisor).stop(key)
    finally:
        supervisor.stop()
    if not stopped:
        raise Trouble(Kind.APP_FAILED, f"ipwatch has started no {recipe.title} on {host.name} that still runs")
    return 0
