"""net.interfaces on this machine's kernel, and net.clock."""

import json
import shutil
import subprocess
from datetime import UTC, timedelta
from ipaddress import ip_address

import pytest

from ipwatch.net.clock import SystemClock
from ipwatch.net.interfaces import NetlinkInterfaces


def test_loopback_is_there() -> None:
    """The kernel's loopback address is found, permanent and not temporary."""
    [loopback] = [one for one in NetlinkInterfaces().addresses() if one.address == ip_address("127.0.0.1")]
    assert (loopback.interface, loopback.prefix, loopback.permanent, loopback.temporary) == ("lo", 8, True, False)


@pytest.mark.real
@pytest.mark.skipif(shutil.which("ip") is None, reason="iproute2 is not installed")
def test_same_as_iproute2() -> None:
    """All addresses of links that are up, just as `ip address` shows them."""
    shown = json.loads(subprocess.run(["ip", "-j", "address"], check=True, capture_output=True, timeout=10).stdout)
    wanted = {
        (link["ifname"], ip_address(one["local"]), one["prefixlen"])
        for link in shown
        if "UP" in link["flags"]
        for one in link["addr_info"]
    }
    assert {(one.interface, one.address, one.prefix) for one in NetlinkInterfaces().addresses()} == wanted


def test_clock_runs_forward() -> None:
    """The time is aware and in UTC, the other one never goes back, and a negative wait is none."""
    clock = SystemClock()
    assert clock.now().tzinfo is UTC
    began = clock.monotonic()
    clock.sleep(timedelta(seconds=0.01))
    clock.sleep(timedelta(seconds=-1))
    assert clock.monotonic() - began >= timedelta(seconds=0.01)
