"""What `ipwatch doctor` makes of what a host told about itself (laptop/doctor.sh): facts in, findings out.

A fact that is missing is not known: Wake-on-LAN settings are shown to root alone (ethtool(8), 6.1: ETHTOOL_GWOL needs
CAP_NET_ADMIN), so then the kernel's `power/wakeup` is the next best thing (sysfs-devices-power in the kernel's ABI).
"""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ipwatch.core.doctor import Finding, Verdict

Facts = Mapping[str, str]
OK, WARN, BAD, UNKNOWN = Verdict.OK, Verdict.WARN, Verdict.BAD, Verdict.UNKNOWN


class Asked(NamedTuple):
    """What laptop.toml says of the host. wakes: it has a mac or a wake; forwards: `ipwatch up` forwards something;
    remote: something from there to here."""

    name: str
    mac: str = ""
    wakes: bool = False
    forwards: bool = False
    remote: bool = False
    keep_awake: bool = False
    own_hold: bool = False  # keep_awake is a command of the user's


def told(text: str) -> dict[str, str]:
    """The facts of the script's output: key=value, one a line; what else a login prints is passed over."""
    pairs = (line.partition("=") for line in text.splitlines())
    return {key: value.strip() for key, sign, value in pairs if sign and value.strip() and re.fullmatch(r"\w+", key)}


def own(asked: Asked, facts: Facts) -> Iterator[Finding]:
    """Everything about the host itself."""
    yield system(asked.name, facts)
    if asked.wakes:
        yield from card(asked, facts)
        if facts.get("os") == "Darwin":
            yield womp(asked, facts)
        elif "iface" in facts:
            yield wake_on(asked, facts)
            yield lasting(asked, facts)
    yield from daemon(asked, facts)
    yield from idle(asked, facts)
    yield apps(asked, facts)
    if "end" not in facts:
        yield Finding(asked.name, "look", WARN, "the look at it was not finished in time: some of it is not known")


def system(host: str, facts: Facts) -> Finding:
    """What it is."""
    kernel = " ".join(facts[key] for key in ("os", "kernel") if key in facts)
    text = ", ".join(part for part in (facts.get("system", ""), kernel) if part)
    return Finding(host, "system", OK if text else UNKNOWN, text or "it does not say what it is")


def card(asked: Asked, facts: Facts) -> Iterator[Finding]:
    """Its network card: is it the one the magic packet is for, and wired?"""
    host, iface, mac = asked.name, facts.get("iface"), facts.get("mac", "").lower()
    if iface is None:
        text = "which network card it uses can not be seen"
        yield Finding(host, "card", UNKNOWN, text, "there: ip addr")
        return
    if asked.mac and mac and mac != asked.mac:
        owner = next((name for name, own_mac in _macs(facts) if own_mac == asked.mac), "")
        whose = f"that of its {owner}" if owner else "that of none of its cards"
        text = f"it is reached by {iface}, whose MAC address is {mac}; the mac of laptop.toml, {asked.mac}, is {whose}"
        yield Finding(host, "card", BAD, text, f'mac = "{mac}" in its [[host]]')
    elif mac:
        agrees = " as laptop.toml says" if asked.mac else ""
        how = "has its lan address" if facts.get("by") == "lan" else "leads to its default route"
        yield Finding(host, "card", OK, f"{iface} {how}; its MAC address is {mac}{agrees}")
    else:
        yield Finding(host, "card", UNKNOWN, f"{iface} does not show its MAC address", f"there: ip link show {iface}")
    if "wifi" in facts:
        text = f"{iface} is Wi-Fi, over which a magic packet does not wake it"
        yield Finding(host, "wired", BAD, text, "use a cable, or powerline adapters")


def _macs(facts: Facts) -> Iterator[tuple[str, str]]:
    for pair in facts.get("macs", "").split():
        name, _, mac = pair.partition("/")
        yield name, mac.lower()


def wake_on(asked: Asked, facts: Facts) -> Finding:
    """Whether the card wakes it by magic packet now. g: by magic packet (ethtool(8), wol)."""
    host, iface, check = asked.name, facts.get("iface", "eth0"), "wake-on-lan"
    flags, can = facts.get("wol"), facts.get("wol_can")
    switch = f"there: {_on(iface, facts)}"
    if can is not None and "g" not in can:
        text = f"{iface} can not wake it by magic packet (ethtool shows Supports Wake-on: {can})"
        return Finding(host, check, BAD, text, "use another network card; or wake it by another way (url)")
    if flags is not None:
        if "g" in flags:
            return Finding(host, check, OK, f"{iface} waits for magic packets (Wake-on: {flags})")
        return Finding(host, check, BAD, f"{iface} does not wait for magic packets (Wake-on: {flags})", switch)
    return _wakeup(host, check, iface, facts)


