"""The README says what is so. `python tests/test_readme.py --write` writes its generated table anew."""

import re
import sys
import tomllib
from pathlib import Path
from typing import Literal

from ipwatch.cli import COMMANDS
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


def between(text: str) -> re.Match[str]:
    found = re.search(r"(<!-- kinds:.*?-->\n)(.*?)(\n<!-- /kinds -->)", text, re.DOTALL)
    assert found
    return found


def test_kinds_are_listed() -> None:
    """The README's table of kinds is the one the program itself would print."""
    assert between(README.read_text()).group(2) == kinds_table()


def test_commands_are_listed() -> None:
    """Every command has a line in the README, and the README names no other."""
    named = set(re.findall(r"^\| `ipwatch (\w+)", README.read_text(), re.MULTILINE))
    assert named == set(COMMANDS)


def test_examples_load(tmp_path: Path) -> None:
    """Each configuration shown loads (the secret file put in place), and the first has eight lines."""
    blocks = re.findall(r"```toml\n(.*?)```", README.read_text(), re.DOTALL)
    assert len(blocks) == 2
    assert len(blocks[0].strip().splitlines()) == 8
    secret = tmp_path / "dyn"
    secret.write_text("hidden")
    for block in blocks:
        tomllib.loads(block)
        path = tmp_path / "ipwatch.toml"
        path.write_text(block.replace("/run/secrets/dyn", str(secret)))
        settings = load(path, {"SMTP_PASSWORD": "hidden"}, tmp_path)
        assert settings.records or settings.notifiers


if __name__ == "__main__" and "--write" in sys.argv:
    text = README.read_text()
    found = between(text)
    README.write_text(text[: found.start(2)] + kinds_table() + text[found.end(2) :])
