"""core.waking: where packets go, how far a boot has come, when to look again, what a failure may mean."""

from datetime import timedelta
from ipaddress import ip_interface

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipwatch.core import waking
from ipwatch.core.candidate import Spot
from ipwatch.core.waking import Stage, Watch, diagnosis, exec_fault, filled, places, progress, span, sudoers, usual

MAC = "aa:bb:cc:dd:ee:0f"
HERE, OLD = Spot("192.0.2.1", 2223), Spot("192.0.2.9", 2223)


def at(seconds: float) -> timedelta:
    """A moment."""
    return timedelta(seconds=seconds)


def test_places() -> None:
    """Each interface gets its directed and the limited broadcast from its own address and the IPv6 nodes' group; the
    host itself and what was configured come too; loopback and the ends of containers get nothing."""
    own = [
        ("lo", "127.0.0.1/8"), ("lo", "::1/128"), ("eth0", "192.168.1.5/24"), ("wlan0", "10.9.8.7/20"),
        ("eth0", "fe80::1/64"), ("eth0", "fd00::5/64"), ("tun0", "10.6.0.2/32"), ("veth7", "fe80::2/64"),
    ]  # fmt: skip
    plan = places([(name, ip_interface(text)) for name, text in own], "192.168.1.20", ("172.16.0.255",))
    assert [(ip, source) for ip, port, source in plan if port == 9] == [
        ("192.168.1.255", "192.168.1.5"),
        ("255.255.255.255", "192.168.1.5"),
        ("10.9.15.255", "10.9.8.7"),
        ("255.255.255.255", "10.9.8.7"),
        ("ff02::1%eth0", ""),
        ("255.255.255.255", "10.6.0.2"),
        ("192.168.1.20", ""),
        ("172.16.0.255", ""),
    ]
    assert {(ip, source) for ip, port, source in plan if port == 7} == {(ip, source) for ip, _, source in plan}
    assert len(plan) == 16


@pytest.mark.parametrize(
    ("lan", "ips"),
    [("", ["255.255.255.255"]), ("192.168.1.20", ["255.255.255.255", "192.168.1.255", "192.168.1.20"]),
     ("fd00::20", ["255.255.255.255", "fd00::20"])],
)  # fmt: skip
def test_places_without_interfaces(lan: str, ips: list[str]) -> None:
    """Where the system does not tell its interfaces, the host's likely network stands in."""
    assert [ip for ip, port, source in places([], lan, ()) if port == 9] == ips


def test_filled() -> None:
    """Known names are filled in; other braces belong to the shell or the program."""
    command = "docker ps --format {{.ID}}; wake {mac} {mac_plain} {other} ${x} {}"
    values = {"mac": MAC, "mac_plain": "aabbccddee0f"}
    assert filled(command, values) == (
        "docker ps --format {{.ID}}; wake aa:bb:cc:dd:ee:0f aabbccddee0f {other} ${x} {}"
    )


def test_stages_in_order() -> None:
    """A boot goes from the packet over the LAN and the open port to the proof, and what was reached stays reached."""
    watch = Watch()
    stages = [watch.stage]
    steps = ("dialling", "closed", "lan", "connected", "not ssh", "greeted", "closed", "stranger", "lan", "proved")
    for step in steps:
        watch = watch.lan() if step == "lan" else watch.sight(step, HERE, f"after {step}", at(1))
        stages.append(watch.stage)
    sent, lan, port, banner, ssh, proved = Stage
    assert stages == [sent, sent, sent, lan, port, port, banner, banner, ssh, ssh, proved]
    assert watch.said == "after proved"
    assert Watch().sight("silent", None, "a way gave nothing", at(1)) == Watch()


def test_strangers_before_the_wake() -> None:
    """Who showed another key before the wake is not the host booting; only a proof there counts."""
    watch = Watch().sight("connected", OLD, "", at(1)).sight("stranger", OLD, "its key is ...", at(1)).begun()
    assert watch.stage is Stage.SENT
    watch = watch.sight("connected", OLD, "", at(30)).sight("stranger", OLD, "its key is ...", at(30))
    assert (watch.stage, watch.said) == (Stage.SENT, "")
    assert watch.sight("connected", HERE, "", at(31)).stage is Stage.OPEN
    assert watch.sight("proved", OLD, "", at(50)).stage is Stage.PROVED


