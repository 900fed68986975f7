"""A program that goes on while a test does other things, and what it says meanwhile."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.fakes.waiting import PATIENCE, wait

IPWATCH = (sys.executable, "-m", "ipwatch")


class Program:
    """A process of its own. lines: what it said so far on standard error, with the time it was said at."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str] = os.environ) -> None:
        self.began = time.monotonic()
        self.process = subprocess.Popen(command, env={**environment, "PYTHONUNBUFFERED": "1"}, text=True,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE)  # fmt: skip
        self.lines: list[tuple[float, str]] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append((time.monotonic(), line.rstrip()))

    @property
    def text(self) -> str:
        """All of it, with seconds since its start."""
        return "\n".join(f"{at - self.began:6.2f} {line}" for at, line in self.lines)

    def when(self, word: str, after: float = 0.0) -> float | None:
        """When a line with that word was first said after that time."""
        return next((at for at, line in self.lines if word in line and at >= after), None)

    def says(self, word: str, within: float = PATIENCE, after: float = 0.0) -> float:
        """Wait for that; gives the time."""
        assert wait(lambda: self.when(word, after) or self.process.poll() is not None, within), self.text
        at = self.when(word, after) or (time.sleep(0.2) or self.when(word, after))
        assert at, self.text
        return at

    def threads(self) -> int:
        """How many threads it has."""
        return len(list(Path(f"/proc/{self.process.pid}/task").iterdir()))

    def descriptors(self) -> int:
        """How many files it has open."""
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def kill(self) -> None:
        """As a power cut does."""
        self.process.kill()
        self._done()

    def end(self) -> int:
        """SIGTERM, also if it is stopped; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
        return self._done()

    def _done(self) -> int:
        try:
            status = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        self._reader.join(5)
        assert self.process.stderr is not None
        self.process.stderr.close()
        return status
