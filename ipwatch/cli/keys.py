"""trust: show a host's keys, ask, pin them."""

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from ipwatch.cli import table
from ipwatch.cli.laptop import with_world
from ipwatch.core.host import Pins
from ipwatch.core.trouble import Kind, Trouble
from ipwatch.laptop.collect import Seen, collect, prove
from ipwatch.laptop.trust import Offer, Row, State, compare, file_text, imported, settle
from ipwatch.laptop.world import World
from ipwatch.ports.remote import Prompt
from ipwatch.settings.laptop_model import Host

# Where sshd keeps the public halves (sshd_config(5), HostKey, OpenSSH 9.2).
_FILES = {
    "ssh-ed25519": "ssh_host_ed25519_key.pub",
    "ecdsa-sha2-nistp256": "ssh_host_ecdsa_key.pub",
    "ecdsa-sha2-nistp384": "ssh_host_ecdsa_key.pub",
    "ecdsa-sha2-nistp521": "ssh_host_ecdsa_key.pub",
    "ssh-rsa": "ssh_host_rsa_key.pub",
}
_TONES = {State.SAME: table.good, State.CHANGED: table.bad, State.REVOKED: table.bad, State.GONE: table.bad}


def trust(arguments: argparse.Namespace) -> int:
    """Pin the keys of a host, or show or forget what is pinned."""
    return with_world(arguments, lambda world: run(world, arguments))


def run(world: World, arguments: argparse.Namespace) -> int:
    """The command with its world; raises Trouble."""
    try:
        return _run(world, arguments)
    finally:
        sys.stdout.flush()  # before a sentence on standard error says what is wrong with what was shown


def _run(world: World, arguments: argparse.Namespace) -> int:
    host = world.host(arguments.host)
    _check(arguments)
    if arguments.show:
        return _show(world, host)
    if arguments.forget:
        return _forget(world, host, yes=arguments.yes)
    if arguments.known_hosts is not None:
        return _import(world, host, arguments)
    return _enrol(world, host, arguments)


def _check(arguments: argparse.Namespace) -> None:
    """Options that do not go together."""
    chosen = [word for word, given in (
        ("--show", arguments.show), ("--forget", arguments.forget),
        ("--known-hosts", arguments.known_hosts is not None), ("--at", arguments.at is not None),
    ) if given]  # fmt: skip
    if len(chosen) > 1:
        raise Trouble(Kind.CONFIGURATION, f"{' and '.join(chosen)} do not go together")
    if arguments.name is not None and arguments.known_hosts is None:
        raise Trouble(Kind.CONFIGURATION, "--name NAME is what the host is called in the file of --known-hosts")


def _show(world: World, host: Host) -> int:
    held = world.memory.pins(host.name)
    rows = [(key.kind, key.fingerprint, "") for key in held.keys if key not in host.keys]
    rows += [(key.kind, key.fingerprint, "in laptop.toml") for key in host.keys]
    rows += [(key.kind, key.fingerprint, table.bad("revoked")) for key in held.revoked]
    if not rows:
        raise Trouble(Kind.NOT_PINNED, f"no key is pinned for {host.name}: ipwatch trust {host.name} pins them")
    table.show(("TYPE", "FINGERPRINT", ""), rows)
    return 0


def _forget(world: World, host: Host, *, yes: bool) -> int:
    held = world.memory.pins(host.name).keys
    written = "; what stands in laptop.toml is unpinned by taking it out there" if host.keys else ""
    if not held:
        print(f"no key is pinned for {host.name} by ipwatch trust{written}")
        return 0
    table.show(("TYPE", "FINGERPRINT"), [(key.kind, key.fingerprint) for key in held])
    if not yes and not _yes(world, f"Unpin {_keys(len(held))} of {host.name}?", "say it with --yes"):
        raise Trouble(Kind.NOT_WELL, "nothing was changed")
    world.memory.pin(host.name, ())
    print(f"unpinned {_keys(len(held))} of {host.name}{written}")
    if world.memory.pins(host.name).keys:
        print(f"other lines of {world.memory.known_hosts} are for {host.name}, too: edit them there")
    return 0


def _import(world: World, host: Host, arguments: argparse.Namespace) -> int:
    path = Path(os.path.expanduser(arguments.known_hosts))  # noqa: PTH111 - "~" of nobody stays as it is
    offer = imported(host, file_text(path), arguments.name)
    print(f"Keys of {host.name} in {path}:\n")
    return _offered(world, host, offer, arguments)


def _enrol(world: World, host: Host, arguments: argparse.Namespace) -> int:
    seen = collect(world, host, arguments.at)
    held = _held(world, host)
    if len({frozenset(one.keys) for one in seen}) > 1:
        return _differ(host, seen, held)
    print(f"Keys of {host.name}, as shown at")
    for one in seen:
        print(f"  {one.place.spot}  ({one.place.who})")
    print()
    offer = Offer(seen[0].keys, whole=True)
    revoked = [key for key in offer.keys if key in held.revoked]
    if revoked:
        _table(compare(offer, held), host)
        sentence = f"the machine at {seen[0].place.spot} shows a key of {host.name} that is revoked; nothing was pinned"
        raise Trouble(Kind.STRANGER, sentence)
    return _offered(world, host, offer, arguments, seen[0])


