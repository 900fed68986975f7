"""What `ipwatch doctor` makes of the way to wake a host: facts told by the host that wakes it (laptop/doctor.sh)."""

import re
import shlex
from collections.abc import Iterator
from typing import NamedTuple

from ipwatch.core.doctor import Finding, Verdict
from ipwatch.core.doctor_there import Facts
from ipwatch.core.waking import sudoers

CHECK = "wake"
_PORT = re.compile(r"(?:ovs_)?(?:eth|bond|br|en|em|wan|lan)[a-z0-9_.]*\Z")
_SHELL = frozenset(";&|<>()`$")


class Command(NamedTuple):
    """A wake command taken apart. program: "" when it can not be told. words: what sudo is to run, without sudo and its
    -n; ports: its words that look like network interfaces."""

    program: str = ""
    sudo: bool = False
    asks: bool = False  # sudo without -n waits for a password that nobody types
    words: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()


def taken_apart(command: str) -> Command:
    """What a wake command runs, as far as it is a plain one."""
    try:
        words = shlex.split(command)
    except ValueError:
        return Command()
    if not words or "=" in words[0] or _SHELL & set(words[0]):
        return Command()
    sudo = words[0] == "sudo"
    rest = words[1:] if sudo else words
    asks = sudo and rest[:1] != ["-n"]
    rest = rest[1:] if sudo and not asks else rest
    if not rest or rest[0].startswith("-"):
        return Command(sudo=sudo, asks=asks)
    plain = tuple(rest[: next((i for i, word in enumerate(rest) if _SHELL & set(word)), len(rest))])
    ports = tuple(word for word in plain[1:] if _PORT.match(word))
    return Command(plain[0], sudo, asks, plain, ports)


def through(host: str, via: str, command: str, facts: Facts) -> Iterator[Finding]:
    """Whether the command would run on the host that wakes."""
    made, user = taken_apart(command), facts.get("user", "you")
    if not made.program:
        text = f"{via} runs a command that can not be looked at: {command}"
        yield Finding(host, CHECK, Verdict.UNKNOWN, text, f"ipwatch wake {host}")
        return
    if "end" not in facts:
        yield Finding(host, CHECK, Verdict.UNKNOWN, f"{via} did not finish telling whether it can wake {host}")
    yield _program(host, via, made, facts)
    if made.sudo:
        yield _sudo(host, via, made, user, facts)
    for port in made.ports:
        yield from _port(host, via, port, facts)
    if facts.get("allowtcpforwarding") == "no":
        text = f"{via} forbids forwarding, as Synology does: waking does not need it"
        yield Finding(host, CHECK, Verdict.OK, text)


def _program(host: str, via: str, made: Command, facts: Facts) -> Finding:
    name = made.program
    if found := facts.get("program"):
        return Finding(host, CHECK, Verdict.OK, f"{via} has {found}")
    if elsewhere := facts.get("elsewhere"):
        if made.sudo:  # sudo has a path of its own (secure_path, sudoers(5))
            return Finding(host, CHECK, Verdict.OK, f"{via} has {elsewhere}")
        text = f"{via} has {elsewhere}, but a login without a terminal does not find {name}"
        return Finding(host, CHECK, Verdict.BAD, text, f"write {elsewhere} in the wake command of {host}")
    return Finding(host, CHECK, Verdict.BAD, f"{via} has no {name}", _instead(facts))


def _instead(facts: Facts) -> str:
    if "Synology" in facts.get("system", ""):
        return 'command = "sudo -n /usr/syno/sbin/synonet --wake {mac} eth0"'
    return 'install one (Debian: apt install wakeonlan) and write command = "wakeonlan {mac}"'


def _sudo(host: str, via: str, made: Command, user: str, facts: Facts) -> Finding:
    check = "wake, sudo"
    path = facts.get("program") or facts.get("elsewhere") or made.program  # rules hold full paths (sudoers(5))
    line = sudoers(user, f"sudo -n {' '.join((path, *made.words[1:]))}")
    mend = f"on {via}, in /etc/sudoers.d/ipwatch (mode 0440; Synology: again after each DSM update): {line}"
    if "sudo" not in facts:
        return Finding(host, check, Verdict.BAD, f"{via} has no sudo", f"leave sudo out of the wake command of {host}")
    if "sudo_may" not in facts:
        said = f": {facts['sudo_said']}" if "sudo_said" in facts else ""
        return Finding(host, check, Verdict.BAD, f"{user} may not run it there without a password{said}", mend)
    free = facts.get("sudo_free", "")
    if user != "root" and not _covers(free, made.program):
        text = f"{user} may run it there, but perhaps not without a password"
        return Finding(host, check, Verdict.WARN, text, mend)
    if made.asks:
        text = f"{user} may run it there without a password; without -n a sudo that lost its rule would wait for one"
        return Finding(host, check, Verdict.OK, text, f"write sudo -n in the wake command of {host}")
    return Finding(host, check, Verdict.OK, f"{user} may run it there without a password")


def _covers(free: str, program: str) -> bool:
    """Whether a rule without a password names the program, or everything."""
    return program in free or re.search(r"NOPASSWD:\s*ALL\b", free) is not None


def _port(host: str, via: str, port: str, facts: Facts) -> Iterator[Finding]:
    """The interface it sends by: one without a cable sends nothing."""
    state = facts.get(f"port_{port}")
    if state is None or state in {"up", "unknown"}:
        return
    up = ", ".join(facts.get("ports_up", "").split())
    text = f"{via} has no {port}" if state == "missing" else f"{port} of {via} is not connected ({state})"
    mend = f"write one that is connected ({up}) in the wake command of {host}" if up else ""
    yield Finding(host, CHECK, Verdict.BAD, text, mend)


def lost(host: str, via: str, why: str) -> Finding:
    """The host that wakes can not be asked."""
    text = f"{via}, which is to wake it, can not be asked: {why}"
    return Finding(host, CHECK, Verdict.BAD, text, f"ipwatch doctor {via}")


def direct(host: str, *, near: bool | None) -> Finding:
    """Magic packets from this machine. near: whether it has an address in the host's network."""
    if near:
        return Finding(host, CHECK, Verdict.OK, "this machine is in its network and sends magic packets itself")
    if near is None:
        text = "this machine sends magic packets, which reach its own network only; is that the host's? it has no lan"
        return Finding(host, CHECK, Verdict.UNKNOWN, text, 'lan = "192.168.1.20" in its [[host]]')
    text = "magic packets do not leave a network, and this machine is not in that of the host now"
    return Finding(host, CHECK, Verdict.WARN, text, 'wake = { via = "nas" }: another host of the house sends them')


def hook(host: str) -> Finding:
    """A URL: asking it would wake the host."""
    return Finding(host, CHECK, Verdict.UNKNOWN, "a URL wakes it, which is not tried here", f"ipwatch wake {host}")
