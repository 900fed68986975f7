"""What the doctor makes of what a host told about itself."""

import re

import pytest

from ipwatch.core import doctor_there as there
from ipwatch.core.doctor import Verdict
from ipwatch.core.doctor_there import Asked, Facts

OK, WARN, BAD, UNKNOWN = Verdict.OK, Verdict.WARN, Verdict.BAD, Verdict.UNKNOWN
MAC = "aa:bb:cc:dd:ee:ff"
PC = Asked("pc", mac=MAC, wakes=True)
CARD = {"iface": "eth0", "mac": MAC, "by": "lan"}


def brief(facts: Facts, asked: Asked = PC) -> dict[str, Verdict]:
    """The verdict of each check."""
    return {one.check: one.verdict for one in there.own(asked, facts)}


def test_told() -> None:
    """Only key=value lines count: a login may print what it likes, and a value may hold a sign of its own."""
    text = "Welcome = to pc!\nos=Linux\r\nmend=a=b\nempty=\nno sign\nend=yes\n"
    assert there.told(text) == {"os": "Linux", "mend": "a=b", "end": "yes"}


def test_all_well() -> None:
    """A desktop as it should be."""
    facts = {"os": "Linux", "kernel": "6.1", "system": "Debian", **CARD, "ethtool": "yes", "wol": "g",
             "wol_can": "pumbg", "nm": "Wired", "nm_wol": "magic", "sshd": "asked", "passwordauthentication": "no",
             "inhibit": "systemd-inhibit", "apps": "jupyter docker", "end": "yes"}  # fmt: skip
    findings = list(there.own(PC._replace(keep_awake=True), facts))
    assert {one.verdict for one in findings} == {OK}
    assert [one.text for one in findings] == [
        "Debian, Linux 6.1",
        f"eth0 has its lan address; its MAC address is {MAC} as laptop.toml says",
        "eth0 waits for magic packets (Wake-on: g)",
        "NetworkManager's connection 'Wired' switches it on at each start",
        "its SSH server takes no passwords",
        "systemd-inhibit keeps it awake while it is used",
        "for `ipwatch open` there is jupyter, docker",
    ]


def test_nothing_told() -> None:
    """What is not known is called so, and nothing is called bad."""
    made = brief({})
    assert made == {"system": UNKNOWN, "card": UNKNOWN, "apps": OK, "look": WARN}
    assert brief({"end": "yes"}, Asked("nas")) == {"system": UNKNOWN, "apps": OK}


@pytest.mark.parametrize(
    ("facts", "want", "text"),
    [
        ({"mac": "11:22:33:44:55:66", "macs": f"wlan0/{MAC.upper()} eth0/11:22:33:44:55:66"}, BAD, "that of its wlan0"),
        ({"mac": "11:22:33:44:55:66", "macs": "lo"}, BAD, "that of none of its cards"),
        ({"mac": MAC.upper(), "by": ""}, OK, "eth0 leads to its default route"),
        ({"mac": ""}, UNKNOWN, "eth0 does not show its MAC address"),
    ],
)
def test_card(facts: Facts, want: Verdict, text: str) -> None:
    """The configured MAC address must be that of the card it is reached by, in whatever case it is written."""
    (made,) = there.card(PC, {"iface": "eth0", **facts})
    assert (made.verdict, text in made.text) == (want, True)
    assert made.mend == (f'mac = "{facts["mac"]}" in its [[host]]' if want is BAD else made.mend)


def test_a_mac_that_is_not_configured() -> None:
    """Nothing to agree with: it is only told."""
    (made,) = there.card(Asked("pc", wakes=True), CARD)
    assert made.text == f"eth0 has its lan address; its MAC address is {MAC}"


def test_wifi() -> None:
    """A magic packet does not wake over Wi-Fi."""
    assert brief({**CARD, "wifi": "yes"})["wired"] is BAD


