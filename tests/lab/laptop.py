"""The laptop, in another network: its configuration, its `ipwatch`, its browser. And the service's process."""

import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import certifi

from tests.fakes.waiting import wait
from tests.lab.home import DESKTOP, JUPYTER, MAC, NAS, TOKEN, Desktop, Nas
from tests.lab.internet import DOH_URL, NAME, PAGES
from tests.lab.wires import Place

IPWATCH = (sys.executable, "-m", "ipwatch")


class Run:
    """A program in a machine. lines: what it said so far on standard error, with the time it was said at."""

    def __init__(self, prefix: Sequence[str], words: Sequence[str], home: Path) -> None:
        environment = {"HOME": str(home), "PATH": os.environ["PATH"], "PYTHONUNBUFFERED": "1", "LANG": "C.UTF-8"}
        self.began = time.monotonic()
        self.process = subprocess.Popen([*prefix, *words], env=environment, text=True, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)  # fmt: skip
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

    def says(self, word: str, within: float = 30.0, after: float = 0.0) -> float:
        """Wait for that; gives the time."""
        assert wait(lambda: self.when(word, after) or self.process.poll() is not None, within), self.text
        at = self.when(word, after) or (time.sleep(0.2) or self.when(word, after))
        assert at, self.text
        return at

    def kill(self) -> None:
        """As a power cut does."""
        self.process.kill()
        self._done()

    def end(self) -> int:
        """SIGTERM; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self._done()

    def _done(self) -> int:
        try:
            status = self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait(5)
        self._reader.join(5)
        assert self.process.stderr is not None
        self.process.stderr.close()
        return status


class Laptop:
    """It trusts the lab's certificate authority, and has the house's keys pinned."""

    def __init__(self, place: Place, folder: Path, nas: Nas, desktop: Desktop, cafile: Path) -> None:
        self.place, self.folder = place, folder
        folder.mkdir(parents=True, exist_ok=True)
        self.config = folder / "laptop.toml"
        self._nas, self._desktop = nas, desktop
        # ip-netns(8) gives every program mounts of its own: only there the authority is one of those trusted
        trust = f'mount --bind "{cafile}" "{certifi.where()}" && exec "$@"'
        self.prefix = [*place.prefix, "sh", "-c", trust, "sh"]
        self.configure()

    def configure(self, *, doh: bool = True, engine: str = "paramiko") -> None:
        """Write laptop.toml."""
        common = f'user = "{self._nas.sshd.user}"\nengine = "{engine}"\nidentity = "{self._nas.sshd.identity}"\n'
        wake = f'{{ via = "nas", command = "{self._nas.synonet} --wake {{mac}} eth0", takes = "60s" }}'
        keys = {host: ", ".join(f'"{key.text}"' for key in host.sshd.keys) for host in (self._nas, self._desktop)}
        self.config.write_text(
            f'[home]\nnames = ["{NAME}"]\ndoh = {[DOH_URL] if doh else []}\n'
            f'probe = "http://{PAGES["amber"]}/generate_204"\n[state]\npath = "{self.folder / "state"}"\n'
            f'[[host]]\nname = "nas"\nport = 2222\nlan = "{NAS}:22"\nkeys = [{keys[self._nas]}]\n{common}'
            f'[[host]]\nname = "desktop"\nport = 2223\nlan = "{DESKTOP}:22"\nkeys = [{keys[self._desktop]}]\n{common}'
            f'mac = "{MAC}"\nwake = {wake}\n[host.forward]\nlab = {JUPYTER}\n'
        )
        self.config.chmod(0o600)

    def start(self, *words: str) -> Run:
        """`ipwatch`, from when it begins."""
        return Run(self.prefix, [*IPWATCH, "--config", str(self.config), *words], self.folder)

    def ipwatch(self, *words: str, within: float = 60) -> "subprocess.CompletedProcess[str]":
        """`ipwatch`, to its end."""
        command = [*self.prefix, *IPWATCH, "--config", str(self.config), *words]
        environment = os.environ | {"HOME": str(self.folder)}
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=within, env=environment)

    @contextmanager
    def up(self, *words: str) -> Iterator[Run]:
        """`ipwatch up desktop lab`, from when it begins to the end of the block."""
        run = self.start("up", "desktop", *(words or ("lab",)))
        try:
            yield run
        finally:
            run.end()

    def page(self, within: float = 1.5) -> str:
        """Jupyter's page on this machine's own port, "" without one."""
        with self.place.inside():
            try:
                url = f"http://127.0.0.1:{JUPYTER}/lab?token={TOKEN}" if self._desktop.real else _PLAIN
                with urllib.request.urlopen(url, timeout=within) as reply:
                    return str(reply.read(100_000).decode("utf-8", "replace"))
            except OSError:
                return ""

    def shows(self, within: float = 40.0) -> str:
        """The page, once there is one."""
        assert wait(self.page, within), "no page on the laptop's own port"
        return self.page()


_PLAIN = f"http://127.0.0.1:{JUPYTER}/"
