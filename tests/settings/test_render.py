"""`ipwatch check`: aligned, complete, without secrets."""

from pathlib import Path

from ipwatch.settings import render
from ipwatch.settings.load import load
from tests.fakes.settings import read

TEXT = """\
[watch]
interval = "90s"
[[source]]
kind = "web"
url = "https://example.org/ip"
[account.home]
kind = "duckdns"
token = "hunter2hunter2"
[account.other]
kind = "dyndns2"
server = "https://dyn.example.net"
username = "me"
password = "hunter2"
parameters = { key = "hunter2", from = { env = "A" } }
[[record]]
name = "x.duckdns.org"
account = "home"
[[notify]]
kind = "webhook"
url = "https://hook.example.org/hunter2"
headers = { Authorization = { env = "A" } }
"""


def test_every_key_has_value_and_origin_in_columns(tmp_path: Path) -> None:
    """The values start at one column and so do the origins; each table has its heading."""
    shown = render.lines(load(None, {}, tmp_path, root=tmp_path))
    assert shown[:7] == [
        "configuration: none, built-in defaults",
        "",
        "[watch]",
        '  interval        "5m"' + " " * (len(shown[7]) - len(shown[7].lstrip()) - 2) + shown[3].split('"5m"')[1],
        *shown[4:7],
    ]
    rows = [line for line in shown if line.startswith("  ")]
    short = [row for row in rows if row.endswith("  default")]
    assert len({row.index("  default") for row in short}) <= 2
    assert [line for line in shown if line.startswith("[")] == ["[watch]", "[state]", *["[[source]]"] * 3]


def test_no_secret_is_shown(tmp_path: Path) -> None:
    """Secrets are stars."""
    shown = "\n".join(render.lines(read(tmp_path, TEXT, {"A": "Bearer hunter2"})))
    assert "hunter2" not in shown
    assert 'headers         { Authorization = "***" }' in shown
    assert 'parameters      { key = "***", from = "***" }' in shown
    assert "[account.home]" in shown


def test_each_value_is_written_as_in_the_configuration() -> None:
    """Text in quotes with escapes, lists, tables; a dash for none; a URL without its password."""
    assert render.shown("https://anna:hunter2@example.org/ip") == '"https://***@example.org/ip"'
    assert render.shown(None) == "-"
    assert render.shown('a"b\n') == '"a\\"b\\n"'
    assert render.shown(("a", 1, True)) == '["a", 1, true]'
    assert render.shown({}) == "{}"
    assert render.shown(2.5) == "2.5"