@pytest.mark.parametrize(
    ("facts", "want", "mend"),
    [
        ({"wol": "ug"}, OK, ""),
        ({"wol": "d", "ethtool": "yes"}, BAD, "there: sudo ethtool -s eth0 wol g"),
        ({"wol": "d", "wol_can": "pumb"}, BAD, "use another network card; or wake it by another way (url)"),
        ({"wol": "d", "wol_can": "pumbg"}, BAD, "there: sudo ethtool -s eth0 wol g (after sudo apt install ethtool)"),
        ({"wakeup": "enabled"}, OK, "to be sure, there: sudo ethtool eth0 | grep Wake-on"),
        ({"wakeup": "disabled", "ethtool": "yes"}, BAD, "there: sudo ethtool -s eth0 wol g"),
        ({"ethtool": "yes", "user": "root"}, BAD, "use another network card; or wake it by another way (url)"),
        ({"ethtool": "yes", "user": "anna"}, UNKNOWN, "there: sudo ethtool eth0 | grep Wake-on (must show g)"),
        ({}, UNKNOWN, "there: sudo apt install ethtool; sudo ethtool eth0 | grep Wake-on (must show g)"),
    ],
)
def test_wake_on(facts: Facts, want: Verdict, mend: str) -> None:
    """g is what counts; without root's eyes the kernel's own switch is the next best thing."""
    made = there.wake_on(PC, {**CARD, **facts})
    assert (made.verdict, made.mend) == (want, mend)


@pytest.mark.parametrize(
    ("facts", "want", "text"),
    [
        ({"nm": "W", "nm_wol": "phy,magic"}, OK, "NetworkManager's connection 'W'"),
        ({"link_wol": "magic", "link_file": "/etc/systemd/network/50.link"}, OK, "/etc/systemd/network/50.link"),
        ({"netplan": "/etc/netplan/01.yaml", "netplan_wol": "yes"}, OK, "/etc/netplan/01.yaml"),
        ({"other_wol": "/etc/network/interfaces"}, OK, "/etc/network/interfaces"),
        ({"nm": "W", "nm_wol": "ignore", "link_wol": "off"}, WARN, "(NetworkManager: ignore)"),
        ({"nm": "W", "nm_wol": "default"}, WARN, "at each start"),
        ({"netplan": "/etc/netplan/01.yaml", "netplan_hidden": "yes"}, UNKNOWN, "01.yaml is for root only"),
    ],
)
def test_lasting(facts: Facts, want: Verdict, text: str) -> None:
    """Any of the four ways to make it last counts."""
    made = there.lasting(PC, {**CARD, **facts})
    assert (made.verdict, text in made.text) == (want, True)


@pytest.mark.parametrize(
    ("facts", "mend"),
    [
        ({"nm": "Bob's", "netplan": "x"},
         "there: sudo nmcli connection modify 'Bob'\\''s' 802-3-ethernet.wake-on-lan magic"),
        ({"netplan": "/etc/netplan/01.yaml"},
         "there: wakeonlan: true below eth0: in /etc/netplan/01.yaml, then sudo netplan apply"),
        ({}, (f"there: printf '[Match]\\nPermanentMACAddress={MAC}\\n[Link]\\nNamePolicy=keep kernel database onboard "
              "slot path\\nWakeOnLan=magic\\n' | sudo tee /etc/systemd/network/50-wake.link")),
    ],
)  # fmt: skip
def test_the_command_that_makes_it_last(facts: Facts, mend: str) -> None:
    """Fits the network manager that is there."""
    assert there.lasting(PC, {**CARD, **facts}).mend == mend


@pytest.mark.parametrize(("facts", "want"), [({"womp": "1"}, OK), ({"womp": "0"}, BAD), ({}, UNKNOWN)])
def test_macos(facts: Facts, want: Verdict) -> None:
    """A Mac has one switch for it, and keeps it."""
    made = brief({"os": "Darwin", **CARD, **facts})
    assert (made["wake-on-lan"], "wake-on-lan lasts" in made) == (want, False)


