"""`ipwatch demo` itself: the real service, as a child process, in the bundled house."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from ipwatch.demo.house import House
from ipwatch.demo.play import play
from ipwatch.demo.service import Service

DEMO = [sys.executable, "-m", "ipwatch", "demo"]


def environment(folder: Path) -> dict[str, str]:
    """Temporary files go into the folder, so that what is left behind can be seen."""
    return os.environ | {"TMPDIR": str(folder), "IPWATCH_CONFIG": "/nowhere", "http_proxy": "http://127.0.0.1:9"}


def running(folder: Path) -> list[str]:
    """The processes whose command line names the folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes()
        except OSError:
            continue
        if os.fsencode(folder) in line:
            found.append(line.replace(b"\0", b" ").decode(errors="replace"))
    return found


@pytest.mark.slow
def test_the_demo_succeeds(capsys):
    """It ends well: three changes, three mails, no wrong address, and no thread is left."""
    threads = set(threading.enumerate())
    status = play()
    out = capsys.readouterr().out
    assert status == 0, out
    assert "\x1b" not in out
    facts = dict(re.findall(r"^  (\w.*?) {2,}(\S+)$", out, re.MULTILINE))
    assert facts["changes of the address"] == "3"
    assert facts["mails, one for each"] == "3"
    assert facts["wrong addresses published"] == "0"
    assert facts["requests a provider would object to"] == "0"
    assert set(threading.enumerate()) <= threads


@pytest.mark.slow
def test_keep_leaves_it_running_until_it_is_interrupted(tmp_path):
    """With --keep it says where everything is and goes on; SIGINT then ends it in good order, with the summary."""
    process = subprocess.Popen([*DEMO, "--keep"], stdout=subprocess.PIPE, text=True, env=environment(tmp_path))
    with process:
        try:
            assert process.stdout is not None
            shown = []
            for line in process.stdout:
                shown.append(line)
                if "SMTP" in line:
                    break
            assert any("dig @127.0.0.1" in line for line in shown), "".join(shown)
            assert len(running(tmp_path)) == 1
            process.send_signal(signal.SIGINT)
            rest = process.stdout.read()
            assert process.wait(20) == 0, rest
        finally:
            process.kill()
    assert "Summary" in rest
    assert list(tmp_path.iterdir()) == []
    assert running(tmp_path) == []


def test_terminated_in_the_middle_it_cleans_up(tmp_path):
    """SIGTERM while a scene is on ends the service too and takes the folder away."""
    process = subprocess.Popen(DEMO, stdout=subprocess.PIPE, text=True, env=environment(tmp_path))
    with process:
        try:
            assert process.stdout is not None
            next(line for line in process.stdout if "starts, process" in line)
            process.send_signal(signal.SIGTERM)
            process.stdout.read()
            assert process.wait(20) == 130
        finally:
            process.kill()
    assert list(tmp_path.iterdir()) == []
    assert running(tmp_path) == []


def test_a_service_that_can_not_run_is_shown_with_its_last_words(tmp_path):
    """A faulty configuration ends the service by itself; its exit status and what it said are there to be shown."""
    config = tmp_path / "ipwatch.toml"
    with House() as house:
        config.write_text(house.toml(tmp_path).replace('interval = "1s"', 'interval = "soon"'))
        config.chmod(0o600)
        with Service(config) as service:
            for _ in range(1000):
                if service.ended is not None:
                    break
                time.sleep(0.01)
            assert service.ended == 2
            assert "interval" in "\n".join(service.said(3))
