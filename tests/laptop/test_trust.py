"""laptop.trust, laptop.collect and cli.keys: `ipwatch trust` beside real OpenSSH servers."""

import argparse
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ipwatch.cli.keys import run
from ipwatch.core.address import Family
from ipwatch.core.candidate import Spot
from ipwatch.core.host import HostKey, Pins
from ipwatch.core.locating import HIJACKED
from ipwatch.core.trouble import Kind, Trouble
from ipwatch.laptop.collect import collect
from ipwatch.laptop.locate import Around
from ipwatch.laptop.trust import Offer, Row, State, compare, imported, settle
from ipwatch.laptop.world import World
from ipwatch.net.dns import DnspythonResolver
from ipwatch.ports import Endpoint, InterfaceAddress, Unreachable
from ipwatch.settings.laptop_model import Host, Laptop, Wake
from tests.fakes.dns_server import DnsServer, zone
from tests.fakes.laptop_world import laptop_world, said
from tests.fakes.ports import free_port
from tests.fakes.ssh_shows import server, shows, string
from tests.fakes.sshd import Sshd, sshd

KINDS = ("ed25519", "ecdsa", "rsa")


class Nowhere(DnspythonResolver):
    """A machine whose own resolver knows nothing."""

    def lookup(self, host: str, within: timedelta, family: Family | None = None) -> tuple[str, ...]:
        raise Unreachable(f"{host} can not be resolved")


class Unseen:
    """A system that does not tell its addresses."""

    def addresses(self) -> tuple[InterfaceAddress, ...]:
        raise Unreachable("the system does not tell")


NOBODY = Nowhere(system=(Endpoint("127.0.0.1", 9),))


def key(seed: int, kind: str = "ssh-ed25519") -> HostKey:
    more = 1 if kind == "ssh-ed25519" else 2
    return HostKey(kind, string(kind.encode()) + string(bytes([seed]) * 32) * more)


A, B, C = key(1), key(2), key(3)


@pytest.fixture(scope="module")
def nas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with sshd(tmp_path_factory.mktemp("nas"), kinds=KINDS) as running:
        yield running


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory, nas: Sshd) -> Iterator[Sshd]:
    """Another machine at the same port of another address."""
    with sshd(tmp_path_factory.mktemp("other"), ip="127.0.0.2", port=nas.port) as running:
        yield running


def at_home(machine: Sshd, **more: Any) -> Host:
    return Host("nas", lan=Spot(machine.ip, machine.port), port=machine.port, **more)


def trust(world: World, **options: Any) -> int:
    """The command with these options."""
    given = {"host": "nas", "yes": False, "known_hosts": None, "name": None, "at": None, "show": False, "forget": False}
    return run(world, argparse.Namespace(**(given | options)))


def asked(world: World, *answers: str) -> tuple[World, list[str]]:
    """The world with somebody at the terminal who gives these answers; the questions are kept."""
    questions: list[str] = []
    left = iter(answers)

    def ask(prompt: Any) -> str:
        questions.append(prompt.text)
        return next(left)

    return replace(world, ask=ask), questions


def trouble(act: Callable[[], object]) -> Trouble:
    with pytest.raises(Trouble) as caught:
        act()
    return caught.value


@pytest.mark.real
def test_all_keys_are_shown_asked_for_and_pinned(tmp_path: Path, nas: Sshd, capsys: pytest.CaptureFixture[str]) -> None:
    """All types are shown with the fingerprints ssh-keygen shows on the host and with how to see them there; after a
    yes they are pinned under the host's name, and no user name has reached the server."""
    before = len(nas.said())
    world, questions = asked(laptop_world(tmp_path, at_home(nas)), "Yes")
    assert trust(world) == 0
    out = capsys.readouterr().out
    for path in nas.host_keys:
        command = ["ssh-keygen", "-lf", f"{path}.pub"]
        listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[1]
        assert listed.startswith("SHA256:")
        assert listed in out
    assert f"127.0.0.1:{nas.port}  (its address in the house" in out
    assert "has proved that it holds the ssh-ed25519 key" in out
    assert "ssh-keygen -lf /etc/ssh/ssh_host_ecdsa_key.pub" in out
    assert r"ssh-keygen -lf $env:ProgramData\ssh\ssh_host_ecdsa_key.pub" in out
    assert questions == ["Pin under the name nas? [y/N] "]
    assert "3 keys pinned under the name nas" in out
    assert world.memory.known_hosts.read_text() == "".join(f"nas {key.text}\n" for key in nas.keys)
    assert "userauth" not in nas.said(before)