@pytest.mark.parametrize(
    ("facts", "want"),
    [
        ({"passwordauthentication": "yes"}, WARN),
        ({}, WARN),
        ({"passwordauthentication": "no"}, OK),
        ({"sshd_hidden": "50-cloud-init.conf"}, UNKNOWN),
        ({"sshd_hidden": "50-cloud-init.conf", "passwordauthentication": "no"}, UNKNOWN),
        ({"sshd_hidden": "50-cloud-init.conf", "passwordauthentication": "yes"}, WARN),
    ],
)
def test_passwords(facts: Facts, want: Verdict) -> None:
    """On by default; a file for root only may say otherwise."""
    assert brief({"sshd": "read", **facts})["passwords"] is want


@pytest.mark.parametrize(
    ("asked", "facts", "want"),
    [
        (PC, {"allowtcpforwarding": "no", "clientaliveinterval": "0"}, set()),
        (PC._replace(forwards=True), {"allowtcpforwarding": "no"}, {"forwarding"}),
        (PC._replace(forwards=True), {"allowtcpforwarding": "local"}, set()),
        (PC._replace(forwards=True), {}, set()),
        (PC._replace(remote=True), {}, {"client alive"}),
        (PC._replace(remote=True), {"clientaliveinterval": "0s"}, {"client alive"}),
        (PC._replace(remote=True), {"clientaliveinterval": "15"}, set()),
    ],
)
def test_what_its_tunnels_need(asked: Asked, facts: Facts, want: set[str]) -> None:
    """Forwarding where something is forwarded, and a server that notices a vanished laptop for remote forwards."""
    made = brief({"sshd": "asked", **facts}, asked)
    assert {check for check in made if check in {"forwarding", "client alive"}} == want


GNOME = {"gnome_idle": "'suspend' 1200"}


@pytest.mark.parametrize(
    ("keep", "facts", "want", "text"),
    [
        (False, {}, None, ""),
        (False, {"gnome_idle": "'suspend' 0"}, None, ""),
        (False, {"gnome_idle": "'nothing' 900", "logind_idle": "ignore"}, None, ""),
        (
            False,
            {"logind_idle": "suspend"},
            WARN,
            "logind's IdleAction is suspend, also while somebody uses it from afar",
        ),
        (False, GNOME, WARN, "GNOME sends it to sleep after 20 min without a person at it, also while"),
        (True, {}, WARN, "neither a systemd-inhibit that works nor caffeinate"),
        (True, {"inhibit": "mute"}, WARN, "neither a systemd-inhibit that works nor caffeinate"),
        (True, {"inhibit": "caffeinate"}, OK, "caffeinate keeps it awake while it is used"),
        (True, {"inhibit": "systemd-inhibit", **GNOME}, WARN, "and heeds no systemd-inhibit"),
        (True, {"inhibit": "systemd-inhibit", "inhibit_gnome": "yes", **GNOME}, OK, "used (GNOME sends it to sleep"),
        (False, {"greeter": "Debian-gdm"}, WARN, "nobody is logged in at it"),
    ],
)
def test_idle(keep: bool, facts: Facts, want: Verdict | None, text: str) -> None:
    """Who falls asleep by itself is to be kept awake, by something that works there."""
    made = list(there.idle(PC._replace(keep_awake=keep), facts))
    assert [one.verdict for one in made] == ([want] if want else [])
    assert all(text in one.text for one in made)


def test_a_command_of_ones_own_keeps_it_awake() -> None:
    """What it is good for is the user's affair."""
    (made,) = there.idle(PC._replace(own_hold=True), GNOME)
    assert (made.verdict, made.text) == (OK, "a command of yours keeps it awake while it is used")


def test_windows() -> None:
    """What can not be seen there is told with where to look; only what was asked for is told."""
    made = list(there.windows(PC._replace(keep_awake=True), "Microsoft Windows [Version 10.0.22631]"))
    assert [one.check for one in made] == ["system", "wake-on-lan", "keep awake", "passwords"]
    assert all(one.mend for one in made[1:])
    assert re.search("fast startup off", made[1].mend)
    assert [one.check for one in there.windows(Asked("pc"), "Windows")] == ["system", "passwords"]


def test_no_shell() -> None:
    """Neither sh nor Windows."""
    assert there.mute(PC, "This account is not available").text.endswith("(This account is not available)")
    assert there.mute(PC, "").text == "no POSIX shell runs there, so it can not be looked at"
