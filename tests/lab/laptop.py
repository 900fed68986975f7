"""The laptop, in another network: its configuration, its `ipwatch`, its browser. And the service's process."""

import os
import subprocess
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import certifi

from tests.fakes.program import IPWATCH, Program
from tests.fakes.waiting import PATIENCE, wait
from tests.lab.home import DESKTOP, JUPYTER, MAC, NAS, TOKEN, Desktop, Nas
from tests.lab.internet import DOH_URL, NAME, PAGES
from tests.lab.wires import Place


class Run(Program):
    """A program in a machine."""

    def __init__(self, prefix: Sequence[str], words: Sequence[str], home: Path) -> None:
        super().__init__([*prefix, *words], {"HOME": str(home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"})


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

    def ipwatch(self, *words: str, within: float = 2 * PATIENCE) -> "subprocess.CompletedProcess[str]":
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

    def shows(self) -> str:
        """The page, once there is one."""
        assert wait(self.page, 2 * PATIENCE), "no page on the laptop's own port"
        return self.page()


_PLAIN = f"http://127.0.0.1:{JUPYTER}/"
