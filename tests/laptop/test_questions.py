"""Questions while something else goes on: remembered, given up at once, and a terminal that is left as it was."""

import os
import pty
import subprocess
import sys
import termios
import threading

import pytest

from ipwatch.laptop.remember import Remembering
from ipwatch.ports.remote import Prompt
from tests.fakes.waiting import wait

ASKED = Prompt("Enter passphrase for key 'id': ")


def test_a_wrong_passphrase_is_asked_again_in_the_same_login() -> None:
    """Who mistyped gets every try that ssh gives, and the last answer is the one that is kept."""
    typed = ["wrong", "right"]
    answers: dict[str, str] = {}
    login = Remembering(lambda _prompt: typed.pop(0), answers, threading.Event())
    assert [login(ASKED), login(ASKED)] == ["wrong", "right"]
    again = Remembering(lambda _prompt: typed.pop(0), answers, threading.Event())
    assert (again(ASKED), typed) == ("right", [])


def test_a_passphrase_that_is_wrong_later_is_asked_anew() -> None:
    """A key that was changed while the tunnel ran: the remembered answer is tried once, then the person."""
    login = Remembering(lambda _prompt: "new", {ASKED.text: "old"}, threading.Event())
    assert [login(ASKED), login(ASKED)] == ["old", "new"]


def test_nobody_waits_for_an_answer_that_is_not_wanted() -> None:
    """Ctrl-C during a question ends it, although the terminal is still read."""
    cancel, answered = threading.Event(), threading.Event()
    login = Remembering(lambda _prompt: str(answered.wait(30)), {}, cancel)
    threading.Timer(0.1, cancel.set).start()
    assert login(ASKED) is None
    answered.set()
    assert wait(lambda: all(one.name != "question" for one in threading.enumerate()))


def test_what_goes_wrong_with_a_question_is_told_to_who_asked() -> None:
    """It does not get lost with the thread that asks."""

    def broken(_prompt: Prompt) -> str:
        raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")

    with pytest.raises(UnicodeDecodeError):
        Remembering(broken, {}, threading.Event())(ASKED)


def test_a_program_that_ends_at_a_question_leaves_the_echo_on() -> None:
    """The shell after it shows what is typed."""
    code = (
        "import threading\n"
        "from ipwatch.laptop.terminal import ask\n"
        "from ipwatch.ports.remote import Prompt\n"
        "threading.Thread(target=ask, args=(Prompt('Passphrase: '),), daemon=True).start()\n"
        "threading.Event().wait(3)\n"
    )
    own, theirs = pty.openpty()
    try:
        process = subprocess.Popen([sys.executable, "-c", code], stdin=theirs, stdout=theirs, stderr=theirs,
                                   start_new_session=True)  # fmt: skip
        assert wait(lambda: not termios.tcgetattr(theirs)[3] & termios.ECHO, 20)
        assert process.wait(20) == 0
        assert termios.tcgetattr(theirs)[3] & termios.ECHO
    finally:
        os.close(own)
        os.close(theirs)
