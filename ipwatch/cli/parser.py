"""The command line: every word and option there is. Built only as far as it is needed."""

import argparse
from collections.abc import Sequence

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing typing takes as long as importing argparse
    from typing import Any

Words = dict[str, tuple[str, str]]

# word: (module, help). The module has `run(arguments) -> int`, or a function of the word's own name.
SERVICE: Words = {
    "run": ("work", "the service; logs to standard error, one line per decision"),
    "once": ("work", "one full round now; exit 0 all well, 1 something is not, 2 configuration fault"),
    "ip": ("work", "the agreed public address, alone on standard output"),
    "explain": ("look", "what each source said, what each record shows, what is due, what is latched, and why"),
    "status": ("look", "how things stand, in short"),
    "history": ("look", "every address held, since when, how long, outages, who disagreed"),
    "health": ("look", "exit 0 while the service's loop is alive and its outbox drains (for HEALTHCHECK)"),
    "unlock": ("manage", "open the latch of a record or an account after a refusal"),
    "notify": ("manage", "send a test message through every notifier"),
    "kinds": ("manage", "the kinds of source, provider and notifier there are"),
    "check": ("manage", "the settings in force and where each comes from, without secrets"),
    "demo": ("play", "the whole loop in a bundled house on loopback: no account, no internet"),
}
LAPTOP: Words = {
    "where": ("find", "the house's address now, and who says so"),
    "trust": ("keys", "pin a host's keys: shows their fingerprints and asks"),
    "wake": ("waking", "wake a host through its configured way; --wait shows the stages until it answers"),
    "sleep": ("waking", "run the command that puts a host to sleep"),
    "ssh": ("shell", "wake a host if needed, then the system's ssh to its current address"),
    "up": ("tunnel", "keep a tunnel and its forwards open, whatever happens to the address or the line"),
    "open": ("apps", "start or find a remote app (jupyter ...), forward it, open the browser"),
    "proxy": ("editors", "for ssh's ProxyCommand: standard input and output to the host's current address"),
    "ssh-config": ("editors", "an Include file so that ssh, scp, rsync, git and VS Code know every host"),
    "doctor": ("doctor", "go through the whole chain to each host: what is well, what is not, and what mends it"),
    "completion": ("completion", "print the completion script for a shell; its first lines tell how to install it"),
}
COMMANDS: Words = SERVICE | LAPTOP
GROUPS = {
    "the service, on a machine at home (ipwatch.toml)": SERVICE,
    "the laptop, from anywhere (laptop.toml)": LAPTOP,
}
_INDENT = 16  # columns before the help of a command: the longest has 10 letters
_WITH_VALUE = {"--config", "--log-format"}  # before the command
_LOGGING = frozenset({"run", "once"})
_QUIET = frozenset({"where", "trust", "wake", "sleep", "ssh", "up", "open", "proxy", "ssh-config", "doctor"})
_UNCONFIGURED = frozenset({"kinds", "demo", "completion"})

_Option = tuple[str, tuple[str, ...], bool, "dict[str, Any]"]


def _option(words: str, *flags: str, exclusive: bool = False, **more: "Any") -> _Option:
    """An option or argument of these commands. exclusive: only one of a command's exclusive options may be given."""
    return words, flags, exclusive, more


def _switch(words: str, *flags: str, exclusive: bool = False, **more: "Any") -> _Option:
    """An option without a value."""
    return _option(words, *flags, exclusive=exclusive, **({"action": "store_true"} | more))


