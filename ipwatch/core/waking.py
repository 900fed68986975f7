"""Waking a host: where magic packets go, how far a boot has come, when to look again, what a failure may mean."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from enum import IntEnum
from ipaddress import IPv4Interface, IPv6Interface, ip_network
from statistics import median
from typing import NamedTuple

from ipwatch.core.candidate import Spot

PORTS = (9, 7)  # discard and echo: the ones network cards, routers and other tools use for magic packets
BURST = tuple(timedelta(milliseconds=ms) for ms in (0, 100, 500))  # one packet is easily lost by a card half asleep
EVERYBODY = "255.255.255.255"

# OpenSSH 9.8 and later hold 1 s against an address for each connection that ends without a login, and turn it away
# once 15 s have come together (sshd_config(5), PerSourcePenalties, 2024-07). One in 4 s never gets there.
UNAUTHENTICATED = timedelta(seconds=4)
CLOSED = timedelta(seconds=1.5)  # a closed port costs nothing
_STRANGERS = timedelta(seconds=20)  # the unlocking server of an initramfs has another key, and the host comes after it
_BOOTS = 5  # so many of the last ones count

Place = tuple[str, int, str]  # IP address, port, own address it leaves from ("": any)


def places(own: Iterable[tuple[str, IPv4Interface | IPv6Interface]], lan: str, more: Sequence[str]) -> list[Place]:
    """Where magic packets go: on each interface its network's broadcast and the limited one, which otherwise leaves
    through the default route's only, and all IPv6 nodes (RFC 4291 2.7.1); to the host itself, for switches and bridges
    that drop broadcasts; and to the addresses given. own: interface and address. lan: the host's address or ""."""
    found: dict[tuple[str, str], None] = {}
    for name, one in own:
        if one.ip.is_loopback or name.startswith("veth"):  # its other end is inside a container
            continue
        if isinstance(one, IPv6Interface):
            found[f"ff02::1%{name}", ""] = None
            continue
        if one.network.prefixlen < 31:  # RFC 3021: none in smaller ones
            found[str(one.network.broadcast_address), str(one.ip)] = None
        found[EVERYBODY, str(one.ip)] = None
    if not found:  # the system does not tell its interfaces
        found[EVERYBODY, ""] = None
        if lan and ":" not in lan:
            found[str(ip_network(f"{lan}/24", strict=False).broadcast_address), ""] = None
    for ip in (lan, *more):
        if ip:
            found[ip, ""] = None
    return [(ip, port, source) for ip, source in found for port in PORTS]


def filled(command: str, values: Mapping[str, str]) -> str:
    """The command line with {mac} and its like filled in; other braces stay, they are the shell's or the program's."""
    return re.sub(r"\{(\w+)\}", lambda found: values.get(found[1], found[0]), command)


class Stage(IntEnum):
    """How far a boot has come, as far as one can see."""

    SENT = 0
    LAN = 1
    OPEN = 2
    BANNER = 3  # an SSH server has named its version (RFC 4253 4.2), and shown no key yet
    SSH = 4  # its key is another one
    PROVED = 5


_STAGES = {"connected": Stage.OPEN, "not ssh": Stage.OPEN, "greeted": Stage.BANNER, "stranger": Stage.SSH,
           "proved": Stage.PROVED}  # fmt: skip


class Watch(NamedTuple):
    """What was seen of a boot. said: what the last thing that answered wrongly said. answered: when a port last did.
    strangers: when a spot last showed another key. foreign: spots that did so before the wake."""

    stage: Stage = Stage.SENT
    said: str = ""
    answered: timedelta | None = None
    strangers: Mapping[Spot, timedelta] = {}
    foreign: frozenset[Spot] = frozenset()

    def sight(self, what: str, spot: Spot | None, text: str, at: timedelta) -> "Watch":
        """After this sight (laptop.find.Sight)."""
        if what not in _STAGES or spot is None:
            return self
        seen = self._replace(answered=at)
        if what == "stranger":
            seen = seen._replace(strangers={**self.strangers, spot: at})
        if spot in self.foreign and what != "proved":
            return seen
        return seen._replace(stage=max(self.stage, _STAGES[what]), said=text or self.said)

    def lan(self) -> "Watch":
        """It answers on the LAN."""
        return self._replace(stage=max(self.stage, Stage.LAN))

    def begun(self) -> "Watch":
        """The wake begins: strangers seen so far are not the host booting."""
        return Watch(answered=self.answered, strangers=self.strangers, foreign=frozenset(self.strangers))

    def shunned(self, at: timedelta) -> Collection[Spot]:
        """Spots not to be dialled now."""
        return tuple(spot for spot, seen in self.strangers.items() if at - seen < _STRANGERS)

    def due(self, at: timedelta) -> timedelta:
        """When to look again, so that sshd sees no more than one unauthenticated connection in 4 s."""
        return at + CLOSED if self.answered is None else max(at + CLOSED, self.answered + UNAUTHENTICATED)


def answers_on_lan(output: str, mac: str) -> bool:
    """Whether a neighbour looked for it and found it. output: "answers" if a ping was answered, and `ip neigh show IP`;
    an entry that is not REACHABLE may be from before it slept. mac: "" for any."""
    low = output.lower()
    return "answers" in low.split() or any(
        "reachable" in line.split() and f"lladdr {mac}" in line for line in low.splitlines()
    )