def test_strangers_are_left_alone() -> None:
    """A spot that showed another key is dialled again only after 20 s: a disk may have been unlocked there."""
    watch = Watch().sight("stranger", OLD, "", at(10))
    assert list(watch.shunned(at(29))) == [OLD]
    assert list(watch.shunned(at(31))) == []


@given(
    st.lists(st.tuples(st.sampled_from(["connected", "closed", "stranger", "not ssh"]), st.floats(0, 3)), max_size=40)
)
def test_pace(looks: list[tuple[str, float]]) -> None:
    """However the looks go, two that reached an sshd are 4 s apart, and the next is never more than 4 s away."""
    watch, now, answered = Watch(), 0.0, -10.0
    for what, took in looks:
        if what != "closed":
            assert now - answered >= 3.999
            answered = now
        watch = watch.sight(what, HERE, "", at(now))
        due = watch.due(at(now + took)).total_seconds()
        assert 1.499 <= due - (now + took) <= 4.001
        now = due


def test_closed_ports_are_looked_at_often() -> None:
    """A closed port costs nothing: the next look is 1.5 s away."""
    assert Watch().sight("closed", HERE, "", at(5)).due(at(6)) == at(7.5)


@pytest.mark.parametrize(
    ("output", "found"),
    [
        ("answers\n192.168.1.20 dev eth0 lladdr aa:bb:cc:dd:ee:0f STALE", True),
        ("192.168.1.20 dev eth0 lladdr aa:bb:cc:dd:ee:0f REACHABLE\n", True),
        ("192.168.1.20 dev eth0 lladdr AA:BB:CC:DD:EE:0F ref 1 used 0/0/0 REACHABLE", True),
        ("192.168.1.20 dev eth0 lladdr aa:bb:cc:dd:ee:0f STALE\n", False),
        ("192.168.1.20 dev eth0 lladdr aa:bb:cc:dd:ee:0f DELAY\n", False),
        ("192.168.1.20 dev eth0 lladdr aa:bb:cc:dd:ee:01 REACHABLE\n", False),
        ("192.168.1.20 dev eth0 FAILED\n", False),
        ("", False),
    ],
)
def test_lan(output: str, found: bool) -> None:
    """Only a ping's answer or a neighbour entry confirmed just now shows that it is awake; an old entry does not."""
    assert waking.answers_on_lan(output, MAC) is found
    assert waking.answers_on_lan(output, "") is (found or "REACHABLE" in output)


def test_estimate() -> None:
    """The estimate is the median of the last five boots; one odd boot does not move it far."""
    assert usual([]) is None
    assert usual([41.0]) == 41
    assert usual([40.0, 200.0, 42.0, 39.0, 41.0, 5.0, 5.0, 5.0]) == 41


@pytest.mark.parametrize(
    ("stage", "seconds", "estimate", "text"),
    [
        (Stage.SENT, 23, 41.2, "port closed, 23 s of about 41 s"),
        (Stage.LAN, 23.4, None, "on the LAN, port closed, 23 s"),
        (Stage.OPEN, 55, 41, "port open, no SSH yet, 55 s, usually 41 s"),
        (Stage.BANNER, 58, None, "SSH answers, no key yet, 58 s"),
        (Stage.SSH, 60, None, "SSH answers with another key, 60 s"),
    ],
)
def test_progress(stage: Stage, seconds: float, estimate: float | None, text: str) -> None:
    """The status line says how far it is, how long it took, and how long it usually takes."""
    assert progress(stage, at(seconds), estimate) == text


def test_span() -> None:
    """Whole minutes are said in minutes."""
    assert [span(at(s)) for s in (0, 1.2, 90, 240)] == ["0 s", "1 s", "90 s", "4 min"]


