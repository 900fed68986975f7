"""Questions to the person at the terminal."""

import getpass
import sys

from ipwatch.ports.remote import Prompt


def ask(prompt: Prompt) -> str | None:
    """The answer, or None without a terminal or when they gave up (Ctrl-D). Ctrl-C passes through."""
    if not sys.stdin.isatty():
        return None
    try:
        if not prompt.echo:
            return getpass.getpass(prompt.text)
        sys.stderr.write(prompt.text)
        sys.stderr.flush()
        line = sys.stdin.readline()
    except EOFError:
        return None
    return line.rstrip("\n") if line else None
