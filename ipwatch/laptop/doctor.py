"""Looks at everything between this machine and a host, and on the host itself. Changes nothing; wakes only if asked to.

What was seen is judged by core/doctor.py, doctor_there.py and doctor_way.py.
"""

import os
import shlex
import shutil
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from importlib import resources
from pathlib import Path

from ipwatch.core import doctor, doctor_there, doctor_way, waking
from ipwatch.core.doctor import Finding, KeyFile, Means
from ipwatch.core.doctor_there import Asked, Facts
from ipwatch.core.forward import Sort
from ipwatch.core.locating import same_network
from ipwatch.core.trouble import Kind, Trouble
from ipwatch.laptop.find import Outcome, Sight
from ipwatch.laptop.login import login_of
from ipwatch.laptop.remember import Remembering
from ipwatch.laptop.wake import wake_and_wait
from ipwatch.laptop.ways import logged_in, own_addresses
from ipwatch.laptop.world import World
from ipwatch.ports import PortError, Unreachable
from ipwatch.ports.remote import Link
from ipwatch.settings.laptop_model import WAKE_COMMAND, Host, Wake

WITHIN = timedelta(seconds=8)  # the search
GRACE = timedelta(seconds=1.5)  # for what the other ways say once a host is proved
_LOOK = timedelta(seconds=40)  # the script there: a dozen programs of at most 5 s each, most of which answer at once
_SHORT = timedelta(seconds=5)

Tell = Callable[[str], None]


def examine(world: World, hosts: Sequence[Host], *, wake: bool, tell: Tell) -> Iterator[Finding]:
    """Findings as they are made, this machine's first. tell: what is being done, for a status line.

    wake: wake what sleeps, and look at it then. Raises Trouble INTERRUPTED.
    """
    yield from _laptop(world, hosts)
    tell("asking where the house is ...")
    doctor_ = _Doctor(world, hosts, wake=wake, tell=tell)
    yield from doctor.network(doctor_.notes)
    for host in hosts:
        yield from doctor_.host(host)


def _laptop(world: World, hosts: Sequence[Host]) -> Iterator[Finding]:
    """This machine."""
    yield from doctor.settings(str(world.settings.path or "laptop.toml"), world.settings.warnings)
    needed = [host.name for host in hosts if host.engine == "openssh"]
    version, fault = None, "there is no ssh on this machine"
    if program := shutil.which("ssh"):
        try:
            done = world.commands.run([program, "-V"], _SHORT)
            version = (done.stderr + done.stdout).decode("utf-8", "replace").strip()
        except Unreachable as error:
            fault = str(error)
    yield doctor.ssh(version, fault, needed)


class _Doctor:
    """One round of looks. The searches run when it is made, all at the same time."""

    def __init__(self, world: World, hosts: Sequence[Host], *, wake: bool, tell: Tell) -> None:
        self._world, self._wake, self._tell = world, wake, tell
        self.notes: list[str] = []
        self._silent: dict[str, list[str]] = {}
        self._answers: dict[str, str] = {}
        outcomes = world.finder(world).survey(hosts, WITHIN, self._seen, grace=GRACE)
        self._outcomes = {host.name: outcome for host, outcome in zip(hosts, outcomes, strict=True)}

    def _seen(self, host: Host, sight: Sight) -> None:
        if sight.what == "note" and sight.text not in self.notes:
            self.notes.append(sight.text)
        elif sight.what == "silent":
            self._silent.setdefault(host.name, []).append(sight.text)

    def host(self, host: Host) -> Iterator[Finding]:
        """The whole chain to one host."""
        world, name = self._world, host.name
        yield doctor.pins(name, world.memory.pins(name, host.keys).keys)
        yield from doctor.means(name, _means(world, host))
        outcome = self._outcomes[name]
        yield doctor.addresses(name, host.names, outcome.candidates, self._silent.get(name, ()))
        yield from doctor.outside(name, outcome.candidates, found=outcome.finding is not None)
        yield from doctor.ttl(name, outcome.candidates)
        search = _search(host, outcome)
        if self._wake and doctor.asleep(search):
            self._tell(f"waking {name} ...")
            search = self._woken(host, search)
        yield from doctor.proof(search)
        if search.spot is not None:
            yield from self._inside(host)
        if host.wake is not None:
            yield from self._way(host)

    def _woken(self, host: Host, search: doctor.Search) -> doctor.Search:
        try:
            finding = wake_and_wait(self._world, host)
        except Trouble as trouble:
            if trouble.kind is Kind.INTERRUPTED:
                raise
            return search._replace(trouble=(trouble.kind, str(trouble)))
        finding.session.close()
        return search._replace(spot=finding.candidate.spot, took=finding.took, trouble=None)

    def _inside(self, host: Host) -> Iterator[Finding]:
        """What is to be seen once one is logged in."""
        self._tell(f"looking at {host.name} ...")
        asked = Asked(
            host.name,
            mac=host.mac,
            wakes=bool(host.mac or host.wake),
            forwards=any(forward.sort is not Sort.REMOTE for forward in host.forwards.values()) or bool(host.apps),
            remote=any(forward.sort is Sort.REMOTE for forward in host.forwards.values()),
            keep_awake=host.keep_awake is True,
            own_hold=isinstance(host.keep_awake, str),
        )
        try:
            with self._linked(host) as (link, user):
                yield doctor.login(host.name, user, None)
                yield from _there(link, asked, host.lan.ip if host.lan else "")
        except Trouble as trouble:
            if trouble.kind is Kind.INTERRUPTED:
                raise
            yield doctor.login(host.name, "", (trouble.kind, str(trouble)))

    @contextmanager
    def _linked(self, host: Host) -> Iterator[tuple[Link, str]]:
        """Logged in there; a passphrase is asked for once."""
        asking = replace(self._world, ask=Remembering(self._world.ask, self._answers, self._world.ending))
        link, user = logged_in(asking, host)
        try:
            yield link, user
        finally:
            link.cut()

    def _way(self, host: Host) -> Iterator[Finding]:
        """The way it is woken."""
        wake = host.wake
        if wake is None or wake.url:
            yield doctor_way.hook(host.name)
        elif wake.via in {"", "direct"}:
            yield doctor_way.direct(host.name, near=_near(self._world, host))
        else:
            self._tell(f"asking {wake.via} whether it can wake {host.name} ...")
            try:
                command = _command(host, wake)
                with self._linked(self._world.host(wake.via)) as (link, _):
                    facts, said = _ask(link, "wake_way", _given(command))
            except Trouble as trouble:
                if trouble.kind is Kind.INTERRUPTED:
                    raise
                yield doctor_way.lost(host.name, wake.via, str(trouble))
            else:
                if facts:
                    yield from doctor_way.through(host.name, wake.via, command, facts)
                else:
                    yield doctor_way.lost(host.name, wake.via, f"no POSIX shell runs there ({said})")


