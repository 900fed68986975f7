"""A wake that outlives the ssh which asked for it: `ipwatch wake HOST --wait` in a session of its own."""

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from ipwatch.core import waking
from ipwatch.laptop.memory import Memory
from ipwatch.laptop.proxy_flight import Flight
from ipwatch.settings.laptop_model import Host

_FAULT = "ipwatch: "


class Rouse:
    """The wake of one host. config: the laptop.toml that was named, with its full path."""

    def __init__(self, host: Host, memory: Memory, config: Path | None) -> None:
        self._host, self._config = host, config
        self._flight = Flight(memory.folder, f"wake-{host.name}")
        self._log = memory.folder / f"wake-{host.name}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.takes = host.wake.takes.total_seconds() if host.wake else 0.0
        usual = waking.usual(memory.boots(host.name))
        self.lasts = f"usually {usual:.0f} s" if usual else f"at most {self.takes:.0f} s"

    def start(self) -> str:
        """Begin it unless one is under way; gives the sentence for whoever waits."""
        begun = self._flight.take()
        if begun:
            self._spawn()
            self._flight.leave()  # the child holds the lock now
        what = f"waking it {_way(self._host)}" if begun else "a wake is under way"
        return f"{self._host.name} does not answer: {what} ({self.lasts}); trying until it answers"

    def fault(self) -> str:
        """Why the wake has failed; "" while it has not."""
        if self._process is not None and self._process.poll() is None:
            return ""
        if not self._flight.take():
            return ""
        self._flight.leave()
        try:
            lines = self._log.read_text("utf-8", "replace").splitlines()
        except OSError:
            return ""
        last = lines[-1] if lines else ""
        return last.removeprefix(_FAULT) if last.startswith(_FAULT) else ""

    def _spawn(self) -> None:
        named = ["--config", str(self._config)] if self._config else []
        # -P: a folder called ipwatch in the working directory is not ours
        command = [sys.executable, "-P", "-m", "ipwatch", "wake", self._host.name, "--wait", *named]
        with os.fdopen(os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **_detached(self._flight.descriptor)
            )
        # It may end before us, and nobody else waits for it.
        threading.Thread(target=self._process.wait, name="wake", daemon=True).start()


def _detached(lock: int) -> dict[str, Any]:
    """No signal that ends ssh ends the child. It holds the lock as long as it lives (not on Windows, where a lock
    can not be handed on)."""
    if os.name == "posix":
        return {"start_new_session": True, "pass_fds": [lock] if lock >= 0 else []}
    names = ("DETACHED_PROCESS", "CREATE_NEW_PROCESS_GROUP")
    return {"creationflags": sum(getattr(subprocess, name) for name in names)}


def _way(host: Host) -> str:
    wake = host.wake
    if wake is None or wake.via in {"", "direct"}:
        return "by its URL" if wake and wake.url else "directly"
    return f"through {wake.via}"
