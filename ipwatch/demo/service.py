"""The real service, run as a child process against the house."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Self

LOG = "ipwatch.log"
_PROXIES = ("http_proxy", "https_proxy", "all_proxy")


class Service:
    """`ipwatch --config FILE run` while the `with` block runs; its log goes into a file beside the configuration."""

    def __init__(self, config: Path) -> None:
        self.config = config
        self.log = config.with_name(LOG)
        self.started = 0.0  # time.monotonic()

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "ipwatch", "--config", str(self.config), "run"]
        self.started = time.monotonic()
        with self.log.open("wb") as log:
            # A group of its own: Ctrl-C on the terminal is for the play, which then ends the service in good order.
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=_environment(), process_group=0
            )
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def ended(self) -> int | None:
        """Its exit status, once it has ended (minus the signal's number if one killed it)."""
        return self._process.poll()

    def stop(self, within: float) -> int | None:
        """SIGTERM; its exit status, or None if it did not end within that many seconds."""
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(within)
        except subprocess.TimeoutExpired:
            return None

    def said(self, lines: int) -> list[str]:
        """The last lines of its log."""
        return self.log.read_text(errors="replace").splitlines()[-lines:]


def _environment() -> dict[str, str]:
    """The caller's, without what would configure the service otherwise or send loopback through a proxy."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("IPWATCH_") and k.lower() not in _PROXIES}
    return kept | {"NO_PROXY": "*", "no_proxy": "*"}


@contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGTERM and SIGHUP be a Ctrl-C, so that everything is cleaned up; only possible in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
