"""What a Tab offers: out of the parser, in each shell, without a word on standard error."""

import argparse
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from ipwatch.cli import main
from ipwatch.cli.completion import FILES, Place, complete
from ipwatch.cli.parser import COMMANDS, GROUPS, build, parser_for

PROGRAM = Path(sys.executable).with_name("ipwatch")
LAPTOP = """\
[[host]]
name = "nas"
[[host]]
name = "desktop"
usr = "a key that is wrong does not matter here"
[host.forward]
lab = 8890
browse = "socks:1080"
[host.app.notes]
command = "serve {port}"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a laptop.toml."""
    (tmp_path / "laptop.toml").write_text(LAPTOP)
    return tmp_path


def offered(folder: Path, *words: str) -> list[str]:
    """The words offered at the end of the last one."""
    return [word for word, _ in complete(words[:-1], words[-1], {}, folder)]


@pytest.mark.parametrize(
    ("words", "want"),
    [
        (["ss"], ["ssh", "ssh-config"]),
        (["-v", "ss"], ["ssh", "ssh-config"]),
        (["--config", "run", "ss"], ["ssh", "ssh-config"]),
        (["up", ""], ["nas", "desktop"]),
        (["ssh", "d"], ["desktop"]),
        (["ssh", "--", "d"], ["desktop"]),
        (["up", "desktop", ""], ["lab", "browse"]),
        (["up", "--stay", "desktop", "lab", ""], ["browse"]),
        (["up", "nas", ""], []),
        (["up", "router", ""], []),
        (["open", "desktop", "n"], ["notes", "notebook"]),
        (["open", "nas", ""], ["jupyter", "notebook", "streamlit", "uvicorn", "docker"]),
        (["open", "desktop", "--port", ""], []),
        (["open", "desktop", "--port", "80", "s"], ["streamlit"]),
        (["completion", ""], ["bash", "zsh", "fish", "powershell"]),
        (["--log-format", ""], ["text", "json"]),
        (["--log-format=j"], ["--log-format=json"]),
        (["--log-format", "=", "j"], ["json"]),  # so bash splits it
        (["--log-format", "="], ["text", "json"]),
        (["--unknown=j"], []),
        (["--config", ""], [FILES]),
        (["--config="], [FILES]),
        (["trust", "nas", "--known-hosts", ""], [FILES]),
        (["trust", "nas", "--known-hosts", "--at", ""], []),
        (["trust", "--known-hosts", "file", "n"], ["nas"]),
        (["trust", "--known-hosts", "--s"], ["--show"]),
        (["ip", "-4", "-"], ["--help", "--config", "--json"]),
        (["ip", "-"], ["--help", "--config", "-4", "-6", "--json"]),
        (["once", "-"], ["--help", "--config", "--log-format", "--verbose", "--dry-run"]),
        (["-"], ["--help", "--config", "--log-format", "--verbose", "--quiet", "--version"]),
        (["--q"], ["--quiet"]),
        (["-q", "ss"], ["ssh", "ssh-config"]),
        (["-q", "wake", "d"], ["desktop"]),
        (["proxy", "-"], ["--help", "--config", "--quiet", "--pass-fd"]),
        (["ip", "--json", "-6"], ["-6"]),
        (["where", "-q"], ["-q"]),
        (["wake", "--w"], ["--wait"]),
        (["wake", "-x", "--w"], ["--wait"]),
        (["wake", "--", "-"], []),
        (["status", ""], ["--help", "--config", "--json"]),
        (["status", "what", "--j"], ["--json"]),
        (["ssh", "desktop", "-"], []),  # options of the system's ssh, not ours
        (["ssh", "desktop", "ls", "-", ""], []),
        (["nonsense", ""], []),
        (["unlock", ""], []),
    ],
)  # fmt: skip
def test_what_is_offered(folder: Path, words: list[str], want: list[str]) -> None:
    """Commands, options not yet given, values, hosts, their forwards and apps; nothing where nothing is known."""
    assert offered(folder, *words) == want


def test_every_command_and_option_of_the_parser_is_offered(folder: Path) -> None:
    """Nothing is written twice: what the parser knows is what is offered, with its help."""
    assert {word for word, _ in complete([], "", {}, folder)} == set(COMMANDS)
    parsers = next(a for a in build()._actions if isinstance(a, argparse._SubParsersAction)).choices
    for word, parser in parsers.items():
        shown = [action for action in parser._actions if action.option_strings and action.help != argparse.SUPPRESS]
        want = {action.option_strings[-1]: action.help for action in shown}
        assert dict(complete([word], "-", {}, folder)) == want


def test_an_alias_is_offered_with_the_help_of_its_command(tmp_path: Path) -> None:
    """And its own options stand behind it."""
    parser = argparse.ArgumentParser()
    sub = parser.add_subparsers().add_parser("remove", aliases=["rm"], help="take it away")
    sub.add_argument("--force", action="store_true")
    place = Place(parser, {}, tmp_path)
    assert list(place.found("r", apart=False)) == [("remove", "take it away"), ("rm", "take it away")]
    place.step("rm")
    assert [word for word, _ in place.found("--f", apart=False)] == ["--force"]


