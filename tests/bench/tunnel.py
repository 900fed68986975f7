"""Tunnels: both engines beside `ssh -L`, in one run, against one real sshd."""

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from tests.bench import far
from tests.bench.figures import Figure, NotMeasured
from tests.bench.slow_line import Line
from tests.fakes.ports import free_port
from tests.fakes.sshd import Sshd

SECONDS = 2.0  # of a bulk transfer
ROUNDS = 5
DELAYED = Line(delay=0.020)
SLOW = Line(rate=2_000_000, delay=0.015, queue=256 * 1024)
KINDS = ("ssh -L", "paramiko", "openssh")


def measure() -> Iterator[Figure]:
    """Throughput without and with delay, echo idle and beside a download on a slow line, connections, CPU."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ipwatch-bench-")))
        try:
            sshd = Sshd(folder / "sshd")
        except pytest.skip.Exception as error:
            raise NotMeasured(str(error)) from None
        stack.callback(sshd.stop)
        sshd.start()
        target = stack.enter_context(far.process("serve"))
        place = Place(folder, sshd, target)
        yield from _throughput(place, "", sshd.port, 0.4, 0.9)
        delayed = stack.enter_context(far.line(sshd.port, DELAYED))
        yield from _throughput(place, " at 40 ms round trip", delayed, 2.0, 0.9)
        slow = stack.enter_context(far.line(sshd.port, SLOW))
        yield from _echo(place, slow)
        yield from _connections(place, sshd.port)


class Place:
    """Where tunnels are opened from."""

    def __init__(self, folder: Path, sshd: Sshd, target: int) -> None:
        self.folder, self.sshd, self.target = folder, sshd, target

    @contextmanager
    def tunnel(self, kind: str, port: int) -> Iterator["Tunnel"]:
        """A tunnel to the far server through that port of sshd's."""
        here = free_port()
        command = self._ssh(here, port) if kind == "ssh -L" else self._up(kind, here, port)
        log = (self.folder / f"{kind}.log".replace(" ", "")).open("ab")
        running = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        tunnel = Tunnel(here, running)
        try:
            end = time.monotonic() + 20
            while not tunnel.answers():
                if time.monotonic() > end or running.poll() is not None:
                    raise NotMeasured(f"{kind} did not come up")
                time.sleep(0.05)
            yield tunnel
        finally:
            running.terminate()
            try:
                running.wait(10)
            except subprocess.TimeoutExpired:
                running.kill()
                running.wait(5)
            log.close()

    def _ssh(self, here: int, port: int) -> list[str]:
        known = self.folder / "known_hosts"
        known.write_text("".join(f"bench {key.text}\n" for key in self.sshd.keys))
        options = ["HostKeyAlias=bench", f"UserKnownHostsFile={known}", "StrictHostKeyChecking=yes", "BatchMode=yes",
                   "Ciphers=aes128-gcm@openssh.com", f"IdentityFile={self.sshd.identity}",
                   "IdentitiesOnly=yes"]  # fmt: skip
        words = [word for option in options for word in ("-o", option)]
        forward = f"127.0.0.1:{here}:127.0.0.1:{self.target}"
        return ["ssh", "-F", "none", "-N", "-L", forward, *words, "-p", str(port), f"{self.sshd.user}@127.0.0.1"]

    def _up(self, engine: str, here: int, port: int) -> list[str]:
        config = self.folder / f"{engine}-{port}.toml"
        host = self.sshd.toml("bench", f'engine = "{engine}"').replace(f"port = {self.sshd.port}", f"port = {port}")
        config.write_text(f'[home]\nnames = ["127.0.0.1"]\n[state]\npath = "{self.folder / "state"}"\n{host}')
        config.chmod(0o600)
        return [sys.executable, "-m", "ipwatch", "--config", str(config), "up", "bench",
                f"{here}:127.0.0.1:{self.target}"]  # fmt: skip


class Tunnel:
    """A local port, and the process behind it."""

    def __init__(self, port: int, running: "subprocess.Popen[bytes]") -> None:
        self.port, self.running = port, running

    def connect(self, word: bytes) -> socket.socket:
        sock = socket.create_connection(("127.0.0.1", self.port), 10)
        sock.settimeout(20)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.sendall(word)
        return sock

    def answers(self) -> bool:
        try:
            with self.connect(b"Ex") as sock:
                sock.settimeout(5)
                return sock.recv(1) == b"x"
        except OSError:
            return False

    def download(self, seconds: float) -> float:
        """Bytes a second, the first half second left out."""
        with self.connect(b"F") as sock:
            buffer = bytearray(1024 * 1024)
            _read_for(sock, buffer, 0.5)
            begin = time.monotonic()
            return _read_for(sock, buffer, seconds) / (time.monotonic() - begin)

    def upload(self, seconds: float) -> float:
        """Bytes a second, counted by the far end."""
        piece = bytes(256 * 1024)
        with self.connect(b"S") as sock:
            begin = time.monotonic()
            while time.monotonic() - begin < seconds:
                sock.sendall(piece)
            sock.shutdown(socket.SHUT_WR)
            got = int(sock.recv(40))
            return got / (time.monotonic() - begin)

    def echo(self, count: int) -> list[float]:
        """Seconds of round trips of a byte."""
        found = []
        with self.connect(b"E") as sock:
            for number in range(count + 5):
                begin = time.monotonic()
                sock.sendall(b"x")
                assert sock.recv(1) == b"x"
                if number >= 5:
                    found.append(time.monotonic() - begin)
        return found

    def cpu(self) -> float:
        """Seconds of CPU used so far by the process and what it started."""
        tick, total, pids = os.sysconf("SC_CLK_TCK"), 0.0, [self.running.pid]
        for pid in pids:
            with suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                total += (int(fields[11]) + int(fields[12])) / tick
                for thread in Path(f"/proc/{pid}/task").iterdir():
                    pids += [int(child) for child in (thread / "children").read_text().split()]
        return total


