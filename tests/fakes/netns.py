"""Network namespaces of the tests' own: made, used and removed here; nothing in them can reach the outside."""

import ctypes
import itertools
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

_count = itertools.count(1)
_CLONE_NEWNET = 0x40000000  # clone(2)


def needs_namespaces() -> None:
    """Skip the test with the reason where namespaces can not be made."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to make network namespaces")
    for program in ("ip", "nft"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    name = f"ipwprobe{os.getpid()}"  # others may ask the same at this moment
    probe = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
    if probe.returncode:
        pytest.skip(f"network namespaces can not be made here: {probe.stderr.strip()}")
    sweep()


def sweep() -> None:
    """Remove what killed test runs left, with all that runs in it: their process is gone, so nobody else will."""
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=False, timeout=60)
    for name in (line.split()[0] for line in listed.stdout.splitlines() if line.strip()):
        if orphaned(name):
            _remove(name)


def orphaned(name: str) -> bool:
    """Whether a namespace of that name was made by a test run that is gone."""
    maker = re.match(r"ipw(?:probe)?(\d+)(?:-|\Z)", name)
    return maker is not None and not Path(f"/proc/{maker[1]}").exists()


def _remove(name: str) -> None:
    listed = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True, check=False, timeout=60)
    for pid in listed.stdout.split():
        with suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
    with suppress(AssertionError):
        ip("netns", "del", name)


def ip(*words: str) -> None:
    """Run ip(8); its own words when it fails."""
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr.strip()}"


class Namespace:
    """One network namespace, with its loopback up."""

    def __init__(self, label: str) -> None:
        self.name = f"ipw{os.getpid()}-{next(_count)}-{label}"
        ip("netns", "add", self.name)
        self.ip("link", "set", "lo", "up")

    @property
    def prefix(self) -> list[str]:
        """Words before a command that make it run inside."""
        return ["ip", "netns", "exec", self.name]

    def ip(self, *words: str) -> None:
        """ip(8) inside."""
        ip("-n", self.name, *words)

    def nft(self, text: str) -> None:
        """Apply rules inside, nft(8) syntax."""
        done = subprocess.run([*self.prefix, "nft", "-f", "-"], input=text, capture_output=True, text=True, check=False,
                              timeout=60)  # fmt: skip
        assert done.returncode == 0, done.stderr

    def run(self, words: Sequence[str], within: float = 60) -> "subprocess.CompletedProcess[str]":
        """A command inside, to its end."""
        return subprocess.run([*self.prefix, *words], capture_output=True, text=True, check=False, timeout=within)

    @contextmanager
    def inside(self) -> Iterator[None]:
        """This thread's new sockets belong to the namespace for the block."""
        here = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(f"/run/netns/{self.name}", os.O_RDONLY)
        try:
            _setns(there)
            yield
        finally:
            _setns(here)
            os.close(here)
            os.close(there)

    def close(self) -> None:
        """End what still runs inside, and remove it."""
        _remove(self.name)
        assert not Path(f"/run/netns/{self.name}").exists()


def _setns(descriptor: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
