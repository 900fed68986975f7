"""`ipwatch doctor` with real SSH servers, on whose PATH stand an ethtool, an nmcli and a sudo of the test's own."""

import json
import os
import pty
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stdout, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ipwatch.cli import main
from ipwatch.cli.parser import build
from ipwatch.core.candidate import Claim, Spot, Way
from ipwatch.core.doctor import Finding, Verdict
from ipwatch.laptop.doctor import examine
from ipwatch.laptop.find import Finder, Sight
from ipwatch.ports import Completed, Unreachable
from ipwatch.settings.laptop_model import Host, Wake
from tests.fakes.laptop_world import laptop_world
from tests.fakes.sleeper import trouble_of
from tests.fakes.sshd import Sshd, make_key
from tests.fakes.waiting import wait

OK, WARN, BAD, UNKNOWN = Verdict.OK, Verdict.WARN, Verdict.BAD, Verdict.UNKNOWN
MAC = "02:00:00:00:00:01"  # what lo has here, which has the address of the server; really zeros, which wake nobody
OTHER = "aa:bb:cc:dd:ee:ff"
SECRET = "s3cr3t-t0ken"
MAGIC = '*GENERAL.CONNECTION*) echo "Wired";; *wake-on-lan*) echo magic;;'


class House:
    """A desktop and the nas that wakes it, with programs of the test's own before the system's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.nas, self.desktop = (self._server(name) for name in ("nas", "desktop"))
        self.program("desktop", "cat", f'case $1 in */lo/address) echo {MAC};; *) exec /bin/cat "$@";; esac')

    def _server(self, name: str) -> Sshd:
        (self.folder / f"{name}-bin").mkdir()
        server = Sshd(self.folder / name, forwarding=name != "nas", options=self._path(name))
        server.config.write_text(server.config.read_text().replace("LogLevel DEBUG1", "LogLevel VERBOSE"))
        return server.start()

    def _path(self, name: str) -> str:
        home = self.folder / f"{name}-home"
        return f"SetEnv PATH={self.folder / f'{name}-bin'}:/usr/bin:/bin HOME={home}"

    def program(self, host: str, name: str, text: str) -> Path:
        """Put a program there."""
        path = self.folder / f"{host}-bin" / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return path

    def hosts(self, **more: Any) -> list[Host]:
        """The two of laptop.toml."""
        nas, desktop = (self._host(name, server) for name, server in (("nas", self.nas), ("desktop", self.desktop)))
        way = Wake("nas", "sudo -n synonet --wake {mac} lo")
        known = {"lan": Spot("127.0.0.1", self.desktop.port), "mac": MAC, "wake": way}
        return [nas, desktop._replace(**(known | more))]

    def _host(self, name: str, server: Sshd) -> Host:
        return Host(name, server.user, server.port, names=("127.0.0.1",), identity=(server.identity,), keys=server.keys)

    def findings(self, *hosts: Host, wake: bool = False) -> list[Finding]:
        """What is found."""
        world = laptop_world(self.folder, *(self.hosts()[:1]), *hosts)
        try:
            return list(examine(world, hosts, wake=wake, tell=lambda _text: None))
        finally:
            world.http.close()  # type: ignore[attr-defined]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    try:
        yield made
    finally:
        made.nas.stop()
        made.desktop.stop()


def of(findings: list[Finding], host: str) -> dict[str, Finding]:
    """By check; of several of one check the worst."""
    made: dict[str, Finding] = {}
    for one in (one for one in findings if one.host == host):
        if one.check not in made or one.verdict is not OK:
            made[one.check] = one
    return made


def well(house: House) -> None:
    """Everything as it should be."""
    house.program("desktop", "ethtool", 'printf "\\tSupports Wake-on: pumbg\\n\\tWake-on: g\\n"')
    house.program("desktop", "nmcli", f"case $* in {MAGIC} esac")
    house.program("desktop", "systemd-inhibit", f'echo "$*" >> {house.folder}/inhibit')
    house.program("desktop", "sshd", "echo passwordauthentication no; echo clientaliveinterval 15")
    house.program("desktop", "jupyter", f"echo ran >> {house.folder}/jupyter")
    streamlit = house.folder / "desktop-home/.venv/bin/streamlit"
    streamlit.parent.mkdir(parents=True)
    streamlit.symlink_to("/bin/true")
    house.program("nas", "sshd", "echo allowtcpforwarding no; echo passwordauthentication no")
    house.program("nas", "synonet", f"echo ran >> {house.folder}/synonet")
    rule = f"(root) NOPASSWD: {house.folder}/nas-bin/synonet"
    house.program("nas", "sudo", f'echo "$*" >> {house.folder}/sudo; echo "{rule}"')


def test_all_well(house: House) -> None:
    """A house as it should be has no finding but good ones; nothing of it was run but questions."""
    well(house)
    findings = house.findings(*house.hosts(keep_awake=True))
    assert {one.verdict for one in findings} == {OK}, [one for one in findings if one.verdict is not OK]
    desktop = of(findings, "desktop")
    assert desktop["login"].text == f"{house.desktop.user} gets in"
    assert desktop["card"].text == f"lo has its lan address; its MAC address is {MAC} as laptop.toml says"
    assert desktop["wake-on-lan"].text == "lo waits for magic packets (Wake-on: g)"
    assert desktop["wake-on-lan lasts"].text == "NetworkManager's connection 'Wired' switches it on at each start"
    assert desktop["apps"].text.startswith("for `ipwatch open` there is jupyter, streamlit")
    assert [name for name in ("synonet", "jupyter") if (house.folder / name).exists()] == []
    asked = (house.folder / "sudo").read_text().splitlines()
    assert asked == [f"-n -l synonet --wake {MAC} lo", "-n -l"]
    assert (house.folder / "inhibit").read_text() == "--list\n"


def test_what_is_not_well(house: House) -> None:
    """Each fault is found, with what mends it."""
    well(house)
    house.program("desktop", "ethtool", 'printf "\\tSupports Wake-on: pumbg\\n\\tWake-on: d\\n"')
    house.program("desktop", "nmcli", f"case $* in {MAGIC.replace('magic', 'default')} esac")
    house.program("desktop", "sshd", "echo passwordauthentication yes")
    house.program("nas", "sudo", "echo sudo: a password is required >&2; exit 1")
    findings = of(house.findings(*house.hosts(mac=OTHER)), "desktop")
    assert {check: one.verdict for check, one in findings.items() if one.verdict is not OK} == {
        "card": BAD, "wake-on-lan": BAD, "wake-on-lan lasts": WARN, "passwords": WARN, "wake, sudo": BAD,
    }  # fmt: skip
    assert findings["wake-on-lan"].mend == "there: sudo ethtool -s lo wol g"
    rule = rf"{house.nas.user} ALL=(root) NOPASSWD: {house.folder}/nas-bin/synonet --wake aa\:bb\:cc\:dd\:ee\:ff lo"
    assert findings["wake, sudo"].mend.endswith(rule)


def test_programs_that_hang_or_are_missing(house: House) -> None:
    """A program there that does not end is given up, and the rest is known; what is missing is unknown."""
    house.program("desktop", "nmcli", "exec sleep 60")
    desktop = of(house.findings(house.hosts()[1]), "desktop")
    assert (desktop["wake-on-lan"].verdict, desktop["apps"].verdict, "look" in desktop) == (UNKNOWN, OK, False)
    assert desktop["wake"].text == "nas has no synonet"
    assert desktop["wake, sudo"].verdict is BAD


def test_asleep(house: House) -> None:
    """A host that can be woken and does not answer is asleep: not a fault, and it is not woken unless one asks."""
    well(house)
    house.desktop.stop()
    findings = house.findings(house.hosts()[1])
    desktop = of(findings, "desktop")
    assert (desktop["proof"].verdict, desktop["proof"].mend) == (UNKNOWN, "ipwatch doctor desktop --wake")
    assert BAD not in {one.verdict for one in findings}
    assert ("login" in desktop, desktop["wake, sudo"].verdict) == (False, OK)
    assert not (house.folder / "synonet").exists()


def test_wake(house: House) -> None:
    """With --wake it is woken through its way, and then looked at."""
    well(house)
    command = house.program("nas", "wake", f"touch {house.folder}/woken")
    house.desktop.stop()
    woken = threading.Event()

    def sleep() -> None:
        while not woken.wait(0.1):
            if (house.folder / "woken").exists():
                house.desktop.start()
                return

    sleeper = threading.Thread(target=sleep)
    sleeper.start()
    try:
        findings = house.findings(house.hosts(mac=OTHER, wake=Wake("nas", str(command)))[1], wake=True)
    finally:
        woken.set()
        sleeper.join()
    desktop = of(findings, "desktop")
    assert (desktop["proof"].verdict, desktop["login"].verdict, desktop["wake-on-lan"].verdict) == (OK, OK, OK)


def test_wake_fails(house: House) -> None:
    """A wake that fails is told with its reason; the rest of the host stays unknown."""
    house.desktop.stop()
    desktop = of(house.findings(house.hosts(mac=OTHER, wake=Wake("nas", "exit 3"))[1], wake=True), "desktop")
    assert (desktop["proof"].verdict, "ended with status 3" in desktop["proof"].text) == (BAD, True)
    assert "login" not in desktop


def test_not_let_in(house: House) -> None:
    """A refused key is told, and that ssh would refuse a key everybody may read; so is the way to a nas that is off."""
    other = make_key(house.folder / "other")
    other.chmod(0o644)
    house.nas.stop()
    desktop = of(house.findings(house.hosts(identity=(other,))[1]), "desktop")
    assert (desktop["your keys"].mend, desktop["login"].verdict) == (f"chmod 600 {other}", BAD)
    assert "authorized_keys" in desktop["login"].mend
    assert (desktop["wake"].verdict, desktop["wake"].mend) == (BAD, "ipwatch doctor nas")
    assert of(house.findings(house.hosts(identity=(house.folder / "none",))[1]), "desktop")["your keys"].verdict is BAD


def test_windows(house: House) -> None:
    """Where no sh runs but cmd does, what can not be seen is told with where to look; where neither does, that."""
    house.program("desktop", "sh", "echo \"'sh' is not recognized as a command\" >&2; exit 1")
    desktop = of(house.findings(house.hosts()[1]), "desktop")
    assert (desktop["look"].verdict, "'sh' is not recognized" in desktop["look"].text) == (UNKNOWN, True)
    house.program("desktop", "cmd", 'echo; echo "Microsoft Windows [Version 10.0.22631.4460]"')
    desktop = of(house.findings(house.hosts()[1]), "desktop")
    assert desktop["system"].text == "Microsoft Windows [Version 10.0.22631.4460]"
    assert (desktop["wake-on-lan"].verdict, "card" in desktop) == (UNKNOWN, False)


def test_macos(house: House) -> None:
    """On a Mac its own programs are asked."""
    house.program("desktop", "uname", "case $1 in -s) echo Darwin;; *) echo 23.1;; esac")
    house.program("desktop", "sw_vers", "echo 14.1")
    house.program("desktop", "ifconfig", 'case $1 in -l) echo lo0 en0;; en0) printf "\\tether 02:00:00:00:00:01 \\n'
                  '\\tinet 127.0.0.1 netmask 0xff000000\\n";; esac')  # fmt: skip
    house.program("desktop", "networksetup", 'printf "Hardware Port: Wi-Fi\\nDevice: en1\\n"')
    house.program("desktop", "pmset", 'echo " womp                 0"')
    desktop = of(house.findings(house.hosts()[1]), "desktop")
    assert desktop["system"].text == "macOS 14.1, Darwin 23.1"
    assert desktop["card"].text.startswith(f"en0 has its lan address; its MAC address is {MAC}")
    assert (desktop["wake-on-lan"].verdict, desktop["wake-on-lan"].mend) == (BAD, "there: sudo pmset -a womp 1")
    assert "wired" not in desktop


def test_the_other_ways_to_wake(house: House) -> None:
    """Directly: whether this machine is in its network. By URL: not tried, and its token is not told."""
    direct, hook = Wake("direct"), Wake(url=f"https://home.example.org/?token={SECRET}")
    assert of(house.findings(house.hosts(wake=direct)[1]), "desktop")["wake"].verdict is OK
    assert of(house.findings(house.hosts(wake=direct, lan=None)[1]), "desktop")["wake"].verdict is UNKNOWN
    findings = house.findings(house.hosts(wake=hook)[1])
    assert of(findings, "desktop")["wake"].verdict is UNKNOWN
    assert SECRET not in str(findings)


def test_nothing_pinned_and_nothing_said(house: House) -> None:
    """Without pins nothing is dialled; the openssh engine is named where there is no ssh."""
    (bare,) = [host._replace(keys=()) for host in house.hosts()[:1]]
    nas = of(house.findings(bare), "nas")
    assert (nas["host keys"].verdict, nas["host keys"].mend, "proof" in nas) == (BAD, "ipwatch trust nas", False)


class Nothing:
    """A machine without ssh and ssh-add: no program of that name can be started."""

    def run(self, argv: Sequence[str], within: timedelta, **_: Any) -> Completed:
        raise Unreachable(f"{Path(argv[0]).name} can not be started: no such file or directory")


class Telling(Finder):
    """Sees something in passing."""

    def survey(self, hosts: Sequence[Host], within: timedelta, tell: Callable[[Host, Sight], None], **more: Any) -> Any:
        for _ in range(2):
            tell(hosts[0], Sight("note", text="this network answers DNS in everybody's place"))
        tell(hosts[0], Sight("silent", claim=Claim(Way.ZONE, "ns1"), text="ns1 does not answer"))
        return super().survey(hosts, within, tell, **more)


def test_a_poor_laptop(house: House) -> None:
    """No ssh, a network that forges DNS, a name nobody knows: each has its line; the login works all the same."""
    (nas,) = house.hosts()[:1]
    nas = nas._replace(names=("home.invalid",), lan=Spot("127.0.0.1", house.nas.port), engine="paramiko")
    world = laptop_world(house.folder, nas, finder=Telling, commands=Nothing())
    try:
        findings = list(examine(world, [nas], wake=False, tell=lambda _text: None))
    finally:
        world.http.close()  # type: ignore[attr-defined]
    laptop, found = of(findings, "laptop"), of(findings, "nas")
    assert (laptop["ssh"].verdict, laptop["network"].verdict) == (WARN, WARN)
    assert sum(one.check == "network" for one in findings) == 1
    assert (found["address"].verdict, "ns1 does not answer" in found["address"].text) == (BAD, True)
    assert found["login"].verdict is OK


def test_an_agent(
    house: House, config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An agent that does not answer is a warning; the keys of one that does are counted."""
    well(house)

    def keys(agent: str) -> list[dict[str, str]]:
        monkeypatch.setenv("SSH_AUTH_SOCK", agent)
        assert main(["--config", str(config), "doctor", "nas", "--json"]) == 0
        return [one for one in json.loads(capsys.readouterr().out)["findings"] if one["check"] == "your keys"]

    assert [one["verdict"] for one in keys(str(house.folder / "none"))] == ["warn", "ok"]
    path = house.folder / "agent"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.DEVNULL)
    try:
        assert wait(path.exists)
        environ = {**os.environ, "SSH_AUTH_SOCK": str(path)}
        subprocess.run(["ssh-add", "-q", house.nas.identity], env=environ, check=True)
        assert keys(str(path))[0]["text"].endswith(", 1 in the agent")
    finally:
        agent.terminate()
        agent.wait(10)