def _wakeup(host: str, check: str, iface: str, facts: Facts) -> Finding:
    """What can be told of it without ethtool's word."""
    wakeup, switch = facts.get("wakeup"), f"there: {_on(iface, facts)}"
    if wakeup == "enabled":
        text = f"{iface} may wake it (power/wakeup: enabled); by which packets is shown to root only"
        return Finding(host, check, OK, text, f"to be sure, there: sudo ethtool {iface} | grep Wake-on")
    if wakeup == "disabled":
        return Finding(host, check, BAD, f"{iface} may not wake it (power/wakeup: disabled)", switch)
    if "ethtool" in facts and facts.get("user") == "root":  # ethtool is silent of what a card does not have
        text = f"{iface} can not wake it: ethtool knows of no Wake-on"
        return Finding(host, check, BAD, text, "use another network card; or wake it by another way (url)")
    missing = "" if "ethtool" in facts else "sudo apt install ethtool; "
    why = "it has no ethtool" if missing else "it is shown to root only"
    text = f"whether {iface} waits for magic packets can not be seen: {why}"
    return Finding(host, check, UNKNOWN, text, f"there: {missing}sudo ethtool {iface} | grep Wake-on (must show g)")


def _on(iface: str, facts: Facts) -> str:
    return f"sudo ethtool -s {iface} wol g" + ("" if "ethtool" in facts else " (after sudo apt install ethtool)")


def lasting(asked: Asked, facts: Facts) -> Finding:
    """Whether Wake-on-LAN is switched on anew at each start; many drivers forget it."""
    host, check = asked.name, "wake-on-lan lasts"
    by = _lasting(facts)
    if by:
        return Finding(host, check, OK, f"{by} switches it on at each start")
    mend = f"there: {_make_last(facts)}"
    if "netplan_hidden" in facts:
        text = f"nothing is seen that switches it on at each start, but {facts['netplan']} is for root only"
        return Finding(host, check, UNKNOWN, text, mend)
    off = f" (NetworkManager: {facts['nm_wol']})" if facts.get("nm_wol", "default") != "default" else ""
    return Finding(host, check, WARN, f"nothing is seen that switches it on at each start{off}", mend)


def _lasting(facts: Facts) -> str:
    if "magic" in re.split(r"[,\s]+", facts.get("nm_wol", "")):
        return f"NetworkManager's connection {facts.get('nm', '')!r}"
    if "magic" in facts.get("link_wol", "").split():
        return facts.get("link_file", "a .link file")
    if "netplan_wol" in facts:
        return facts.get("netplan", "netplan")
    return facts.get("other_wol", "")


def _make_last(facts: Facts) -> str:
    """The command for the network manager it has."""
    iface = facts.get("iface", "eth0")
    if "netplan" in facts and "nm" not in facts:
        return f"wakeonlan: true below {iface}: in {facts['netplan']}, then sudo netplan apply"
    if "nm" in facts:
        name = "'" + facts["nm"].replace("'", "'\\''") + "'"
        return f"sudo nmcli connection modify {name} 802-3-ethernet.wake-on-lan magic"
    mac = facts.get("mac", "aa:bb:cc:dd:ee:ff")
    match = f"[Match]\\nPermanentMACAddress={mac}\\n[Link]\\n"
    lines = f"{match}NamePolicy=keep kernel database onboard slot path\\nWakeOnLan=magic\\n"
    return f"printf '{lines}' | sudo tee /etc/systemd/network/50-wake.link"


def womp(asked: Asked, facts: Facts) -> Finding:
    """macOS: pmset(1), womp: wake on ethernet magic packet."""
    value = facts.get("womp")
    if value is None:
        return Finding(asked.name, "wake-on-lan", UNKNOWN, "pmset shows no womp", "there: sudo pmset -a womp 1")
    if value == "1":
        return Finding(asked.name, "wake-on-lan", OK, "it waits for magic packets (womp 1), from sleep, not when off")
    text = "it does not wait for magic packets (womp 0)"
    return Finding(asked.name, "wake-on-lan", BAD, text, "there: sudo pmset -a womp 1")


def daemon(asked: Asked, facts: Facts) -> Iterator[Finding]:
    """Its SSH server. Defaults where nothing is written: sshd_config(5), OpenSSH 9.2."""
    if "sshd" not in facts:
        return
    host, hidden = asked.name, facts.get("sshd_hidden", "")
    guess = f" (but {hidden} is for root only)" if hidden else ""
    if facts.get("passwordauthentication", "yes") == "yes" and not (hidden and "passwordauthentication" not in facts):
        text = f"its SSH server takes passwords, which the whole internet may guess at{guess}"
        mend = "once your key works, there: PasswordAuthentication no in /etc/ssh/sshd_config, then reload sshd"
        yield Finding(host, "passwords", WARN, text, mend)
    elif hidden:
        text = f"whether its SSH server takes passwords can not be seen: {hidden} is for root only"
        yield Finding(host, "passwords", UNKNOWN, text, "there: sudo sshd -T | grep passwordauthentication")
    else:
        yield Finding(host, "passwords", OK, "its SSH server takes no passwords")
    if asked.remote and facts.get("clientaliveinterval", "0").strip("smhdw") == "0":
        text = "its SSH server does not notice a vanished laptop, whose remote forwards then stay taken for hours"
        mend = "there: ClientAliveInterval 15 in /etc/ssh/sshd_config, then reload sshd"
        yield Finding(host, "client alive", WARN, text, mend)
    if asked.forwards and facts.get("allowtcpforwarding", "yes") not in {"yes", "all", "local"}:
        text = "its SSH server forbids forwarding, so `ipwatch up` can carry nothing"
        mend = "there: AllowTcpForwarding yes in /etc/ssh/sshd_config, then reload sshd"
        yield Finding(host, "forwarding", BAD, text, mend)


