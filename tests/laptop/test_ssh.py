"""`ipwatch ssh`, as typed, against real servers."""

import os
import pty
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from ipwatch.core.trouble import Kind, Trouble
from ipwatch.laptop.ssh import ssh
from ipwatch.ports.remote import Destination, Sent
from ipwatch.settings.laptop_model import Host, Wake
from tests.fakes.laptop_world import laptop_world, said
from tests.fakes.ports import free_port
from tests.fakes.sshd import Sshd, make_key, sshd

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with sshd(tmp_path_factory.mktemp("sshd")) as running:
        yield running


class Laptop:
    """A folder with a laptop.toml; commands are run in it."""

    def __init__(self, folder: Path, toml: str) -> None:
        self.folder = folder
        (folder / "laptop.toml").write_text(f'[home]\nnames = ["127.0.0.1"]\n\n{toml}')
        self.environ = {**os.environ, "IPWATCH_LAPTOP_STATE": str(folder / "state"), "TERM": "dumb"}
        self.environ.pop("SSH_AUTH_SOCK", None)

    def argv(self, words: Sequence[str]) -> list[str]:
        return [sys.executable, "-m", "ipwatch", "--config", str(self.folder / "laptop.toml"), *words]

    def run(self, *words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            self.argv(words),
            input=stdin,
            capture_output=True,
            timeout=30,
            check=False,
            env=self.environ,
            cwd=self.folder,
        )


def errors(done: subprocess.CompletedProcess[bytes]) -> str:
    """What it wrote for people, without what the test's own server sends at LogLevel DEBUG1."""
    return re.sub(r"debug1: [^\n]*\n", "", done.stderr.decode().replace("\r", ""))


def test_options_of_ssh_may_stand_before_the_host(tmp_path: Path, server: Sshd) -> None:
    """`ipwatch ssh -T -o NAME=VALUE HOST COMMAND` is what `ssh` with the same words is."""
    laptop = Laptop(tmp_path, server.toml("desktop"))
    done = laptop.run("ssh", "-T", "-o", "SetEnv=LC_X=1", "desktop", "echo", "-n", "in; exit 4")
    assert (done.returncode, done.stdout) == (4, b"in"), errors(done)


def test_output_input_and_exit_status_pass(tmp_path: Path, server: Sshd) -> None:
    """Standard input reaches the command, its output alone stands on standard output, its exit status is ours."""
    laptop = Laptop(tmp_path, server.toml("desktop"))
    done = laptop.run("ssh", "desktop", "cat; echo fault >&2; exit 7", stdin=b"\0in\xff")
    assert (done.returncode, done.stdout) == (7, b"\0in\xff")
    assert "fault\n" in errors(done)
    assert laptop.run("ssh", "-q", "desktop", "printf", "'a  b'").stdout == b"a  b"


def test_options_of_ssh_before_the_command_are_passed(tmp_path: Path, server: Sshd) -> None:
    """`-L`, `-o` and `--` are ssh's; the pins stay in force whatever they say."""
    laptop = Laptop(tmp_path, server.toml("desktop"))
    port = free_port()
    asked = f"ssh-keyscan -p {port} 127.0.0.1 2>/dev/null | wc -l"
    words = ("-T", "-L", f"{port}:127.0.0.1:{server.port}", "-oUserKnownHostsFile=/dev/null", "--")
    done = laptop.run("ssh", "desktop", *words, asked)
    assert (done.returncode, done.stdout.strip()) == (0, b"1")


def test_pins_of_trust_are_enough(tmp_path: Path, server: Sshd) -> None:
    """Keys pinned by `ipwatch trust` prove it, as those of laptop.toml do."""
    laptop = Laptop(tmp_path, server.toml("desktop", pinned=False))
    assert laptop.run("ssh", "desktop", "true").returncode == Kind.NOT_PINNED
    from ipwatch.laptop.memory import Memory

    Memory(tmp_path / "state").pin("desktop", server.keys)
    assert laptop.run("ssh", "desktop", "true").returncode == 0


