"""`ipwatch where`, run as a user runs it, against real SSH servers and a name server on loopback."""

import contextlib
import io
import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import termios
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ipwatch.cli import main
from ipwatch.core.trouble import Kind
from tests.fakes.dns_server import DnsServer, zone
from tests.fakes.ports import free_port
from tests.fakes.sshd import Sshd, sshd

NAME = "home.example.org"
ZONE = zone({(f"{NAME}.", "A"): ["127.0.0.1"], (f"{NAME}.", "SOA"): ["ns. admin. 17 1 1 1 1"]})


class House(NamedTuple):
    """A configuration and what it names."""

    desktop: Sshd
    config: Path
    server: str


def configuration(folder: Path, server: str, *hosts: str, more: str = "") -> Path:
    path = folder / "laptop.toml"
    home = f'[home]\nnames = ["{NAME}"]\nnameservers = ["{server}"]\ndoh = []\nprobe = ""\n'
    path.write_text(f'{home}{more}\n[state]\npath = "{folder}/state"\n' + "\n".join(hosts))
    path.chmod(0o600)
    return path


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
    with sshd(folder / "desktop") as desktop, DnsServer(ZONE) as ns:
        other = f'lan = "127.0.0.2:{free_port()}"'
        yield House(desktop, configuration(folder, str(ns.endpoint), desktop.toml("desktop", other)), str(ns.endpoint))


class Done(NamedTuple):
    """What a command gave."""

    returncode: int
    stdout: str
    stderr: str


class Screen(io.StringIO):
    """An output that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def where(config: Path, *words: str, out: io.StringIO | None = None, first: Sequence[str] = ()) -> Done:
    """Run it in this process, its output into a pipe (or what is given). first: words before the command."""
    out, err = out or io.StringIO(), io.StringIO()
    before = signal.getsignal(signal.SIGTERM)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = main([*first, "where", "--config", str(config), *words])
    finally:
        signal.signal(signal.SIGTERM, before)
    return Done(status, out.getvalue(), err.getvalue())


def document(config: Path, *words: str) -> tuple[int, Any]:
    done = where(config, "--json", *words)
    return done.returncode, json.loads(done.stdout)


@pytest.fixture(autouse=True)
def colours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever terminal the tests run in."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)


def on_terminal(config: Path, *words: str) -> tuple[int, str]:
    """What a person sees in the end, with its escapes."""
    done = where(config, *words, out=Screen())
    return done.returncode, done.stdout


def at_a_terminal(config: Path, *words: str) -> tuple[int, str]:
    """The program in a terminal of its own: everything a person sees, also meanwhile."""
    command = [sys.executable, "-m", "ipwatch", "where", "--config", str(config), *words]
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 200))
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env={**os.environ, "TERM": "xterm"})
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(ours, 4096):
            shown += part
    except OSError:  # EIO: the other side is gone
        pass
    finally:
        os.close(ours)
    return process.wait(30), shown.decode()


def test_a_fault_of_the_configuration_is_json_as_well(tmp_path: Path) -> None:
    """With --json a configuration at fault is told on standard output as every other trouble is."""
    path = tmp_path / "laptop.toml"
    path.write_text("[home]\nnaems = []\n[[host]]\nname = 3\n")
    status, told = document(path)
    assert (status, told["trouble"], told["exit_status"]) == (2, "configuration", 2)
    assert "did you mean 'names'?" in told["text"]
    assert "host[1].name" in told["text"]


def test_a_configuration_without_hosts(tmp_path: Path) -> None:
    """A laptop.toml that names no host is told as that."""
    path = tmp_path / "laptop.toml"
    path.write_text("")
    path.chmod(0o600)
    done = where(path)
    assert (done.returncode, done.stderr) == (2, f"ipwatch: {path} has no [[host]]\n")


@pytest.mark.parametrize(
    ("name", "value", "coloured"),
    [("TERM", "dumb", False), ("NO_COLOR", "1", False), ("NO_COLOR", "", True)],
)  # fmt: skip
def test_colour_where_it_is_wanted(
    house: House, monkeypatch: pytest.MonkeyPatch, name: str, value: str, coloured: bool
) -> None:
    """A dumb terminal gets no escapes, and NO_COLOR counts when it is set to something (no-color.org)."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv(name, value)
    _, text = on_terminal(house.config, "--no-proof", "desktop")
    assert ("\033[" in text) is coloured