def _differ(host: Host, seen: Sequence[Seen], held: Pins) -> int:
    """Two machines: the user has to say which one it is."""
    for one in seen:
        print(f"{one.place.spot}  ({one.place.who}) shows")
        _table(compare(Offer(one.keys, whole=False), held), host)
    places = " or ".join(str(one.place.spot) for one in seen)
    sentence = f"different machines answer for {host.name}; nothing was pinned: say which one it is with --at {places}"
    raise Trouble(Kind.STRANGER, sentence)


def _offered(world: World, host: Host, offer: Offer, arguments: argparse.Namespace, seen: Seen | None = None) -> int:
    """Show, ask, pin."""
    held = _held(world, host)
    rows = compare(offer, held)
    _table(rows, host)
    for note in offer.notes:
        print(note)
    if offer.keys and all(key in (*held.revoked, *offer.revoked) for key in offer.keys):
        sentence = f"no key of {host.name} is there but revoked ones; nothing was pinned"
        raise Trouble(Kind.NOT_PINNED, sentence)
    states = {row.state for row in rows}
    if states == {State.SAME} or not _matters(rows, host, held):
        print(f"{host.name}: these keys are pinned already, nothing changes")
        return 0
    if seen is not None:
        world.say.status(f"asking {seen.place.spot} for a proof")
        proved = prove(world, host, seen)
        world.say.status("")
        print(f"The machine has proved that it holds the {proved.kind} key.\n")
    _advise(host, rows)
    _confirm(world, host, rows, arguments)
    count = settle(world.memory, host.name, offer)
    print(table.good(f"{_keys(count)} pinned under the name {host.name}"))
    if any(row.state is State.REPLACED and row.key in host.keys for row in rows):
        print(f"the old key stands in laptop.toml, too, and proves {host.name} until you take it out there")
    return 0


def _matters(rows: Sequence[Row], host: Host, held: Pins) -> bool:
    """Whether there is anything to change: what only laptop.toml can change does not count."""
    return any(
        row.state in {State.NEW, State.CHANGED}
        or (row.state is State.GONE and row.key not in host.keys)
        or (row.state is State.REVOKED and row.key not in held.revoked)
        for row in rows
    )


def _held(world: World, host: Host) -> Pins:
    return world.memory.pins(host.name, host.keys)


def _table(rows: Sequence[Row], host: Host) -> None:
    def cells(row: Row) -> tuple[str, str, str]:
        state = _TONES.get(row.state, str)(row.state.value)
        return row.key.kind, row.key.fingerprint, state + (" (laptop.toml)" if row.key in host.keys else "")

    table.show(("TYPE", "FINGERPRINT", ""), [cells(row) for row in rows])
    print()


def _advise(host: Host, rows: Sequence[Row]) -> None:
    """How to compare."""
    files = dict.fromkeys(
        _FILES[row.key.kind] for row in rows if row.state in {State.NEW, State.CHANGED} and row.key.kind in _FILES
    )
    if files:
        print(f"Compare before you pin: on {host.name} itself, these print the same fingerprints")
        for file in files:
            print(f"  ssh-keygen -lf /etc/ssh/{file}")
        print("On Windows they are in another folder, in PowerShell:")
        for file in files:
            print(rf"  ssh-keygen -lf $env:ProgramData\ssh\{file}")
        print(flush=True)


def _confirm(world: World, host: Host, rows: Sequence[Row], arguments: argparse.Namespace) -> None:
    """Ask what has to be asked; raises Trouble unless it is to be pinned."""
    again = f"ipwatch trust {shlex.quote(host.name)}"
    if any(row.state is State.CHANGED for row in rows):
        print(table.bad(f"The key of {host.name} has changed.") + " It was set up anew, or this is another machine.")
        if arguments.yes and arguments.at is not None:
            return
        answer = world.ask(Prompt('Type "changed" to pin the new key in the place of the old one: ', echo=True))
        if answer is None:
            hint = f"compare the fingerprints, then say {again} --yes --at ADDRESS"
            raise Trouble(Kind.STRANGER, f"the key of {host.name} has changed and there is nobody to ask: {hint}")
        if answer.strip() != "changed":
            raise Trouble(Kind.STRANGER, f"the key of {host.name} has changed; nothing was pinned")
        return
    if arguments.yes:
        return
    if not _yes(world, f"Pin under the name {host.name}?", f"compare the fingerprints, then say {again} --yes"):
        raise Trouble(Kind.NOT_PINNED, f"nothing was pinned for {host.name}")


def _yes(world: World, question: str, instead: str) -> bool:
    """The answer to a question whose default is no; instead: what to do where there is nobody to ask."""
    answer = world.ask(Prompt(f"{question} [y/N] ", echo=True))
    if answer is None:
        raise Trouble(Kind.NOT_PINNED, f"there is nobody to ask, nothing was changed: {instead}")
    return answer.strip().lower() in {"y", "yes"}


def _keys(count: int) -> str:
    return f"{count} key" + ("" if count == 1 else "s")
