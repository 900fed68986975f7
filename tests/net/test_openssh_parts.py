"""The openssh engine's parts, and the days on which ssh misbehaves."""

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from ipwatch.core.candidate import Spot
from ipwatch.core.forward import Target
from ipwatch.core.host import HostKey, Pins
from ipwatch.net import openssh_args, openssh_helper
from ipwatch.net.openssh import OpenSshSession
from ipwatch.net.openssh_desk import Desk
from ipwatch.net.openssh_mux import MuxConnection
from ipwatch.net.openssh_pump import Pump
from ipwatch.ports import Unreachable
from ipwatch.ports.remote import Login, Prompt
from ipwatch.protocols import ssh_connection as wire
from ipwatch.protocols import ssh_mux
from tests.fakes.far_end import pair, serving
from tests.fakes.links import KEY
from tests.fakes.waiting import wait

HELLO = ssh_mux.hello()
PROXIED = bytes.fromhex("00000008 8000000f 00000001")


def soon(seconds: float = 5) -> float:
    return time.monotonic() + seconds


# How ssh is called.


def test_pins_and_identity_reach_ssh(tmp_path: Path) -> None:
    """Pins and revoked keys stand in the file; odd paths and scoped addresses are written so that ssh reads them."""
    other = HostKey.parse(KEY.text)
    assert openssh_args.known_hosts(Pins((KEY,), (other,)), "h") == f"@revoked h {other.text}\nh {KEY.text}\n"
    settings = openssh_args.proof(Spot("fe80::1%eth0", 2222), Path("/a b/100%"), "h")
    assert settings["HostName"] == "fe80::1%%eth0"
    assert settings["UserKnownHostsFile"] == '"/a b/100%%"'
    words = openssh_args.who(Login("h", "anna", (Path("/k"),), True, "/agent"))
    assert words[:2] == ["-l", "anna"]
    assert words[-1] == 'IdentityFile="/k"'
    assert "IdentitiesOnly=yes" in words
    assert openssh_args.who(Login("h", "")) == ["-o", "IdentityAgent=none"]


def test_program_that_is_no_ssh(tmp_path: Path) -> None:
    """What it says is told."""
    program = tmp_path / "ssh"
    program.write_text("#!/bin/sh\necho 'not today.' >&2\nexit 1\n")
    program.chmod(0o700)
    with serving(lambda peer: None) as target, pytest.raises(Unreachable, match="ssh ended: not today"):
        OpenSshSession(str(program), Spot(target.host, target.port), Pins((KEY,)), KEY).login(
            Login("h", "anna"), timedelta(seconds=10)
        )


# The desk and the helpers that come to it.


@contextmanager
def desk(tmp_path: Path, ask: Callable[[Prompt], str | None], tell: Callable[[str], None]) -> Iterator[Desk]:
    near, carrier = pair()
    open_one = Desk(tmp_path / "d", carrier, Login("h", "anna", ask=ask, tell=tell))
    try:
        yield open_one
    finally:
        open_one.close()
        near.close()
        carrier.close()


def test_socket_is_handed_to_ssh(tmp_path: Path) -> None:
    """The dialler passes the connected socket itself on."""
    ssh, out = socket.socketpair()
    with desk(tmp_path, lambda prompt: None, print), ssh, out:
        assert openssh_helper.main(["dial", str(tmp_path / "d")], out.fileno(), "") == 0
        _, descriptors, _, _ = socket.recv_fds(ssh, 1, 1)
        with socket.socket(fileno=descriptors[0]) as got:
            assert got.getpeername()[0] == "127.0.0.1"


def test_questions_and_answers(tmp_path: Path) -> None:
    """An answer is given back; none is none, and only a passphrase that is not given lets the login go on; a note is
    shown and not asked."""
    answers = {"Enter PIN for x: ": "12", "Password: ": None, "Enter passphrase for key 'k': ": None}
    told: list[str] = []
    with desk(tmp_path, lambda prompt: answers[prompt.text], told.append) as there:
        for text, answer in answers.items():
            assert there.gave_up == ""
            reading, writing = os.pipe()
            status = openssh_helper.main(["ask", str(tmp_path / "d"), text], writing, "")
            os.close(writing)
            with os.fdopen(reading, "rb") as said:
                assert (status, said.read()) == ((0, f"{answer}\n".encode()) if answer else (1, b""))
            if text.startswith("Password"):
                assert wait(lambda: there.gave_up == "Password")
                there.gave_up = ""
        assert openssh_helper.main(["ask", str(tmp_path / "d"), "Touch the key"], 1, "none") == 1
        assert wait(lambda: told == ["Touch the key"])
        assert there.asked() < 1


# A control socket that does not do as it should.


