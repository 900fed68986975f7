"""The lab put together, and what the ISP and bad luck do to it."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.fakes import named
from tests.fakes.program import IPWATCH
from tests.fakes.sshd import make_key
from tests.fakes.waiting import PATIENCE, wait
from tests.lab.home import DESKTOP, MAC, NAS, Desktop, Nas, Router, Stranger
from tests.lab.internet import DIRECT, LIAR, NAME, NS1, NS2, PAGES, PASSWORD, USER, Internet
from tests.lab.laptop import Laptop, Run
from tests.lab.shipped import Image, Shipped
from tests.lab.wires import Place, bridge, cable, places

FIRST, SECOND, THIRD = "25.7.31.10", "25.7.44.90", "25.7.58.3"  # the house's addresses, one after the other
CARRIER, SHARED = "100.64.0.9", "25.7.200.1"  # behind carrier NAT: the router's own, and the one that all share
_GATEWAY, _CARRIER_GATEWAY = "25.7.0.1", "100.64.0.1"
_CAMPUS, _LAPTOP = "25.120.0.1", "25.120.0.7"
LABELS = ("isp", "internet", "router", "nas", "desktop", "laptop", "stranger")


class Isp:
    """Routes between the house's line, the campus and the servers."""

    def __init__(self, place: Place, internet: Place, laptop: Place) -> None:
        self.place = place
        place.routes()
        place.nft(_ISP)
        bridge(place, "access")
        place.address("access", f"{_GATEWAY}/16", f"{_CARRIER_GATEWAY}/10", f"{SHARED}/32")
        cable(place, "net", internet, "eth0")
        place.address("net", "25.1.0.1/30")
        internet.address("eth0", "25.1.0.2/30", gateway="25.1.0.1")
        place.ip("route", "add", "25.0.0.0/8", "via", "25.1.0.2")
        cable(place, "campus", laptop, "eth0")
        place.address("campus", f"{_CAMPUS}/24")
        laptop.address("eth0", f"{_LAPTOP}/24", gateway=_CAMPUS)

    def line(self, label: str, far: Place, interface: str) -> None:
        """A subscriber's line."""
        cable(self.place, label, far, interface)
        self.place.ip("link", "set", label, "master", "access")

    def cut(self, interface: str) -> None:
        """Packets of that line vanish without a word."""
        self.place.nft(f'add element inet cut lines {{ "{interface}" }}\n')

    def mend(self, interface: str) -> None:
        """They pass again."""
        self.place.nft(f'delete element inet cut lines {{ "{interface}" }}\n')

    def hijack(self) -> None:
        """Whatever the campus asks port 53 of anybody, a liar answers."""
        self.place.nft(_HIJACK)

    def honest(self) -> None:
        """No more."""
        self.place.nft("delete table ip hijack\n")

    def forget(self) -> None:
        """Learn anew who has which address on the access network."""
        self.place.ip("neighbour", "flush", "dev", "access")