def test_stranger_gets_no_user_name(tmp_path: Path, server: Sshd) -> None:
    """A machine with another key is refused with a sentence, and its log shows no user name."""
    keys = ", ".join(f'"{key.text}"' for key in server.keys)
    with sshd(tmp_path / "other") as other:
        laptop = Laptop(
            tmp_path, f'[[host]]\nname = "desktop"\nuser = "anna77"\nport = {other.port}\nkeys = [{keys}]\n'
        )
        done = laptop.run("ssh", "desktop", "true")
        assert done.returncode == Kind.STRANGER
        assert "anna77" not in other.said()
    assert done.stdout == b""
    assert other.keys[0].fingerprint in errors(done)
    assert "Traceback" not in errors(done)


def test_refused_login_is_told_by_ssh(tmp_path: Path, server: Sshd) -> None:
    """A wrong user ends with ssh's own words and status 255."""
    toml = server.toml("desktop").replace(f'user = "{server.user}"', 'user = "nobody77"')
    done = Laptop(tmp_path, toml).run("ssh", "desktop", "true")
    assert (done.returncode, done.stdout) == (255, b"")
    assert "Permission denied (publickey)" in errors(done)


def test_a_user_among_the_options_wins(tmp_path: Path, server: Sshd) -> None:
    """`-l` after the host's name is heard."""
    toml = server.toml("desktop").replace(f'user = "{server.user}"', 'user = "nobody77"')
    assert Laptop(tmp_path, toml).run("ssh", "desktop", "-l", server.user, "true").returncode == 0


def test_identity_that_does_not_exist_is_named(tmp_path: Path, server: Sshd) -> None:
    """A missing key ends in a sentence with its path before anything is dialled."""
    toml = server.toml("desktop").replace(str(server.identity), f"{tmp_path}/none")
    done = Laptop(tmp_path, toml).run("ssh", "desktop", "true")
    assert done.returncode == Kind.CONFIGURATION
    assert f"{tmp_path}/none, does not exist" in errors(done)


def test_closed_port_ends_in_a_sentence(tmp_path: Path, server: Sshd) -> None:
    """With nothing behind the port: one sentence, its own status, nothing on standard output."""
    toml = server.toml("desktop").replace(str(server.port), str(free_port()))
    done = Laptop(tmp_path, toml).run("ssh", "desktop", "true")
    assert (done.returncode, done.stdout) == (Kind.UNREACHABLE, b"")
    assert "Traceback" not in errors(done)


def test_unknown_host_names_those_there_are(tmp_path: Path, server: Sshd) -> None:
    """A host that is not configured is answered with the names that are."""
    done = Laptop(tmp_path, server.toml("desktop")).run("ssh", "dekstop")
    assert done.returncode == Kind.CONFIGURATION
    assert "desktop" in errors(done)


def test_a_machine_without_ssh_says_so(tmp_path: Path, server: Sshd) -> None:
    """Without the program: one sentence that says how to get it."""
    laptop = Laptop(tmp_path, server.toml("desktop"))
    laptop.environ["PATH"] = str(tmp_path)
    done = laptop.run("ssh", "desktop", "true")
    assert done.returncode == Kind.CONFIGURATION
    assert "there is no ssh on this machine" in errors(done)


@pytest.mark.skipif(os.geteuid() != 0, reason="the sshd of an ordinary user may not own a terminal (chown of /dev/pts)")
def test_terminal_is_handed_over(tmp_path: Path, server: Sshd) -> None:
    """A passphrase is asked for at the terminal, the far end has a terminal, and the exit status passes."""
    key = make_key(tmp_path / "locked", passphrase="open sesame")
    toml = server.toml("desktop").replace(str(server.identity), str(key))
    authorized = server.folder / "authorized_keys"
    before = authorized.read_text()
    authorized.write_text(before + Path(f"{key}.pub").read_text())
    try:
        talk = Talk(Laptop(tmp_path, toml), "ssh", "desktop", "-t", "tty; exit 5")
        talk.expect("passphrase")
        talk.type("open sesame\n")
        talk.expect("/dev/pts/")
        assert talk.end() == 5
    finally:
        authorized.write_text(before)