@pytest.mark.parametrize(
    ("watch", "way", "near", "parts"),
    [
        (Watch(), "direct", False, ["no answer", "not in its network", "ethtool", "ErP", MAC, "Wi-Fi", "powerline"]),
        (Watch(), "direct", True, ["no answer", "ethtool", "port 2223 does not lead to it"]),
        (Watch(), "direct", None, ["ethtool"]),
        (Watch(), "nas", False, ["nas sends through the wrong interface", "bond0", "ovs_eth0"]),
        (Watch(Stage.LAN), "nas", False, ["answers on the LAN, but its port is closed", "sshd", "firewall"]),
        (Watch(Stage.OPEN, "it says nothing"), "nas", False, ["no SSH server answers there (it says", "hangs"]),
        (Watch(Stage.BANNER, "it stops"), "nas", False, ["answers, but shows no key (it stops)", "starts", "MTU"]),
        (Watch(Stage.SSH, "its key is X"), "url", None, ["another key (its key is X)", "another machine", "unlocked"]),
    ],
)  # fmt: skip
def test_diagnosis(watch: Watch, way: str, near: bool | None, parts: list[str]) -> None:
    """A failure names the last stage reached and what is likely wrong at that stage."""
    text = diagnosis(watch, MAC, way=way, port=2223, near=near)
    assert [part for part in parts if part not in text] == []
    assert ("not in its network" in text) is (way == "direct" and near is False)
    assert ("wrong interface" in text) is (way == "nas" and watch.stage is Stage.SENT)


def test_diagnosis_without_mac() -> None:
    """Without a MAC address there is none to be wrong."""
    assert "MAC" not in diagnosis(Watch(), "", way="url", port=22, near=None)


SYNONET = f"sudo -n /usr/syno/sbin/synonet --wake {MAC} eth0"
ALLOW = "allow it there in /etc/sudoers.d/ipwatch (mode 0440)"
LINE = "anna ALL=(root) NOPASSWD: /usr/syno/sbin/synonet --wake aa\\:bb\\:cc\\:dd\\:ee\\:0f eth0"


@pytest.mark.parametrize(
    ("command", "status", "stderr", "said"),
    [
        (SYNONET, 1, "sudo: a password is required\n", f"sudo: a password is required; {ALLOW}: {LINE}"),
        (SYNONET, 1, "sudo: ein Passwort ist notwendig", f"(mode 0440): {LINE}"),
        ("sudo wake " + MAC, 1, "Sorry, user anna is not allowed to execute 'wake'", "NOPASSWD: /usr/bin/wake aa\\:bb"),
        (f"/usr/bin/{SYNONET}", 1, "sudo: a password is required\n", f"{ALLOW}: {LINE}"),
        (SYNONET, 1, "sudo: /usr/syno/sbin/synonet: command not found", "it is not there: name in wake.command"),
        ("/opt/wake " + MAC, 127, "sh: /opt/wake: No such file or directory", "it is not there"),
        ("sudo -n wake " + MAC, 1, "sudo: wake: command not found", "write its full path"),
        ("synonet --wake " + MAC, 127, "sh: synonet: not found", "full path (/usr/syno/sbin/synonet)"),
        ("etherwake " + MAC, 1, "etherwake: Operation not permitted", "anna may not do that there: put `sudo -n`"),
        ("/usr/syno/sbin/synonet x", 126, "Permission denied", "put `sudo -n`"),
        (SYNONET, 255, "SIOCGIFADDR eth0: No such device", "eth0, bond0, or ovs_eth0"),
        ("wakeonlan " + MAC, 3, "", "it ended with status 3 without a word"),
        ("wakeonlan " + MAC, 3, "\n  odd\x1b[2J thing\nmore", "odd [2J thing"),
    ],
)  # fmt: skip
def test_exec_fault(command: str, status: int, stderr: str, said: str) -> None:
    """The first line that came back is shown, without control characters, with the remedy where one is known."""
    text = exec_fault(command, status, stderr, "anna")
    assert said in text
    assert text.isprintable()


def test_sudoers() -> None:
    """What sudoers(5) reserves in arguments is escaped, so that the line permits just that command."""
    assert sudoers("anna", "sudo /bin/wake a=b,c\\d") == "anna ALL=(root) NOPASSWD: /bin/wake a\\=b\\,c\\\\d"
    assert sudoers("anna", "sudo -n systemctl suspend") == "anna ALL=(root) NOPASSWD: /usr/bin/systemctl suspend"
    assert sudoers("anna", "sudo") == "anna ALL=(root) NOPASSWD: "
