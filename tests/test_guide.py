"""The guide says what is so: what can be tried without a house is tried here."""

import argparse
import configparser
import json
import plistlib
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from ipwatch.cli import parser
from ipwatch.core.forward import parse
from ipwatch.core.trouble import Kind
from ipwatch.core.waking import sudoers
from ipwatch.laptop.apps import PRESETS
from ipwatch.settings.environment import PREFIXES
from ipwatch.settings.kinds import plugin
from ipwatch.settings.laptop_load import load as load_laptop
from ipwatch.settings.laptop_model import WAKE_COMMAND
from ipwatch.settings.load import load

GUIDE = Path(__file__).parent.parent / "GUIDE.md"
TEXT = GUIDE.read_text("utf-8")
MAC = "aa:bb:cc:dd:ee:ff"
FORWARDS = {"lab", "notebook", "api", "streamlit", "browse"}
CALL = re.compile(r"(?:^|docker exec ipwatch |Scripts\\|=%h/.local/bin/)ipwatch(?:\.exe)?'? ((?![|>])\S.*)$")


def blocks(language: str) -> list[str]:
    """The fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)


def commands() -> Iterator[str]:
    """Every line of a block and every piece of code in the text that calls ipwatch, also inside its container."""
    inline = re.findall(r"(?<!`)`([^`\n]+)`(?!`)", TEXT)
    lines = "".join(block for language in ("sh", "powershell", "ini") for block in blocks(language)).splitlines()
    for piece in (*inline, *lines):
        if found := CALL.search(piece):
            yield re.split(r" ?[>|\"]", found.group(1))[0]


def heading_ids() -> set[str]:
    """The anchors a page of GitHub gives to the headings."""
    titles = re.findall(r"^#+ (.+)$", TEXT, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def test_every_command_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    """Each `ipwatch WORD ...` has a word, options and arguments that the command line takes."""
    seen = set()
    for command in commands():
        words = shlex.split(command)
        if words == ["--version"] or command in parser.COMMANDS:  # the word alone, spoken of
            continue
        try:
            made = parser.build().parse_args(words)
        except SystemExit:
            pytest.fail(f"ipwatch {command}: {capsys.readouterr().err}")
        seen.add(made.command)
        check_arguments(made, command)
    assert seen >= parser.LAPTOP.keys() - {"proxy"} | {"notify", "unlock"}


def check_arguments(made: argparse.Namespace, command: str) -> None:
    """The hosts, forwards and apps are those of the guide's own laptop.toml."""
    if hasattr(made, "host") and made.host is not None:
        assert made.host in {"nas", "desktop"}, command
    for word in getattr(made, "forwards", ()):
        if word not in FORWARDS:
            parse(word, int(word) if word.isdigit() else word)
    if made.command == "open":
        assert made.app in PRESETS, command


def test_no_command_is_left_out() -> None:
    """The commands that are looked at are all that the text has."""
    assert len(list(commands())) > 45
    assert "doctor --wake" in set(commands())
    assert "up desktop --stay" in set(commands())


@pytest.mark.parametrize("block", [b for b in blocks("toml") if "[home]" in b])
def test_laptop_toml_loads(block: str, tmp_path: Path) -> None:
    """The complete laptop.toml has no fault and no warning, and wakes through the NAS in each of three ways."""
    path = tmp_path / "laptop.toml"
    ways = [b for b in blocks("toml") if b.startswith("#")]
    assert len(ways) == 2
    for way in ("", *ways):
        line = re.search(r"^wake = .*$", way or block, re.MULTILINE)
        assert line
        before, _, after = re.split(r"^(wake = .*)$", block, flags=re.MULTILINE)
        path.write_text(before + line.group() + after)
        path.chmod(0o600)
        settings = load_laptop(str(path), {"HOME": str(tmp_path)}, tmp_path)
        assert settings.warnings == ()
        assert set(settings.hosts) == {"nas", "desktop"}
        desktop = settings.hosts["desktop"]
        assert desktop.wake is not None
        assert desktop.wake.via == "nas"
        assert desktop.mac == MAC
        assert set(desktop.forwards) == FORWARDS


def test_ipwatch_toml_loads(tmp_path: Path) -> None:
    """The service's examples have no fault and no warning."""
    found = [b for b in blocks("toml") if "[home]" not in b and not b.startswith("#")]
    assert len(found) == 3
    (tmp_path / "dyn-password").write_text("hidden\n")
    (tmp_path / "dyn-password").chmod(0o600)
    for block in found:
        path = tmp_path / "ipwatch.toml"
        path.write_text(block)
        path.chmod(0o600)
        settings = load(path, {}, tmp_path, root=tmp_path)
        assert settings.warnings == ()


