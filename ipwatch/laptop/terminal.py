"""Questions to the person at the terminal."""

import getpass
import sys

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
            return getpass.getpass(text)
        sys.stderr.write(text)
        sys.stderr.flush()
        line = sys.stdin.readline()
    except EOFError:
        return None
    return line.rstrip("\n") if line else None
