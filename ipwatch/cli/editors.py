"""`ipwatch proxy` and `ipwatch ssh-config`: for ssh, and for whatever runs ssh. Nothing heavy is imported here."""

import os
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

_USAGE = """\
usage: ipwatch proxy HOST [PORT] [--pass-fd] [--config FILE] [--quiet]

for ssh's ProxyCommand: standard input and output to the host's current address

  HOST           a [[host]] of laptop.toml
  PORT           instead of the one laptop.toml gives it
  --pass-fd      for ssh's ProxyUseFdpass: hand the connection itself over
  --config FILE  the laptop.toml
  --quiet        only faults on standard error
"""
_CONFIGURATION = 2  # core.trouble.Kind.CONFIGURATION, before it is imported


def proxy(words: list[str]) -> int:
    """Connect ssh with a host. Parsed by hand: argparse alone takes as long as all that is needed here."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C is for ssh; no traceback beside its words
    options = {"pass_fd": False, "quiet": False}
    config: str | None = None
    places: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word in {"-h", "--help"}:
            print(_USAGE, end="")
            return 0
        if word in {"--pass-fd", "--quiet", "-q"}:
            options["pass_fd" if word == "--pass-fd" else "quiet"] = True
        elif word == "--config" and rest:
            config = rest.pop(0)
        elif word.startswith("--config="):
            config = word.partition("=")[2]
        elif word.startswith("-") or len(places) == 2:
            return _wrong(f"{word!r} is not understood")
        else:
            places.append(word)
    if not places:
        return _wrong("the host is missing")
    port = places[1] if len(places) > 1 else ""
    if port and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        return _wrong(f"{port!r} is not a port (1 to 65535)")
    return _proxied(places[0], int(port or 0), config, **options)


def _wrong(why: str) -> int:
    sys.stderr.write(f"ipwatch: {why}: ipwatch proxy HOST [PORT] [--pass-fd] [--config FILE] [--quiet]\n")
    return _CONFIGURATION


def _proxied(host: str, port: int, config: str | None, *, pass_fd: bool, quiet: bool) -> int:
    from ipwatch.core.trouble import Trouble
    from ipwatch.laptop.proxy import Errand, run, warn

    try:
        return run(Errand(host, port, pass_fd, config, quiet))
    except Trouble as trouble:
        warn(str(trouble))
        return int(trouble.kind)
    except BrokenPipeError:  # ssh has gone
        return 1
    except OSError as error:
        warn(f"{host} can not be reached: {(error.strerror or str(error)).lower()}")
        return 1


def ssh_config(arguments: "argparse.Namespace") -> int:
    """Print the blocks for ssh, install them, or take them away, which needs no configuration that can be read."""
    from ipwatch.cli.laptop import complain, with_world
    from ipwatch.core.trouble import Trouble
    from ipwatch.laptop.say import Say
    from ipwatch.laptop.sshconfig import Installation, home, text
    from ipwatch.laptop.world import World

    def act(world: World) -> int:
        if not arguments.install:
            print(text(world.settings), end="")
            return 0
        where = home(os.environ)
        place = Installation(where.folder, own=where.own)
        done = place.install(world.settings)
        names = ", ".join(world.settings.hosts)
        world.say.line(
            f"{place.included} {'now has' if done else 'has'} {names}; try: ssh {next(iter(world.settings.hosts))}"
        )
        if not where.own:
            world.say.line(f"warning: ssh reads {where.ssh}/.ssh/config, not $HOME's; use ssh -F {place.config}")
        return 0

    if not arguments.uninstall:
        return with_world(arguments, act)
    say = Say(quiet=getattr(arguments, "quiet", False))
    try:
        done = Installation(home(os.environ).folder).uninstall()
    except Trouble as trouble:
        return complain(trouble, say, as_json=False)
    say.line("ssh is as it was before" if done else "there was nothing to take away")
    return 0