def _search(host: Host, outcome: Outcome) -> doctor.Search:
    finding = outcome.finding
    spot, took = (finding.candidate.spot, finding.took) if finding else (None, timedelta())
    return doctor.Search(host.name, spot, took, outcome.trouble, host.wake is not None, host.port)


def _means(world: World, host: Host) -> Means:
    """What there is to log in with. The agent is asked by ssh-add(1): 0 keys, 1 none, 2 no agent."""
    try:
        who = login_of(world, host)
    except Trouble as trouble:
        return Means(fault=str(trouble))
    held = None
    if who.agent:
        try:
            done = world.commands.run(["ssh-add", "-l"], _SHORT, env={"SSH_AUTH_SOCK": who.agent})
            held = {0: len(done.stdout.splitlines()), 1: 0}.get(done.status)
        except Unreachable:
            held = None
    files = tuple(KeyFile(str(path), _open_to(path)) for path in who.identities)
    return Means(who.user, files, agent=bool(who.agent), held=held)


def _open_to(path: Path) -> str:
    """Who else may read a private key. Windows has no such bits."""
    try:
        mode = path.stat().st_mode if os.name == "posix" else 0
    except OSError:  # only its public half is there
        return ""
    return "everybody" if mode & stat.S_IRWXO else "its group" if mode & stat.S_IRWXG else ""


def _there(link: Link, asked: Asked, lan: str) -> Iterator[Finding]:
    facts, said = _ask(link, "own", {"lan": lan})
    if facts:
        yield from doctor_there.own(asked, facts)
    elif version := _windows(link):
        yield from doctor_there.windows(asked, version)
    else:
        yield doctor_there.mute(asked, said)


def _ask(link: Link, act: str, given: dict[str, str]) -> tuple[Facts, str]:
    """Run the script there. What it told before it was lost or its time was over counts, too; and what was said in
    place of facts."""
    may = given.pop("may", "false")
    settings = "".join(f"{name}={shlex.quote(value)}\n" for name, value in given.items())
    body = resources.files(__package__).joinpath("doctor.sh").read_text("utf-8")
    script = f"{settings}may() {{ {may}; }}\n{body}{act}\n"
    pieces: list[bytes] = []
    try:
        link.run("sh -s", _LOOK, stdin=script.encode("utf-8", "surrogateescape"), said=pieces.append)
    except PortError as error:
        pieces.append(f"\n{error}\n".encode())
    output = b"".join(pieces).decode("utf-8", "replace")
    facts = doctor_there.told(output)
    return facts, next((line.strip()[:200] for line in output.splitlines() if line.strip()), "")


def _near(world: World, host: Host) -> bool | None:
    """Whether this machine has an address in the host's network; None where that can not be known."""
    own = own_addresses(world)
    if host.lan is None or not own:
        return None
    return same_network(host.lan.ip, ((str(one.address), one.prefix) for one in own))


def _command(host: Host, wake: Wake) -> str:
    """The command that wakes it, filled in."""
    values = {"mac": host.mac, "mac_plain": host.mac.replace(":", ""), "host": host.name}
    return waking.filled(wake.command or WAKE_COMMAND, values)


def _given(command: str) -> dict[str, str]:
    """What the script needs to know of a wake command."""
    made = doctor_way.taken_apart(command)
    return {
        "lan": "",
        "program": made.program,
        "sudo": "yes" if made.sudo else "",
        "ports": " ".join(made.ports),
        "may": "sudo -n -l " + " ".join(map(shlex.quote, made.words)) if made.words else "false",
    }


def _windows(link: Link) -> str:
    """Its version, "" when it is none. cmd.exe is the default shell of Win32-OpenSSH; PowerShell runs it, too."""
    try:
        _, output, _ = link.run("cmd /c ver", _SHORT)
    except PortError:
        return ""
    text = " ".join(output.decode("utf-8", "replace").split())[:80]
    return text if "Windows" in text else ""
