"""A house and a laptop inside one network namespace: addresses that can be taken and given, a real zone, real sshds.

Everything a test starts inside `Away.open()` runs in the namespace: 25.x addresses stand on its loopback alone.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path

from ipwatch.core.address import Address
from ipwatch.net.dns import DnspythonResolver
from ipwatch.ports import DnsChange, Endpoint, Secret, TsigKey
from tests.fakes import named
from tests.fakes.netns import Namespace
from tests.fakes.program import IPWATCH, Program
from tests.fakes.sshd import Sshd, make_key
from tests.fakes.waiting import wait

OLD, NEW = "25.0.0.1", "25.0.7.7"
NAME = "home.example.org"


class Up(Program):
    """`ipwatch up`, a process of its own."""

    def __init__(self, config: Path, *words: str) -> None:
        super().__init__([*IPWATCH, "--config", str(config), "up", *words])


class Away:
    """The house. desktop: its sshd, at the current address. address: where the house is now."""

    def __init__(self, folder: Path, ns: Namespace, stack: ExitStack) -> None:
        self.folder, self.ns, self._stack = folder, ns, stack
        self.address = OLD
        for ip in (OLD, NEW):  # both from the start: the laptop's own addresses must not seem to change
            ns.ip("addr", "add", f"{ip}/32", "dev", "lo")
        self.port = named.free_port()
        self.user_key = make_key(folder / "user")
        self.desktop = self.sshd("desktop", OLD)
        self.server: Endpoint | None = None
        self._named: ExitStack = stack.enter_context(ExitStack())

    def sshd(self, label: str, ip: str, keys: str = "desktop") -> Sshd:
        """A server at that address and the house's port; keys: whose host keys it shows."""
        server = Sshd(self.folder / keys, ip=ip, port=self.port, identity=self.user_key)
        server.log = self.folder / f"{label}.log"
        server.config = server.config.rename(self.folder / f"{label}.conf")
        self._stack.callback(server.stop)
        return server.start()

    def name_server(self) -> Endpoint:
        """Real BIND with the zone; the record shows the current address."""
        self.server = self._named.enter_context(named.bind(self.folder / "named"))
        self.publish(self.address)
        return self.server

    def name_server_dies(self) -> None:
        """It stops answering."""
        self._named.close()

    def publish(self, ip: str) -> None:
        """Set the record by a signed update."""
        assert self.server is not None
        change = DnsChange(NAME, Address.parse(ip), timedelta(seconds=60))
        key = TsigKey("home-key", "hmac-sha256", Secret(named.SECRET))
        answer = DnspythonResolver().update("example.org", [change], self.server, key, timedelta(seconds=5))
        assert answer == "NOERROR"

    def move(self, *, stranger: bool = False) -> "Sshd | None":
        """The ISP gives the house another address; at the old one nobody answers any more, or a stranger's sshd."""
        self.drop(OLD)
        self.desktop.stop()
        self.address = NEW
        self.desktop = self.sshd("desktop-moved", NEW)
        if not stranger:
            return None
        other = self.sshd("stranger", OLD, keys="stranger")
        self.restore()
        return other

    def drop(self, ip: str) -> None:
        """From now on packets of sshd there vanish without a word."""
        hook = "type filter hook output priority 0; policy accept;"
        rules = f"ip daddr {ip} tcp dport {self.port} drop\nip saddr {ip} tcp sport {self.port} drop"
        self.ns.nft(f"table ip cut {{\nchain out {{\n{hook}\n{rules}\n}}\n}}\n")

    def restore(self) -> None:
        """They pass again."""
        self.ns.nft("table ip cut\ndelete table ip cut")

    def config(self, forwards: str, engine: str = "paramiko", more: str = "") -> Path:
        """A laptop.toml for this house."""
        assert self.server is not None
        path = self.folder / "laptop.toml"
        path.write_text(
            f'[home]\nnames = ["{NAME}"]\nnameservers = ["{self.server}"]\n'
            f'[state]\npath = "{self.folder / "state"}"\n'
            + self.desktop.toml("desktop", f'engine = "{engine}"\n{more}\n[host.forward]\n{forwards}\n')
        )
        path.chmod(0o600)
        return path

    @contextmanager
    def up(self, config: Path, *words: str) -> Iterator[Up]:
        """`ipwatch up desktop`, from when it is up."""
        up = Up(config, "desktop", *words)
        try:
            assert wait(lambda: up.when("desktop: up at") or up.process.poll() is not None, 30), up.text
            assert up.process.poll() is None, up.text
            yield up
        finally:
            up.end()


@contextmanager
def away(folder: Path) -> Iterator[Away]:
    """The house, with this thread inside its namespace."""
    ns = Namespace("away")
    try:
        with ns.inside(), ExitStack() as stack:
            yield Away(folder, ns, stack)
    finally:
        ns.close()