# In the order of the help. Arguments are in the order in which they are typed.
_OPTIONS: tuple[_Option, ...] = (
    _switch("once", "--dry-run", help="ask and plan, but send and write nothing"),
    _switch("ip", "-4", help="the IPv4 address; default: the first of families in [watch]", exclusive=True,
            dest="family", action="store_const", const="ipv4"),
    _switch("ip", "-6", help="the IPv6 address", exclusive=True, dest="family", action="store_const", const="ipv6"),
    _switch("ip status explain where wake up open doctor", "--json", help="as JSON"),
    _switch("history", "--json", help="as JSON", exclusive=True),
    _switch("history", "--csv", help="as CSV", exclusive=True),
    _option("unlock", "name", metavar="NAME", help="a record's or an account's name"),
    _switch("notify", "--test", help="send a test message now", required=True),
    _switch("demo", "--keep", help="leave the house running until Ctrl-C"),
    _option("where doctor", "host", metavar="HOST", nargs="?", help="a [[host]] of laptop.toml; default: every host"),
    _switch("where", "--no-proof", help="do not connect to the candidates"),
    _option("trust wake sleep ssh up open", "host", metavar="HOST", help="a [[host]] of laptop.toml"),
    _switch("trust", "--yes", help="pin without asking (compare the fingerprints yourself)"),
    _option("trust", "--known-hosts", metavar="FILE", nargs="?", const="~/.ssh/known_hosts",
            help="import from a known_hosts file; default: ~/.ssh/known_hosts"),
    _option("trust", "--name", metavar="NAME", help="what the host is called in that file; default: as in laptop.toml"),
    _option("trust", "--at", metavar="ADDRESS[:PORT]",
            help="collect the keys there and nowhere else; default port: the host's"),
    _switch("trust", "--show", help="show what is pinned, change nothing"),
    _switch("trust", "--forget", help="unpin the host's keys"),
    _switch("wake", "--wait", help="show the stages until it answers; at most wake.takes, by default 4 minutes"),
    _switch("doctor", "--wake", help="wake a host that sleeps, and look at it then"),
    _option("ssh", "words", metavar="COMMAND", nargs=argparse.REMAINDER, help="options of ssh and a command"),
    _option("up", "forwards", metavar="FORWARD", nargs="*", default=[],
            help="names from laptop.toml, or forwards such as 8000:8501; default: all"),
    _switch("up", "--stay", help="never give up, not even at the start"),
    _option("open", "app", metavar="APP", help="jupyter, notebook, streamlit, uvicorn, docker, or your own"),
    _option("open", "words", metavar="ARGUMENT", nargs="*", default=[], help="for the app: a script, a module:app"),
    _switch("open", "--no-browser", help="print the address, open nothing"),
    _option("open", "--port", type=int, default=0, metavar="PORT",
            help="the local port, 1 to 65535; default: any that is free"),
    _option("open", "--folder", default="",
            help="the folder there in which it is started; default: that of your own app, else the home folder"),
    _switch("open", "--stop", help="end what `ipwatch open` started there"),
    _switch("ssh-config", "--install", exclusive=True,
            help="write the file and Include it in ~/.ssh/config; default: print it"),
    _switch("ssh-config", "--uninstall", help="take both away again", exclusive=True),
    _option("proxy", "host", metavar="HOST"),
    _option("proxy", "port", metavar="PORT", nargs="?", type=int),
    _switch("proxy", "--pass-fd", help="for ssh's ProxyUseFdpass"),
    _option("completion", "shell", choices=("bash", "zsh", "fish", "powershell"), help="the shell it is for"),
)  # fmt: skip


class Parser(argparse.ArgumentParser):
    """One whose help shows the commands in their groups."""

    def format_help(self) -> str:
        """Usage, what it is for, the commands, the options."""
        if self.prog != "ipwatch":
            return super().format_help()
        formatter = argparse.HelpFormatter(self.prog, max_help_position=_INDENT)
        formatter.add_usage(self.usage, self._actions, self._mutually_exclusive_groups)
        formatter.add_text(self.description)
        for title, words in GROUPS.items():
            formatter.start_section(title)
            formatter.add_arguments([argparse.Action([], dest=word, help=text) for word, (_, text) in words.items()])
            formatter.end_section()
        formatter.start_section("options, before or after the command")
        formatter.add_arguments([action for action in self._actions if action.option_strings])
        formatter.end_section()
        formatter.add_text("`ipwatch COMMAND --help` tells more of each.")
        return formatter.format_help()


def command_of(words: Sequence[str]) -> str | None:
    """The word that stands where the command stands, known or not."""
    at = _command_at(words)
    return None if at is None else words[at]


