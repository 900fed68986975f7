"""`ipwatch open` as a process of its own, through a real sshd, with the real Jupyter and the real Streamlit.

`make test` installs both into .cache/apps (tests/apps.sh); where it can not, these tests are skipped.
"""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.fakes.named import needs
from tests.fakes.sshd import Sshd
from tests.fakes.waiting import wait

pytestmark = [pytest.mark.real, pytest.mark.slow]

APPS = Path(__file__).parents[2] / ".cache/apps"


class Desktop:
    """A host with the apps in a .venv of its home folder, and a laptop.toml that knows it."""

    def __init__(self, folder: Path, engine: str) -> None:
        self.home = folder / "home"
        self.home.mkdir()
        (self.home / ".venv").symlink_to(APPS)
        settings = f'SetEnv "HOME={self.home}" XDG_STATE_HOME="{self.home}/state" PATH=/usr/bin:/bin'
        self.server = Sshd(folder / "sshd", options=settings)
        self.config = folder / "laptop.toml"
        state = f'[state]\npath = "{folder / "laptop"}"\n'
        self.config.write_text(state + self.server.toml("desktop", f'names = ["127.0.0.1"]\nengine = "{engine}"'))
        self.config.chmod(0o600)

    def pids(self) -> list[int]:
        """The apps that were started there."""
        return [int(file.read_text().split()[0]) for file in (self.home / "state/ipwatch").glob("*.state")]

    def log(self) -> str:
        return "\n".join(file.read_text() for file in (self.home / "state/ipwatch").glob("*.log"))

    def end(self) -> None:
        """End them, with their children."""
        for pid in self.pids():
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGTERM)
        assert wait(lambda: not any(runs(pid) for pid in self.pids()))


def runs(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


class Open:
    """`ipwatch open desktop ...`, from when it printed its address."""

    def __init__(self, desktop: Desktop, *words: str) -> None:
        command = [sys.executable, "-m", "ipwatch", "--config", str(desktop.config), "open", "desktop", *words]
        environ = {name: value for name, value in os.environ.items() if name not in {"DISPLAY", "WAYLAND_DISPLAY"}}
        self.folder = desktop.config.parent
        self.said = self.folder / f"said-{len(list(self.folder.glob('said-*')))}"
        with self.said.open("wb") as said:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, text=True, env=environ)
        assert self.process.stdout
        self.address = self.process.stdout.readline().strip()
        assert self.address, self.said.read_text()

    def end(self, how: signal.Signals = signal.SIGINT) -> int:
        """Ctrl-C; its exit status."""
        self.process.send_signal(how)
        status = self.process.wait(20)
        assert self.process.stdout
        self.process.stdout.close()
        return status


@pytest.fixture
def desktop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desktop]:
    needs("sshd")
    if not (APPS / ".ready").exists():
        pytest.skip("no .cache/apps: run `sh tests/apps.sh`")
    desktop = Desktop(tmp_path, request.param)
    desktop.server.start()
    try:
        yield desktop
    finally:
        desktop.end()
        desktop.server.stop()


def page(url: str) -> tuple[int, str]:
    """Status and text of a page, through the tunnel."""
    with urllib.request.urlopen(url, timeout=20) as answer:
        return answer.status, answer.read().decode("utf-8", "replace")


@pytest.mark.parametrize("desktop", ["paramiko"], indirect=True)
def test_jupyter_lab(desktop: Desktop) -> None:
    """Jupyter Lab is started detached, its token in nobody's arguments; its page answers 200 here, a wrong token does
    not; a second `open` finds it; after a loss the same port answers; it outlives the tunnel; --stop ends it."""
    one = Open(desktop, "jupyter", "--", "--allow-root")
    found = re.fullmatch(r"(http://localhost:([0-9]+)/lab)\?token=([0-9a-f]{48})", one.address)
    assert found, one.address
    status, text = page(one.address)
    assert (status, "JupyterLab" in text) == (200, True)
    assert page(f"http://localhost:{found[2]}/api/status?token={found[3]}")[0] == 200
    with pytest.raises(urllib.error.HTTPError, match="403"):
        page(f"http://localhost:{found[2]}/api/status?token=wrong")

    everyone = subprocess.run(["ps", "-ww", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert "jupyter-lab --no-browser --ip=127.0.0.1" in everyone
    assert found[3] not in everyone + one.said.read_text() + desktop.log() + desktop.server.said()

    second = Open(desktop, "notebook", "--json")
    facts = json.loads(second.address)
    assert facts["pid"] == desktop.pids()[0]
    assert facts["url"].endswith(f"/tree?token={found[3]}")
    assert facts["port"] != int(found[2])
    assert page(facts["url"])[0] == 200
    assert second.end() == 130

    desktop.server.end_sessions()
    assert wait(lambda: "back after" in one.said.read_text()), one.said.read_text()
    assert page(one.address)[0] == 200

    assert one.end() == 130
    assert runs(desktop.pids()[0])
    command = [sys.executable, "-m", "ipwatch", "--config", str(desktop.config), "open", "desktop", "jupyter", "--stop"]
    pid = desktop.pids()[0]
    assert subprocess.run(command, capture_output=True, check=False, timeout=60).returncode == 0
    assert not runs(pid)


@pytest.mark.parametrize("desktop", ["openssh"], indirect=True)
def test_streamlit_and_uvicorn(desktop: Desktop) -> None:
    """A real Streamlit page and a real Uvicorn answer through the tunnel; what dies at its start ends in status 21."""
    (desktop.home / "my app.py").write_text("import streamlit\nstreamlit.write('hello')\n")
    (desktop.home / "api.py").write_text(
        "async def app(scope, receive, send):\n"
        "    if scope['type'] == 'http':\n"
        "        await send({'type': 'http.response.start', 'status': 200, 'headers': []})\n"
        "        await send({'type': 'http.response.body', 'body': b'hello from uvicorn'})\n"
    )
    one = Open(desktop, "streamlit", "my app.py")
    status, text = page(one.address)
    assert (status, "streamlit" in text.lower()) == (200, True)
    two = Open(desktop, "uvicorn", "api:app")
    assert page(two.address) == (200, "hello from uvicorn")
    assert [one.end(signal.SIGTERM), two.end()] == [0, 130]
    command = [
        sys.executable,
        "-m",
        "ipwatch",
        "--config",
        str(desktop.config),
        "open",
        "desktop",
        "streamlit",
        "no.py",
    ]
    failed = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert failed.returncode == 21
    assert "streamlit no.py ended as soon as it was started on desktop: " in failed.stderr
    assert "File does not exist: no.py" in failed.stderr