@pytest.mark.real
@pytest.mark.parametrize("answer", ["", "n", "changed"])
def test_no_is_the_default(tmp_path: Path, nas: Sshd, answer: str) -> None:
    """Whatever is no yes pins nothing."""
    world, _ = asked(laptop_world(tmp_path, at_home(nas)), answer)
    told = trouble(lambda: trust(world))
    assert (told.kind, str(told)) == (Kind.NOT_PINNED, "nothing was pinned for nas")
    assert world.memory.pins("nas") == Pins()


@pytest.mark.real
def test_without_a_terminal_it_takes_yes(tmp_path: Path, nas: Sshd, capsys: pytest.CaptureFixture[str]) -> None:
    """With nobody to ask nothing is pinned and the way out is named; --yes pins without a question, and after that
    there is nothing left to ask."""
    world = laptop_world(tmp_path, at_home(nas))
    told = trouble(lambda: trust(world))
    assert told.kind is Kind.NOT_PINNED
    assert "there is nobody to ask" in str(told)
    assert "ipwatch trust nas --yes" in str(told)
    assert trust(world, yes=True) == 0
    assert world.memory.pins("nas").keys == nas.keys
    assert trust(world) == 0
    assert "pinned already, nothing changes" in capsys.readouterr().out


@pytest.mark.real
def test_a_changed_key_takes_the_word(tmp_path: Path, nas: Sshd, capsys: pytest.CaptureFixture[str]) -> None:
    """A changed key is shown beside the old one; only the word "changed" puts it in the old one's place."""
    base = laptop_world(tmp_path, at_home(nas))
    base.memory.pin("nas", [A])
    for world, options in (
        (asked(base, "yes")[0], {}), (base, {}), (base, {"yes": True}), (base, {"at": f"127.0.0.1:{nas.port}"}),
    ):  # fmt: skip
        told = trouble(lambda world=world, options=options: trust(world, **options))
        assert told.kind is Kind.STRANGER
        assert "the key of nas has changed" in str(told)
        assert base.memory.pins("nas").keys == (A,)
    capsys.readouterr()
    world, questions = asked(base, "changed")
    assert trust(world) == 0
    out = capsys.readouterr().out
    assert f"{nas.keys[0].fingerprint}  changed" in out
    assert f"{A.fingerprint}  was pinned" in out
    assert questions == ['Type "changed" to pin the new key in the place of the old one: ']
    assert base.memory.pins("nas").keys == nas.keys


@pytest.mark.real
def test_a_changed_key_without_a_terminal(tmp_path: Path, nas: Sshd) -> None:
    """A script has to say both --yes and where."""
    world = laptop_world(tmp_path, at_home(nas))
    world.memory.pin("nas", [A])
    assert trust(world, yes=True, at=f"127.0.0.1:{nas.port}") == 0
    assert world.memory.pins("nas").keys == nas.keys


@pytest.mark.real
def test_new_and_gone_types(tmp_path: Path, other: Sshd, capsys: pytest.CaptureFixture[str]) -> None:
    """A type the host has no more is shown as gone and unpinned with a yes; the same key stays."""
    world, _ = asked(laptop_world(tmp_path, at_home(other)), "y")
    odd = key(9, "ssh-rsa")
    world.memory.pin("nas", [odd, *other.keys])
    assert trust(world) == 0
    out = capsys.readouterr().out
    assert f"{other.keys[0].fingerprint}  same" in out
    assert f"{odd.fingerprint}  gone" in out
    assert world.memory.pins("nas").keys == other.keys


@pytest.mark.real
def test_a_revoked_key_is_never_pinned(tmp_path: Path, nas: Sshd, capsys: pytest.CaptureFixture[str]) -> None:
    """A machine that shows a revoked key is a stranger, whatever is answered."""
    world = laptop_world(tmp_path, at_home(nas))
    world.memory.revoke("nas", nas.keys[1:2])
    told = trouble(lambda: trust(world, yes=True, at=f"127.0.0.1:{nas.port}"))
    assert told.kind is Kind.STRANGER
    assert "shows a key of nas that is revoked" in str(told)
    assert "revoked" in capsys.readouterr().out
    assert world.memory.pins("nas").keys == ()


