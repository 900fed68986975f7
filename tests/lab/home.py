"""The house: a router with NAT and port forwards, a NAS that wakes others, and a desktop that sleeps."""

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.fakes.sshd import Sshd, make_key
from tests.fakes.waiting import PATIENCE, wait
from tests.lab.wires import Place, bridge, cable

LAN, NAS, DESKTOP = "192.168.1.1", "192.168.1.10", "192.168.1.20"
MAC = "02:bb:cc:dd:ee:20"
JUPYTER = 8890
TOKEN = "a-token-of-the-lab"
_APPS = Path(__file__).parents[2] / ".cache" / "apps" / "bin"
_ETH_P_ALL = 3  # packet(7)


class Router:
    """NAT and two forwards, 2222 to the NAS and 2223 to the desktop. miniupnpd speaks for it, where installed."""

    def __init__(self, place: Place, folder: Path, stack: ExitStack) -> None:
        self.place, self.folder = place, folder
        bridge(place, "lan")
        place.address("lan", f"{LAN}/24")
        place.routes()
        place.nft(_ROUTER)
        self.address = ""
        self._daemon: subprocess.Popen[bytes] | None = None
        stack.callback(self._end)

    def port(self, host: Place, ip: str, mac: str = "") -> None:
        """A cable to a machine in the house."""
        label = host.name.rpartition("-")[2]
        cable(self.place, label, host, "eth0", mac=mac)
        self.place.ip("link", "set", label, "master", "lan")
        host.address("eth0", f"{ip}/24", gateway=LAN)

    def outside(self, address: str, gateway: str) -> None:
        """The ISP gives this address (with its prefix); the one before is gone with all that NAT knew of it."""
        self.place.ip("address", "flush", "dev", "wan")
        self.place.address("wan", address, gateway=gateway)
        self.address = address.partition("/")[0]

    def announce(self) -> bool:
        """Start miniupnpd (NAT-PMP, UPnP); whether it is installed."""
        program = shutil.which("miniupnpd", path="/usr/sbin:/usr/bin:/sbin")
        if program is None:
            return False
        config, log = self.folder / "miniupnpd.conf", self.folder / "miniupnpd.log"
        config.write_text(_UPNP)
        with log.open("ab") as out:
            argv = [*self.place.prefix, program, "-d", "-f", str(config), "-P", str(self.folder / "miniupnpd.pid")]
            self._daemon = subprocess.Popen(argv, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
        daemon = self._daemon
        assert wait(lambda: b"istening" in log.read_bytes() or daemon.poll() is not None), log.read_text()
        assert daemon.poll() is None, log.read_text()
        return True

    def _end(self) -> None:
        if self._daemon is not None:
            self._daemon.terminate()
            try:
                self._daemon.wait(10)
            except subprocess.TimeoutExpired:
                self._daemon.kill()
                self._daemon.wait()


class Nas:
    """A NAS as Synology's: its sshd forwards nothing, and it has a program that wakes others. wakes: how often."""

    def __init__(self, place: Place, folder: Path, key: Path, stack: ExitStack) -> None:
        self.place, self.folder = place, folder
        self.synonet = folder / "synonet"
        self.synonet.write_text(_SYNONET.format(python=sys.executable, log=folder / "synonet.log"))
        self.synonet.chmod(0o755)
        self.sshd = Sshd(folder / "sshd", ip=NAS, port=22, identity=key, forwarding=False, prefix=place.prefix)
        self.sshd.start()
        stack.callback(self.sshd.stop)

    @property
    def wakes(self) -> int:
        """How often it was asked to wake somebody."""
        log = self.folder / "synonet.log"
        return len(log.read_text().splitlines()) if log.exists() else 0


class Desktop:
    """A machine that is asleep until a magic packet for its MAC arrives at its card; then it boots for a while.

    woken: when the last magic packet came (monotonic seconds). packets: how many came.
    """

    boots, sshd_after = 1.5, 0.7  # seconds until its kernel answers, and from then until sshd does

    def __init__(self, place: Place, folder: Path, key: Path, stack: ExitStack) -> None:
        self.place, self.folder = place, folder
        folder.mkdir(parents=True, exist_ok=True)
        self.sshd = Sshd(folder / "sshd", ip=DESKTOP, port=22, identity=key, prefix=place.prefix)
        self.woken = 0.0
        self.real = False  # whether the page is Jupyter's (tests/apps.sh installs it)
        self.packets = 0
        self._asleep = threading.Event()
        self._over = threading.Event()
        self._app: subprocess.Popen[bytes] | None = None
        with place.inside():
            self._card = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
        self._card.bind(("eth0", 0))
        self._card.settimeout(0.1)
        self._thread = threading.Thread(target=self._listen, name="the card of the desktop")
        self._thread.start()
        stack.callback(self._end)

    def work(self, *, real: bool = True) -> None:
        """Start a page on its own port 8890: Jupyter, or a small server where that is not wanted or not installed."""
        self.real = real and (_APPS.parent / ".ready").exists()
        page = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(JUPYTER)]
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        environment = {"HOME": str(home), "PATH": os.environ["PATH"], "JUPYTER_TOKEN": TOKEN}
        lab = [str(_APPS / "jupyter"), "lab", "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={JUPYTER}"]
        with (self.folder / "app.log").open("ab") as log:
            self._app = subprocess.Popen([*self.place.prefix, *(lab if self.real else page)], cwd=home, env=environment,
                                         stdin=subprocess.DEVNULL, stdout=log, stderr=log)  # fmt: skip

    def works(self) -> bool:
        """Wait until the page is there, as seen by the desktop itself."""
        with self.place.inside():
            return wait(lambda: _answers(JUPYTER), 2 * PATIENCE)

    def on(self) -> None:
        """It is up."""
        if self.sshd.process is None:
            self.sshd.start()

    def awake(self) -> bool:
        """Wait until it has booted."""
        return wait(lambda: not self._asleep.is_set() and self.sshd.process is not None)

    def sleep(self) -> None:
        """Its card drops everything both ways, but looks at what comes; sshd is started at the next boot."""
        self.sshd.stop()
        self.place.nft(_ASLEEP)
        self._asleep.set()

    def _listen(self) -> None:
        magic = b"\xff" * 6 + bytes.fromhex(MAC.replace(":", "")) * 16
        while not self._over.is_set():
            try:
                frame = self._card.recv(2048)
            except TimeoutError:
                continue
            if magic in frame:
                self.packets += 1
                if self._asleep.is_set():
                    self._asleep.clear()
                    self._boot()

    def _boot(self) -> None:
        self.woken = time.monotonic()
        if self._over.wait(self.boots):
            return
        self.place.nft("delete table netdev asleep\n")
        if not self._over.wait(self.sshd_after):
            self.sshd.start()

    def _end(self) -> None:
        self._over.set()
        self._thread.join(20)
        self._card.close()
        self.sshd.stop()
        if self._app is not None:
            self._app.terminate()
            try:
                self._app.wait(10)
            except subprocess.TimeoutExpired:
                self._app.kill()
                self._app.wait()