def test_a_nas_without_a_shell(house: House) -> None:
    """What it can do is not known; that is told as a fault of the way."""
    house.program("nas", "sh", "echo nothing here; exit 1")
    wake = of(house.findings(house.hosts()[1]), "desktop")["wake"]
    assert wake.text.endswith("can not be asked: no POSIX shell runs there (nothing here)")


def test_interrupted(house: House) -> None:
    """Ctrl-C ends it at once."""
    world = laptop_world(house.folder, *house.hosts())
    world.ending.set()
    kind, _ = trouble_of(lambda: list(examine(world, house.hosts(), wake=True, tell=lambda _text: None)))
    assert kind.name == "INTERRUPTED"
    world.http.close()  # type: ignore[attr-defined]


# The command.


@pytest.fixture
def config(house: House) -> Path:
    """A laptop.toml of the two."""
    path = house.folder / "laptop.toml"
    more = (
        f'lan = "127.0.0.1:{house.desktop.port}"\nmac = "{MAC}"\nwake = {{ via = "nas", command = "synonet {{mac}}" }}'
    )
    home = f'[home]\nnames = ["127.0.0.1"]\ndoh = []\nprobe = ""\n[state]\npath = "{house.folder}/state"\n'
    path.write_text(home + house.nas.toml("nas") + house.desktop.toml("desktop", more))
    path.chmod(0o600)
    return path