def test_hosts_come_from_the_named_file(tmp_path: Path) -> None:
    """By --config before or after the command, or by the environment."""
    (tmp_path / "other.toml").write_text('[[host]]\nname = "attic"\n')
    for words in (["--config", "other.toml", "up", ""], ["up", "--config=other.toml", ""]):
        assert offered(tmp_path, *words) == ["attic"]
    assert complete(["up"], "", {"IPWATCH_LAPTOP_CONFIG": "other.toml"}, tmp_path) == [("attic", "")]
    assert offered(tmp_path, "up", "") == []


def asked(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAM, "__complete", *words], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("text", ["[[host]\n", '[host]\nname = "x"\n', "host = 7\n", "[[host]]\nname = 7\n", "\x00"])
def test_a_broken_file_offers_nothing_and_says_nothing(tmp_path: Path, text: str) -> None:
    """At a Tab nobody wants to read of a fault."""
    (tmp_path / "laptop.toml").write_text(text)
    done = asked(tmp_path, "up", ".")
    assert (done.stdout, done.stderr) == ("", "")


def test_no_words_at_all_say_nothing(tmp_path: Path) -> None:
    """Who calls the hidden command by hand gets no traceback."""
    done = asked(tmp_path)
    assert (done.stdout, done.stderr) == ("", "")


def test_a_tab_is_light(folder: Path) -> None:
    """It imports nothing but the standard library, of the commands nothing at all."""
    code = "import sys, ipwatch.cli\nipwatch.cli.main(['__complete', 'up', '.'])\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True)
    *hosts, modules = done.stdout.splitlines()
    assert hosts == ["nas\t", "desktop\t"]
    assert not {"msgspec", "requests", "dns", "paramiko", "socket", "ipwatch.cli.tunnel"} & set(modules.split())


# The shells themselves.


def environment(folder: Path) -> dict[str, str]:
    """Of a person who has ipwatch in the PATH, and a home that is this folder."""
    path = f"{PROGRAM.parent}{os.pathsep}{os.environ['PATH']}"
    return {"PATH": path, "HOME": str(folder), "TERM": "dumb", "LC_ALL": "C.UTF-8", "XDG_CONFIG_HOME": str(folder)}


def shell_or_skip(name: str) -> str:
    if found := shutil.which(name):
        return found
    pytest.skip(f"{name} is not installed")


