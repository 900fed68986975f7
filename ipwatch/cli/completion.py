"""completion: what a shell is told at a Tab, out of the parser itself, so that nothing is written twice.

The script of a shell (in shells/) is small: it asks `ipwatch __complete WORD... .CURRENT`. CURRENT is the word in which
the cursor stands, behind a dot, since PowerShell 5 drops empty arguments. Each line of the answer is a word, a tab and
what it means; or ":files", a tab and what stands before the path in the same word ("--config=").
"""

import argparse
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ipwatch.cli.parser import COMMANDS, build, command_of

TYPE_CHECKING = False
if TYPE_CHECKING:  # see parser
    from typing import Any

FILES = ":files"
_SHELLS = Path(__file__).with_name("shells")
Found = tuple[str, str]  # word, meaning


def completion(arguments: argparse.Namespace) -> int:
    """Print the script for a shell; how it is installed stands at its top."""
    print((_SHELLS / f"ipwatch.{arguments.shell}").read_text("utf-8"), end="")
    return 0


def answer(words: Sequence[str]) -> int:
    """Print what fits; at a Tab nobody wants to read of a fault."""
    try:
        *before, current = words
        lines = [f"{word}\t{meaning}" for word, meaning in complete(before, current.removeprefix("."))]
        print("".join(f"{line}\n" for line in lines), end="", flush=True)
    except Exception:  # noqa: BLE001 - see above
        return 1
    return 0


def complete(
    before: Sequence[str], current: str, environ: Mapping[str, str] = os.environ, cwd: Path | None = None
) -> list[Found]:
    """The words that may stand at the cursor, given those before it."""
    before, current, prefix = _joined(list(before), current)
    command = command_of(before)
    place = Place(build(command if command in COMMANDS else None), environ, cwd or Path())
    for word in before:
        place.step(word)
    return list(place.found(current, prefix))


def _joined(before: list[str], current: str) -> tuple[list[str], str, bool]:
    """Bash takes "--config=x" for three words: put them together again, and say whether the "=" stands apart."""
    words: list[str] = []
    for word in [*before, current]:
        if word == "=" and words and words[-1].startswith("--"):
            words[-1] += "="
        elif words and words[-1].startswith("--") and words[-1].endswith("="):
            words[-1] += word
        else:
            words.append(word)
    return words[:-1], words[-1], words[-1] != current


