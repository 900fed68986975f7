"""A program of the user's that prints the address."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import PurePath

from ipwatch.core.address import Address, Family
from ipwatch.ports import Commands, Garbled, Plugin, SourceOptions, Tools
from ipwatch.protocols import echo

_OK = 200  # echo.read judges by HTTP status; a command that succeeded counts as that


class CommandOptions(SourceOptions, frozen=True, kw_only=True):
    """`[[source]]` of kind "command"."""

    argv: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.argv or not self.argv[0]:
            raise ValueError("argv must name a program")
        if any("\0" in word for word in self.argv):
            raise ValueError("argv must not hold a zero byte")


DOC = {"argv": "the program and its arguments, run without a shell; $IPWATCH_FAMILY tells it which family is wanted"}


@dataclass(frozen=True, slots=True)
class CommandSource:
    """One program."""

    id: str
    operator: str
    families: frozenset[Family]
    min_interval: timedelta
    argv: tuple[str, ...]
    timeout: timedelta
    commands: Commands

    def observe(self, family: Family, within: timedelta) -> Address:
        """Run it once and read its output strictly; raises PortError."""
        done = self.commands.run(self.argv, min(within, self.timeout), env={"IPWATCH_FAMILY": family.value}, limit=4096)
        if done.status != 0:
            said = done.stderr.decode("utf-8", "replace").strip()
            raise Garbled(f"the command ended with status {done.status}", excerpt=said)
        try:
            return echo.read(done.stdout, _OK, family)
        except echo.BadAnswer as error:
            raise Garbled(str(error), excerpt=done.stdout.decode("utf-8", "replace")) from None


def _build(options: CommandOptions, tools: Tools) -> list[CommandSource]:
    name = f"command:{PurePath(options.argv[0]).name}"
    return [
        CommandSource(
            id=name,
            operator=options.operator or name,
            families=frozenset(Family if options.families is None else options.families),
            min_interval=timedelta(0),
            argv=options.argv,
            timeout=options.timeout,
            commands=tools.commands,
        )
    ]


PLUGIN = Plugin(
    title="a program of yours that prints the address",
    manual="https://man7.org/linux/man-pages/man3/execvp.3.html",
    settings=CommandOptions,
    build=_build,
)