def test_the_form_is_complete(tmp_path: Path) -> None:
    """The variables of the table, with their values, make a record, an account and a mail; every variable that is named
    anywhere is one the program reads."""
    rows = dict(re.findall(r"^\| `(IPWATCH_\w+)` \| `?([^`;|]+?)`?(?:;.*)? \|$", TEXT, re.MULTILINE))
    assert len(rows) == 8
    for name in ("dyn-password", "mail-password"):
        (tmp_path / name).write_text("hidden\n")
    environ = {name: text.replace("/data", str(tmp_path)) for name, text in rows.items()}
    environ["IPWATCH_ACCOUNT_USERNAME"] = "anna"
    settings = load(None, environ, tmp_path, root=tmp_path)
    assert [record.name for record in settings.records] == ["home.example.org"]
    assert len(settings.accounts) == len(settings.notifiers) == 1

    sections = {"ACCOUNT": ("noip", "provider", ("dyndns2", "duckdns")), "MAIL": ("", "notifier", ("email",))}
    for name in set(re.findall(r"IPWATCH_\w+", TEXT)):
        assert name.startswith(PREFIXES), name
        section, _, key = name.removeprefix("IPWATCH_").lower().partition("_")
        if section == "record":
            assert key == "name"
            continue
        _, family, kinds = sections[section.upper()]
        fields = {f.encode_name for kind in kinds for f in msgspec.structs.fields(plugin(family, kind).settings)}
        assert key.removesuffix("_file") in fields | {"kind"}, name


@pytest.mark.parametrize("number", range(len(blocks("sh"))))
def test_shell_blocks_parse(number: int) -> None:
    """`sh -n` finds no fault in what is to be typed."""
    done = subprocess.run(
        ["sh", "-n"], input=blocks("sh")[number], capture_output=True, text=True, check=False, timeout=20
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_sudoers_lines(tmp_path: Path) -> None:
    """They are those the program itself suggests; visudo takes them, where there is one."""
    lines = re.findall(r"anna ALL=\(root\) NOPASSWD: [^'\n]+", TEXT)
    wanted = [sudoers("anna", WAKE_COMMAND.replace("{mac}", MAC)), sudoers("anna", "sudo -n systemctl suspend -i")]
    assert lines == wanted
    program = shutil.which("visudo", path="/usr/sbin:/sbin:/usr/bin")
    if program:
        path = tmp_path / "ipwatch"
        path.write_text("".join(f"{line}\n" for line in lines))
        done = subprocess.run([program, "-c", "-f", str(path)], capture_output=True, text=True, check=False, timeout=20)
        assert "parsed OK" in done.stdout, done.stdout + done.stderr


def test_other_formats_parse() -> None:
    """The launchd file is a property list that runs `up`; units and .link files are such; JSON is JSON."""
    (agent,) = (plistlib.loads(block.encode()) for block in blocks("xml"))
    assert agent["ProgramArguments"][1:] == ["up", "desktop", "--stay"]
    assert agent["RunAtLoad"] is True
    sections = []
    for block in blocks("ini"):
        read = configparser.ConfigParser(interpolation=None)
        read.read_string(block)
        sections.append(read.sections())
    assert sections == [["Match", "Link"], ["Unit", "Service", "Install"]]
    assert [json.loads(block) for block in blocks("json")] == [{"remote.SSH.connectTimeout": 300}]


def test_unit_is_valid(tmp_path: Path) -> None:
    """systemd finds no fault in the user's unit, its program put in place."""
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("no systemd-analyze here")
    unit = next(block for block in blocks("ini") if "[Service]" in block)
    path = tmp_path / "ipwatch.service"
    path.write_text(unit.replace("%h/.local/bin/ipwatch", "/bin/true"))
    environ = {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path), "PATH": "/usr/bin:/bin"}
    words = [program, "--user", "verify", str(path)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60, env=environ)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_exit_statuses() -> None:
    """The table has every exit status there is, and no other; the other table names only such."""
    rows = re.findall(r"^\| (\d+) \| .+ \|$", TEXT, re.MULTILINE)
    assert [int(row) for row in rows] == [0, *sorted(int(kind) for kind in Kind)]
    assert {int(number) for number in re.findall(r"\(exit (\d+)\)", TEXT)} <= {int(kind) for kind in Kind}


def test_links() -> None:
    """Files exist and headings are there; README.md lies beside it."""
    for target in re.findall(r"\]\(([^)]+)\)", TEXT):
        name, _, anchor = target.partition("#")
        assert not name or (GUIDE.parent / name).is_file(), target
        assert not anchor or anchor in heading_ids(), target


def test_compose_is_as_told() -> None:
    """What the guide says of docker/compose.yaml is what stands there."""
    compose = (GUIDE.parent / "docker" / "compose.yaml").read_text()
    for word in ("build:", "dockerfile:", "network_mode: host", 'user: "${PUID:-1026}:${PGID:-100}"', "read_only: true",
                 "/volume1/docker/ipwatch/data:/data", "/volume1/docker/ipwatch/secrets/dyn",
                 "no-new-privileges", "ALL"):  # fmt: skip
        assert word in compose
    for name in set(re.findall(r"^\| `(IPWATCH_\w+)` \|", TEXT, re.MULTILINE)):
        assert name in compose