def run(folder: Path, *argv: str) -> list[str]:
    done = subprocess.run(
        argv, cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


BASH = """
source <(ipwatch completion bash)
ask() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _ipwatch "$1"; echo "${COMPREPLY[*]}"; }
ask ipwatch ss
ask ipwatch up ""
ask ipwatch up desktop ""
ask ipwatch --log-format = j
ask ipwatch --config lap
ask '~/ipwatch' up n
ask ipwatch ssh desktop -
ask ipwatch up '"d'
ask ipwatch open "'desktop'" "'no"
complete -p ipwatch
"""


def test_bash(folder: Path) -> None:
    """Words, hosts, forwards, values behind "=", file names; a program in the home folder is found."""
    (folder / "ipwatch").symlink_to(PROGRAM)
    (folder / "laptop.toml.old").touch()
    said = run(folder, shell_or_skip("bash"), "--norc", "-c", BASH)
    said[4] = " ".join(sorted(said[4].split()))
    assert said == [
        "ssh ssh-config", "nas desktop", "lab browse", "json", "laptop.toml laptop.toml.old", "nas", "",
        "desktop", "notes notebook", "complete -F _ipwatch ipwatch",
    ]  # fmt: skip


FISH = """
ipwatch completion fish | source
for line in 'up "d' 'up d' 'up desktop l' '--log-format=j' '--config=lap' '--config lap' 'hist' 'wake --w'
    complete -C "ipwatch $line"
end
"""


def test_fish(folder: Path) -> None:
    """Words with what they mean, hosts, values behind "=", file names."""
    assert run(folder, shell_or_skip("fish"), "--no-config", "-c", FISH) == [
        "desktop", "desktop", "lab\t8890", "--log-format=json", "--config=laptop.toml", "laptop.toml",
        f"history\t{COMMANDS['history'][1]}",
        "--wait\tshow the stages until it answers; at most wake.takes, by default 4 minutes",
    ]  # fmt: skip


class Terminal:
    """A shell at a terminal."""

    def __init__(self, folder: Path, *argv: str) -> None:
        self.seen = ""
        self._own, theirs = pty.openpty()
        self._shell = subprocess.Popen(argv, cwd=folder, env=environment(folder), start_new_session=True,
                                       stdin=theirs, stdout=theirs, stderr=theirs)  # fmt: skip
        os.close(theirs)

    def type(self, text: str) -> None:
        self.seen = ""
        os.write(self._own, text.encode())

    def wait_for(self, text: str) -> None:
        until = time.monotonic() + 60
        while text not in self.seen:
            assert time.monotonic() < until, f"{text!r} did not appear in {self.seen!r}"
            if select.select([self._own], [], [], 0.5)[0]:
                self.seen += os.read(self._own, 4096).decode("utf-8", "replace")

    def close(self) -> None:
        self._shell.kill()
        self._shell.wait(10)
        os.close(self._own)


TYPED = (
    ("ipwatch up d\t", "desktop"),
    ("l\t", "lab"),
    ("\x15ipwatch up 'd\t", "'desktop'"),
    ("\x15ipwatch --config lap\t", "laptop.toml"),
    ("\x15ipwatch --config=lap\t", "laptop.toml"),
    ("\x15ipwatch --config ~/lap\t", "laptop.toml"),
    ("\x15ipwatch --log-format=j\t", "json"),
    ("\x15ipwatch hist\t", "history"),
    ("\x15ipwatch ssh-\t", "ssh-config"),
    ("\x15ipwatch wake --w\t", "--wait"),
)


@pytest.mark.parametrize(
    ("shell", "more"),
    [
        (("bash", "--norc", "-i"), [("\x15ipwatch s\t\t", "ssh-config")]),
        (("zsh", "-f", "-i"), [("\x15ipwatch s\t\t", "how things stand")]),
    ],
    ids=["bash", "zsh"],
)
def test_a_tab_at_a_terminal(folder: Path, shell: Sequence[str], more: list[tuple[str, str]]) -> None:
    """What is typed in part is completed when Tab is pressed; what can not be is listed (zsh: with what it means)."""
    terminal = Terminal(folder, shell_or_skip(shell[0]), *shell[1:])
    try:
        terminal.type(f"PS1='> '; source <(ipwatch completion {shell[0]}); echo rea''dy\n")
        terminal.wait_for("ready")
        for typed, completed in (*TYPED, *more):
            terminal.type(typed)
            terminal.wait_for(completed)
    finally:
        terminal.close()


def test_the_script_for_powershell_asks_the_same(capfd: pytest.CaptureFixture[str]) -> None:
    """By its text only, for want of a PowerShell: it asks for the words with the current one behind a dot."""
    assert main(["completion", "powershell"]) == 0
    script, told = capfd.readouterr()
    assert told == ""
    assert "Register-ArgumentCompleter -Native -CommandName ipwatch, ipwatch.exe" in script
    assert '& $program __complete @before ".$current" 2>$null' in script
    assert "CompleteFilename" in script
    assert script.count("{") == script.count("}")
    assert script.count("(") == script.count(")")


# The command line.


def test_help_shows_every_command_in_its_group(capsys: pytest.CaptureFixture[str]) -> None:
    """Service and laptop apart, each command once with its meaning, then the options."""
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    help_text = capsys.readouterr().out
    for title, words in GROUPS.items():
        block = help_text.partition(f"{title}:\n")[2].partition("\n\n")[0]
        assert re.findall(r"^  ([a-z-]+)", block, re.MULTILINE) == list(words)
    assert "--config FILE" in help_text


EVERYWHERE = (["--config", "x.toml"], ["--config=x.toml"], ["--log-format", "json"], ["-v"], ["--verbose"])
QUIET = (["-q"], ["--quiet"])
NEEDED = {"unlock": ["x"], "notify": ["--test"], "open": ["nas", "jupyter"], "completion": ["bash"]}
NEEDED |= {word: ["nas"] for word in ("trust", "wake", "sleep", "ssh", "up", "proxy")}


@pytest.mark.parametrize("command", COMMANDS)
def test_global_options_before_and_after_the_command(command: str) -> None:
    """Each means the same in both places: of the service's commands, of the laptop's, and together."""
    takes_quiet = "--quiet" in {flag for action in Place(build(command), {}, Path()).parser._actions
                                for flag in action.option_strings}  # fmt: skip
    assert takes_quiet == (command in set(GROUPS["the laptop, from anywhere (laptop.toml)"]) - {"completion"})
    options = [*EVERYWHERE, *(QUIET if takes_quiet else ())]
    for option in [*options, [word for given in options for word in given]]:
        before, after = ([*option, command], [command, *option])
        first, second = (
            vars(parser_for(words).parse_args([*words, *NEEDED.get(command, [])])) for words in (before, after)
        )
        assert first == second
        assert first.keys() & {"config", "log_format", "verbose", "quiet"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["sssh"], "there is no command 'sssh'; did you mean 'ssh'?"),
        (["--config", "x", "wke", "nas"], "there is no command 'wke'; did you mean 'wake'?"),
        (["qqqq"], "there is no command 'qqqq'"),
        ([], "the following arguments are required: COMMAND"),
        (["--config"], "argument --config: expected one argument"),
        (["ip", "-4", "-6"], "argument -6: not allowed with argument -4"),
        (["-q", "once"], "unrecognized arguments: -q"),
    ],
)
def test_a_slip_is_told_in_one_sentence(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With what was meant, exit status 2."""
    with pytest.raises(SystemExit, match="2"):
        main(words)
    assert capsys.readouterr().err.splitlines()[-1].partition("error: ")[2] == said
