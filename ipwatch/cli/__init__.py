"""The words one can type. Thin: parse, import the one module that does it, print, exit.

The standard library's argparse and not click: `--help` starts in half the time, and its budget (7 times a bare
interpreter, DESIGN section 9) leaves no room for click's import.

parser      the command line itself, with every command and option
completion  what a shell is told at a Tab, out of that parser
"""

import contextlib
import errno
import importlib
import os
import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; gives the exit status."""
    try:
        return _run(sys.argv[1:] if argv is None else list(argv))
    except KeyboardInterrupt:  # at any time, while it imports, too
        return 130


def _run(words: list[str]) -> int:
    _give_outputs()
    if os.getpid() == 1:
        _heed_sigterm(0 if "run" in words else 143)
    if "proxy" in words[1:] and words[0].startswith("-"):  # `ipwatch --config FILE proxy HOST`
        from ipwatch.cli.parser import command_first

        words = command_first(words)
    if words[:1] == ["proxy"]:  # ssh waits for it: no parser of 20 commands first
        from ipwatch.cli.editors import proxy

        return proxy(words[1:])
    if words[:1] == ["__complete"]:  # a shell asks, at every Tab
        from ipwatch.cli.completion import answer

        return answer(words[1:])
    from ipwatch.cli.parser import COMMANDS, in_order, parser_for

    words = in_order(words)
    arguments = parser_for(words).parse_args(words)
    if arguments.command == "run":
        _heed_sigterm(0)
    module = importlib.import_module(f"ipwatch.cli.{COMMANDS[arguments.command][0]}")
    try:
        status: int = getattr(module, arguments.command.replace("-", "_"))(arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # `ipwatch history | head`
        sys.stderr.close()
        return 0
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EIO}:  # of the output; what else can fail has sentences of its own
            raise
        return _unwritten(error)
    return status


def _give_outputs() -> None:
    """A program started without them (`>&-`) has None in their place; nobody reads what it says."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123 - to the end of the program; starts without pathlib
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115, PTH123 - see above


def _unwritten(error: OSError) -> int:
    """Standard output takes nothing more: a full disk, a terminal that was closed."""
    with contextlib.suppress(OSError):
        print(f"ipwatch: the output can not be written: {(error.strerror or 'error').lower()}", file=sys.stderr)
    with contextlib.suppress(OSError):
        sys.stdout.close()
    return 1


def _heed_sigterm(status: int) -> None:
    """End with that status at SIGTERM: on a slow machine the imports take a while, and a service that is stopped
    meanwhile has stopped well. The kernel keeps the signal from a container's first process as long as that has no
    handler (pid_namespaces(7)). The service sets its own later."""
    import signal

    signal.signal(signal.SIGTERM, lambda *_: os._exit(status))
