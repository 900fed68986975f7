"""Questions to the person at the terminal."""

import atexit
import getpass
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from ipwatch.laptop.say import plain
from ipwatch.ports.remote import Prompt


def ask(prompt: Prompt) -> str | None:
    """The answer, or None without a terminal or when they gave up (Ctrl-D). Ctrl-C passes through.

    The question may come from a machine far away: its control characters are not written.
    """
    if sys.stdin is None or not sys.stdin.isatty():  # None: started without one
        return None
    text = plain(prompt.text)
    try:
        if not prompt.echo:
            with _shown_again():
                return getpass.getpass(text)
        sys.stderr.write(text)
        sys.stderr.flush()
        line = sys.stdin.readline()
    except (EOFError, OSError):  # OSError: the terminal was closed meanwhile
        return None
    return line.rstrip("\n") if line else None


@contextmanager
def _shown_again() -> Iterator[None]:
    """Also a program that ends before the answer (Ctrl-C, while another thread asks) leaves a terminal that shows what
    is typed."""
    restore = _restorer(sys.stdin.fileno())
    atexit.register(restore)
    try:
        yield
    finally:
        atexit.unregister(restore)


def _restorer(terminal: int) -> Callable[[], None]:
    try:
        import termios  # noqa: PLC0415 - not on Windows

        held = termios.tcgetattr(terminal)
    except (ImportError, OSError):
        return lambda: None

    def restore() -> None:
        with suppress(termios.error, OSError):
            termios.tcsetattr(terminal, termios.TCSANOW, held)
            sys.stderr.write("\n")
            sys.stderr.flush()

    return restore