def _read_for(sock: socket.socket, buffer: bytearray, seconds: float) -> int:
    end, got = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        got += sock.recv_into(buffer)
    return got


def _throughput(place: Place, where: str, port: int, paramiko: float, openssh: float) -> Iterator[Figure]:
    """Each in turn, some times; the medians' ratios to ssh -L."""
    down: dict[str, list[float]] = {kind: [] for kind in KINDS}
    up: dict[str, list[float]] = {kind: [] for kind in KINDS}
    cpu: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for _ in range(ROUNDS):
        for kind in KINDS:
            with place.tunnel(kind, port) as tunnel:
                before = tunnel.cpu()
                rate = tunnel.download(SECONDS)
                cpu[kind].append((tunnel.cpu() - before) / (rate * (SECONDS + 0.5)) * 1e9)
                down[kind].append(rate)
                up[kind].append(tunnel.upload(SECONDS))
    base = {"download": down["ssh -L"], "upload": up["ssh -L"]}
    for kind, least in (("paramiko", paramiko), ("openssh", openssh)):
        for way, found in (("download", down[kind]), ("upload", up[kind])):
            budget = least if way == "download" or not where else None
            ratio = statistics.median(found) / statistics.median(base[way])
            yield Figure(f"{kind}: {way}{where} against `ssh -L`", ratio, "x", budget, above=True)
    yield Figure(f"  `ssh -L`: download{where}", statistics.median(down["ssh -L"]) * 8e-6, "Mbit/s")
    if not where:
        for kind in KINDS:
            yield Figure(f"  {kind}: CPU for a download", statistics.median(cpu[kind]), "s/GB")


def _echo(place: Place, port: int) -> Iterator[Figure]:
    """A byte's round trip on a line of 2 MB/s and 30 ms, alone and beside a download that saturates it."""
    median: dict[str, float] = {}
    for kind in KINDS:
        with place.tunnel(kind, port) as tunnel:
            idle = tunnel.echo(20)
            stop = threading.Event()
            rates: list[float] = []
            bulk = threading.Thread(target=_bulk, args=(tunnel, stop, rates))
            bulk.start()
            time.sleep(3)
            busy = tunnel.echo(40)
            stop.set()
            bulk.join(20)
        median[kind] = statistics.median(busy)
        yield Figure(f"  {kind}: echo on a line of 2 MB/s, 30 ms: idle p50", statistics.median(idle) * 1000, "ms")
        yield Figure(f"  {kind}: the same beside a download: p50", median[kind] * 1000, "ms")
        yield Figure(f"  {kind}: the same: p99", max(busy) * 1000, "ms")
        yield Figure(f"  {kind}: what the download got of the line", sum(rates) / SLOW.rate * 100, "%")
    for kind in ("paramiko", "openssh"):
        ratio = median[kind] / median["ssh -L"]
        yield Figure(f"{kind}: echo beside a download against `ssh -L`", ratio, "x", 0.1)


def _bulk(tunnel: Tunnel, stop: threading.Event, rates: list[float]) -> None:
    with suppress(OSError), tunnel.connect(b"F") as sock:
        buffer, begin, got = bytearray(1024 * 1024), time.monotonic(), 0
        while not stop.is_set():
            got += sock.recv_into(buffer)
        rates.append(got / (time.monotonic() - begin))


def _connections(place: Place, port: int) -> Iterator[Figure]:
    """What a further connection costs, and a hundred at once."""
    for kind in KINDS:
        with place.tunnel(kind, port) as tunnel:
            alone = []
            for _ in range(40):
                begin = time.monotonic()
                if tunnel.answers():
                    alone.append(time.monotonic() - begin)
            idle = tunnel.echo(300)
            for count in (10, 100):
                begin = time.monotonic()
                threads = [threading.Thread(target=tunnel.answers) for _ in range(count)]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join(30)
                yield Figure(f"  {kind}: {count} connections at once, a byte through each",
                             (time.monotonic() - begin) * 1000, "ms")  # fmt: skip
        if not alone:
            raise NotMeasured(f"{kind}: no connection was carried")
        yield Figure(f"  {kind}: a further connection, p50", statistics.median(alone) * 1000, "ms")
        yield Figure(f"  {kind}: echo on loopback, p50", statistics.median(idle) * 1e6, "us")
