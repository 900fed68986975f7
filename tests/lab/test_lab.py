"""The lab itself: nothing gets out of it, and nothing of it is left behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.netns import needs_namespaces
from tests.fakes.waiting import wait
from tests.lab.home import MAC, NAS
from tests.lab.lab import FIRST, SECOND, Lab
from tests.lab.wires import sweep

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.timeout(600)]
_KILLED = """
import os, sys, tempfile
from pathlib import Path
import subprocess
from tests.fakes.netns import Namespace
from tests.lab.wires import places
with places("isp", "router") as made:
    other = Namespace("nas")
    inside = subprocess.Popen([*other.prefix, "sleep", "600"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    print(*(place.name for place in made), other.name, inside.pid, flush=True)
    sys.stdin.read()
"""


def names() -> str:
    return subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout


def gone(process: str) -> bool:
    """Whether it has ended, also where nobody took notice."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_nothing_gets_out(home: Lab) -> None:
    """No machine of the lab has a way to the real world, nor sees this machine's resolvers."""
    for place in (home.isp.place, home.internet.place, home.router.place, home.nas.place, home.laptop.place):
        kinds = place.run(["ip", "-o", "-d", "link"]).stdout.splitlines()
        assert all(any(kind in line for kind in (" veth ", " bridge ", "LOOPBACK")) for line in kinds), kinds
        assert "nameserver 25.53.0.9" in place.run(["cat", "/etc/resolv.conf"]).stdout
    assert "default" not in home.isp.place.run(["ip", "route"]).stdout
    assert home.isp.place.run(["ip", "route", "get", "198.41.0.4"]).returncode != 0


def test_a_lab_that_was_killed_is_swept_away() -> None:
    """A run that ends by SIGKILL leaves namespaces, files and programs; the next run removes them."""
    needs_namespaces()
    root = Path(__file__).parents[2]
    with subprocess.Popen([sys.executable, "-c", _KILLED], cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True) as run:  # fmt: skip
        assert run.stdout is not None
        *made, inside = run.stdout.readline().split()
        os.kill(run.pid, signal.SIGKILL)
    assert len(made) == 3
    assert all(name in names() for name in made)
    assert Path(f"/proc/{inside}").exists()
    sweep()
    assert not any(name in names() or (Path("/etc/netns") / name).exists() for name in made)
    assert wait(lambda: gone(inside))


def test_the_house_is_what_it_seems(home: Lab) -> None:
    """A sleeping desktop answers nothing until synonet's packet; the NAS forwards nothing; a stranger gets the old
    address, with a key of his own."""
    reach = ["ssh-keyscan", "-T", "2", "-p", "2223"]
    key = home.desktop.sshd.keys[0].text.split()[1]
    assert key in home.laptop.place.run([*reach, FIRST]).stdout
    home.desktop.sleep()
    assert home.laptop.place.run([*reach, FIRST]).stdout == ""
    options = ("BatchMode=yes", "StrictHostKeyChecking=no", f"UserKnownHostsFile={home.folder / 'known'}")
    login = ["ssh", "-F", "none", "-i", str(home.nas.sshd.identity), "-p", "2222", f"{home.nas.sshd.user}@{FIRST}"]
    login[1:1] = [word for option in options for word in ("-o", option)]
    through = home.laptop.place.run([*login, "-W", f"{NAS}:22"])
    assert "administratively prohibited" in through.stderr, through
    woken = home.laptop.place.run([*login, str(home.nas.synonet), "--wake", MAC, "eth0"])
    assert woken.returncode == 0, woken.stderr
    assert home.desktop.awake()
    assert home.desktop.packets == 1
    home.change_address(SECOND)
    shown = {address: home.laptop.place.run([*reach, address]).stdout for address in (FIRST, SECOND)}
    assert key in shown[SECOND]
    assert shown[FIRST]
    assert key not in shown[FIRST]