def test_a_key_that_is_not_held_is_not_pinned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A machine that shows somebody else's key can not prove that it holds it: nothing is pinned, --yes or not."""
    with server(shows(A)) as (ip, port):
        world = laptop_world(tmp_path, Host("nas"))
        told = trouble(lambda: trust(world, yes=True, at=f"{ip}:{port}"))
    assert A.fingerprint in capsys.readouterr().out
    assert "signature" in str(told).lower()
    assert f"the machine at {ip}:{port} did not prove that it holds the key it shows" in str(told)
    assert world.memory.pins("nas").keys == ()


@pytest.mark.real
def test_two_machines(tmp_path: Path, nas: Sshd, other: Sshd, capsys: pytest.CaptureFixture[str]) -> None:
    """Two addresses with different keys are both shown and nothing is pinned; --at says which one it is."""
    world = laptop_world(tmp_path, Host("nas", port=nas.port, names=("127.0.0.1", "127.0.0.2")))
    told = trouble(lambda: trust(world, yes=True))
    out = capsys.readouterr().out
    assert told.kind is Kind.STRANGER
    assert "say which one it is with --at" in str(told)
    assert all(one.fingerprint in out for one in (*nas.keys, *other.keys))
    assert world.memory.pins("nas").keys == ()
    assert trust(world, yes=True, at="127.0.0.2") == 0
    assert world.memory.pins("nas").keys == other.keys


@pytest.mark.real
def test_in_the_house_the_address_in_the_house_is_enough(tmp_path: Path, nas: Sshd, other: Sshd) -> None:
    """Where the host answers at its address in the house, nobody is asked for another one."""
    world = laptop_world(tmp_path, at_home(nas, names=("127.0.0.2",)))
    (seen,) = collect(world, world.host("nas"), None)
    assert seen.keys == nas.keys
    assert other.keys != nas.keys


@pytest.mark.real
def test_away_the_names_are_asked(tmp_path: Path, nas: Sshd) -> None:
    """Where the address in the house does not answer, the host is looked for where its name leads now."""
    with DnsServer(zone({("home.example.org.", "A"): ["127.0.0.1"]})) as names:
        own = (Spot(names.endpoint.host, names.endpoint.port),)
        host = Host("nas", port=nas.port, names=("home.example.org",), lan=Spot("127.0.0.1", free_port()))
        settings = Laptop(None, tmp_path / "state", {"nas": host}, nameservers=own)
        world = laptop_world(tmp_path, settings=settings, resolver=NOBODY)
        (seen,) = collect(world, host, None, Around(Endpoint("127.0.0.1", free_port())))
    assert seen.place.spot == Spot("127.0.0.1", nas.port)
    assert seen.place.who.startswith(f"named by {names.endpoint}")
    assert seen.keys == nas.keys


@pytest.mark.real
def test_a_network_that_answers_everything_is_named(tmp_path: Path, nas: Sshd) -> None:
    """Where somebody answers DNS in everybody's place, that is said before the fingerprints are shown."""
    with DnsServer(zone({("home.example.org.", "A"): ["127.0.0.1"]})) as names:
        own = (Spot(names.endpoint.host, names.endpoint.port),)
        host = Host("nas", port=nas.port, names=("home.example.org",))
        settings = Laptop(None, tmp_path / "state", {"nas": host}, nameservers=own)
        world = laptop_world(tmp_path, settings=settings, resolver=NOBODY)
        collect(world, host, None, Around(names.endpoint))
    assert HIJACKED in said(world)


@pytest.mark.real
def test_another_network_is_named(tmp_path: Path, nas: Sshd) -> None:
    """A machine that can not tell that it is in the house's network does not call it safe."""
    world = laptop_world(tmp_path, at_home(nas), interfaces=Unseen())
    (seen,) = collect(world, world.host("nas"), None)
    assert seen.place.who == "its address in the house, but this machine is in another network"