@pytest.mark.parametrize(
    ("said", "clause"),
    [
        (bytes.fromhex("00000008 00000001 00000003"), "another version"),
        (b"\xff" * 8, "said a message of"),
        (b"", "ssh has ended"),
    ],
)
def test_control_socket_that_says_something_else(tmp_path: Path, said: bytes, clause: str) -> None:
    """Another version, nonsense, and nothing are told as what they are."""

    def say(peer: socket.socket) -> None:
        peer.recv(99)
        peer.sendall(said)

    with serving(say, tmp_path / "c"), pytest.raises(Unreachable, match=clause):
        MuxConnection(tmp_path / "c", soon())


def test_control_socket_that_says_nothing(tmp_path: Path) -> None:
    """Silence ends at the deadline; a socket that is not there is an ssh that has ended."""
    with serving(lambda peer: time.sleep(0.5), tmp_path / "c"), pytest.raises(Unreachable, match=r"has ended|in time"):
        MuxConnection(tmp_path / "c", soon(0.2))
    with pytest.raises(Unreachable, match="has ended"):
        MuxConnection(tmp_path / "none", soon())


def test_ssh_that_knows_no_proxy_mode(tmp_path: Path) -> None:
    """ssh's own refusal is told."""
    failure = bytes.fromhex("00000016 80000003 00000001 0000000a") + b"No such 1."

    def refuse(peer: socket.socket) -> None:
        peer.sendall(HELLO + failure)
        while peer.recv(99):
            pass

    with serving(refuse, tmp_path / "c"):
        mux = MuxConnection(tmp_path / "c", soon())
        with pytest.raises(Unreachable, match="does not pass channels on: no such"):
            mux.proxied(soon())
        mux.close()


def number(value: int) -> bytes:
    return value.to_bytes(4, "big")


def message(kind: int, body: bytes) -> bytes:
    return number(len(body) + 2) + bytes((0, kind)) + body


OPENED = message(91, number(1) + number(7) + number(1 << 20) + number(32768))
ODD = (
    message(95, number(1) + number(1) + number(3) + b"err")  # of another stream
    + message(98, number(1) + number(1) + b"x" + b"\1")  # a request that wants an answer
    + message(94, number(99) + number(2) + b"zz")  # for a channel that is not there
    + message(80, b"")
)


def far_end(peer: socket.socket, answers: bytes, heard: bytearray) -> None:
    """ssh and the far end in one: says hello, opens every channel and then says that."""
    peer.sendall(HELLO + PROXIED)
    while b"direct-tcpip" not in heard:
        heard.extend(peer.recv(4096))
    peer.sendall(OPENED + answers)
    while data := peer.recv(4096):
        heard.extend(data)


def pumped(tmp_path: Path, lost: Callable[[], None]) -> Pump:
    mux = MuxConnection(tmp_path / "c", soon())
    mux.proxied(soon())
    return Pump(mux, lost)


def test_odd_messages_are_borne(tmp_path: Path) -> None:
    """Other streams, requests and unknown channels disturb nothing; each request is answered; nonsense ends it all."""
    heard = bytearray()
    lost: list[bool] = []
    data = message(94, number(1) + number(5) + b"hello")
    pieces = ODD + data[:9]
    near, accepted = pair()

    def act(peer: socket.socket) -> None:
        far_end(peer, pieces, heard)

    with near, serving(act, tmp_path / "c"):
        pump = pumped(tmp_path, lambda: lost.append(True))
        line = pump.spare()
        assert line is not None
        stream = pump.open(line, accepted, Target("127.0.0.1", 1), lambda: None)
        assert stream.settled.wait(5)
        pump.post(stream.begin)
        assert wait(lambda: wire.unknown(7) in heard)
        pump.post(lambda: line.say(b""))
        time.sleep(0.05)
        assert not lost
    assert wait(lambda: lost)
    pump.join(5)
    with pytest.raises(Unreachable):
        pump.post(lambda: None)


@pytest.mark.parametrize("nonsense", [b"\xff" * 32, message(93, number(1))])
def test_nonsense_ends_the_link(tmp_path: Path, nonsense: bytes) -> None:
    """After a message that can not be understood nothing is trusted: clients are reset and the link is lost."""
    lost: list[bool] = []
    near, accepted = pair()
    with near, serving(lambda peer: far_end(peer, nonsense, bytearray()), tmp_path / "c"):
        pump = pumped(tmp_path, lambda: lost.append(True))
        line = pump.spare()
        assert line is not None
        stream = pump.open(line, accepted, Target("127.0.0.1", 1), lambda: None)
        assert stream.settled.wait(5)
        assert wait(lambda: lost)
        pump.join(5)
    accepted.close()
