"""How long a word takes to answer, against the bare interpreter."""

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.figures import Figure, NotMeasured

RUNS = 11


def measure() -> Iterator[Figure]:
    """In turns, so that a busy machine slows both; the median of the ratios of the pairs."""
    installed = Path(sys.executable).with_name("ipwatch")
    if not installed.exists():
        raise NotMeasured(f"no {installed.name} beside the interpreter: make setup")
    words, bare = [str(installed), "--help"], [sys.executable, "-c", "pass"]
    for command in (words, bare):
        _seconds(command)  # once, for the disk's and the compiler's caches
    pairs = [(_seconds(words), _seconds(bare)) for _ in range(RUNS)]
    yield Figure(f"`ipwatch --help` against `python -c pass` ({RUNS} pairs)",
                 statistics.median(w / b for w, b in pairs), "x", 7)  # fmt: skip
    yield Figure("  `ipwatch --help`", statistics.median(w for w, _ in pairs) * 1000, "ms")
    yield Figure("  `python -c pass`", statistics.median(b for _, b in pairs) * 1000, "ms")


def _seconds(command: list[str]) -> float:
    start = time.monotonic()
    done = subprocess.run(command, capture_output=True, timeout=20, check=False)
    if done.returncode:
        raise NotMeasured(f"{' '.join(command[-2:])} ended with {done.returncode}")
    return time.monotonic() - start
