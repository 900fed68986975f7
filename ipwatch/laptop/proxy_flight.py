"""Several ssh at once look for a host only once: one process searches and the others use what it finds.

The lock ends with its process, however that ends; the file beside it says how the search goes. Standard library only.
"""

import importlib
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from ipwatch.core.trouble import Kind, Trouble


class Word(NamedTuple):
    """What the searching process wrote last. kind: 0 while it goes on."""

    at: float
    kind: int
    text: str


class Flight:
    """The lock and the word of one host's search, or of its wake (`what`)."""

    def __init__(self, folder: Path, what: str) -> None:
        self._folder = folder
        self._lock = folder / f"{what}.lock"
        self._word = folder / f"{what}.word"
        self.descriptor = -1

    def take(self) -> bool:
        """Whether this process is the one now. A folder that can not be used keeps nobody from searching."""
        if self.descriptor >= 0:
            return True
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError:
            return True
        if not _locked(descriptor):
            os.close(descriptor)
            return False
        self.descriptor = descriptor
        return True

    def leave(self) -> None:
        """Let the next one be it."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def say(self, text: str, kind: int = 0) -> None:
        """For those who wait."""
        temporary = self._word.with_name(f".{self._word.name}.{os.getpid()}.tmp")
        with suppress(OSError):
            temporary.write_text(f"{time.time():.3f} {kind} {text}\n", "utf-8")
            temporary.replace(self._word)

    def word(self, since: float) -> Word | None:
        """The last word, if it is not older than that."""
        with suppress(OSError, ValueError):
            at, kind, text = self._word.read_text("utf-8").strip().split(" ", 2)
            word = Word(float(at), int(kind), text)
            return word if word.at >= since else None
        return None

    def trouble(self, since: float) -> Trouble | None:
        """How a search that began after `since` or was under way then has failed."""
        word = self.word(since)
        if word is None or word.kind not in set(Kind):
            return None
        return Trouble(Kind(word.kind), word.text)


def _locked(descriptor: int) -> bool:
    """Whether the lock is ours now; it ends with the descriptor."""
    try:
        if os.name == "posix":
            fcntl: Any = importlib.import_module("fcntl")
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            msvcrt: Any = importlib.import_module("msvcrt")
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    except OSError:
        return False
    return True