_CAN_HOLD = {"systemd-inhibit", "caffeinate"}
# logind.conf(5), systemd 252, IdleAction: those after which it has to be woken.
_IDLE_ACTIONS = {"suspend", "hibernate", "hybrid-sleep", "suspend-then-hibernate", "poweroff"}


def idle(asked: Asked, facts: Facts) -> Iterator[Finding]:
    """Whether it falls asleep by itself while it is used, and can be kept from it."""
    host, check, tool = asked.name, "keep awake", facts.get("inhibit", "none")
    gnome, sleeps = _gnome(facts), _sleeps(facts)
    own_command = 'keep_awake = "a command of yours" in its [[host]]'
    if asked.own_hold:
        yield Finding(host, check, OK, "a command of yours keeps it awake while it is used")
    elif not asked.keep_awake:
        if sleeps:
            text = f"{sleeps}, also while somebody uses it from afar"
            yield Finding(host, check, WARN, text, "keep_awake = true in its [[host]]")
    elif tool not in _CAN_HOLD:
        text = "keep_awake is set, but it has neither a systemd-inhibit that works nor caffeinate"
        yield Finding(host, check, WARN, text, own_command)
    elif gnome and "inhibit_gnome" not in facts:
        text = f"{gnome}, and heeds no {tool}: it has a gnome-session-inhibit, which is missing there"
        yield Finding(host, check, WARN, text, "there: sudo apt install gnome-session-bin")
    else:
        yield Finding(host, check, OK, f"{tool} keeps it awake while it is used{f' ({sleeps})' if sleeps else ''}")
    if greeter := facts.get("greeter"):
        text = "nobody is logged in at it, and GNOME's login screen may send it to sleep whatever goes on"
        power = "org.gnome.settings-daemon.plugins.power"
        mend = f"there: sudo -u {greeter} dbus-run-session gsettings set {power} sleep-inactive-ac-type nothing"
        yield Finding(host, check, WARN, text, mend)


def _gnome(facts: Facts) -> str:
    """How long GNOME waits for a person at it, as a clause."""
    found = re.fullmatch(r"'(suspend|hibernate)' (\d+)", facts.get("gnome_idle", ""))
    if found is None or int(found[2]) == 0:
        return ""
    return f"GNOME sends it to sleep after {int(found[2]) // 60} min without a person at it"


def _sleeps(facts: Facts) -> str:
    """Who sends it to sleep, as a clause."""
    if facts.get("logind_idle", "ignore") in _IDLE_ACTIONS:
        return f"logind's IdleAction is {facts['logind_idle']}"
    return _gnome(facts)


def apps(asked: Asked, facts: Facts) -> Finding:
    """What `ipwatch open` may find there."""
    found = ", ".join(facts.get("apps", "").split())
    text = f"for `ipwatch open` there is {found}" if found else "`ipwatch open` finds no app on its usual paths"
    return Finding(asked.name, "apps", OK, text)


def windows(asked: Asked, version: str) -> Iterator[Finding]:
    """A host with cmd.exe in place of sh: what can not be seen is told with where to look."""
    yield Finding(asked.name, "system", OK, version)
    if asked.wakes:
        text = "whether it wakes by magic packet can not be seen on Windows"
        mend = (
            "there: Device Manager, its network card: Power Management, allow to wake, only by magic packet; Advanced, "
            "Wake on Magic Packet; Power Options: fast startup off; BIOS: ErP off, wake by LAN on"
        )
        yield Finding(asked.name, "wake-on-lan", UNKNOWN, text, mend)
    if asked.keep_awake:
        text = "keep_awake = true is not supported on Windows"
        mend = 'there: powercfg /change standby-timeout-ac 0, or keep_awake = "a command of yours"'
        yield Finding(asked.name, "keep awake", WARN, text, mend)
    mend = r"there: PasswordAuthentication no in C:\ProgramData\ssh\sshd_config, then Restart-Service sshd"
    yield Finding(asked.name, "passwords", UNKNOWN, "whether its SSH server takes passwords can not be seen", mend)


def mute(asked: Asked, said: str) -> Finding:
    """It runs no sh, and is no Windows either."""
    why = f" ({said})" if said else ""
    return Finding(asked.name, "look", UNKNOWN, f"no POSIX shell runs there, so it can not be looked at{why}")
