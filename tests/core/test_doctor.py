"""What the doctor makes of this machine and of the way to a host."""

from datetime import timedelta

import pytest

from ipwatch.core import doctor
from ipwatch.core.candidate import Candidate, Claim, Spot, Way
from ipwatch.core.doctor import Finding, KeyFile, Means, Search, Verdict
from ipwatch.core.host import HostKey
from ipwatch.core.trouble import Kind

OK, WARN, BAD, UNKNOWN = Verdict.OK, Verdict.WARN, Verdict.BAD, Verdict.UNKNOWN
KEY = HostKey("ssh-ed25519", b"\x00\x00\x00\x0bssh-ed25519" + b"\x00\x00\x00\x20" + bytes(32))
NAMES = ("home.example.org",)
NS, RESOLVER = Claim(Way.ZONE, "ns1", detail="serial 7, TTL 60 s"), Claim(Way.SYSTEM, "127.0.0.53")


def at(ip: str, *claims: Claim) -> Candidate:
    return Candidate(Spot(ip, 22), claims)


def found(verdict: Verdict) -> Finding:
    return Finding("x", "y", verdict, "z")


@pytest.mark.parametrize(
    ("verdicts", "want"),
    [((), OK), ((OK, UNKNOWN), UNKNOWN), ((UNKNOWN, WARN, OK), WARN), ((WARN, BAD, UNKNOWN), BAD), ((OK,), OK)],
)
def test_the_worst(verdicts: tuple[Verdict, ...], want: Verdict) -> None:
    """One bad finding is enough, whatever else there is."""
    assert doctor.worst(map(found, verdicts)) is want


def test_laptop_toml() -> None:
    """Each warning is a line; without any it is in order."""
    assert [one.verdict for one in doctor.settings("x", ["a", "b"])] == [WARN, WARN]
    assert [one.text for one in doctor.settings("x/laptop.toml", [])] == ["x/laptop.toml is in order"]


@pytest.mark.parametrize(
    ("version", "needed", "want"),
    [
        ("OpenSSH_9.2p1 Debian-2+deb12u3, OpenSSL 3.0.15", (), (OK, "OpenSSH_9.2p1")),
        ("OpenSSH_for_Windows_9.5p1, LibreSSL 3.8.2", (), (OK, "OpenSSH_for_Windows_9.5p1")),
        ("dropbear 2022", (), (OK, "dropbear 2022")),
        (None, (), (WARN, "there is none: `ipwatch ssh`, scp and VS Code do not work")),
        (None, ("nas", "pc"), (BAD, "there is none: nas, pc can not be reached")),
    ],
)
def test_ssh(version: str | None, needed: tuple[str, ...], want: tuple[Verdict, str]) -> None:
    """Without the system's ssh hosts of engine openssh are out of reach, others are not."""
    made = doctor.ssh(version, "there is none", needed)
    assert (made.verdict, made.text) == want
    assert bool(made.mend) is (version is None)


def test_network() -> None:
    """What the searches noticed of the network is a warning."""
    assert [(one.verdict, one.text) for one in doctor.network(["hijacked"])] == [(WARN, "hijacked")]


def test_pins() -> None:
    """Without a pinned key nothing can be proved, and the command is named."""
    assert doctor.pins("pc", [KEY, KEY]).text == "2 pinned (ssh-ed25519)"
    assert doctor.pins("pc", [])[2:] == (
        BAD, "no host key is pinned, so nothing can be proved", "ipwatch trust pc",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("means", "want"),
    [
        (Means(fault="no such file"), [(BAD, "no such file")]),
        (Means("anna", (KeyFile("k"),)), [(OK, "anna logs in with k")]),
        (Means("anna", (KeyFile("k"),), agent=True, held=2), [(OK, "anna logs in with k, 2 in the agent")]),
        (Means("anna", agent=True, held=1), [(OK, "anna logs in with 1 in the agent")]),
        (Means("anna", (KeyFile("k", "everybody"),)),
         [(BAD, "k can be read by everybody, and ssh refuses such a key"), (OK, "anna logs in with k")]),
        (Means("anna", (KeyFile("k"),), agent=True),
         [(WARN, "the agent SSH_AUTH_SOCK names does not answer"), (OK, "anna logs in with k")]),
        (Means("anna", agent=True, held=0),
         [(WARN, "anna has neither a key file nor one in an agent: only a password is left")]),
    ],
)  # fmt: skip
def test_keys_of_the_user(means: Means, want: list[tuple[Verdict, str]]) -> None:
    """Key files and the agent, and what keeps ssh from using them."""
    assert [(one.verdict, one.text) for one in doctor.means("pc", means)] == want


