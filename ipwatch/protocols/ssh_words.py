"""The words of an ssh command line: which are options, which are their values, where the command begins."""

from collections.abc import Sequence

_WITH_VALUE = frozenset("BbcDEeFIiJLlmOopPQRSWw")  # ssh(1), SYNOPSIS, OpenSSH 9.2: options with an argument


def split(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The options of ssh and what follows them, as ssh's own reading would part them; `--` ends the options."""
    left = list(words)
    options: list[str] = []
    while left and left[0].startswith("-") and left[0] != "-":
        word = left.pop(0)
        if word == "--":
            break
        options.append(word)
        if wants_value(word) and left:  # its argument is the next word
            options.append(left.pop(0))
    return options, left


def wants_value(option: str) -> bool:
    """Whether the next word is its value: "-p" and "-tp", not "-p22"."""
    return next((i for i, letter in enumerate(option[1:], 1) if letter in _WITH_VALUE), None) == len(option) - 1


def is_option(word: str, letter: str) -> bool:
    """Whether it is that option with a value, alone or behind others without one ("-vl")."""
    return word.startswith("-") and next((one for one in word[1:] if one in _WITH_VALUE), "") == letter


def host_first(words: Sequence[str], own: Sequence[str], own_with_value: Sequence[str]) -> list[str]:
    """Options of ssh that stand before the host, as people type them, put behind it.

    own: further options of ours before the host, and own_with_value those that take the next word; a word that begins
    with "--" is ours, too.
    """
    left = list(words)
    ours: list[str] = []
    options: list[str] = []
    while left and left[0].startswith("-") and left[0] not in {"-", "--"}:
        word = left.pop(0)
        mine = word in own or word.startswith("--")
        (ours if mine else options).append(word)
        if left and (word in own_with_value if mine else wants_value(word)):
            (ours if mine else options).append(left.pop(0))
    return [*ours, *left[:1], *options, *left[1:]] if options and left[:1] != ["--"] else list(words)
