"""`ipwatch wake` on a bridge in network namespaces: what arrives at the sleeping host's card, byte by byte."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.fakes.waiting import wait

MAC = "02:bb:cc:dd:ee:0f"
PAYLOAD = b"\xff" * 6 + bytes.fromhex(MAC.replace(":", "")) * 16 + b"\x01\x02\x03\x04\x05\x06"
CAPTURE = """\
import socket
sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
sock.bind(("eth0", 0))
print("ready", flush=True)
while True:
    print(sock.recv(2000).hex(), flush=True)
"""
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(
        os.geteuid() != 0 or shutil.which("ip") is None, reason="network namespaces need root and iproute2"
    ),
]


class Frame(NamedTuple):
    """A UDP datagram as it came off the wire."""

    to: str
    ip: str
    source: str
    port: int
    payload: bytes


class Net:
    """A laptop and a sleeping host on one bridge. The laptop has two more interfaces that lead nowhere."""

    def __init__(self, folder: Path) -> None:
        self.prefix, self.folder = f"ipw{os.getpid() % 100000}", folder
        self.names = [f"{self.prefix}{part}" for part in ("bridge", "laptop", "desktop")]
        self.capture: subprocess.Popen[bytes] | None = None

    def ip(self, *words: str) -> None:
        """Run iproute2; "@laptop" as first word: inside that namespace."""
        inside = ["-n", self.prefix + words[0][1:]] if words[0].startswith("@") else []
        command = ["ip", *inside, *(words[1:] if inside else words)]
        subprocess.run(command, check=True, capture_output=True, timeout=10)

    def sysctl(self, name: str, setting: str) -> None:
        command = ["ip", "netns", "exec", name, "sysctl", "-qw", setting]
        subprocess.run(command, check=False, capture_output=True, timeout=10)

    def up(self) -> None:
        for name in self.names:
            done = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, timeout=10, check=False)
            if done.returncode:
                pytest.skip(f"no network namespaces here: {done.stderr.strip()}")
            self.sysctl(name, "net.ipv6.conf.default.accept_dad=0")  # else an address is usable a second later
        self.ip("@bridge", "link", "add", "br0", "type", "bridge")
        self.ip("@bridge", "link", "set", "br0", "up")
        for host, address in (("laptop", "10.77.1.5/24"), ("desktop", "10.77.1.20/24")):
            peer = ("peer", "name", "eth0", "netns", self.prefix + host)
            self.ip("@bridge", "link", "add", f"to-{host}", "type", "veth", *peer)
            self.ip("@bridge", "link", "set", f"to-{host}", "master", "br0", "up")
            if host == "desktop":
                self.ip("@desktop", "link", "set", "eth0", "address", MAC)
            self.ip(f"@{host}", "link", "set", "eth0", "up")
            self.ip(f"@{host}", "address", "add", address, "broadcast", "+", "dev", "eth0")
        for number, name in enumerate(("dead0", "lost0"), 2):
            self.ip("@laptop", "link", "add", name, "type", "veth", "peer", "name", f"{name}-peer")
            self.ip("@laptop", "address", "add", f"10.77.{number}.5/24", "broadcast", "+", "dev", name)
        for name in ("lost0", "lost0-peer"):
            self.ip("@laptop", "link", "set", name, "up")
        self.ip("@laptop", "route", "del", "10.77.3.0/24", "dev", "lost0")
        self.ip("@laptop", "route", "del", "broadcast", "10.77.3.255", "table", "local")
        self.listen()

    def listen(self) -> None:
        """Write down every frame that reaches the desktop's card."""
        with (self.folder / "frames").open("wb") as out:
            command = ["ip", "netns", "exec", f"{self.prefix}desktop", sys.executable, "-c", CAPTURE]
            self.capture = subprocess.Popen(command, stdout=out, stdin=subprocess.DEVNULL)
        assert wait(lambda: b"ready" in (self.folder / "frames").read_bytes())

    def frames(self) -> list[Frame]:
        """The UDP datagrams that arrived."""
        raws = [bytes.fromhex(line) for line in (self.folder / "frames").read_text().splitlines()[1:-1]]
        return [frame for frame in map(_frame, raws) if frame and frame.port in {9, 7}]

    def ipwatch(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run the program on the laptop."""
        command = ["ip", "netns", "exec", f"{self.prefix}laptop", sys.executable, "-m", "ipwatch", *words]
        environ = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "PYTHONPATH": str(Path.cwd())}
        return subprocess.run(command, capture_output=True, text=True, timeout=30, env=environ, check=False,
                              cwd=self.folder)  # fmt: skip

    def down(self) -> None:
        if self.capture:
            self.capture.terminate()
            self.capture.wait(5)
        for name in self.names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True, timeout=10, check=False)


def _frame(raw: bytes) -> Frame | None:
    if raw[12:14] == b"\x86\xdd" and raw[20] == 17:
        source, ip = (str(ip_address(raw[i : i + 16])) for i in (22, 38))
        return Frame(raw[:6].hex(":"), ip, source, int.from_bytes(raw[56:58], "big"), raw[62:])
    if raw[12:14] != b"\x08\x00" or raw[23] != 17:
        return None
    at = 14 + (raw[14] & 15) * 4
    source, ip = (".".join(map(str, raw[i : i + 4])) for i in (26, 30))
    return Frame(raw[:6].hex(":"), ip, source, int.from_bytes(raw[at + 2 : at + 4], "big"), raw[at + 8 :])


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Net]:
    """The network, taken away afterwards."""
    made = Net(tmp_path)
    try:
        made.up()
        yield made
    finally:
        made.down()


def test_packets_on_the_wire(net: Net) -> None:
    """Three times each, the packet reaches the card as directed and limited broadcast, as unicast and at all IPv6
    nodes, on ports 9 and 7, from the interface's own address and with SecureOn. An interface that is down, one without
    a route and a broadcast nobody leads to do not stop it, and those that failed are told."""
    config = net.folder / "laptop.toml"
    config.write_text(
        f'[[host]]\nname = "desktop"\nlan = "10.77.1.20"\nmac = "{MAC}"\nsecureon = "010203040506"\n'
        'wake = { via = "direct", broadcast = ["10.99.0.255"] }\n'
    )
    done = net.ipwatch("wake", "desktop")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("desktop: ")
    assert "network is unreachable at 10.77.3.255" in done.stdout
    assert "network is unreachable at 10.99.0.255" in done.stdout
    wanted = {(ip, port) for ip in ("10.77.1.255", "255.255.255.255", "10.77.1.20", "ff02::1") for port in (9, 7)}
    assert wait(lambda: len(net.frames()) >= 24, 5)
    frames = net.frames()
    assert {(frame.ip, frame.port) for frame in frames} == wanted
    assert {frame.payload for frame in frames} == {PAYLOAD}
    assert {frame.source for frame in frames if "." in frame.ip} == {"10.77.1.5"}
    assert {frame.to for frame in frames if frame.ip.endswith("255")} == {"ff:ff:ff:ff:ff:ff"}
    assert all([(frame.ip, frame.port) for frame in frames].count(one) == 3 for one in wanted)


def test_service_wakes(net: Net) -> None:
    """Where there is no laptop.toml, as in the service's container, a [[host]] of ipwatch.toml is woken directly."""
    (net.folder / "ipwatch.toml").write_text(
        f'[[host]]\nname = "desktop"\nmac = "{MAC}"\naddress = "10.77.1.20"\nsecureon = "010203040506"\n'
    )
    done = net.ipwatch("wake", "desktop")
    assert (done.returncode, done.stderr) == (0, "")
    assert wait(lambda: any(frame.payload == PAYLOAD for frame in net.frames()), 5)
    missing = net.ipwatch("wake", "destkop")
    assert (missing.returncode, "ipwatch.toml has desktop" in missing.stderr) == (2, True)


def test_no_network(net: Net) -> None:
    """When no packet at all can leave, that is a failed wake with the reason."""
    (net.folder / "laptop.toml").write_text(
        f'[[host]]\nname = "desktop"\nlan = "10.77.1.20"\nmac = "{MAC}"\nwake = {{ via = "direct" }}\n'
    )
    net.ip("@laptop", "link", "set", "eth0", "down")
    for name in ("lost0", "lost0-peer"):
        net.ip("@laptop", "link", "set", name, "down")
    done = net.ipwatch("wake", "desktop")
    assert done.returncode == 18
    assert done.stderr.startswith("ipwatch: no magic packet could be sent for desktop: network is unreachable at ")
