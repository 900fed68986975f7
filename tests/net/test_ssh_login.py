"""net.ssh: logging in."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest

from ipwatch.core.candidate import Spot
from ipwatch.core.host import Pins
from ipwatch.net.ssh import ParamikoProver
from ipwatch.ports import Unreachable
from ipwatch.ports.remote import Link, Login, LoginRefused, Prompt
from tests.fakes.named import needs
from tests.fakes.paramiko_server import ParamikoServer, Rules
from tests.fakes.ssh_tools import LONG, gone, login_at, serving
from tests.fakes.sshd import Sshd, connected, make_key, sshd

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with sshd(tmp_path_factory.mktemp("sshd")) as running:
        yield running


def enter(server: Sshd | ParamikoServer, who: Login, within: timedelta = LONG) -> Link:
    sock = connected(server) if isinstance(server, Sshd) else socket.create_connection((server.ip, server.port))
    return ParamikoProver().prove(sock, Spot(server.ip, server.port), Pins(server.keys), LONG).login(who, within)


def gets_in(server: Sshd | ParamikoServer, who: Login) -> bool:
    enter(server, who).cut()
    gone()
    return True


def refusal(server: Sshd | ParamikoServer, who: Login) -> str:
    with pytest.raises(LoginRefused) as caught:
        enter(server, who)
    gone()
    return str(caught.value)


class Asked:
    """Answers prompts in turn, then None; remembers them."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.prompts: list[Prompt] = []

    def __call__(self, prompt: Prompt) -> str | None:
        self.prompts.append(prompt)
        return self.answers.pop(0) if self.answers else None


@contextmanager
def agent(folder: Path, *keys: Path) -> Iterator[str]:
    """A real ssh-agent that holds these keys."""
    path = str(folder / "agent")
    process = subprocess.Popen([needs("ssh-agent"), "-D", "-a", path], stdout=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 5
        while not Path(path).exists() and time.monotonic() < end:
            time.sleep(0.01)
        for key in keys:
            subprocess.run(["ssh-add", "-q", str(key)], env={**os.environ, "SSH_AUTH_SOCK": path}, check=True)
        yield path
    finally:
        process.terminate()
        process.wait(5)


def children(pid: int) -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)
    return [int(line) for line in found.stdout.split()]


def allow(server: Sshd, *keys: Path, more: Sequence[str] = ()) -> None:
    lines = [Path(f"{key}.pub").read_text() for key in (server.identity, *keys)]
    (server.folder / "authorized_keys").write_text("".join((*lines, *more)))


@pytest.mark.parametrize(
    ("kind", "form"), [("ed25519", ""), ("ecdsa", ""), ("rsa", ""), ("ecdsa", "PEM"), ("rsa", "PEM"), ("rsa", "PKCS8")]
)
def test_keys_of_every_type_open(server: Sshd, tmp_path: Path, kind: str, form: str) -> None:
    """Key files of every type are used, in every form ssh-keygen writes, with a passphrase that is asked for."""
    made = make_key(server.folder / f"made_{kind}", kind)
    plain, locked = tmp_path / "plain", tmp_path / "locked"
    for key, word in ((plain, ""), (locked, "open sesame")):
        for end in ("", ".pub"):
            shutil.copy(f"{made}{end}", f"{key}{end}")
        change = ["ssh-keygen", "-q", "-p", *(["-m", form] if form else []), "-P", "", "-N", word, "-f", str(key)]
        subprocess.run(change, check=True, stdout=subprocess.DEVNULL)
    allow(server, plain, locked)
    assert gets_in(server, login_at(server, identities=(plain,)))
    asked = Asked("wrong", "open sesame")
    assert gets_in(server, login_at(server, identities=(locked,), ask=asked))
    assert [p.text for p in asked.prompts] == [
        f"Passphrase for {locked}: ",
        f"That was not it. Passphrase for {locked}: ",
    ]
    Path(f"{locked}.pub").unlink()
    assert gets_in(server, login_at(server, identities=(locked,), ask=Asked("open sesame")))


def test_no_passphrase_is_asked_for_a_key_the_server_does_not_take(server: Sshd, tmp_path: Path) -> None:
    """The public half is shown first; the user is asked only if it fits."""
    allow(server)
    locked, asked = make_key(tmp_path / "k", passphrase="x12345"), Asked("x12345")
    assert refusal(server, login_at(server, identities=(locked,), ask=asked)).startswith(f"tried {locked} for user ")
    assert asked.prompts == []


