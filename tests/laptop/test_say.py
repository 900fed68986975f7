"""What a waiting person sees: on a real terminal, in a pipe, as JSON, with --quiet."""

import fcntl
import io
import json
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest

from ipwatch.laptop.say import Say, Tone, fitting

ERASE = "\r\033[K"


class Terminal:
    """A pseudo terminal of so many columns. rows: what stands on it; written: what was sent to it."""

    def __init__(self, columns: int = 80) -> None:
        self._own, self.theirs = pty.openpty()
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.out = os.fdopen(self.theirs, "w")
        self._written = ""

    @property
    def written(self) -> str:
        while select.select([self._own], [], [], 0.05)[0]:
            self._written += os.read(self._own, 4096).decode().replace("\r\n", "\n")
        return self._written

    @property
    def rows(self) -> list[str]:
        return [row.rpartition(ERASE)[2] for row in self.written.split("\n")]

    def close(self) -> None:
        self.out.close()
        os.close(self._own)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    opened = Terminal()
    yield opened
    opened.close()


@pytest.fixture
def narrow() -> Iterator[Terminal]:
    opened = Terminal(20)
    yield opened
    opened.close()


def test_a_status_is_replaced_in_place(terminal: Terminal) -> None:
    """One row on a terminal, however often it changes; nothing is left of it at the end."""
    say = Say(terminal.out, environ={})
    assert say.on_terminal
    for seconds in range(3):
        say.status(f"looking for nas, {seconds} s")
    assert terminal.rows == ["looking for nas, 2 s"]
    say.status("")
    assert terminal.rows == [""]


def test_the_same_status_is_not_written_again(terminal: Terminal) -> None:
    """A terminal far away is spared."""
    say = Say(terminal.out, environ={})
    for _ in range(3):
        say.status("looking for nas")
    assert terminal.written == "looking for nas"


def test_a_line_stands_above_the_status(terminal: Terminal) -> None:
    """Lines stay, the status goes on below them."""
    say = Say(terminal.out, environ={})
    say.line("one")
    say.status("looking for nas")
    say.line("two")
    say.line("three\nfour")
    assert terminal.rows == ["one", "two", "three", "four", "looking for nas"]


def test_a_status_fits_a_narrow_terminal(narrow: Terminal) -> None:
    """It is cut so that it never takes a second row that could not be erased, not even with ^C behind it."""
    say = Say(narrow.out, environ={})
    say.status("desktop is away, trying again soon")
    assert narrow.rows == ["desktop is away, "]


def test_a_terminal_without_a_width(narrow: Terminal) -> None:
    """A terminal that does not say how wide it is, as a serial line, is taken for one of 80 columns."""
    fcntl.ioctl(narrow.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 0, 0, 0, 0))
    Say(narrow.out, environ={}).status("desktop is away, trying again soon")
    assert narrow.rows == ["desktop is away, trying again soon"]


def test_a_resized_terminal_is_asked_anew(narrow: Terminal) -> None:
    """The width is that of the moment."""
    say = Say(narrow.out, environ={})
    say.status("desktop is away, trying again soon")
    fcntl.ioctl(narrow.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 32, 0, 0))
    say.status("desktop is away, trying again now")
    assert narrow.rows == ["desktop is away, trying again"]


@pytest.mark.parametrize(
    ("text", "columns", "shown"),
    [
        ("short", 9, "short"),
        ("exactly", 7, "exactly"),
        ("cut off", 6, "cut of"),
        ("日本語", 5, "日本"),  # two columns each
        ("日本語", 6, "日本語"),
        ("e\u0301e\u0301", 2, "e\u0301e\u0301"),  # accents take none
        ("anything", 0, "a"),
        ("", 0, ""),
    ],
)
def test_the_beginning_that_fits(text: str, columns: int, shown: str) -> None:
    """Counted in columns, as the terminal counts them."""
    assert fitting(text, columns) == shown


@pytest.mark.parametrize("tone", [Tone.GOOD, Tone.WARN, Tone.BAD])
def test_tones_are_colours_on_a_terminal(terminal: Terminal, tone: Tone) -> None:
    """A plain line has none."""
    say = Say(terminal.out, environ={"NO_COLOR": ""})
    say.line("well", tone)
    say.line("and so on")
    coloured, plain = terminal.rows[:2]
    assert coloured.startswith("\033[3")
    assert coloured.endswith("mwell\033[0m")
    assert plain == "and so on"


def test_a_question_is_not_drawn_over(terminal: Terminal) -> None:
    """While a passphrase is typed its prompt stays: the status pauses, and what is to be told comes after it."""
    say = Say(terminal.out, environ={"NO_COLOR": "1"})
    say.status("proving nas, 1 s")
    with say.question():
        terminal.out.write("Passphrase: ")
        terminal.out.flush()
        say.status("proving nas, 2 s")
        say.line("25.0.0.9 is not nas", Tone.WARN)
        assert terminal.rows == ["Passphrase: "]
        terminal.out.write("\n")
    assert terminal.rows == ["Passphrase: ", "25.0.0.9 is not nas", "proving nas, 2 s"]


def test_no_color_is_respected(terminal: Terminal) -> None:
    """The status line stays: it is no colour."""
    say = Say(terminal.out, environ={"NO_COLOR": "1"})
    say.line("well", Tone.GOOD)
    say.status("on")
    assert terminal.rows == ["well", "on"]