@pytest.mark.parametrize(
    ("names", "candidates", "silent", "want"),
    [
        ((), (), (), (OK, "it has no names: it is looked for at its lan address only")),
        (NAMES, (at("25.0.0.1", NS, RESOLVER),), (),
         (OK, "home.example.org: 25.0.0.1 say ns1, 127.0.0.53 (system)")),
        (NAMES, (at("25.0.0.1", NS), at("25.0.0.2", RESOLVER)), (),
         (WARN, "they disagree on home.example.org: 25.0.0.1 say ns1; 25.0.0.2 say 127.0.0.53 (system)")),
        (NAMES, (at("25.0.0.1", NS, RESOLVER), at("fd00::1", NS)), (),
         (OK, "home.example.org: 25.0.0.1 say ns1, 127.0.0.53 (system); fd00::1 say ns1")),
        (NAMES, (at("25.0.0.1", Claim(Way.PROVED, "memory")),), ("no such name", "no such name", "timeout"),
         (BAD, "nobody knows an address for home.example.org: no such name; timeout")),
        (NAMES, (), (), (BAD, "nobody knows an address for home.example.org: nobody answered")),
        (("192.0.2.1",), (at("192.0.2.1", Claim(Way.GIVEN, "laptop.toml")),), (),
         (OK, "laptop.toml gives the address itself: 192.0.2.1")),
    ],
)  # fmt: skip
def test_addresses(
    names: tuple[str, ...], candidates: tuple[Candidate, ...], silent: tuple[str, ...], want: tuple[Verdict, str]
) -> None:
    """Who says which address, and whether they agree; a memory is no voice, and the families are apart."""
    made = doctor.addresses("pc", names, candidates, silent)
    assert (made.verdict, made.text) == want
    assert bool(made.mend) is (made.verdict is not OK)


def test_addresses_that_not_everybody_reaches() -> None:
    """A carrier's or a private address, and a proxy's, are faults of the record, each with its remedy; a host that is
    found there shows that this machine is in that network."""
    said = [at("100.64.0.9", NS, RESOLVER), at("104.16.1.1", NS), at("25.0.0.1", NS), at("fd12::1", NS)]
    made = list(doctor.outside("pc", said, found=False))
    assert [one.verdict for one in made] == [BAD] * 3
    assert [one.text.split()[0] for one in made] == ["100.64.0.9", "104.16.1.1", "fd12::1"]
    assert "router's own DynDNS" in made[0].mend
    assert "proxied = false" in made[1].mend
    assert list(doctor.outside("pc", said, found=True)) == []


def test_ttl() -> None:
    """A record that is kept for hours elsewhere is a warning; where nobody told there is nothing to say."""
    long = Claim(Way.ZONE, "ns2", detail="TTL 7200 s")
    assert [one.verdict for one in doctor.ttl("pc", [at("25.0.0.1", NS)])] == [OK]
    assert [one.mend for one in doctor.ttl("pc", [at("25.0.0.1", NS, long)])] == [
        'ttl = "60s" in the [[record]] of ipwatch.toml'
    ]
    assert list(doctor.ttl("pc", [at("25.0.0.1", RESOLVER)])) == []


def seen(kind: Kind | None, *, wakes: bool = False) -> Search:
    return Search("pc", None, trouble=(kind, "why") if kind else None, wakes=wakes, port=2223)


def test_proved() -> None:
    """Where, and how long it took."""
    (made,) = doctor.proof(Search("pc", Spot("25.0.0.1", 2223), timedelta(seconds=0.42)))
    assert made[2:] == (OK, "it is at 25.0.0.1:2223, proved by its key within 0.4 s", "")


NOBODY = (
    "is pc on, and does the router forward port 2223 to its sshd? When nothing at home answers: does the router's own "
    "page show the address tried? Another one is carrier NAT"
)


@pytest.mark.parametrize(
    ("search", "want"),
    [
        (seen(Kind.UNREACHABLE), (BAD, "why", NOBODY)),
        (seen(Kind.STRANGER, wakes=True), (BAD, "why", "if pc was set up anew: ipwatch trust pc")),
        (seen(Kind.NOT_SSH), (BAD, "why", "let the router forward port 2223 to the sshd of pc")),
        (seen(Kind.NOT_WELL), (BAD, "why", "")),
        (seen(Kind.PORTAL, wakes=True), (BAD, "why", "open any web page and log in to this network")),
        (seen(None), (BAD, "pc was not found", NOBODY)),
        (seen(Kind.UNREACHABLE, wakes=True),
         (UNKNOWN, "it seems to be asleep, so the rest of it is not known (why)", "ipwatch doctor pc --wake")),
    ],
)  # fmt: skip
def test_not_proved(search: Search, want: tuple[Verdict, str, str]) -> None:
    """A host that can be woken and does not answer sleeps, which is no fault; all else has its remedy."""
    (made,) = doctor.proof(search)
    assert made[2:] == want
    assert doctor.asleep(search) is (made.verdict is UNKNOWN)


def test_not_pinned_is_told_once() -> None:
    """The missing pin has a line of its own already."""
    assert list(doctor.proof(seen(Kind.NOT_PINNED))) == []


def test_login() -> None:
    """A refusal names the likely causes, a lost line none."""
    assert doctor.login("pc", "anna", None)[2:] == (OK, "anna gets in", "")
    assert "authorized_keys" in doctor.login("pc", "", (Kind.LOGIN_REFUSED, "no")).mend
    assert doctor.login("pc", "", (Kind.UNREACHABLE, "lost"))[2:] == (BAD, "lost", "")