def test_a_name_that_does_not_exist(tmp_path: Path) -> None:
    """A name that does not exist is told with who says so."""
    with DnsServer(zone({})) as names:
        own = (Spot(names.endpoint.host, names.endpoint.port),)
        host = Host("nas", names=("home.example.org",))
        settings = Laptop(None, tmp_path / "state", {"nas": host}, nameservers=own)
        world = laptop_world(tmp_path, settings=settings, resolver=NOBODY)
        around = Around(Endpoint("127.0.0.1", free_port()))
        told = trouble(lambda: collect(world, host, None, around))
    assert told.kind is Kind.NO_ADDRESS
    assert "home.example.org" in str(told)


def test_asking_can_be_interrupted(tmp_path: Path) -> None:
    """A command that is to end does not wait for name servers that do not answer."""
    with DnsServer(lambda _query, _: None) as mute:
        own = (Spot(mute.endpoint.host, mute.endpoint.port),)
        host = Host("nas", names=("home.example.org",))
        settings = Laptop(None, tmp_path / "state", {"nas": host}, nameservers=own)
        world = laptop_world(tmp_path, settings=settings, resolver=NOBODY)
        world.ending.set()
        told = trouble(lambda: collect(world, host, None, Around(mute.endpoint)))
    assert told.kind is Kind.INTERRUPTED


def test_a_host_without_an_address(tmp_path: Path) -> None:
    """A host of which no address is known ends in a sentence that names --at."""
    told = trouble(lambda: trust(laptop_world(tmp_path, Host("nas"))))
    assert told.kind is Kind.NO_ADDRESS
    assert "say where with --at ADDRESS" in str(told)


def silent(client: socket.socket) -> None:
    while client.recv(4096):
        pass


def http(client: socket.socket) -> None:
    client.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")


def test_nobody_there(tmp_path: Path) -> None:
    """A closed port is told, with the way to wake a host that can be woken."""
    spot = Spot("127.0.0.1", free_port())
    world = laptop_world(tmp_path, Host("nas", lan=spot, wake=Wake("direct")))
    told = trouble(lambda: trust(world))
    assert told.kind is Kind.UNREACHABLE
    assert f"{spot}: connection refused" in str(told)
    assert str(told).endswith("if it sleeps: ipwatch wake nas")


def test_no_ssh_server_there(tmp_path: Path) -> None:
    """What answers and is no SSH server is named."""
    with server(http) as (ip, port):
        told = trouble(lambda: trust(laptop_world(tmp_path, Host("nas")), at=f"{ip}:{port}"))
    assert told.kind is Kind.NOT_SSH
    assert "it speaks HTTP" in str(told)


def test_it_can_be_interrupted(tmp_path: Path) -> None:
    """A command that is to end does not look any further."""
    world = laptop_world(tmp_path, Host("nas", names=("127.0.0.1",), lan=Spot("127.0.0.1", free_port())))
    world.ending.set()
    assert trouble(lambda: trust(world)).kind is Kind.INTERRUPTED


@pytest.mark.parametrize("at", ["127.0.0.1:0", "127.0.0.1:x", "127.0.0.1:65536", ":22", "[::1]:", "[::1", "me@nas"])
def test_at_is_checked(tmp_path: Path, at: str) -> None:
    """An --at that is no address with a port is a mistake that is told."""
    told = trouble(lambda: trust(laptop_world(tmp_path, Host("nas"), resolver=NOBODY), at=at))
    assert told.kind is Kind.CONFIGURATION
    assert "--at is ADDRESS or ADDRESS:PORT" in str(told)


def test_a_name_without_an_address_is_told(tmp_path: Path) -> None:
    """An --at whose name leads nowhere is told."""
    told = trouble(lambda: trust(laptop_world(tmp_path, Host("nas"), resolver=NOBODY), at="nowhere.invalid"))
    assert (told.kind, str(told)) == (Kind.NO_ADDRESS, "nowhere.invalid has no address here")


def test_both_failures_are_told(tmp_path: Path) -> None:
    """Where neither the address in the house nor the one outside answers, both are told."""
    lan, port = Spot("127.0.0.1", free_port()), free_port()
    told = trouble(lambda: trust(laptop_world(tmp_path, Host("nas", port=port, names=("127.0.0.1",), lan=lan))))
    assert told.kind is Kind.UNREACHABLE
    assert f"{lan}: connection refused" in str(told)
    assert f"127.0.0.1:{port}: connection refused" in str(told)


