"""Programs of the user's, without a shell, ended with their children at the deadline."""

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import IO

from ipwatch.ports import Completed, Unreachable

_LOOK = 0.02  # seconds between two looks whether it has ended: an end is no event that `select` could wait for
_READ = 65536


class SubprocessCommands:
    """ports.Commands by subprocess."""

    def run(self, argv: Sequence[str], within: timedelta, *, env: Mapping[str, str] | None = None,
            stdin: bytes = b"", limit: int = 65536) -> Completed:  # fmt: skip
        """Run it; its output beyond `limit` bytes is dropped. Raises Unreachable, with sent=True once it ran.

        Arguments and environment may hold secrets, so errors name the program only.
        """
        deadline = time.monotonic() + within.total_seconds()
        process = _start(argv, env)
        try:
            outputs = _talk(process, stdin, limit, deadline)
        finally:
            _end(process)
        if outputs is None:
            raise Unreachable(f"{_name(argv)} did not end within {within.total_seconds():g} s", sent=True)
        return Completed(process.returncode, *outputs)


def _name(argv: Sequence[str]) -> str:
    return Path(argv[0]).name if argv else "an empty command"


def _start(argv: Sequence[str], env: Mapping[str, str] | None) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    try:
        return subprocess.Popen(
            list(argv),
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            bufsize=0,
            env={**os.environ, **(env or {})},
            start_new_session=True,  # a process group of its own, so that its children can be ended with it
        )
    except OSError as error:
        raise Unreachable(f"{_name(argv)} can not be started: {(error.strerror or 'error').lower()}") from None
    except (ValueError, IndexError):
        raise Unreachable(f"{_name(argv)} can not be started: a zero byte in it, or no program named") from None


def _talk(process: subprocess.Popen[bytes], stdin: bytes, limit: int, deadline: float) -> tuple[bytes, bytes] | None:
    """Feed it and collect its outputs until it ends; None at the deadline. What its children still hold open after
    its own end is not waited for."""
    if not (process.stdin and process.stdout and process.stderr):
        return None  # never: _start asked for all three
    outputs = {process.stdout: bytearray(), process.stderr: bytearray()}
    left = memoryview(stdin)
    with selectors.DefaultSelector() as selector:
        for output in outputs:
            os.set_blocking(output.fileno(), False)
            selector.register(output, selectors.EVENT_READ)
        os.set_blocking(process.stdin.fileno(), False)
        selector.register(process.stdin, selectors.EVENT_WRITE)
        ended = False
        while not ended:
            if (remaining := deadline - time.monotonic()) <= 0:
                return None
            ended = process.poll() is not None
            for key, _ in selector.select(0 if ended else min(remaining, _LOOK)) if selector.get_map() else _wait():
                if key.fileobj is process.stdin:
                    left = _feed(process.stdin, left, selector)
                else:
                    _collect(key.fileobj, outputs, limit, selector)  # type: ignore[arg-type]
        for output in list(outputs):
            while output in selector.get_map() and _collect(output, outputs, limit, selector):
                if time.monotonic() >= deadline:
                    break
    return bytes(outputs[process.stdout]), bytes(outputs[process.stderr])


def _wait() -> list[tuple[selectors.SelectorKey, int]]:
    time.sleep(_LOOK)
    return []


def _feed(pipe: IO[bytes], left: memoryview, selector: selectors.BaseSelector) -> memoryview:
    try:
        left = left[os.write(pipe.fileno(), left[:_READ]) :] if left else left
    except BlockingIOError:
        return left
    except BrokenPipeError:  # it does not want to read: its own affair
        left = left[:0]
    if not left:
        selector.unregister(pipe)
        pipe.close()
    return left


def _collect(
    pipe: IO[bytes], outputs: Mapping[IO[bytes], bytearray], limit: int, selector: selectors.BaseSelector
) -> bool:
    """Read once; whether there may be more at once."""
    try:
        data = os.read(pipe.fileno(), _READ)
    except BlockingIOError:
        return False
    if not data:
        selector.unregister(pipe)
        return False
    kept = outputs[pipe]
    kept += data[: limit - len(kept)]
    return True


def _end(process: subprocess.Popen[bytes]) -> None:
    """End whatever is left of its group and let go of the pipes."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):  # nobody left, or only what changed its user
        process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe:
            pipe.close()