class Stranger:
    """Who gets the addresses that the house loses: an sshd of his own at the house's ports."""

    def __init__(self, place: Place, folder: Path, key: Path, stack: ExitStack, ports: Sequence[int]) -> None:
        self.place = place
        self.sshds = [
            Sshd(folder / str(port), ip="0.0.0.0", port=port, identity=make_key(folder / "own"), prefix=place.prefix)
            for port in ports
        ]
        for sshd in self.sshds:
            sshd.start()
            stack.callback(sshd.stop)

    def was_told(self) -> str:
        """What of a user name reached him."""
        said = "".join(sshd.said() for sshd in self.sshds)
        return "\n".join(line for line in said.splitlines() if "userauth" in line or "for user" in line)

    def visits(self) -> int:
        """How many connections he had."""
        return sum(sshd.said().count("Connection from") for sshd in self.sshds)


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False


_ROUTER = f"""
table inet filter {{
 chain forward {{
  type filter hook forward priority 0; policy accept;
  iifname "wan" ct status dnat accept
  iifname "wan" ct state established,related accept
  iifname "wan" drop
 }}
 chain miniupnpd {{
 }}
 chain prerouting_miniupnpd {{
 }}
 chain postrouting_miniupnpd {{
 }}
}}
table ip nat {{
 chain in {{
  type nat hook prerouting priority dstnat; policy accept;
  iifname "wan" tcp dport 2222 dnat to {NAS}:22
  iifname "wan" tcp dport 2223 dnat to {DESKTOP}:22
 }}
 chain out {{
  type nat hook postrouting priority srcnat; policy accept;
  oifname "wan" masquerade
 }}
}}
"""

_ASLEEP = """
table netdev asleep {
 chain in {
  type filter hook ingress device "eth0" priority 0; policy drop;
 }
 chain out {
  type filter hook egress device "eth0" priority 0; policy drop;
 }
}
"""

_UPNP = """\
ext_ifname=wan
listening_ip=lan
enable_natpmp=yes
enable_upnp=yes
secure_mode=yes
notify_interval=60
uuid=73a9cb68-a00b-4d2f-9412-2d4ad14d2b55
allow 1024-65535 192.168.1.0/24 1024-65535
deny 0-65535 0.0.0.0/0 0-65535
"""

# What Synology's tool does: `synonet --wake MAC INTERFACE`.
_SYNONET = """\
#!{python} -I
import socket, sys
word, mac, interface = sys.argv[1:]
assert word == "--wake"
with open("{log}", "a") as log:
    print(mac, interface, file=log)
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
sock.sendto(b"\\xff" * 6 + bytes.fromhex(mac.replace(":", "")) * 16, ("255.255.255.255", 9))
"""
