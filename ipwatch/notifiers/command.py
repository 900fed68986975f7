"""command: run a program of the user's for each message, without a shell."""

from collections.abc import Mapping
from datetime import timedelta
from typing import ClassVar

from ipwatch.core.address import Family
from ipwatch.notifiers._document import document
from ipwatch.ports import Commands, Message, Notifier, NotifierOptions, Plugin, Tools, Unreachable

# Linux takes at most 128 KiB for one environment text (MAX_ARG_STRLEN, execve(2)); a character takes up to 4 bytes.
# The whole text is in the document on standard input.
ENVIRONMENT_LIMIT = 30_000


class Settings(NotifierOptions, frozen=True, kw_only=True):
    """`[[notify]]` with kind = "command"."""

    DOC: ClassVar[Mapping[str, str]] = {
        "argv": 'the program and its arguments, such as ["/usr/bin/logger", "-t", "ipwatch"]; it gets IPWATCH_SUBJECT, '
        "IPWATCH_TEXT, IPWATCH_IPV4, IPWATCH_IPV6 and IPWATCH_TOPICS, and all as JSON on its standard input",
    }

    argv: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.argv or not self.argv[0]:
            raise ValueError("argv names no program")
        if any("\0" in part for part in self.argv):
            raise ValueError("argv holds a zero character")


class CommandNotifier:
    """Tells a program; exit status 0 means delivered."""

    reflects = False

    def __init__(self, settings: Settings, commands: Commands) -> None:
        self._settings = settings
        self._commands = commands

    def send(self, message: Message, within: timedelta) -> None:
        """Run it; raises Unreachable when it can not be run or does not end well."""
        argv = self._settings.argv
        done = self._commands.run(argv, within, env=environment(message), stdin=document(message).encode())
        if done.status != 0:
            said = _first_line(done.stderr)
            raise Unreachable(f"{argv[0]} ended with status {done.status}" + (f": {said}" if said else ""))


def environment(message: Message) -> dict[str, str]:
    """What the program finds in its environment; an address that is not known is empty."""
    address = {family: str(message.addresses.get(family, "")) for family in Family}
    return {
        "IPWATCH_SUBJECT": _fit(message.subject),
        "IPWATCH_TEXT": _fit(message.text),
        "IPWATCH_IPV4": address[Family.IPV4],
        "IPWATCH_IPV6": address[Family.IPV6],
        "IPWATCH_TOPICS": _fit(" ".join(event.topic.value for event in message.events)),
    }


def _fit(text: str) -> str:
    return text.replace("\0", " ")[:ENVIRONMENT_LIMIT]


def _first_line(output: bytes) -> str:
    lines = output.decode("utf-8", "replace").strip().splitlines()
    return "".join(c if c.isprintable() else " " for c in lines[0])[:200] if lines else ""


def _build(settings: Settings, tools: Tools) -> Notifier:
    return CommandNotifier(settings, tools.commands)


PLUGIN: Plugin[Settings, Notifier] = Plugin(
    title="a program of yours, run for each message",
    manual="https://man7.org/linux/man-pages/man2/execve.2.html",
    settings=Settings,
    build=_build,
)
