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
    "demo": ("play", "the whole loop in a bundled house on loopback: no account, no internet"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; gives the exit status."""
    arguments = _parser().parse_args(argv)
    module = importlib.import_module(f"ipwatch.cli.{COMMANDS[arguments.command][0]}")
    try:
        status: int = getattr(module, arguments.command)(arguments)
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
    return parser


def _version() -> str:
    from ipwatch import __version__

    return f"ipwatch {__version__}"
