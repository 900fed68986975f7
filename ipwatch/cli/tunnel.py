"""up: keep a tunnel and its forwards open."""

import argparse

from ipwatch.cli.laptop import with_world
from ipwatch.core.forward import BadForward, Forward, parse
from ipwatch.core.trouble import Kind, Trouble
from ipwatch.laptop.lease import kept_awake
from ipwatch.laptop.say import Tone
from ipwatch.laptop.single import only_one
from ipwatch.laptop.supervisor import Supervisor
from ipwatch.laptop.world import World
from ipwatch.settings.faults import nearest
from ipwatch.settings.laptop_model import Host


def up(arguments: argparse.Namespace) -> int:
    """Until Ctrl-C or a trouble that trying again can not cure."""
    return with_world(arguments, lambda world: _up(world, arguments))


def _up(world: World, arguments: argparse.Namespace) -> int:
    host = world.host(arguments.host)
    forwards = chosen(host, arguments.forwards)
    with only_one(world.settings.state, f"up-{host.name}", f"`ipwatch up {host.name}`"):
        supervisor = Supervisor(world, host, forwards, stay=arguments.stay)
        with kept_awake(world, host, supervisor):
            supervisor.start()
            if not forwards:
                world.say.line(f"no port is forwarded: {host.name} has no [host.forward] in laptop.toml", Tone.WARN)
            try:
                trouble = supervisor.wait()
            finally:
                supervisor.stop()
    if trouble is not None:
        raise trouble
    return 0


def chosen(host: Host, words: list[str]) -> list[Forward]:
    """The forwards these words name: names of laptop.toml, or forwards written out; none: all of the host's.

    Raises Trouble.
    """
    if not words:
        return list(host.forwards.values())
    made = []
    for word in words:
        if word in host.forwards:
            made.append(host.forwards[word])
            continue
        try:
            made.append(parse(word, word))
        except BadForward as error:
            raise Trouble(Kind.CONFIGURATION, _no_forward(host, word, error)) from None
    return list(dict.fromkeys(made))


def _no_forward(host: Host, word: str, error: BadForward) -> str:
    if ":" in word or word.isdigit():
        return f"{word}: {error}"
    if meant := nearest(word, tuple(host.forwards)):
        return f"{host.name} has no forward called {word}; did you mean {meant}?"
    there = f"there are {', '.join(host.forwards)}" if host.forwards else "it has none in laptop.toml"
    return f"{host.name} has no forward called {word}; {there}"
