"""What the doctor makes of the way a host is woken."""

import pytest

from ipwatch.core import doctor_way as way
from ipwatch.core.doctor import Verdict
from ipwatch.core.doctor_there import Facts
from ipwatch.core.doctor_way import Command

OK, WARN, BAD, UNKNOWN = Verdict.OK, Verdict.WARN, Verdict.BAD, Verdict.UNKNOWN
SYNO = "sudo -n /usr/syno/sbin/synonet --wake aa:bb:cc:dd:ee:ff eth0"
TOOL = "/usr/syno/sbin/synonet"
RULE = (
    r"on nas, in /etc/sudoers.d/ipwatch (mode 0440; Synology: again after each DSM update): anna ALL=(root) NOPASSWD: "
)
RULE += r"/usr/syno/sbin/synonet --wake aa\:bb\:cc\:dd\:ee\:ff eth0"
END = {"end": "yes", "user": "anna"}


@pytest.mark.parametrize(
    ("command", "want"),
    [
        (SYNO, Command(TOOL, sudo=True, words=(TOOL, "--wake", "aa:bb:cc:dd:ee:ff", "eth0"), ports=("eth0",))),
        ("sudo etherwake -i ovs_eth1 aa", Command("etherwake", sudo=True, asks=True,
                                                  words=("etherwake", "-i", "ovs_eth1", "aa"), ports=("ovs_eth1",))),
        ("wakeonlan aa; true", Command("wakeonlan", words=("wakeonlan",))),
        ("docker exec ipwatch ipwatch wake pc | cat",
         Command("docker", words=("docker", "exec", "ipwatch", "ipwatch", "wake", "pc"))),
        ("sudo -u root wake", Command(sudo=True, asks=True)),
        ("sudo -n", Command(sudo=True)),
        ("X=1 wake", Command()),
        ("$HOME/wake", Command()),
        ("", Command()),
        ('wake "', Command()),
    ],
)  # fmt: skip
def test_taken_apart(command: str, want: Command) -> None:
    """A plain command shows its program, its interfaces and whether sudo would wait for a password."""
    assert way.taken_apart(command) == want


def of(command: str, facts: Facts) -> list[tuple[str, Verdict, str, str]]:
    return [one[1:] for one in way.through("pc", "nas", command, facts)]


def test_synology_as_it_should_be() -> None:
    """The program is there, sudo asks no password for it, the cable is in; a ban on forwarding does no harm."""
    facts = {**END, "program": TOOL, "sudo": "yes", "sudo_may": "yes", "port_eth0": "up", "allowtcpforwarding": "no",
             "sudo_free": rf"(root) NOPASSWD: {TOOL} --wake aa\:bb\:cc\:dd\:ee\:ff *"}  # fmt: skip
    assert of(SYNO, facts) == [
        ("wake", OK, f"nas has {TOOL}", ""),
        ("wake, sudo", OK, "anna may run it there without a password", ""),
        ("wake", OK, "nas forbids forwarding, as Synology does: waking does not need it", ""),
    ]


@pytest.mark.parametrize(
    ("facts", "want"),
    [
        ({}, (BAD, "nas has no sudo", "leave sudo out of the wake command of pc")),
        ({"sudo": "yes"}, (BAD, "anna may not run it there without a password", RULE)),
        ({"sudo": "yes", "sudo_said": "sudo: a password is required"},
         (BAD, "anna may not run it there without a password: sudo: a password is required", RULE)),
        ({"sudo": "yes", "sudo_may": "yes"}, (WARN, "anna may run it there, but perhaps not without a password", RULE)),
        ({"sudo": "yes", "sudo_may": "yes", "sudo_free": "(ALL) NOPASSWD: ALL"},
         (OK, "anna may run it there without a password", "")),
        ({"sudo": "yes", "sudo_may": "yes", "user": "root"}, (OK, "root may run it there without a password", "")),
    ],
)  # fmt: skip
def test_sudo(facts: Facts, want: tuple[Verdict, str, str]) -> None:
    """What a login without a terminal may run; the rule that is missing is written out."""
    assert of(SYNO, {**END, "program": TOOL, **facts})[1][1:] == want


def test_sudo_that_would_ask() -> None:
    """Without -n a sudo that has lost its rule hangs."""
    facts = {**END, "program": TOOL, "sudo": "yes", "sudo_may": "yes", "sudo_free": "NOPASSWD: ALL"}
    made = of(SYNO.replace("-n ", ""), facts)[1]
    assert (made[1], made[3]) == (OK, "write sudo -n in the wake command of pc")


@pytest.mark.parametrize(
    ("command", "facts", "want"),
    [
        ("synonet", {"elsewhere": TOOL},
         (BAD, f"nas has {TOOL}, but a login without a terminal does not find synonet",
          f"write {TOOL} in the wake command of pc")),
        ("sudo -n synonet", {"elsewhere": TOOL}, (OK, f"nas has {TOOL}", "")),
        ("synonet", {}, (BAD, "nas has no synonet",
                         'install one (Debian: apt install wakeonlan) and write command = "wakeonlan {mac}"')),
        ("wakeonlan", {"system": "Synology DSM 7.2"},
         (BAD, "nas has no wakeonlan", 'command = "sudo -n /usr/syno/sbin/synonet --wake {mac} eth0"')),
    ],
)  # fmt: skip
def test_program(command: str, facts: Facts, want: tuple[Verdict, str, str]) -> None:
    """It must be found on the short path of a login without a terminal; sudo has a path of its own."""
    assert of(command, {**END, **facts})[0][1:] == want


@pytest.mark.parametrize(
    ("facts", "want"),
    [
        ({}, []),
        ({"port_eth0": "up"}, []),
        ({"port_eth0": "unknown"}, []),
        ({"port_eth0": "down", "ports_up": "eth1 ovs_eth1"},
         [("eth0 of nas is not connected (down)",
           "write one that is connected (eth1, ovs_eth1) in the wake command of pc")]),
        ({"port_eth0": "missing"}, [("nas has no eth0", "")]),
    ],
)  # fmt: skip
def test_ports(facts: Facts, want: list[tuple[str, str]]) -> None:
    """An interface without a cable sends nothing."""
    made = of("etherwake -i eth0 aa", {**END, "program": "/sbin/etherwake", **facts})[1:]
    assert [(text, mend) for _, _, text, mend in made] == want


def test_what_can_not_be_looked_at() -> None:
    """A command in a shell's language, and a host that did not finish, are not known."""
    assert [one[1] for one in of("for i in 1 2; do wake; done", {})][:1] == [UNKNOWN]
    assert of("$(wake)", END)[0][1:] == (
        UNKNOWN,
        "nas runs a command that can not be looked at: $(wake)",
        "ipwatch wake pc",
    )


def test_the_other_ways() -> None:
    """A host that can not be asked, this machine itself, and a URL."""
    assert way.lost("pc", "nas", "no way")[2:] == (
        BAD, "nas, which is to wake it, can not be asked: no way", "ipwatch doctor nas",
    )  # fmt: skip
    assert [way.direct("pc", near=near).verdict for near in (True, False, None)] == [OK, WARN, UNKNOWN]
    assert way.hook("pc").verdict is UNKNOWN
