"""`ipwatch ssh`: the system's ssh, with the host's proved current address and its pinned keys."""

import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from ipwatch.core.trouble import Kind, Trouble
from ipwatch.laptop.find import Finding, Sight
from ipwatch.laptop.login import login_of
from ipwatch.laptop.say import Tone
from ipwatch.laptop.world import World
from ipwatch.net import openssh, openssh_args
from ipwatch.protocols.ssh_words import is_option, split
from ipwatch.settings.laptop_model import Host

_FIND = timedelta(seconds=20)
_ASLEEP = frozenset({Kind.UNREACHABLE, Kind.NOT_SSH})  # a router's port forward may answer for a machine that sleeps

Become = Callable[[str, Sequence[str]], int]


def become(program: str, words: Sequence[str]) -> int:
    """Run the program in place of this one, so that signals, Ctrl-Z and the exit status are its own. Windows has no
    such call: there its exit status is given."""
    if os.name == "posix":
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, and that would be inherited
        os.execv(program, ["ssh", *words])  # noqa: S606 - no shell is wanted
    return subprocess.call([program, *words])


def ssh(world: World, host: Host, words: Sequence[str], run: Become = become) -> int:
    """Find the host, wake it if need be, and run ssh; gives its exit status (on POSIX it does not return).

    words: options of ssh, then a command. Raises Trouble.
    """
    program = openssh.found()
    options, command = split(words)
    who = login_of(world, host)
    spot = _awake(world, host).candidate.spot
    settings = openssh_args.proof(spot, _pins(world, host), host.name)
    if any(is_option(option, "l") for option in options):
        who = who._replace(user="")
    given = [*openssh_args.proved(settings), *openssh_args.who(who), *options, *openssh_args.soft(), "--", host.name]
    world.say.status("")
    return run(program, [*given, *command])


def _awake(world: World, host: Host) -> Finding:
    """The host, proved by a glance: no second machine's connection is left behind, and ssh proves it once more."""
    world.say.status(f"looking for {host.name} ...")
    told: set[str] = set()

    def tell(sight: Sight) -> None:
        if sight.what in {"stranger", "note"} and sight.text not in told:
            told.add(sight.text)
            world.say.line(sight.text, Tone.WARN)

    try:
        finding = world.finder(world).find(host, _FIND, tell, prover=openssh.OpenSshProver())
    except Trouble as trouble:
        if host.wake is None or trouble.kind not in _ASLEEP:
            raise
        from ipwatch.laptop.wake import wake_and_wait  # noqa: PLC0415 - most hosts are awake

        finding = wake_and_wait(world, host)
    finding.session.close()
    return finding


def _pins(world: World, host: Host) -> Path:
    """A file with this host's pinned keys, those of laptop.toml included. It stays: ssh reads it after we are gone."""
    path = world.memory.folder / "pins" / host.name
    text = openssh_args.known_hosts(world.memory.pins(host.name, host.keys), host.name)
    with suppress(OSError):
        if path.read_bytes() == text.encode():
            return path
    world.memory.write(path, text)
    return path