def usual(boots: Sequence[float]) -> float | None:
    """How many seconds a boot usually takes; boots: latest first."""
    return median(boots[:_BOOTS]) if boots else None


_NOW = ("port closed", "on the LAN, port closed", "port open, no SSH yet", "SSH answers, no key yet",
        "SSH answers with another key", "up")  # fmt: skip


def progress(stage: Stage, elapsed: timedelta, estimate: float | None) -> str:
    """The status line: "port closed, 23 s of about 41 s"."""
    seconds = elapsed.total_seconds()
    text = f"{_NOW[stage]}, {seconds:.0f} s"
    if estimate is None:
        return text
    return f"{text} of about {estimate:.0f} s" if seconds <= estimate else f"{text}, usually {estimate:.0f} s"


def span(time: timedelta) -> str:
    """A time to wait, as people say it: "90 s", "4 min"."""
    seconds = round(time.total_seconds())
    return f"{seconds // 60} min" if seconds and seconds % 60 == 0 else f"{seconds} s"


_REACHED = (
    "no answer from it",
    "it answers on the LAN, but its port is closed",
    "its port is open, but no SSH server answers there",
    "an SSH server answers, but shows no key",
    "an SSH server answers, but with another key",
    "it is up",
)


def diagnosis(watch: Watch, mac: str, *, way: str, port: int, near: bool | None) -> str:
    """The last stage reached and what may be wrong. way: "direct", "url", or the host that wakes it. near: whether
    this machine has an address in the host's network."""
    said = f" ({watch.said})" if watch.said and Stage.OPEN <= watch.stage <= Stage.SSH else ""
    return f"{_REACHED[watch.stage]}{said}; likely {', or '.join(_causes(watch.stage, mac, way, port, near))}"


def _causes(stage: Stage, mac: str, way: str, port: int, near: bool | None) -> list[str]:
    if stage is Stage.SENT:
        far = way == "direct" and near is False
        return [
            *(["this machine is not in its network, which magic packets do not leave"] if far else []),
            "Wake-on-LAN is off there (`ethtool eth0 | grep Wake-on` must show g; BIOS: ErP off, wake by LAN on)",
            *([f"{mac} is not the MAC address of its network card"] if mac else []),
            *([f"{way} sends through the wrong interface (eth0, bond0, ovs_eth0)"] if way not in {"direct", "url"}
              else []),
            "it is on Wi-Fi, or behind a powerline or mesh bridge that drops broadcasts",
            f"it is up and port {port} does not lead to it",
        ]  # fmt: skip
    if stage is Stage.LAN:
        return ["sshd does not start there", f"a firewall or the router's forwarding keeps port {port} closed"]
    if stage is Stage.OPEN:
        return ["its sshd still starts or hangs", f"port {port} leads to something else"]
    if stage is Stage.BANNER:
        return ["its sshd still starts or is overloaded", "large packets get lost on the way (MTU)"]
    return ["another machine has its address or port now", "its disk waits to be unlocked", "it was set up anew"]


_PASSWORD = re.compile(r"password|terminal is required|tty|not allowed|sudoers", re.IGNORECASE)


def exec_fault(command: str, status: int, stderr: str, user: str) -> str:
    """Why the command that was to wake a host failed, and the likely remedy. command: as it was run, by `user`."""
    first = next((line.strip()[:200] for line in stderr.splitlines() if line.strip()), "")
    said = "".join(c if c.isprintable() else " " for c in first) or f"it ended with status {status} without a word"
    return f"{said}{_remedy(command, status, stderr, user)}"


def _remedy(command: str, status: int, stderr: str, user: str) -> str:
    low = stderr.lower()
    if status == 127 or "command not found" in low:
        if _program(command).startswith("/"):
            return '; it is not there: name in wake.command what that machine has, such as "wakeonlan {mac}"'
        return "; write its full path (/usr/syno/sbin/synonet): a login without a terminal has a short PATH"
    if _is_sudo(command.partition(" ")[0]) and ("sudo:" in low or _PASSWORD.search(low)):
        return f"; allow it there in /etc/sudoers.d/ipwatch (mode 0440): {sudoers(user, command)}"
    if status == 126 or "permission denied" in low or "not permitted" in low or "must be root" in low:
        return f"; {user} may not do that there: put `sudo -n` before it"
    if "synonet" in command and re.search(r"interface|device|eth\d|usage", low):
        return "; name the interface that is connected: eth0, bond0, or ovs_eth0 with Virtual Machine Manager"
    return ""


def _is_sudo(word: str) -> bool:
    return word.rpartition("/")[2] == "sudo"


def _program(command: str) -> str:
    """What it runs, whether by sudo or not."""
    return next((word for word in command.split() if word != "-n" and not _is_sudo(word)), "")


def sudoers(user: str, command: str) -> str:
    """The line that lets the user run exactly this `sudo ...` without a password (sudoers(5), 1.9: a command has its
    full path, which is guessed where it was not given; of the arguments' characters , : = and the backslash are
    escaped)."""
    words = command.split()
    rest = words[2:] if words[1:2] == ["-n"] else words[1:]
    if rest and not rest[0].startswith("/"):
        rest[0] = f"/usr/bin/{rest[0]}"
    escaped = [re.sub(r"([,:=\\])", r"\\\1", word) for word in rest]
    return f"{user} ALL=(root) NOPASSWD: {' '.join(escaped)}"
