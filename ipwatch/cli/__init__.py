"""The words one can type. Thin: parse, import the one module that does it, print, exit.

The standard library's argparse and not click: `--help` starts in half the time, and its budget (7 times a bare
interpreter, DESIGN section 9) leaves no room for click's import.
"""

import argparse
import importlib
import sys
from collections.abc import Sequence

# word: (module, help). The module has `run(arguments) -> int`, or a function of the word's own name.
COMMANDS: dict[str, tuple[str, str]] = {
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
    "where": ("find", "the house's address now, and who says so"),
    "trust": ("keys", "pin a host's keys: shows their fingerprints and asks"),
    "wake": ("waking", "wake a host through its configured way; --wait shows the stages until it answers"),
    "sleep": ("waking", "run the command that puts a host to sleep"),
    "ssh": ("shell", "wake a host if needed, then the system's ssh to its current address"),
    "up": ("tunnel", "keep a tunnel and its forwards open, whatever happens to the address or the line"),
    "open": ("apps", "start or find a remote app (jupyter ...), forward it, open the browser"),
    "proxy": ("editors", "for ssh's ProxyCommand: standard input and output to the host's current address"),
    "ssh-config": ("editors", "an Include file so that ssh, scp, rsync, git and VS Code know every host"),
    "completion": ("completion", "print the completion script for a shell"),
    "demo": ("play", "the whole loop in a bundled house on loopback: no account, no internet"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; gives the exit status."""
    words = sys.argv[1:] if argv is None else argv
    if words[:1] == ["proxy"]:  # ssh waits for it: no parser of 20 commands first
        from ipwatch.cli.editors import proxy

        return proxy(words[1:])
    arguments = _parser().parse_args(words)
    module = importlib.import_module(f"ipwatch.cli.{COMMANDS[arguments.command][0]}")
    try:
        status: int = getattr(module, arguments.command.replace("-", "_"))(arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # `ipwatch history | head`
        sys.stderr.close()
        return 0
    except KeyboardInterrupt:
        return 130
    return status


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    add = common.add_argument
    suppress = argparse.SUPPRESS  # so that an option before the command is not undone by its default after it
    add(
        "--config",
        metavar="FILE",
        default=suppress,
        help="the configuration file",
    )
    add("--log-format", choices=("text", "json"), default=suppress, help="how log lines are written")
    add("-v", "--verbose", action="store_true", default=suppress, help="log quiet rounds and every event as well")
    parser = argparse.ArgumentParser(
        prog="ipwatch", parents=[common], allow_abbrev=False,
        description="Watches a home's public address, publishes it in DNS, verifies it there, tells of each change.",
    )  # fmt: skip
    parser.add_argument("--version", action="version", version=_version())
    words = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    sub = {
        word: words.add_parser(word, help=text, description=text, parents=[common])
        for word, (_, text) in COMMANDS.items()
    }
    sub["once"].add_argument("--dry-run", action="store_true", help="ask and plan, but send and write nothing")
    family = sub["ip"].add_mutually_exclusive_group()
    family.add_argument("-4", dest="family", action="store_const", const="ipv4", help="the IPv4 address")
    family.add_argument("-6", dest="family", action="store_const", const="ipv6", help="the IPv6 address")
    for word in ("ip", "status", "explain"):
        sub[word].add_argument("--json", action="store_true", help="as JSON")
    form = sub["history"].add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="as JSON")
    form.add_argument("--csv", action="store_true", help="as CSV")
    sub["unlock"].add_argument("name", metavar="NAME", help="a record's or an account's name")
    sub["notify"].add_argument("--test", action="store_true", required=True, help="send a test message now")
    sub["demo"].add_argument("--keep", action="store_true", help="leave the house running until Ctrl-C")
    _laptop(sub)
    return parser


def _laptop(sub: dict[str, argparse.ArgumentParser]) -> None:
    """The options of the laptop's commands."""
    for word in ("where", "wake", "up", "open"):
        sub[word].add_argument("--json", action="store_true", help="as JSON")
    for word in ("where", "trust", "wake", "sleep", "ssh", "up", "open", "ssh-config"):
        sub[word].add_argument("-q", "--quiet", action="store_true", help="only results and faults")
    sub["where"].add_argument("host", metavar="HOST", nargs="?", help="default: every host")
    sub["where"].add_argument("--no-proof", action="store_true", help="do not connect to the candidates")
    for word in ("trust", "wake", "sleep", "ssh", "up", "open"):
        sub[word].add_argument("host", metavar="HOST", help="a [[host]] of laptop.toml")
    add = sub["trust"].add_argument
    add("--yes", action="store_true", help="pin without asking (compare the fingerprints yourself)")
    add("--known-hosts", metavar="FILE", nargs="?", const="~/.ssh/known_hosts", help="import from a known_hosts file")
    add("--name", metavar="NAME", help="the host's name or address in that file, where it differs")
    add("--at", metavar="ADDRESS[:PORT]", help="collect the keys there and nowhere else")
    add("--show", action="store_true", help="show what is pinned, change nothing")
    add("--forget", action="store_true", help="unpin the host's keys")
    sub["wake"].add_argument("--wait", action="store_true", help="show the stages until it answers")
    sub["ssh"].add_argument("words", metavar="COMMAND", nargs=argparse.REMAINDER, help="options of ssh and a command")
    sub["up"].add_argument("forwards", metavar="FORWARD", nargs="*",
                           help="names from laptop.toml, or forwards such as 8000:8501; default: all")  # fmt: skip
    sub["up"].add_argument("--stay", action="store_true", help="never give up, not even at the start")
    sub["open"].add_argument("app", metavar="APP", help="jupyter, notebook, streamlit, uvicorn, docker, or your own")
    sub["open"].add_argument("words", metavar="ARGUMENT", nargs="*", help="for the app: a script, a module:app")
    sub["open"].add_argument("--no-browser", action="store_true", help="print the address, open nothing")
    sub["open"].add_argument("--port", type=int, default=0, help="the local port; default: any that is free")
    sub["open"].add_argument("--folder", default="", help="the folder there in which it is started")
    sub["open"].add_argument("--stop", action="store_true", help="end what `ipwatch open` started there")
    form = sub["ssh-config"].add_mutually_exclusive_group()
    form.add_argument("--install", action="store_true", help="write the file and Include it in ~/.ssh/config")
    form.add_argument("--uninstall", action="store_true", help="take both away again")
    sub["proxy"].add_argument("host", metavar="HOST")
    sub["proxy"].add_argument("port", metavar="PORT", nargs="?", type=int)
    sub["proxy"].add_argument("--pass-fd", action="store_true", help="for ssh's ProxyUseFdpass")
    sub["completion"].add_argument("shell", choices=("bash", "zsh", "fish", "powershell"))


def _version() -> str:
    from ipwatch import __version__

    return f"ipwatch {__version__}"