def hangs_up(key: HostKey) -> Callable[[socket.socket], None]:
    """Show the key once; close every later connection."""
    first = [shows(key)]
    return lambda client: first.pop()(client) if first else None


def test_a_machine_that_hangs_up_before_the_proof(tmp_path: Path) -> None:
    """A machine that shows a key and answers no more is told, and nothing is pinned."""
    with server(hangs_up(A)) as (ip, port):
        world = laptop_world(tmp_path, Host("nas"))
        told = trouble(lambda: trust(world, yes=True, at=f"{ip}:{port}"))
    assert told.kind is Kind.UNREACHABLE
    assert "nothing was pinned for nas" in str(told)
    assert world.memory.pins("nas").keys == ()


def test_a_machine_that_shows_another_key_for_the_proof(tmp_path: Path) -> None:
    """Two machines behind one address, which take turns, do not prove each other's key."""
    turns = [shows(A), shows(B)]

    def serve(client: socket.socket) -> None:
        turns.pop(0)(client)

    with server(serve) as (ip, port):
        told = trouble(lambda: trust(laptop_world(tmp_path, Host("nas")), yes=True, at=f"{ip}:{port}"))
    assert "did not prove that it holds the key it shows" in str(told)


@pytest.mark.real
@pytest.mark.parametrize("at", ["localhost:{port}", "127.0.0.1:{port}", "127.0.0.1"])
def test_at_takes_names_and_knows_the_port(tmp_path: Path, nas: Sshd, at: str) -> None:
    """--at takes a name, and without a port it is the host's."""
    world = laptop_world(tmp_path, Host("nas", port=1, lan=Spot("127.0.0.1", nas.port)))
    seen = collect(world, world.host("nas"), at.format(port=nas.port))
    assert [one.keys for one in seen] == [nas.keys]


def hosts_file(folder: Path, text: str) -> str:
    path = folder / "their_known_hosts"
    path.write_text(text)
    return str(path)


HOME = Host("nas", port=2222, names=("home.example.org",), lan=Spot("192.168.1.10", 22))


@pytest.mark.parametrize("name", ["nas", "[nas]:2222", "[home.example.org]:2222", "192.168.1.10", "*"])
def test_import_knows_the_host_s_names(name: str) -> None:
    """A line is the host's under its name here, its name outside with its port, or its address in the house."""
    assert imported(HOME, f"{name} {A.text}\nelse {B.text}\n", None) == Offer((A,), whole=False)


@pytest.mark.parametrize(
    ("name", "given"), [("other", "other"), ("[other]:2222", "other"), ("[other]:77", "[other]:77"), ("::1", "::1")]
)
def test_import_takes_another_name(name: str, given: str) -> None:
    """--name is the host as it stands in the file, with or without the port."""
    assert imported(HOME, f"{name} {A.text}\n", given).keys == (A,)


@pytest.mark.real
def test_import_of_a_hashed_file(tmp_path: Path) -> None:
    """A file ssh has hashed is imported, --yes pins, and types the file does not have stay pinned."""
    path = hosts_file(tmp_path, f"[home.example.org]:2222 {A.text}\nelse {B.text}\n")
    subprocess.run([shutil.which("ssh-keygen") or "ssh-keygen", "-H", "-f", path], check=True, capture_output=True)
    world = laptop_world(tmp_path, HOME)
    rsa = key(9, "ssh-rsa")
    world.memory.pin("nas", [rsa])
    assert trust(world, known_hosts=path, yes=True) == 0
    assert set(world.memory.pins("nas").keys) == {A, rsa}