def test_a_dumb_terminal_gets_plain_lines(terminal: Terminal) -> None:
    """It can not erase."""
    say = Say(terminal.out, environ={"TERM": "dumb"})
    say.status("one")
    say.status("two")
    say.line("done", Tone.GOOD)
    assert (terminal.written, say.on_terminal) == ("one\ntwo\ndone\n", False)


def test_control_characters_of_others_are_not_written(terminal: Terminal) -> None:
    """Words of a machine far away can not move the cursor or change the title."""
    say = Say(terminal.out, environ={})
    say.line("it says \033]0;owned\a")
    say.status("at\r\nhome\033[2J")
    assert terminal.rows == ["it says  ]0;owned ", "at  home [2J"]


def test_in_a_pipe_each_status_is_a_line() -> None:
    """Once each, without colours; an empty one is none."""
    out = io.StringIO()
    say = Say(out)
    for text in ("looking", "looking", "calling", "", "looking"):
        say.status(text)
    say.line("up", Tone.GOOD)
    assert out.getvalue() == "looking\ncalling\nlooking\nup\n"


def test_as_json_everything_is_a_line_of_json(terminal: Terminal) -> None:
    """On a terminal too; whatever the facts are made of."""
    say = Say(terminal.out, as_json=True, environ={})
    say.status("looking")
    say.status("")
    say.line("up", Tone.GOOD, event="up", after=timedelta(seconds=2), port=22)
    say.line("a\nb\033")
    assert [json.loads(row) for row in terminal.written.splitlines()] == [
        {"status": "looking"},
        {"tone": "good", "text": "up", "event": "up", "after": "0:00:02", "port": 22},
        {"tone": "plain", "text": "a\nb\033"},
    ]
    assert "\033" not in terminal.written


def test_quiet_is_quiet_but_warns(terminal: Terminal) -> None:
    """Warnings and faults are said all the same."""
    say = Say(terminal.out, quiet=True, environ={"NO_COLOR": "1"})
    say.status("looking")
    say.line("up", Tone.GOOD)
    say.line("by the way")
    say.line("a stranger", Tone.WARN)
    say.line("lost", Tone.BAD)
    assert terminal.rows == ["a stranger", "lost", ""]


def test_a_closed_pipe_stops_nothing() -> None:
    """Nobody reads any more: that is no reason to end a tunnel."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb", buffering=0) as raw:
        out = io.TextIOWrapper(raw, write_through=True)
        say = Say(out)
        say.line("one")
        say.status("two")
        out.detach()
    say.line("three")


def test_a_closed_terminal_stops_nothing(terminal: Terminal) -> None:
    """Nor does a window that was closed."""
    say = Say(terminal.out, environ={})
    say.status("one")
    terminal.out.close()
    say.line("two")
    say.status("three")


def test_lines_of_several_threads_are_not_mixed() -> None:
    """The supervisor, the search and the wake speak at the same time."""
    out = io.StringIO()
    say = Say(out)

    def talk(text: str) -> None:
        for _ in range(50):
            say.line(text)

    threads = [threading.Thread(target=talk, args=(letter * 40,)) for letter in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert {(len(row), len(set(row))) for row in out.getvalue().splitlines()} == {(40, 1)}


ASK = """
import os, sys
if sys.stdin.isatty():  # makes it the terminal of this session, as a login does
    os.close(os.open(os.ttyname(0), os.O_RDWR))
from ipwatch.laptop.terminal import ask
from ipwatch.ports.remote import Prompt
print(repr(ask(Prompt("\\033]0;x\\aPassphrase? ", echo={echo}))))
"""


def asked(echo: bool, answer: bytes) -> str:
    """What was shown on the terminal at which the question was asked and answered."""
    own, theirs = pty.openpty()
    program = subprocess.Popen([sys.executable, "-c", ASK.format(echo=echo)], start_new_session=True,
                               stdin=theirs, stdout=theirs, stderr=theirs)  # fmt: skip
    os.close(theirs)
    seen = b""
    try:
        while select.select([own], [], [], 60)[0]:
            try:
                more = os.read(own, 4096)
            except OSError:  # Linux: the program has ended
                break
            if not more:
                break
            if b"? " in more:
                os.write(own, answer)
            seen += more
        assert program.wait(60) == 0
    finally:
        program.kill()
        os.close(own)
    return seen.decode().replace("\r\n", "\n")


def test_a_secret_answer_is_not_shown() -> None:
    """A passphrase is typed blindly; a question from afar moves no cursor."""
    assert asked(echo=False, answer=b"correct horse\n") == " ]0;x Passphrase? \n'correct horse'\n"


def test_an_open_answer_is_shown() -> None:
    """A name is not a secret."""
    assert asked(echo=True, answer=b"anna\n") == " ]0;x Passphrase? anna\n'anna'\n"


@pytest.mark.parametrize("echo", [True, False])
def test_giving_up_is_no_answer(echo: bool) -> None:
    """Ctrl-D."""
    assert asked(echo=echo, answer=b"\x04").splitlines()[-1].endswith("None")


def test_without_standard_input_nobody_is_asked() -> None:
    """Started by something that closed it."""
    code = "import sys; sys.stdin = None" + ASK.format(echo=False).replace("if sys.stdin.isatty():", "if False:")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "None\n"


def test_without_a_terminal_nobody_is_asked() -> None:
    """In a script there is nobody: no prompt, no wait."""
    done = subprocess.run([sys.executable, "-c", ASK.format(echo=False)], input="x\n", capture_output=True, text=True,
                          timeout=60, check=True)  # fmt: skip
    assert (done.stdout, done.stderr) == ("None\n", "")