def test_in_a_pipe_the_proved_address_stands_first(house: House) -> None:
    """In a pipe each claim is one line of tab-separated fields, the proved candidate's first; exit status 0."""
    done = where(house.config, "desktop")
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stderr
    assert rows[0][:6] == ["desktop", "127.0.0.1", str(house.desktop.port), "proved", "zone", house.server]
    assert rows[0][6] == "now"
    assert "serial 17, TTL 60 s" in rows[0][7]
    assert house.desktop.keys[0].fingerprint in rows[0][7]
    assert ["closed", "lan", "laptop.toml"] in [row[3:6] for row in rows]
    assert all(len(row) == 8 for row in rows)


def test_quiet_gives_the_address_alone(house: House) -> None:
    """With --quiet and a host nothing but the proved address is printed; for all hosts each has its name before it."""
    assert where(house.config, "-q", "desktop").stdout == "127.0.0.1\n"
    assert where(house.config, "-q").stdout == "desktop 127.0.0.1\n"
    assert where(house.config, "desktop", first=("-q",)).stdout == "127.0.0.1\n"


def test_json_is_complete(house: House) -> None:
    """--json holds address, port, fingerprint, every candidate with its verdict, and every claim with its age."""
    status, found = document(house.config)
    (one,) = found["hosts"]
    assert status == one["exit_status"] == 0
    assert (one["address"], one["port"], one["trouble"]) == ("127.0.0.1", house.desktop.port, None)
    assert one["fingerprint"] == house.desktop.keys[0].fingerprint
    assert {candidate["verdict"] for candidate in one["candidates"]} == {"proved", "closed"}
    claims = [claim for candidate in one["candidates"] for claim in candidate["claims"] if claim["way"] == "zone"]
    assert [(claim["who"], claim["age_seconds"] < 30) for claim in claims] == [(house.server, True)]


def test_a_terminal_shows_a_table_and_what_goes_on(house: House) -> None:
    """A person sees how far it is, then the proved address in green and an aligned table of who said what."""
    status, shown = at_a_terminal(house.config)
    assert status == 0
    assert "asking where the house is" in shown
    assert f"\033[32mdesktop is at 127.0.0.1:{house.desktop.port}\033[0m, proved by ssh-ed25519 SHA256:" in shown
    text = re.sub(r"\033\[\d*[mK]", "", shown)
    assert re.search(r"said by +when", text)
    assert re.search(rf"proved +zone +{house.server} +now \(serial 17, TTL 60 s\)", text)
    assert "closed, connection refused" in text