def test_wrong_and_missing_passphrases_are_told(server: Sshd, tmp_path: Path) -> None:
    """After three wrong passphrases, or none, the refusal says so, and no passphrase stands in it."""
    locked = make_key(tmp_path / "k", passphrase="right one")
    allow(server, locked)
    asked = Asked("bad1", "bad2", "bad3", "right one")
    said = refusal(server, login_at(server, identities=(locked,), ask=asked))
    assert f"the passphrases given for {locked} are wrong" in said
    assert "bad" not in said
    assert len(asked.prompts) == 3
    assert f"no passphrase was given for {locked}" in refusal(server, login_at(server, identities=(locked,)))


def test_files_that_can_not_be_used_are_named(server: Sshd, tmp_path: Path) -> None:
    """Missing, foreign and damaged files, and hardware keys, are each named with what is wrong."""
    (tmp_path / "text").write_text("hello")
    (tmp_path / "dsa").write_text("-----BEGIN DSA PRIVATE KEY-----\nAAAA\n-----END DSA PRIVATE KEY-----\n")
    (tmp_path / "cut").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA\n-----END")
    (tmp_path / "dir").mkdir()
    (tmp_path / "bad").write_text("-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n")
    names = [tmp_path / n for n in ("none", "text", "dsa", "cut", "dir", "bad")]
    said = refusal(server, login_at(server, identities=tuple(names)))
    assert f"{names[1]} is no private key" in said
    assert f"{names[2]} is a key of a type this engine can not use" in said
    assert f"{names[3]} is damaged" in said
    assert f"{names[4]} can not be read: is a directory" in said
    assert f"{names[5]} can not be used" in said
    assert f"{names[0]} can not be found" in refusal(server, login_at(server, identities=(names[0],)))


def test_a_hardware_key_is_named_with_the_engine_that_can(server: Sshd, tmp_path: Path) -> None:
    """sk- keys need a library this engine has not."""
    import base64

    blob = b"\0\0\0\x1ask-ssh-ed25519@openssh.com"
    fields = b"".join(len(f).to_bytes(4, "big") + f for f in (b"none", b"none", b"")) + b"\0\0\0\1"
    content = b"openssh-key-v1\0" + fields + len(blob).to_bytes(4, "big") + blob
    armoured = base64.b64encode(content).decode()
    (tmp_path / "sk").write_text(
        f"-----BEGIN OPENSSH PRIVATE KEY-----\n{armoured}\n-----END OPENSSH PRIVATE KEY-----\n"
    )
    said = refusal(server, login_at(server, identities=(tmp_path / "sk",)))
    assert 'sk is a hardware key, which needs engine = "openssh"' in said


def test_the_agent_signs(server: Sshd, tmp_path: Path) -> None:
    """Keys in an agent are used, RSA with SHA-2; with identities_only none that is not configured."""
    mine, rsa = make_key(tmp_path / "mine"), make_key(tmp_path / "rsa", "rsa")
    allow(server, mine, rsa)
    with agent(tmp_path, mine) as path:
        assert gets_in(server, login_at(server, identities=(), agent=path))
        said = refusal(server, login_at(server, identities=(), agent=path, identities_only=True))
        assert said == f"tried nothing for user {server.user}; it would take publickey"
        mine.unlink()
        assert gets_in(server, login_at(server, identities=(mine,), agent=path, identities_only=True))
        assert gets_in(server, login_at(server, identities=(Path(f"{mine}.pub"),), agent=path, identities_only=True))
    with agent(tmp_path, rsa) as path:
        assert gets_in(server, login_at(server, identities=(), agent=path))
    said = refusal(server, login_at(server, identities=(mine,), agent=str(tmp_path / "agent")))
    assert "the agent at" in said
    assert f"the agent does not hold the private half of {mine}" in said


def test_an_agent_that_talks_nonsense_is_no_obstacle(server: Sshd, tmp_path: Path) -> None:
    """An agent that hangs up or answers out of protocol is named, and the key files are still used."""
    allow(server)
    for number, answer in enumerate((b"", b"\0\0\0\1\x05", b"\0\0\0\2\x0c\0", b"\xff\xff\xff\xff")):

        def speak(sock: socket.socket, answer: bytes = answer) -> None:
            sock.recv(100)
            sock.sendall(answer)

        with serving(speak, str(tmp_path / f"a{number}")) as target:
            assert gets_in(server, login_at(server, agent=target.host))
            assert "the agent" in refusal(server, login_at(server, agent=target.host, identities=()))