def _command_at(words: Sequence[str]) -> int | None:
    rest = iter(enumerate(words))
    for at, word in rest:
        if word in _WITH_VALUE:
            next(rest, None)
        elif not word.startswith("-"):
            return at
    return None


def command_first(words: Sequence[str]) -> list[str]:
    """The words with the options that stand before the command put behind it."""
    at = _command_at(words)
    return list(words) if at is None else [words[at], *words[:at], *words[at + 1 :]]


def in_order(words: Sequence[str]) -> list[str]:
    """The words as argparse wants them: behind `ssh` the host first, then the options of ssh."""
    at = _command_at(words)
    if at is None or words[at] != "ssh":
        return list(words)
    from ipwatch.protocols.ssh_words import host_first

    return [*words[: at + 1], *host_first(words[at + 1 :], ("-h", "-q"), tuple(_WITH_VALUE))]


def parser_for(words: Sequence[str]) -> argparse.ArgumentParser:
    """The parser for this command line: of the command that is given, or of all where none is."""
    command = command_of(words)
    parser = build(command if command in COMMANDS else None)
    if command is not None and command not in COMMANDS:
        from ipwatch.settings.faults import nearest

        meant = nearest(command, tuple(COMMANDS))
        parser.error(f"there is no command {command[:40]!r}" + (f"; did you mean '{meant}'?" if meant else ""))
    return parser


def build(only: str | None = None) -> argparse.ArgumentParser:
    """The parser of every command, or of that one."""
    parser = Parser(
        prog="ipwatch", parents=[_common(only)], allow_abbrev=False,
        description="Watches a home's public address, publishes it in DNS, verifies it there, tells of each change; "
                    "and on the laptop finds the house again, wakes its machines and keeps tunnels to them open.",
    )  # fmt: skip
    parser.add_argument("--version", action="version", version=_version())
    words = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for word, (_, text) in COMMANDS.items():
        if only in {None, word}:
            _add(words.add_parser(word, help=text, description=text, parents=[_common(word)]), word)
    return parser


def _add(sub: argparse.ArgumentParser, word: str) -> None:
    """The options of one command."""
    apart = None
    for words, flags, exclusive, more in _OPTIONS:
        if word in words.split():
            if exclusive:
                apart = apart or sub.add_mutually_exclusive_group()
            (apart if exclusive and apart else sub).add_argument(*flags, **more)


def _common(word: str | None) -> Parser:
    """The options that are taken before and after the command: those of that command, or of all.

    Where --config, --log-format and --verbose change nothing they are taken too, and not shown.
    """
    common = Parser(add_help=False)
    suppress = argparse.SUPPRESS  # also as default, so that an option before the command is not undone after it

    def add(*flags: str, shown: bool, help: str, **more: "Any") -> None:  # noqa: A002 - argparse's word
        common.add_argument(*flags, default=suppress, help=help if shown else suppress, **more)

    add("--config", metavar="FILE", shown=word not in _UNCONFIGURED, help=_config_help(word))
    logs = word is None or word in _LOGGING
    add("--log-format", choices=("text", "json"), shown=logs, help="how log lines are written; default: text")
    add("-v", "--verbose", action="store_true", shown=logs, help="log quiet rounds and every event as well")
    if word is None or word in _QUIET:
        add("-q", "--quiet", action="store_true", shown=True,
            help="only results and faults" + (" (the laptop's commands)" if word is None else ""))  # fmt: skip
    return common


def _config_help(word: str | None) -> str:
    """Where the file is looked for: settings.locate and settings.laptop_place."""
    if word is None:
        return "the configuration file; the help of a command says where it is looked for"
    if word in LAPTOP:
        return ("default: $IPWATCH_LAPTOP_CONFIG, else ./laptop.toml, else ipwatch/laptop.toml in your configuration "
                "folder")  # fmt: skip
    return ("default: $IPWATCH_CONFIG, else ./ipwatch.toml, else /config/ipwatch.toml, else ipwatch/ipwatch.toml in "
            "your configuration folder")  # fmt: skip


def _version() -> str:
    from ipwatch import __version__

    return f"ipwatch {__version__}"
