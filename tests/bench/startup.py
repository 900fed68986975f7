"""How long a word takes to answer, against the bare interpreter."""

import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.bench.figures import Figure, NotMeasured
from tests.fakes.sshd import sshd

RUNS = 11


def measure() -> Iterator[Figure]:
    """In turns, so that a busy machine slows both; the median of the ratios of the pairs."""
    installed = Path(sys.executable).with_name("ipwatch")
    if not installed.exists():
        raise NotMeasured(f"no {installed.name} beside the interpreter: make setup")
    yield from _against(lambda: _seconds([str(installed), "--help"]), "`ipwatch --help`", 7)
    with tempfile.TemporaryDirectory(prefix="ipwatch-bench-") as folder:
        yield from _against(_first_packet(installed, Path(folder)), "`ipwatch proxy` until its first packet", 5)
        try:
            with sshd(Path(folder) / "sshd") as server:
                config = Path(folder) / "where.toml"
                home = f'[home]\nnames = ["127.0.0.1"]\n[state]\npath = "{folder}/where"\n'
                config.write_text(home + server.toml("desktop"))
                config.chmod(0o600)
                words = [str(installed), "--config", str(config), "where", "desktop", "-q"]
                yield Figure("`ipwatch where`, proved at a real sshd",
                             statistics.median(_seconds(words) for _ in range(5)) * 1000, "ms")  # fmt: skip
        except pytest.skip.Exception as error:
            yield Figure("`ipwatch where`", None, why=str(error))


def _against(run: Callable[[], float], what: str, budget: float) -> Iterator[Figure]:
    bare = [sys.executable, "-c", "pass"]
    run()  # once, for the disk's and the compiler's caches
    _seconds(bare)
    pairs = [(run(), _seconds(bare)) for _ in range(RUNS)]
    ratio = statistics.median(w / b for w, b in pairs)
    yield Figure(f"{what} against `python -c pass` ({RUNS} pairs)", ratio, "x", budget)
    yield Figure(f"  {what}", statistics.median(w for w, _ in pairs) * 1000, "ms")
    yield Figure("  `python -c pass`", statistics.median(b for _, b in pairs) * 1000, "ms")


def _first_packet(installed: Path, folder: Path) -> Callable[[], float]:
    """From the start of `ipwatch proxy` until somebody calls at the host's LAN address."""

    def run() -> float:
        with socket.create_server(("127.0.0.1", 0)) as server:
            config = folder / "proxy.toml"
            key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA88Hq7aVqb65PGEp75A6o0qVYMWvhNAxmBGlmJVfaHp"
            host = f'name = "desktop"\nuser = "me"\nlan = "127.0.0.1:{server.getsockname()[1]}"\nkeys = ["{key}"]\n'
            config.write_text(f'[state]\npath = "{folder}/proxy"\n[[host]]\n{host}')
            config.chmod(0o600)
            command = [str(installed), "proxy", "--config", str(config), "desktop"]
            server.settimeout(20)
            start = time.monotonic()
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            try:
                client, _ = server.accept()
                took = time.monotonic() - start
                client.close()
            finally:
                process.kill()
                process.communicate()
            return took

    return run


def _seconds(command: list[str]) -> float:
    start = time.monotonic()
    done = subprocess.run(command, capture_output=True, timeout=30, check=False)
    if done.returncode:
        raise NotMeasured(f"{' '.join(command[-2:])} ended with {done.returncode}")
    return time.monotonic() - start
