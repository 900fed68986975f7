"""ssh's command line is read as ssh reads it."""

import pytest

from ipwatch.protocols.ssh_words import host_first, is_option, split


@pytest.mark.parametrize(
    ("words", "options", "command"),
    [
        ([], [], []),
        (["ls", "-l"], [], ["ls", "-l"]),
        (["-L", "1:a:2", "--", "-x"], ["-L", "1:a:2"], ["-x"]),
        (["-vL1:a:2", "-tt", "top"], ["-vL1:a:2", "-tt"], ["top"]),
        (["-vp", "22", "-N"], ["-vp", "22", "-N"], []),
        (["-o"], ["-o"], []),
        (["-", "x"], [], ["-", "x"]),
    ],
)
def test_options_and_command_are_parted(words: list[str], options: list[str], command: list[str]) -> None:
    """As ssh parts them: options with and without a value, `--`, a command with options of its own."""
    assert split(words) == (options, command)


def test_an_option_is_known_behind_others() -> None:
    """-l names a user alone or behind letters without a value, not inside another's value."""
    assert [word for word in ("-l", "-lanna", "-vl", "-v", "-pl", "l") if is_option(word, "l")] == [
        "-l",
        "-lanna",
        "-vl",
    ]


@pytest.mark.parametrize(
    ("words", "want"),
    [
        ("desktop -t tty", "desktop -t tty"),
        ("-t desktop tty -x", "desktop -t tty -x"),
        ("-vL 1:a:2 -p22 desktop", "desktop -vL 1:a:2 -p22"),
        ("-q --config f -t desktop top", "-q --config f desktop -t top"),
        ("--config=f -t desktop", "--config=f desktop -t"),
        ("-q desktop ls", "-q desktop ls"),
        ("-t -- desktop", "-t -- desktop"),
        ("-h", "-h"),
        ("-p", "-p"),
        ("-t", "-t"),
        ("-t --config", "--config -t"),
    ],
)
def test_the_host_comes_first(words: str, want: str) -> None:
    """Options of ssh before the host go behind it with their values, ours stay, the command is not touched."""
    assert host_first(words.split(), ("-q", "-h"), ("--config",)) == want.split()
