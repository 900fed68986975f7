"""Real OpenSSH servers on loopback, each with its own host keys, its own user's key and its own log."""

import getpass
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ipwatch.core.host import HostKey
from tests.fakes.named import needs
from tests.fakes.ports import free_port
from tests.fakes.waiting import wait

_CONFIG = """\
ListenAddress {ip}:{port}
{hostkeys}
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
AllowTcpForwarding {forwarding}
AllowStreamLocalForwarding {forwarding}
X11Forwarding no
UseDNS no
MaxStartups 500:30:600
MaxSessions 500
LogLevel DEBUG1
Subsystem sftp internal-sftp
{options}
"""


def make_key(path: Path, kind: str = "ed25519", passphrase: str = "") -> Path:
    """A key pair at `path` and `path`.pub."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        command = ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", "", "-f", str(path)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    return path


class Sshd:
    """One server. user: who may log in with `identity`. log: everything it says, LogLevel DEBUG1 (a user name that
    reached it stands there)."""

    def __init__(self, folder: Path, *, ip: str = "127.0.0.1", port: int | None = None,
                 kinds: Sequence[str] = ("ed25519",), identity: Path | None = None, forwarding: bool = True,
                 options: str = "", prefix: Sequence[str] = ()) -> None:  # fmt: skip
        self.program = needs("sshd")
        self.folder, self.ip, self.port, self.prefix = folder, ip, port or free_port(), list(prefix)
        folder.mkdir(parents=True, exist_ok=True)
        self.user = getpass.getuser()
        self.identity = identity or make_key(folder / "user")
        self.host_keys = [make_key(folder / f"host_{kind}", kind) for kind in kinds]
        (folder / "authorized_keys").write_text(Path(f"{self.identity}.pub").read_text())
        self.log = folder / "log"
        self.config = folder / "sshd_config"
        yes = {True: "yes", False: "no"}
        hostkeys = "\n".join(f"HostKey {path}" for path in self.host_keys)
        listen = f"[{ip}]" if ":" in ip else ip
        text = _CONFIG.format(ip=listen, port=self.port, folder=folder, forwarding=yes[forwarding], options=options,
                              hostkeys=hostkeys)  # fmt: skip
        self.config.write_text(text)
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def keys(self) -> tuple[HostKey, ...]:
        """Its public host keys."""
        return tuple(HostKey.parse(Path(f"{path}.pub").read_text()) for path in self.host_keys)

    def start(self) -> "Sshd":
        """Start it and wait until the log says it listens (no connection is made: none stands in the log)."""
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        offset = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            command = [*self.prefix, self.program, "-D", "-e", "-f", str(self.config)]
            self.process = subprocess.Popen(
                command, stderr=log, stdin=subprocess.DEVNULL, stdout=log, start_new_session=True
            )
        process = self.process
        assert wait(lambda: "Server listening on" in self.said(offset) or process.poll() is not None)
        assert process.poll() is None, self.said(offset)
        return self

    def said(self, offset: int = 0) -> str:
        """Its log from there on."""
        return self.log.read_bytes()[offset:].decode("utf-8", "replace")

    def sessions(self) -> list[int]:
        """Process ids of its sessions' processes: the listener's children, and theirs, for where nobody is root each
        session has a child of its own that carries it (sshd's privilege separation)."""
        made: list[int] = []
        parents = [self.process.pid] if self.process is not None else []
        while parents:
            words = ["pgrep", "-x", "sshd", "-P", ",".join(map(str, parents))]
            found = subprocess.run(words, capture_output=True, text=True, check=False)
            parents = [int(line) for line in found.stdout.split()]
            made += parents
        return made

    def end_sessions(self) -> None:
        """End every session; the listener stays."""
        for pid in self.sessions():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue

    def stop(self) -> None:
        """End it and its sessions."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGCONT)
        sessions = self.sessions()
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)
        for pid in sessions:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process = None

    def toml(self, name: str, more: str = "", *, pinned: bool = True) -> str:
        """A [[host]] for laptop.toml that reaches it."""
        keys = ", ".join(f'"{key.text}"' for key in self.keys)
        pin = f"keys = [{keys}]\n" if pinned else ""
        who = f'user = "{self.user}"\nport = {self.port}\nidentity = "{self.identity}"\n'
        return f'[[host]]\nname = "{name}"\n{who}{pin}{more}\n'


@contextmanager
def sshd(folder: Path, **options: object) -> Iterator[Sshd]:
    """A running server."""
    server = Sshd(folder, **options)  # type: ignore[arg-type]
    try:
        yield server.start()
    finally:
        server.stop()


def connected(server: Sshd, within: float = 5.0) -> socket.socket:
    """A TCP connection to it."""
    end = time.monotonic() + within
    while True:
        try:
            return socket.create_connection((server.ip, server.port), 1)
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