class Talk:
    """A command at a terminal of its own."""

    def __init__(self, laptop: Laptop, *words: str) -> None:
        self.said = ""
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            try:
                os.chdir(laptop.folder)
                os.execve(sys.executable, laptop.argv(words), laptop.environ)
            finally:
                os._exit(99)

    def expect(self, text: str) -> None:
        end = time.monotonic() + 20
        while text not in self.said:
            assert time.monotonic() < end, self.said
            try:
                self.said += os.read(self.terminal, 4096).decode("utf-8", "replace")
            except OSError:
                raise AssertionError(self.said) from None

    def type(self, text: str) -> None:
        os.write(self.terminal, text.encode())

    def end(self) -> int:
        """The exit status."""
        try:
            while os.read(self.terminal, 4096):
                pass
        except OSError:
            pass
        os.close(self.terminal)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def test_stranger_on_the_way_is_told_and_skipped(tmp_path: Path, server: Sshd) -> None:
    """A machine with another key at one address is named, and ssh goes to the one that proved itself."""
    with sshd(tmp_path / "other", ip="127.0.0.2", port=server.port) as other:
        host = Host("desktop", port=server.port, names=("127.0.0.2", "127.0.0.1"), keys=server.keys,
                    identity=(server.identity,))  # fmt: skip
        world = laptop_world(tmp_path, host)
        ran: list[Sequence[str]] = []
        for _ in range(2):
            assert ssh(world, host, ["-vl", "bob", "true"], lambda _program, words: ran.append(words) or 0) == 0
    assert f"another machine is at 127.0.0.2:{other.port}: its host key is" in said(world)
    assert "HostName=127.0.0.1" in ran[1]
    assert "-l" not in ran[1]
    assert ran[1][-3:] == ["--", "desktop", "true"]


def test_state_that_can_not_be_written_is_told(tmp_path: Path, server: Sshd) -> None:
    """A file in the place of the folder of pins ends in a sentence."""
    host = Host("desktop", port=server.port, names=("127.0.0.1",), keys=server.keys, identity=(server.identity,))
    world = laptop_world(tmp_path, host)
    world.memory.folder.mkdir()
    (world.memory.folder / "pins").write_text("")
    with pytest.raises(Trouble, match="can not be written"):
        ssh(world, host, [], lambda _program, _words: 0)


def test_pins_that_can_not_be_replaced_leave_nothing_behind(tmp_path: Path, server: Sshd) -> None:
    """When the file for ssh can not be written, no half of one stays in the folder of pins."""
    host = Host("desktop", port=server.port, names=("127.0.0.1",), keys=server.keys, identity=(server.identity,))
    world = laptop_world(tmp_path, host)
    (world.memory.folder / "pins" / "desktop" / "full").mkdir(parents=True)
    with pytest.raises(Trouble, match="can not be written"):
        ssh(world, host, [], lambda _program, _words: 0)
    assert [path.name for path in (world.memory.folder / "pins").iterdir()] == ["desktop"]


class Switch:
    """A waker whose packet switches the machine on."""

    def __init__(self, machine: Sshd) -> None:
        self.machine = machine

    def wake(self, mac: str, secureon: bytes, destinations: Sequence[Destination]) -> Sequence[Sent]:
        if self.machine.process is None:
            self.machine.start()
        return [Sent(destination) for destination in destinations]


def test_host_that_sleeps_is_woken_first(tmp_path: Path) -> None:
    """When nothing answers and a wake is configured, it is woken, and ssh goes where it then answers."""
    machine = Sshd(tmp_path / "machine")
    host = Host("desktop", port=machine.port, names=("127.0.0.1",), keys=machine.keys, identity=(machine.identity,),
                mac="aa:bb:cc:dd:ee:ff", wake=Wake(via="direct"))  # fmt: skip
    ran: list[Sequence[str]] = []
    try:
        world = laptop_world(tmp_path, host, waker=Switch(machine))
        assert ssh(world, host, ["-v", "true"], lambda _program, words: ran.append(words) or 3) == 3
    finally:
        machine.stop()
    assert "HostName=127.0.0.1" in ran[0]
    assert ran[0][-3:] == ["--", "desktop", "true"]