def test_the_command(house: House, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line for each finding, exit status 0 when nothing is bad and 1 when something is; --quiet leaves out the good
    ones; JSON has them all."""
    well(house)
    assert main(["--config", str(config), "doctor", "desktop"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert all(line.split("\t")[0] in {"laptop", "desktop"} for line in out)
    assert "desktop\tok\twake-on-lan\tlo waits for magic packets (Wake-on: g)" in out
    house.program("desktop", "ethtool", 'printf "Wake-on: d\\n"')
    assert main(["--config", str(config), "doctor", "-q"]) == 1
    assert capsys.readouterr().out == (
        "desktop\tbad\twake-on-lan\tlo does not wait for magic packets (Wake-on: d)\tthere: sudo ethtool -s lo wol g\n"
    )
    assert main(["--config", str(config), "doctor", "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert (document["verdict"], document["exit_status"]) == ("bad", 1)
    assert {one["host"] for one in document["findings"]} == {"laptop", "nas", "desktop"}
    assert {"host", "check", "verdict", "text", "mend"} == set(document["findings"][0])


def test_without_a_host(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """There is nothing to look at, and a name that is none is told with those there are."""
    path = tmp_path / "laptop.toml"
    path.write_text('[home]\nnames = ["home.example.org"]\n')
    path.chmod(0o600)
    assert main(["--config", str(path), "doctor"]) == 2
    assert main(["--config", str(path), "doctor", "desktop"]) == 2
    assert "has no [[host]]" in capsys.readouterr().err


def test_on_a_terminal(house: House, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table in colour for each host, and beneath it what is to be done."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    well(house)
    house.program("desktop", "ethtool", 'printf "Wake-on: d\\n"')
    far, near = pty.openpty()
    shown = bytearray()

    def read() -> None:
        with suppress(OSError):  # EIO: the other end is closed (pty(7))
            while piece := os.read(far, 65536):
                shown.extend(piece)

    reader = threading.Thread(target=read)
    reader.start()
    with os.fdopen(near, "w") as terminal, redirect_stdout(terminal):
        assert main(["--config", str(config), "doctor"]) == 1
    reader.join(10)
    os.close(far)
    text = shown.decode()
    assert "\033[31mbad\033[0m" in text
    assert "\033[32mok\033[0m" in text
    assert "  wake-on-lan: there: sudo ethtool -s lo wol g\r\n" in text


def test_it_is_among_the_commands() -> None:
    """With its options."""
    made = build("doctor").parse_args(["doctor", "desktop", "--wake", "--json", "-q"])
    assert (made.host, made.wake, made.json, made.quiet) == ("desktop", True, True, True)