def test_import_keeps_revoked_keys_and_names_what_it_can_not_take(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """@revoked lines are kept as revoked, also for keys that stand there as good; certificate authorities and types
    that are not accepted are named and passed over, and junk does no harm."""
    dss = HostKey("ssh-dss", string(b"ssh-dss") + string(b"x"))
    text = (
        f"\0junk\n@revoked * {B.text}\nnas {A.text}\nnas {B.text}\n@cert-authority *.example.org,nas {C.text}\n"
        f"nas {dss.text}\n@revoked\n"
    )
    world = laptop_world(tmp_path, HOME)
    world.memory.pin("nas", [B])
    assert trust(asked(world, "changed")[0], known_hosts=hosts_file(tmp_path, text)) == 0
    assert world.memory.pins("nas") == Pins((A,), (B,))
    out = capsys.readouterr().out
    assert "@cert-authority" in out
    assert "ssh-dss, which is not accepted" in out
    assert trust(world, known_hosts=hosts_file(tmp_path, text)) == 0
    assert "nothing changes" in capsys.readouterr().out


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_import_of_a_file_from_windows(tmp_path: Path, encoding: str) -> None:
    """The first line of a file with a byte order mark counts, and so does what PowerShell writes, with its CR LF."""
    path = tmp_path / "known_hosts"
    path.write_bytes(f"nas {A.text}\r\n".encode(encoding))
    world = laptop_world(tmp_path, HOME)
    assert trust(world, known_hosts=str(path), yes=True) == 0
    assert world.memory.pins("nas").keys == (A,)


def test_import_of_revoked_keys_alone(tmp_path: Path) -> None:
    """A file whose only key is revoked pins nothing, and that is what is said."""
    world = laptop_world(tmp_path, HOME)
    world.memory.revoke("nas", [A])
    told = trouble(lambda: trust(world, known_hosts=hosts_file(tmp_path, f"nas {A.text}\n"), yes=True))
    assert (told.kind, str(told)) == (Kind.NOT_PINNED, "no key of nas is there but revoked ones; nothing was pinned")


def test_import_from_the_home_of_nobody(tmp_path: Path) -> None:
    """A "~" that stands for nobody's home is told as a file that is not there."""
    told = trouble(lambda: trust(laptop_world(tmp_path, HOME), known_hosts="~nobody-at-all/known_hosts"))
    assert str(told) == "~nobody-at-all/known_hosts can not be read: no such file or directory"


def test_import_of_nothing(tmp_path: Path) -> None:
    """A file without the host, and a file that is not there, are told, with the names that were looked for."""
    world = laptop_world(tmp_path, HOME)
    told = trouble(lambda: trust(world, known_hosts=hosts_file(tmp_path, f"@cert-authority nas {A.text}\n")))
    assert told.kind is Kind.NOT_PINNED
    looked = "nas, [nas]:2222, [home.example.org]:2222, 192.168.1.10"
    assert f"looked for {looked}" in str(told)
    assert "@cert-authority" in str(told)
    gone = trouble(lambda: trust(world, known_hosts=str(tmp_path / "gone")))
    assert (gone.kind, str(gone)) == (Kind.CONFIGURATION, f"{tmp_path}/gone can not be read: no such file or directory")


def test_import_of_two_machines() -> None:
    """Different keys under two of the host's names are a question for the user."""
    text = f"192.168.1.10 {A.text}\n[home.example.org]:2222 {B.text}\n"
    told = trouble(lambda: imported(HOME, text, None))
    assert told.kind is Kind.CONFIGURATION
    assert "say with --name which is nas" in str(told)
    assert imported(HOME, text, "192.168.1.10").keys == (A,)


def test_show(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is pinned is shown with where it stands, and so is what is revoked; nothing pinned is told."""
    world = laptop_world(tmp_path, HOME._replace(keys=(B,)))
    world.memory.pin("nas", [A, B])
    world.memory.revoke("nas", [C])
    assert trust(world, show=True) == 0
    rows = capsys.readouterr().out.splitlines()[1:]
    assert rows == [
        f"ssh-ed25519  {A.fingerprint}",
        f"ssh-ed25519  {B.fingerprint}  in laptop.toml",
        f"ssh-ed25519  {C.fingerprint}  revoked",
    ]
    told = trouble(lambda: trust(laptop_world(tmp_path / "new", HOME), show=True))
    assert (told.kind, str(told)) == (Kind.NOT_PINNED, "no key is pinned for nas: ipwatch trust nas pins them")


def test_forget(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Unpinning asks; revoked keys stay revoked, another host's stay pinned, and laptop.toml's are named."""
    base = laptop_world(tmp_path, HOME._replace(keys=(C,)))
    base.memory.pin("nas", [A])
    base.memory.pin("nas2", [A])
    base.memory.revoke("nas", [B])
    assert trouble(lambda: trust(base, forget=True)).kind is Kind.NOT_PINNED
    assert str(trouble(lambda: trust(asked(base, "no")[0], forget=True))) == "nothing was changed"
    assert base.memory.pins("nas").keys == (A,)
    world, questions = asked(base, "y")
    assert trust(world, forget=True) == 0
    assert questions == ["Unpin 1 key of nas? [y/N] "]
    assert base.memory.pins("nas") == Pins((), (B,))
    assert base.memory.pins("nas2").keys == (A,)
    assert "laptop.toml" in capsys.readouterr().out
    assert trust(base, forget=True) == 0
    assert "no key is pinned for nas by ipwatch trust" in capsys.readouterr().out


def test_forget_names_lines_it_leaves(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A wildcard line that a user wrote into the file goes on pinning, and that is said."""
    world = laptop_world(tmp_path, HOME)
    world.memory.pin("nas", [A])
    world.memory.known_hosts.write_text(f"* {B.text}\n" + world.memory.known_hosts.read_text())
    assert trust(world, forget=True, yes=True) == 0
    assert "other lines of" in capsys.readouterr().out


@pytest.mark.real
def test_keys_of_laptop_toml(tmp_path: Path, other: Sshd, capsys: pytest.CaptureFixture[str]) -> None:
    """Keys in laptop.toml count as pinned; an old one there goes on counting after a change, and that is said."""
    world = laptop_world(tmp_path, at_home(other, keys=other.keys))
    assert trust(world) == 0
    assert "same (laptop.toml)" in capsys.readouterr().out
    old, _ = asked(laptop_world(tmp_path / "old", at_home(other, keys=(A,))), "changed")
    assert trust(old) == 0
    assert "the old key stands in laptop.toml, too" in capsys.readouterr().out
    assert old.memory.pins("nas").keys == other.keys


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"show": True, "forget": True}, "--show and --forget do not go together"),
        ({"known_hosts": "x", "at": "y"}, "--known-hosts and --at do not go together"),
        ({"name": "x"}, "--name NAME is what the host is called in the file of --known-hosts"),
        ({"host": "nsa"}, "no host is called nsa"),
    ],
)
def test_what_does_not_go_together(tmp_path: Path, options: dict[str, Any], sentence: str) -> None:
    """Options that contradict each other, and a host that is not configured, are told before anything is done."""
    told = trouble(lambda: trust(laptop_world(tmp_path, HOME), **options))
    assert told.kind is Kind.CONFIGURATION
    assert sentence in str(told)


@pytest.mark.parametrize(
    ("offer", "held", "rows"),
    [
        (Offer((A,), whole=True), Pins(), [Row(State.NEW, A)]),
        (Offer((A,), whole=True), Pins((A, B)), [Row(State.SAME, A), Row(State.GONE, B)]),
        (Offer((A,), whole=True), Pins((B,)), [Row(State.CHANGED, A), Row(State.REPLACED, B)]),
        (Offer((A,), whole=True), Pins((key(4, "ssh-rsa"),)), [Row(State.NEW, A), Row(State.GONE, key(4, "ssh-rsa"))]),
        (Offer((A,), whole=False), Pins((key(4, "ssh-rsa"),)), [Row(State.NEW, A)]),
        (Offer((A,), whole=True), Pins((), (A,)), [Row(State.REVOKED, A)]),
        (Offer((), whole=False, revoked=(A,)), Pins((A,)), [Row(State.REVOKED, A)]),
    ],
)
def test_how_keys_are_compared(offer: Offer, held: Pins, rows: list[Row]) -> None:
    """Each type's keys are the same, new, changed, gone or revoked."""
    assert list(compare(offer, held)) == rows


def test_settling_never_pins_a_revoked_key(tmp_path: Path) -> None:
    """A key revoked before or with the offer is not pinned, whoever offers it."""
    memory = laptop_world(tmp_path, HOME).memory
    memory.revoke("nas", [A])
    assert settle(memory, "nas", Offer((A, B, C), whole=True, revoked=(C,))) == 1
    assert memory.pins("nas") == Pins((B,), (A, C))