class Lab:
    """The whole. address: the house's public one now. service: it, when it runs. image: run it from that container."""

    def __init__(self, folder: Path, stack: ExitStack, made: tuple[Place, ...]) -> None:
        isp, internet, router, nas, desktop, laptop, stranger = made
        self.folder = folder
        self.image: Image | None = None
        self.isp = Isp(isp, internet, laptop)
        self.internet = Internet(internet, folder / "internet", stack)
        self.router = Router(router, folder, stack)
        self.isp.line("house", router, "wan")
        self.isp.line("other", stranger, "eth0")
        self.router.port(nas, NAS)
        self.router.port(desktop, DESKTOP, MAC)
        key = make_key(folder / "anna")
        (folder / "nas").mkdir()
        self.nas = Nas(nas, folder / "nas", key, stack)
        self.desktop = Desktop(desktop, folder / "desktop", key, stack)
        self.stranger = Stranger(stranger, folder / "stranger", key, stack, (2222, 2223))
        self.laptop = Laptop(laptop, folder / "laptop", self.nas, self.desktop, self.internet.authority.cafile)
        self.config = folder / "nas" / "ipwatch.toml"
        self.configure()
        self.service: Run | Shipped | None = None
        stack.callback(self.power_off)
        self.address = ""
        self.change_address(FIRST)

    def change_address(self, address: str) -> None:
        """The ISP gives the house another address and its old one to a stranger; nobody is told."""
        if self.address not in {"", SHARED}:
            self.stranger.place.ip("address", "flush", "dev", "eth0")
        self.router.outside(f"{address}/16", _GATEWAY)
        if self.address not in {"", SHARED}:
            self.stranger.place.address("eth0", f"{self.address}/16", gateway=_GATEWAY)
        self.isp.forget()
        self.address = address

    def carrier_nat(self) -> None:
        """The ISP puts the house behind an address that many share."""
        self.router.outside(f"{CARRIER}/10", _CARRIER_GATEWAY)
        self.isp.forget()
        self.address = SHARED

    def configure(self, *, router: bool = False) -> None:
        """Write the service's ipwatch.toml. router: the router is a source, too."""
        self.config.write_text(_service(Path("/data") if self.image else self.folder / "nas", router=router))
        self.config.chmod(0o600)

    def power_on(self) -> Run | Shipped:
        """The service on the NAS."""
        assert self.service is None
        nas, home = self.nas.place, self.folder / "nas"
        if self.image is not None:
            self.service = Shipped(self.image, nas, self.config, home / "data")
        else:
            self.service = Run(nas.prefix, [*IPWATCH, "--config", str(self.config), "run"], home)
        return self.service

    def power_off(self) -> None:
        """It is told to end."""
        if self.service is not None:
            self.service.end()
            self.service = None

    def power_cut(self) -> None:
        """It is gone from one moment to the next."""
        assert self.service is not None
        self.service.kill()
        self.service = None

    def ask(self, *words: str) -> str:
        """One of the service's other commands on the NAS; what it prints."""
        if isinstance(self.service, Shipped):
            return self.service.ask(*words)
        done = self.nas.place.run([*IPWATCH, "--config", str(self.config), *words])
        return done.stdout + done.stderr

    def status(self) -> dict[str, object]:
        """`ipwatch status --json`."""
        text = self.ask("status", "--json")
        found: dict[str, object] = json.loads(text)
        return found

    def published(self, address: str) -> None:
        """Wait until both names show this address at both servers."""

        def shown() -> bool:
            asked = [(name, server) for name in (NAME, DIRECT) for server in (NS1, NS2)]
            return all(self.internet.shows(name, server) == (address,) for name, server in asked)

        assert wait(shown, 2 * PATIENCE), self.service and self.service.text

    def mailed(self, word: str) -> None:
        """Wait until a mail with that in its text has come."""
        assert wait(lambda: any(word in mail.text for mail in self.internet.mails), 2 * PATIENCE), [
            mail.text for mail in self.internet.mails
        ]


@contextmanager
def lab(folder: Path) -> Iterator[Lab]:
    """A lab: the service off, the desktop off, the house at FIRST."""
    named.needs("sshd")
    named.needs("named")
    with places(*LABELS) as made, ExitStack() as stack:
        yield Lab(folder, stack, made)


def _service(folder: Path, *, router: bool) -> str:
    """The service's ipwatch.toml. router: the router is asked, too."""
    pages = "".join(
        f'[[source]]\nkind = "web"\nurl = "http://{page}.example.net/"\noperator = "{page}"\nallow_insecure = true\n'
        'timeout = "2s"\n'
        for page in PAGES
    )
    pages += '[[source]]\nkind = "router"\ntimeout = "2s"\n' if router else ""
    return f"""\
[watch]
interval = "1s"
[state]
path = "{folder / "ipwatch.db"}"
{pages}
[account.dyn]
kind = "dyndns2"
server = "http://dyn.example.net"
username = "{USER}"
password = "{PASSWORD}"
allow_insecure = true
pause = "1s"
timeout = "3s"
[account.bind]
kind = "rfc2136"
server = "{NS1}:53"
zone = "example.org"
key_name = "home-key"
key_secret = "{named.SECRET}"
timeout = "3s"
[[record]]
name = "{NAME}"
account = "dyn"
[[record]]
name = "{DIRECT}"
account = "bind"
[[notify]]
kind = "email"
server = "mail.example.net:25"
security = "none"
sender = "ipwatch@example.org"
to = ["anna@example.org"]
timeout = "3s"
[[notify]]
kind = "file"
path = "{folder / "current-ip.txt"}"
"""


_ISP = f"""
table inet cut {{
 set lines {{
  type ifname
 }}
 chain through {{
  type filter hook forward priority 0; policy accept;
  iifname @lines drop
  oifname @lines drop
  ct direction original ip daddr 100.64.0.0/10 reject with icmp type net-unreachable comment "nobody routes them"
 }}
}}
table ip carrier {{
 chain out {{
  type nat hook postrouting priority srcnat; policy accept;
  ip saddr 100.64.0.0/10 oifname {{ "net", "campus" }} snat to {SHARED}
 }}
}}
"""
_HIJACK = f"""
table ip hijack {{
 chain in {{
  type nat hook prerouting priority dstnat; policy accept;
  iifname "campus" udp dport 53 dnat to {LIAR}
  iifname "campus" tcp dport 53 dnat to {LIAR}
 }}
}}
"""