class Place:
    """Where the cursor is: after which words of which command."""

    def __init__(self, parser: argparse.ArgumentParser, environ: Mapping[str, str], cwd: Path) -> None:
        self.environ = environ
        self.cwd = cwd
        self.given: list[tuple[argparse.Action, str]] = []
        self.pending: argparse.Action | None = None  # an option that waits for its value
        self.literal = False  # after "--"
        self._enter(parser)

    def _enter(self, parser: argparse.ArgumentParser) -> None:
        """Its arguments are the next ones, each gone when it is given."""
        self.parser = parser
        self.arguments = [a for a in parser._actions if not a.option_strings]  # noqa: SLF001 - argparse has no other door

    def step(self, word: str) -> None:
        """Past one word."""
        if self.pending is not None and (self.pending.nargs is None or not word.startswith("-")):
            self.given.append((self.pending, word))
            self.pending = None
        elif self._is_option(word):
            self._option(word)
        elif self.arguments:
            self._argument(self.arguments[0], word)

    def _is_option(self, word: str) -> bool:
        """Options end at "--", and where the rest belongs to another program."""
        return word.startswith("-") and len(word) > 1 and not self.literal and not self._in_rest()

    def _in_rest(self) -> bool:
        return bool(self.arguments) and self.arguments[0].nargs == argparse.REMAINDER

    def _option(self, word: str) -> None:
        self.pending = None
        if word == "--":
            self.literal = True
            return
        name, equals, value = word.partition("=")
        action = next((a for a in self._options() if name in a.option_strings), None)
        if action is None:
            return
        self.given.append((action, value))
        if not equals and action.nargs != 0:
            self.pending = action

    def _argument(self, action: argparse.Action, word: str) -> None:
        self.given.append((action, word))
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            self._enter(action.choices.get(word) or argparse.ArgumentParser(add_help=False))
        elif action.nargs in {None, "?"}:
            del self.arguments[0]

    def _options(self) -> list[argparse.Action]:
        return [a for a in self.parser._actions if a.option_strings and a.help != argparse.SUPPRESS]  # noqa: SLF001

    def found(self, current: str, apart: bool) -> Iterator[Found]:
        """What fits the beginning of a word. apart: the shell itself has split it at the "="."""
        if self.pending is not None and (self.pending.nargs is None or not current.startswith("-")):
            yield from self._values(self.pending, current)
        elif self._is_option(current) or (current == "-" and not self.literal and not self._in_rest()):
            name, equals, value = current.partition("=")
            if equals:
                action = next((a for a in self._options() if name in a.option_strings), None)
                prefix = "" if apart else f"{name}="
                yield from ((prefix + word, text) if word != FILES else (word, prefix)
                            for word, text in self._values(action, value))  # fmt: skip
            else:
                yield from self._names(current)
        elif self.arguments:
            yield from self._values(self.arguments[0], current)
        elif not current:
            yield from self._names("-")

    def _names(self, current: str) -> Iterator[Found]:
        """The options that may still be given, each by its long name unless the short one is being typed."""
        taken = {action for action, _ in self.given}
        for group in self.parser._mutually_exclusive_groups:  # noqa: SLF001
            if taken & set(group._group_actions):  # noqa: SLF001
                taken |= set(group._group_actions)  # noqa: SLF001
        for action in self._options():
            if action not in taken:
                long = [name for name in action.option_strings if name.startswith("--")]
                names = long or action.option_strings if current in {"-", "--"} else action.option_strings
                yield from ((name, action.help or "") for name in names if name.startswith(current))

    def _values(self, action: argparse.Action | None, current: str) -> Iterator[Found]:
        """What may stand for an argument or behind an option."""
        if action is None:
            return
        if action.metavar == "FILE":
            yield FILES, ""
            return
        given = {word for _, word in self.given}
        for word, text in self._words(action):
            if word.startswith(current) and not (action.nargs == "*" and word in given):
                yield word, text

    def _words(self, action: argparse.Action) -> Iterator[Found]:
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            helps = {choice.dest: choice.help or "" for choice in action._choices_actions}  # noqa: SLF001
            texts = {id(action.choices[name]): text for name, text in helps.items()}
            yield from (
                (name, texts[id(parser)]) for name, parser in action.choices.items()
            )  # an alias: the same parser
        elif action.choices is not None:
            yield from ((str(word), "") for word in action.choices)
        elif action.metavar == "HOST":
            yield from ((name, "") for name in self._hosts())
        elif action.metavar == "FORWARD":
            yield from ((name, str(value)) for name, value in self._of_host("forward").items())
        elif action.metavar == "APP":
            from ipwatch.laptop.apps import PRESETS

            own = self._of_host("app")
            yield from ((name, "yours") for name in own)
            yield from ((name, "") for name in PRESETS if name not in own)

    def _value(self, dest: str) -> str | None:
        return next((word for action, word in reversed(self.given) if action.dest == dest), None)

    def _of_host(self, table: str) -> "Mapping[str, Any]":
        found = self._hosts().get(self._value("host") or "", {}).get(table)
        return found if isinstance(found, dict) else {}

    def _hosts(self) -> "dict[str, dict[str, Any]]":
        """The hosts of laptop.toml as they stand there: a file that is not quite right has names, too."""
        from ipwatch.settings import files, laptop_place

        path = self._value("config")
        file = laptop_place.configuration(os.path.expanduser(path) if path else None, self.environ, self.cwd)  # noqa: PTH111
        data = files.parsed(file, files.text(file, "")) if file else {}
        return {item["name"]: item for item in data.get("host", []) if isinstance(item.get("name"), str)}
