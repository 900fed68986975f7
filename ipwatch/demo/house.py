"""A whole house on loopback: its line with a public address, and the internet as far as ipwatch speaks to it.

The addresses are out of 25.0.0.0/8: they look like any public one, and exist only here.
"""

import base64
import json
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import dns.name
import dns.tsig

from ipwatch.demo.dyndns2 import DynServer
from ipwatch.demo.echo import EchoServer, Manner
from ipwatch.demo.journal import Journal
from ipwatch.demo.line import Line
from ipwatch.demo.mailsink import MailSink
from ipwatch.demo.nameserver import NameServer
from ipwatch.demo.zone import Zone

FIRST = "25.7.31.10"
ZONE = "demo.example"
DYN_NAME = f"home.{ZONE}"  # at the dyndns2 account
DNS_NAME = f"nas.{ZONE}"  # at the account with RFC 2136 updates
NAMES = (DYN_NAME, DNS_NAME)
PAGES = {"amber": "Amber", "birch": "Birch", "cedar": "Cedar", "dune": "Dune"}  # page: operator
LAG = 0.7  # seconds the second name server is behind
RESIDENT = "resident@demo.example"

_USER, _PASSWORD = "resident", "correct horse"
_KEY_NAME, _KEY_SECRET = "ipwatch-demo", base64.b64encode(b"a key that exists only in the demo").decode()


class House:
    """All servers on ephemeral loopback ports while the `with` block runs; nothing is left behind afterwards."""

    def __init__(self, address: str = FIRST, lag: float = LAG) -> None:
        self._address = address
        self._lag = lag
        self._stack = ExitStack()
        self.journal = Journal()
        self.line = Line()

    def __enter__(self) -> Self:
        with ExitStack() as stack:  # so that half a house is taken down again when a port can not be had
            self._start(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _start(self, stack: ExitStack) -> None:
        self.zone = Zone(ZONE, self.journal, lambda: self._address)
        key = dns.tsig.Key(dns.name.from_text(_KEY_NAME), _KEY_SECRET, dns.tsig.HMAC_SHA256)
        self.pages = EchoServer(self.line, self.journal, tuple(PAGES), lambda: self._address)
        self._run(stack, self.pages)
        self.primary = NameServer("ns1", self.zone, self.line, self.journal, key=key)
        self._run(stack, self.primary)
        self.secondary = NameServer("ns2", self.zone, self.line, self.journal, lag=self._lag)
        self._run(stack, self.secondary)
        self.dyn = DynServer(self.line, self.journal, self.zone, username=_USER, password=_PASSWORD, hosts=(DYN_NAME,))
        self._run(stack, self.dyn)
        self.mail = MailSink(self.line, self.journal)
        self._run(stack, self.mail)

    @staticmethod
    def _run(stack: ExitStack, server: EchoServer | NameServer | DynServer | MailSink) -> None:
        server.start()
        stack.callback(server.close)

    @property
    def address(self) -> str:
        """The house's public address now. Setting it is what the ISP does: nobody is told."""
        return self._address

    @address.setter
    def address(self, address: str) -> None:
        self._address = address
        self.journal.note("house", "address", address=address)

    def line_down(self) -> None:
        """Cut the house off: connections are reset, questions stay unanswered."""
        self.journal.note("house", "line", text="down")
        self.line.drop()

    def line_up(self) -> None:
        """The line is back."""
        self.journal.note("house", "line", text="up")
        self.line.raise_()

    def lie(self, page: str, manner: Manner = Manner.LIE) -> None:
        """Let a page answer otherwise than with the truth (or, with Manner.TRUTH, let it repent)."""
        self.pages.manners[page] = manner
        self.journal.note("house", "manner", page, text=manner)

    @property
    def wrong(self) -> tuple[str, ...]:
        """What was ever published for the house although it was not its address then; "" for a record taken away."""
        return tuple(n.address for n in self.journal.since() if n.what == "changed" and n.subject in NAMES and n.wrong)

    def toml(self, folder: Path) -> str:
        """The complete ipwatch.toml for this house; state and files go into the folder."""
        sources = "".join(_source(operator, self.pages.url(page)) for page, operator in PAGES.items())
        servers = json.dumps([self.primary.endpoint, self.secondary.endpoint])
        return _TOML.format(
            state=_text(folder / "ipwatch.db"),
            sources=sources,
            dyn=_text(self.dyn.url),
            user=_text(_USER),
            password=_text(_PASSWORD),
            primary=_text(self.primary.endpoint),
            zone=_text(ZONE),
            key=_text(_KEY_NAME),
            secret=_text(_KEY_SECRET),
            servers=servers,
            dyn_name=_text(DYN_NAME),
            dns_name=_text(DNS_NAME),
            mail=_text(f"127.0.0.1:{self.mail.port}"),
            resident=_text(RESIDENT),
            file=_text(folder / "current-ip.txt"),
        )


def _text(value: str | Path) -> str:
    """A TOML basic string: JSON's escapes are among TOML's."""
    return json.dumps(str(value), ensure_ascii=False)


def _source(operator: str, url: str) -> str:
    return f"""
[[source]]
kind = "web"
url = {_text(url)}
operator = {_text(operator)}
allow_insecure = true
"""


_TOML = """\
# The demo house. Every port is one of this machine's own; nothing leaves it.
[watch]
interval = "1s"
families = ["ipv4"]
quorum = 2

[state]
path = {state}
{sources}
[account.dyn]
kind = "dyndns2"
server = {dyn}
username = {user}
password = {password}
allow_insecure = true
verify = true
nameservers = {servers}

[account.dns]
kind = "rfc2136"
server = {primary}
zone = {zone}
key_name = {key}
key_secret = {secret}
key_algorithm = "hmac-sha256"
verify = true
nameservers = {servers}

[[record]]
name = {dyn_name}
account = "dyn"
ttl = "60s"

[[record]]
name = {dns_name}
account = "dns"
ttl = "60s"

[[notify]]
kind = "email"
server = {mail}
security = "none"
sender = "ipwatch@demo.example"
to = [{resident}]

[[notify]]
kind = "file"
path = {file}
"""
