"""One container of the image, run as docker/compose.yaml runs it, in a network namespace of the tests' own."""

import itertools
import os
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Self

from tests.fakes.image import Storage
from tests.fakes.waiting import wait

USER = "1026:100"  # a user of a Synology's: no name, no home, no group of its own in the image
_HARDENED = ("--read-only", "--tmpfs=/tmp", "--cap-drop=all", "--security-opt=no-new-privileges")
_numbers = itertools.count(1)
Mounts = dict[Path | str, str]  # folder, file or volume -> "/place" or "/place:ro"


class Ended(NamedTuple):
    """How a container ended. log: what `docker logs` shows; seconds: from the stop to the end."""

    status: int
    log: str
    seconds: float = 0.0


class Container:
    """A container while the `with` block runs; it is removed afterwards, with the volumes made for it alone."""

    def __init__(
        self, storage: Storage, image: str, namespace: str, *words: str, options: tuple[str, ...] = (),
        user: str = USER, environ: Mapping[str, str] | None = None, mounts: Mounts | None = None,
    ) -> None:  # fmt: skip
        """words: the command, else the image's own."""
        self.name = f"ipw{os.getpid()}-{next(_numbers)}"
        self._storage = storage
        given = [f"--env={name}={text}" for name, text in (environ or {}).items()]
        given += [f"--volume={source}:{place}" for source, place in (mounts or {}).items()]
        self._made = ("--name", self.name, f"--network=ns:/run/netns/{namespace}", f"--user={user}",
                        *_HARDENED, *given, *options, image, *words)  # fmt: skip

    def __enter__(self) -> Self:
        try:
            self._ask("create", *self._made)
            self.start()
        except BaseException:
            self._remove()
            raise
        return self

    def run(self) -> Ended:
        """Start it, wait until it ends by itself, and remove it: all in one, without the `with` block."""
        try:
            done = self._storage.run("podman", "run", "--rm", "--no-healthcheck", *self._made)
        except BaseException:
            self._remove()
            raise
        return Ended(done.returncode, done.stdout + done.stderr)

    def __exit__(self, *_: object) -> None:
        self._remove()

    def _remove(self) -> None:
        self._storage.run("podman", "rm", "--force", "--time=0", "--volumes", self.name)

    def _ask(self, *words: str) -> str:
        return self._storage.ask("podman", *words)

    def start(self) -> None:
        """Run it, for the first time or again."""
        self._ask("start", self.name)

    def log(self) -> str:
        """Both outputs so far."""
        done = self._storage.run("podman", "logs", self.name)
        return done.stdout + done.stderr

    def says(self, text: str) -> bool:
        """Whether that stands in the log."""
        return wait(lambda: text in self.log())

    def inspect(self, form: str) -> str:
        """A field of its state."""
        return self._ask("inspect", "--format", form, self.name)

    @property
    def pid(self) -> int:
        """Its first process, as the host counts."""
        return int(self.inspect("{{.State.Pid}}"))

    def resident(self) -> int:
        """Resident memory of its first process, in bytes."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))

    def execute(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """A command inside, as `docker exec` runs it."""
        return self._storage.run("podman", "exec", self.name, *words)

    def health(self) -> str:
        """What a run of its health check makes of it: "healthy", or "starting" or "unhealthy" where that fails."""
        self._storage.run("podman", "healthcheck", "run", self.name)
        return self.inspect("{{.State.Healthcheck.Status}}")

    def kill(self, signal: str) -> None:
        """Send its first process a signal."""
        self._ask("kill", f"--signal={signal}", self.name)

    def end(self) -> Ended:
        """Wait until it ends by itself."""
        assert wait(lambda: self.inspect("{{.State.Running}}") == "false"), f"still runs: {self.log()}"
        return Ended(int(self.inspect("{{.State.ExitCode}}")), self.log())

    def stop(self) -> Ended:
        """As `docker stop` does: SIGTERM, and SIGKILL after 20 seconds."""
        began = time.monotonic()
        self._ask("stop", "--time=20", self.name)
        return self.end()._replace(seconds=time.monotonic() - began)
