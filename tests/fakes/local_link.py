"""A link to a host that is this machine: it runs commands here, in a home folder of its own, and connects here."""

import os
import signal
import socket
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from ipwatch.core.forward import Target
from ipwatch.ports import Unreachable
from tests.fakes.links import PlainLink


class House:
    """The host's side, which outlives links. started: what its apps' state files name is ended by `end`."""

    def __init__(self, home: Path, shell: str = "sh", environ: Mapping[str, str] | None = None) -> None:
        self.home, self.shell = home, shell
        self.environ = {"HOME": str(home), "PATH": "/usr/bin:/bin", "SHELL": "/bin/sh", **(environ or {})}
        self.scripts: list[bytes] = []
        self.broken: list[str] = []  # the next runs in these modes lose the link when their command has ended
        self.hangs = False  # commands do not end, though the link is well
        home.mkdir(parents=True, exist_ok=True)

    @property
    def state(self) -> Path:
        return self.home / ".local/state/ipwatch"

    def program(self, place: str, text: str) -> Path:
        """An executable file below the home folder."""
        path = self.home / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
        return path

    def pids(self) -> list[int]:
        """The processes that the state files name."""
        return [int(file.read_text().split()[0]) for file in self.state.glob("*.state")]

    def end(self) -> None:
        """End them, with their children."""
        for pid in self.pids():
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)


class LocalLink(PlainLink):
    """ports.remote.Link into that house."""

    def __init__(self, house: House) -> None:
        super().__init__()
        self.house = house

    def reach(self, target: Target, within: timedelta) -> socket.socket:
        if not target.is_path:
            return super().reach(target, within)
        far = socket.socket(socket.AF_UNIX)
        try:
            far.connect(target.host)
        except OSError:
            far.close()
            raise
        return far

    def run(self, command: str, within: timedelta, *, stdin: bytes = b"", limit: int = 65536,
            said: Callable[[bytes], None] | None = None) -> tuple[int, bytes, bytes]:  # fmt: skip
        if self.is_cut.is_set():
            raise Unreachable("the link is gone")
        self.house.scripts.append(stdin)
        if self.house.hangs:
            raise Unreachable(f"the command did not end within {within.total_seconds():g} s", sent=True)
        done = subprocess.run([self.house.shell, "-c", command], input=stdin, capture_output=True, check=False,
                              timeout=within.total_seconds(), env=self.house.environ, cwd=self.house.home,
                              start_new_session=True)  # fmt: skip
        if self.house.broken and f"mode={self.house.broken[0]}\n".encode() in stdin:
            self.house.broken.pop(0)
            self.die("the line was cut")
            raise Unreachable("the link is gone")
        return done.returncode, done.stdout[:limit], done.stderr[:limit]