def test_user_certificates_are_shown(tmp_path: Path) -> None:
    """A certificate beside a key is tried, from the file and from the agent."""
    authority, key = make_key(tmp_path / "ca"), make_key(tmp_path / "k", "rsa")
    with sshd(tmp_path / "sshd", options=f"TrustedUserCAKeys {authority}.pub") as server:
        subprocess.run(["ssh-keygen", "-q", "-s", authority, "-I", "me", "-n", server.user, f"{key}.pub"], check=True)
        assert gets_in(server, login_at(server, identities=(key,)))
        with agent(tmp_path, key) as path:
            assert gets_in(server, login_at(server, identities=(), agent=path))
            assert gets_in(server, login_at(server, identities=(key,), agent=path, identities_only=True))
        accepted = [line for line in server.said().splitlines() if line.startswith("Accepted publickey")]
        assert ["RSA-CERT" in line for line in accepted] == [True] * 3


def test_too_many_keys_are_told_as_such(tmp_path: Path) -> None:
    """A server that allows few tries ends the connection; the refusal says what to do."""
    keys = [make_key(tmp_path / f"k{n}") for n in range(4)]
    with sshd(tmp_path / "sshd", options="MaxAuthTries 3") as server:
        said = refusal(server, login_at(server, identities=tuple(keys)))
        assert "Accepted" not in server.said()
    assert said.startswith("too many authentication failures: it allows no more after 3 tries")


def test_a_wrong_user_or_key_is_refused_with_what_was_tried(server: Sshd, tmp_path: Path) -> None:
    """The refusal names user, keys and what the server would take."""
    key = make_key(tmp_path / "k")
    said = refusal(server, login_at(server, user="nobody-here", identities=(key,)))
    assert said == f"tried {key} for user nobody-here; it would take publickey"


def test_questions_of_the_server_are_passed_on() -> None:
    """Keyboard-interactive: every prompt reaches the user, with echo as the server wants; steering bytes do not."""
    rules = Rules(
        methods="keyboard-interactive",
        dialogue=(("Code\x1b[2J: ", True), ("PIN: ", False)),
        answers=(
            "1",
            "2",
        ),
    )
    with ParamikoServer(rules) as server:
        asked = Asked("1", "2")
        assert gets_in(server, Login("host", "anna", ask=asked))
        assert [(p.text, p.echo) for p in asked.prompts] == [("Title\nRead this\nCode[2J: ", True), ("PIN: ", False)]


def test_wrong_answers_are_asked_again_three_times() -> None:
    """As ssh does it; then the refusal names the way."""
    rules = Rules(methods="keyboard-interactive", dialogue=(("PIN: ", False),), answers=("2",))
    with ParamikoServer(rules) as server:
        asked = Asked("8", "9", "7", "6")
        assert "tried keyboard-interactive for user anna" in refusal(server, Login("host", "anna", ask=asked))
        assert len(asked.prompts) == 3
        said = refusal(server, Login("host", "anna"))
        assert said == "tried nothing for user anna; it would take keyboard-interactive"


def test_a_key_and_then_a_question(tmp_path: Path) -> None:
    """Partial success: after the key the server wants a code as well."""
    key = make_key(tmp_path / "k")
    rules = Rules(
        methods="publickey", key=key, then="keyboard-interactive", dialogue=(("Code: ", True),), answers=("7",)
    )
    with ParamikoServer(rules) as server:
        asked = Asked("7")
        assert gets_in(server, Login("host", "anna", (key,), ask=asked))
        assert len(asked.prompts) == 1


def test_passwords_come_last_and_three_times() -> None:
    """Where the server takes a password it is asked for; it never stands in a sentence."""
    with ParamikoServer(Rules(methods="password", password="hunter2")) as server:
        asked = Asked("one", "hunter2")
        assert gets_in(server, Login("home", "anna", ask=asked))
        assert [p.text for p in asked.prompts] == [
            "Password of anna@home: ",
            "That was not it. Password of anna@home: ",
        ]
        said = refusal(server, Login("home", "anna", ask=Asked("one", "two", "three", "hunter2")))
        assert said == "tried password for user anna; it would take password"


def test_a_server_that_lets_anybody_in_is_not_trusted() -> None:
    """Success without any proof of who logs in is a refusal of ours."""
    with ParamikoServer(Rules(methods="none")) as server:
        assert "anybody" in refusal(server, Login("home", "anna"))


def test_a_server_that_falls_silent_in_the_login(tmp_path: Path) -> None:
    """Silence after the key exchange ends at the deadline; a killed server at once."""
    with sshd(tmp_path) as server:
        for act, clause in (
            (signal.SIGSTOP, "did not answer the login within 0.4 s"),
            (signal.SIGKILL, "during the login .*(closed|reset)"),
        ):
            session = ParamikoProver().prove(connected(server), Spot("", 1), Pins(server.keys), LONG)
            mine = server.sessions()
            mine += [child for pid in mine for child in children(pid)]
            for pid in mine:
                os.kill(pid, act)
            with pytest.raises(Unreachable, match=clause):
                session.login(login_at(server), timedelta(seconds=0.4))
            for pid in mine:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
    gone()
