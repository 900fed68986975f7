"""The README says what is so. `python tests/test_readme.py --write` writes its generated table anew."""

import re
import sys
import tomllib
from pathlib import Path
from typing import Literal

from ipwatch.cli.parser import COMMANDS
from ipwatch.core.trouble import Kind
from ipwatch.settings import laptop_load
from ipwatch.settings.environment import USUAL
from ipwatch.settings.kinds import names, plugin
from ipwatch.settings.load import load

README = Path(__file__).parent.parent / "README.md"
FAMILIES: tuple[Literal["source", "provider", "notifier"], ...] = ("source", "provider", "notifier")


def kinds_table() -> str:
    rows = ["| | kind | what it is | manual |", "|---|---|---|---|"]
    for family in FAMILIES:
        for kind in names(family):
            one = plugin(family, kind)
            rows.append(f"| {family} | `{kind}` | {one.title} | <{one.manual}> |")
    return "\n".join(rows)


WORDS = {
    Kind.NOT_WELL: "something is not well that has no number of its own",
    Kind.CONFIGURATION: "the configuration or command line is at fault: unknown host, bad forward, missing key",
    Kind.NO_ADDRESS: "nobody knows an address for the house: the name does not exist, or no name server answers",
    Kind.OFFLINE: "this laptop has no network",
    Kind.PORTAL: "a captive portal stands between: log in to the network first",
    Kind.UNREACHABLE: "no candidate's port answers: closed, asleep, not forwarded",
    Kind.NOT_SSH: "what answers is no SSH server, or says nothing",
    Kind.NOT_PINNED: "no host key is pinned: `ipwatch trust HOST`",
    Kind.STRANGER: "whoever answers shows another key than the pinned one",
    Kind.LOGIN_REFUSED: "the host is proved and does not let you in",
    Kind.WAKE_FAILED: "it could not be woken; the stage it reached is named",
    Kind.PORT_TAKEN: "a local port is taken; its owner is named",
    Kind.ALREADY_UP: "another `ipwatch up` serves this host",
    Kind.APP_FAILED: "the remote app is missing there or died at its start",
    Kind.INTERRUPTED: "ended by Ctrl-C",
}


def statuses_table() -> str:
    rows = ["| exit status | of the laptop's commands |", "|---|---|", "| 0 | well |"]
    return "\n".join([*rows, *(f"| {int(kind)} | {WORDS[kind]} |" for kind in Kind)])


def between(text: str, name: str) -> re.Match[str]:
    found = re.search(rf"(<!-- {name}:.*?-->\n)(.*?)(<!-- /{name} -->)", text, re.DOTALL)
    assert found
    return found


def test_kinds_are_listed() -> None:
    """The README's table of kinds is the one the program itself would print."""
    assert between(README.read_text(), "kinds").group(2) == kinds_table() + "\n"


def test_statuses_are_listed() -> None:
    """Every exit status has its line in the README."""
    assert between(README.read_text(), "statuses").group(2) == statuses_table() + "\n"


def test_commands_are_listed() -> None:
    """Every command has a line in the README, and the README names no other."""
    named = set(re.findall(r"^\| `ipwatch ([a-z][\w-]*)", README.read_text(), re.MULTILINE))
    assert named == set(COMMANDS)


def test_examples_load(tmp_path: Path) -> None:
    """Each configuration shown loads (the secret file put in place), and the first has eight lines."""
    blocks = re.findall(r"```toml\n(.*?)```", README.read_text(), re.DOTALL)
    assert len(blocks) == 3
    assert len(blocks[0].strip().splitlines()) == 8
    secret = tmp_path / "dyn"
    secret.write_text("hidden")
    for block in blocks:
        tomllib.loads(block)
        path = tmp_path / "shown.toml"
        path.write_text(block.replace("/run/secrets/dyn", str(secret)))
        path.chmod(0o600)
        if "[home]" in block:
            laptop = laptop_load.load(str(path), {"HOME": str(tmp_path)}, tmp_path)
            assert set(laptop.hosts) == {"nas", "desktop"}
            assert not laptop.warnings
        else:
            settings = load(path, {"SMTP_PASSWORD": "hidden"}, tmp_path)
            assert settings.records or settings.notifiers


def test_variables_make_a_service(tmp_path: Path) -> None:
    """The eight variables of the table, each with its example, are a complete record, account and mail."""
    rows = re.findall(r"^\| `(IPWATCH_\w+)` \| (.+) \|$", README.read_text(), re.MULTILINE)
    assert len(rows) == 8
    shown = {name: found[1] for name, text in rows if (found := re.match(r"`([^`]+)`", text))}
    environ = {name: shown.get(name, "hidden") for name, _ in rows}
    settings = load(None, environ, tmp_path, root=tmp_path)
    assert not settings.warnings
    assert len(settings.records) == len(settings.accounts) == len(settings.notifiers) == 1
    others = {name for _, text in rows for name in re.findall(r"IPWATCH_\w+", text)}
    for name in others:  # each is read, too
        assert name in USUAL, name


def test_links_lead_somewhere() -> None:
    """Every file the README links to is there."""
    linked = re.findall(r"\]\((?!http)([^)#]+)\)", README.read_text())
    assert [name for name in linked if not (README.parent / name).exists()] == []


if __name__ == "__main__" and "--write" in sys.argv:
    text = README.read_text()
    for name, table in (("kinds", kinds_table()), ("statuses", statuses_table())):
        found = between(text, name)
        text = text[: found.start(2)] + table + "\n" + text[found.end(2) :]
    README.write_text(text)