def test_ctrl_c_leaves_the_line_to_the_prompt(house: House, tmp_path: Path) -> None:
    """Ctrl-C while a status is shown takes it away, so that the shell's prompt does not stand behind it."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        host = house.desktop.toml("desktop").replace(f"port = {house.desktop.port}", f"port = {port}")
        config = configuration(tmp_path, house.server, host)
        command = [sys.executable, "-m", "ipwatch", "where", "--config", str(config)]
        pid, terminal = pty.fork()
        if not pid:
            os.execve(sys.executable, command, {**os.environ, "TERM": "xterm"})
        shown = b""
        with contextlib.suppress(OSError):  # EIO: the other side is gone
            while part := os.read(terminal, 4096):
                shown += part
                if b"its key is asked for" in shown and b"^C" not in shown:
                    os.write(terminal, b"\x03")
        os.close(terminal)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 130
    assert shown.endswith(b"^C\r\x1b[K"), shown


def test_a_proof_is_remembered_with_its_age(house: House) -> None:
    """After a proof the memory is one more voice, with the age of the proof."""
    where(house.config)
    _, found = document(house.config)
    claims = [claim for candidate in found["hosts"][0]["candidates"] for claim in candidate["claims"]]
    assert any(claim["way"] == "proved" and claim["who"] == "memory" and claim["at"] for claim in claims)
    _, shown = on_terminal(house.config, "desktop")
    assert re.search(r"memory +memory +\d+ (s|min) ago", shown)


def test_without_proof_nobody_is_dialled(house: House) -> None:
    """--no-proof shows the claims and connects to nobody; an address that is known is exit status 0."""
    before = house.desktop.said().count("Connection from")
    done = where(house.config, "--no-proof")
    assert done.returncode == 0
    assert f"desktop\t127.0.0.1\t{house.desktop.port}\tunproved\tzone" in done.stdout
    assert house.desktop.said().count("Connection from") == before
    assert "\033[31mdesktop is not proved anywhere" in on_terminal(house.config, "--no-proof")[1]


def test_without_pins_the_claims_are_shown(house: House, tmp_path: Path) -> None:
    """With no key pinned the claims are shown, and that nothing can be proved until `ipwatch trust`; status 15."""
    config = configuration(tmp_path, house.server, house.desktop.toml("desktop", pinned=False))
    done = where(config, "desktop")
    assert done.returncode == Kind.NOT_PINNED
    assert f"desktop\t127.0.0.1\t{house.desktop.port}\tunproved\tzone" in done.stdout
    assert "run `ipwatch trust desktop`" in done.stderr


def test_a_stranger_is_named(house: House, tmp_path: Path) -> None:
    """Another machine at the address is told with its fingerprint, in the line, in JSON and in red; status 16."""
    with sshd(tmp_path / "stranger") as stranger:
        own = house.desktop.toml("desktop").replace(f"port = {house.desktop.port}", f"port = {stranger.port}")
        config = configuration(tmp_path, house.server, own)
        done = where(config)
        status, found = document(config)
        shown = on_terminal(config)[1]
    fingerprint = stranger.keys[0].fingerprint
    assert done.returncode == status == Kind.STRANGER
    assert done.stdout.split("\t")[3] == "stranger"
    assert fingerprint in done.stdout
    assert fingerprint in done.stderr
    assert [one["fingerprint"] for one in found["hosts"][0]["candidates"]] == [fingerprint]
    assert (found["hosts"][0]["address"], found["hosts"][0]["trouble"]) == (None, "stranger")
    assert f"\033[31mstranger, ssh-ed25519 {fingerprint}" in shown


def test_every_host_is_shown_and_the_first_trouble_counts(house: House, tmp_path: Path) -> None:
    """Without a HOST all are shown, the name asked for once; the exit status is that of the first that failed."""
    with DnsServer(ZONE) as ns:
        closed = f'[[host]]\nname = "nas"\nport = {free_port()}\nkeys = ["{house.desktop.keys[0].text}"]\n'
        config = configuration(tmp_path, str(ns.endpoint), house.desktop.toml("desktop"), closed)
        done = where(config)
        assert len(ns.queries) == 3
        assert on_terminal(config)[1].count("said by") == 2
    assert done.returncode == Kind.UNREACHABLE
    assert "proved" in done.stdout
    assert re.search(r"nas\t127\.0\.0\.1\t\d+\tclosed\tzone\t.*connection refused", done.stdout)
    assert "nothing answers at 127.0.0.1" in done.stderr


def test_nobody_knows_an_address(house: House, tmp_path: Path) -> None:
    """When no way gives an address, each says why, and the status is 10."""
    with DnsServer(zone({})) as ns:
        config = configuration(tmp_path, str(ns.endpoint), house.desktop.toml("desktop"))
        done = where(config)
        shown = on_terminal(config)[1]
    assert done.returncode == Kind.NO_ADDRESS
    assert f"desktop\t-\t-\tsilent\tzone\t{ns.endpoint}\tnow\t" in done.stdout
    assert f"{NAME} does not exist, says {ns.endpoint}" in done.stderr
    assert f"- {ns.endpoint}: {NAME} does not exist" in shown


def test_a_host_that_is_not_configured(house: House, tmp_path: Path) -> None:
    """An unknown host, and a configuration without any, end with status 2 and what there is."""
    done = where(house.config, "toaster")
    assert done.returncode == Kind.CONFIGURATION
    assert "no host is called toaster" in done.stderr
    empty = where(configuration(tmp_path, house.server))
    assert empty.returncode == Kind.CONFIGURATION
    assert "has no [[host]]" in empty.stderr
