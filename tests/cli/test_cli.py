"""What a person types and sees, with the real program."""

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ipwatch.cli import main
from ipwatch.demo.house import DYN_NAME, House

HEAVY = ("requests", "urllib3", "dns", "aiosmtplib", "apscheduler", "sqlite3", "asyncio", "paramiko", "starlette")


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, Path]]:
    """A house with two rounds behind it: a first address and a change."""
    folder = tmp_path_factory.mktemp("lived")
    with House(lag=0) as house:
        config = folder / "ipwatch.toml"
        config.write_text(house.toml(folder))
        config.chmod(0o600)
        assert main(["once", "--config", str(config)]) == 0
        house.address = "25.1.1.1"
        assert main(["once", "--config", str(config)]) == 0
        yield house, config


def typed(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    """Type a command; exit status, standard output, standard error."""
    capsys.readouterr()
    status = main([str(word) for word in words])
    out, err = capsys.readouterr()
    return status, out, err


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["run", "--help"]])
def test_help_is_light(words: list[str]) -> None:
    """Help imports none of the heavy libraries."""
    code = (
        f"import sys, ipwatch.cli\ntry:\n    ipwatch.cli.main({words!r})\nexcept SystemExit: pass\nprint(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = {m.split(".")[0] for m in done.stdout.splitlines()[-1].split()}
    assert modules.isdisjoint(HEAVY)


@pytest.mark.parametrize("place", ["before", "after"])
def test_config_before_or_after(lived: tuple[House, Path], capsys: pytest.CaptureFixture[str], place: str) -> None:
    """`--config` is taken before and after the command."""
    option = ["--config", lived[1]]
    words = [*option, "status"] if place == "before" else ["status", *option]
    status, out, _ = typed(capsys, *words)
    assert (status, "25.1.1.1" in out) == (0, True)


def test_status_json(lived: tuple[House, Path], capsys: pytest.CaptureFixture[str]) -> None:
    """`status --json` is JSON and says that all is well."""
    status, out, _ = typed(capsys, "status", "--json", "--config", lived[1])
    told = json.loads(out)
    assert (status, told["well"], told["addresses"]["ipv4"]["address"]) == (0, True, "25.1.1.1")
    assert {r["shown"] for r in told["records"]} == {"seen"}


def test_explain(lived: tuple[House, Path], capsys: pytest.CaptureFixture[str]) -> None:
    """`explain` gives what each source said and what each record shows."""
    _, out, _ = typed(capsys, "explain", "--config", lived[1])
    for word in ("agreed", "quorum: 2", "web:127.0.0.1", f"{DYN_NAME} A at account dyn", "published 25.1.1.1", "seen"):
        assert word in out
    _, out, _ = typed(capsys, "explain", "--json", "--config", lived[1])
    assert json.loads(out)["sources"]


def test_history(lived: tuple[House, Path], capsys: pytest.CaptureFixture[str]) -> None:
    """`history` gives both addresses as table, JSON and CSV; the first has an end, the second none."""
    _, table, _ = typed(capsys, "history", "--config", lived[1])
    assert table.index("25.7.31.10") < table.index("25.1.1.1")
    _, out, _ = typed(capsys, "history", "--json", "--config", lived[1])
    assert [(r["value"], bool(r["until"])) for r in json.loads(out)] == [("25.7.31.10", True), ("25.1.1.1", False)]
    _, out, _ = typed(capsys, "history", "--csv", "--config", lived[1])
    assert [r["value"] for r in csv.DictReader(io.StringIO(out))] == ["25.7.31.10", "25.1.1.1"]


def test_notify(lived: tuple[House, Path], capsys: pytest.CaptureFixture[str]) -> None:
    """`notify --test` delivers through every notifier and says so for each; with the line down it says why not."""
    house, config = lived
    before = len(house.mail.mails)
    status, out, _ = typed(capsys, "notify", "--test", "--config", config)
    assert (status, len(house.mail.mails)) == (0, before + 1)
    assert "email: delivered" in out
    house.line_down()
    status, out, _ = typed(capsys, "notify", "--test", "--config", config)
    house.line_up()
    assert (status, "email: not delivered" in out) == (1, True)


def test_check_hides_secrets(lived: tuple[House, Path], capsys: pytest.CaptureFixture[str]) -> None:
    """`check` prints what is in force and where from, and no secret."""
    status, out, _ = typed(capsys, "check", "--config", lived[1])
    assert status == 0
    assert "correct horse" not in out
    assert "ipwatch.toml:3" in out


def test_unlock_unknown(lived: tuple[House, Path], capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown name is refused with the names there are."""
    status, _, err = typed(capsys, "unlock", "nobody.example", "--config", lived[1])
    assert (status, DYN_NAME in err) == (2, True)


def test_unlock_nothing(lived: tuple[House, Path], capsys: pytest.CaptureFixture[str]) -> None:
    """Unlocking what is not locked says so."""
    status, out, _ = typed(capsys, "unlock", DYN_NAME, "--config", lived[1])
    assert (status, "nothing was locked" in out) == (0, True)


def test_kinds(capsys: pytest.CaptureFixture[str]) -> None:
    """`kinds` lists every kind with its manual."""
    status, out, _ = typed(capsys, "kinds")
    assert status == 0
    for kind in ("web", "stun", "interface", "dyndns2", "rfc2136", "cloudflare", "duckdns", "email", "webhook"):
        assert f"\n{kind} " in out


@pytest.mark.parametrize("word", ["run", "once", "ip", "status", "explain", "history", "notify --test", "check",
                                  "unlock x", "once --dry-run"])  # fmt: skip
def test_faulty_configuration(tmp_path: Path, capsys: pytest.CaptureFixture[str], word: str) -> None:
    """Every command names all faults of a configuration, one a line with place and suggestion, and ends with 2."""
    config = tmp_path / "bad.toml"
    config.write_text('[wach]\n[watch]\nintervall = "5m"\n')
    status, out, err = typed(capsys, *word.split(), "--config", config)
    assert (status, out) == (2, "")
    assert "bad.toml:1: wach" in err
    assert "bad.toml:3: watch.intervall: unknown key; did you mean 'interval'?" in err


def test_quorum_out_of_reach(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A quorum that no set of answers can reach is a fault, not a service that waits for ever."""
    config = tmp_path / "one.toml"
    config.write_text('[[source]]\nkind = "command"\nargv = ["true"]\n')
    status, _, err = typed(capsys, "check", "--config", config)
    assert (status, "quorum" in err) == (2, True)


def test_no_state_yet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Before the first round `status` says what to do, and `history` that there is nothing."""
    config = tmp_path / "ipwatch.toml"
    config.write_text("[watch]\n")
    status, _, err = typed(capsys, "status", "--config", config)
    assert (status, "ipwatch once" in err) == (1, True)
    assert typed(capsys, "history", "--config", config)[:2] == (0, "nothing happened yet\n")


def test_pipe_closed(lived: tuple[House, Path]) -> None:
    """`ipwatch history | head` ends quietly."""
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "ipwatch", "kinds", "--config", str(lived[1])]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert b"Traceback" not in done.stderr


def test_two_programs_of_one_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two sources that run the same program with other arguments are two sources."""
    config = tmp_path / "two.toml"
    one = '[[source]]\nkind = "command"\nargv = ["echo", "25.1.2.3"]\noperator = "{}"\n'
    config.write_text(one.format("a") + one.format("b"))
    assert typed(capsys, "ip", "--config", config)[:2] == (0, "25.1.2.3\n")
