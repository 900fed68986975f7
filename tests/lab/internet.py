"""The internet as far as the house and the laptop speak to it. Real BIND, and small strict servers."""

import queue
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self

import dns.message

from ipwatch.core.address import Address
from ipwatch.demo.journal import Journal
from ipwatch.demo.line import Line
from ipwatch.demo.mailsink import MailSink, Received
from ipwatch.net.dns import DnspythonResolver
from ipwatch.ports import DnsChange, Endpoint, PortError, Secret, TsigKey
from tests.fakes import named
from tests.fakes.ca import Authority
from tests.fakes.dns_server import DnsServer, answer
from tests.fakes.doh_server import DohServer
from tests.fakes.dyndns2_server import Dyndns2Server
from tests.lab.wires import RESOLVER, Place

NAME, DIRECT = "home.example.org", "direct.example.org"  # by the DynDNS provider; by signed updates from the house
NS1, NS2 = "25.53.0.1", "25.53.0.2"
PAGES = {"amber": "25.80.0.1", "birch": "25.80.0.2", "cedar": "25.80.0.3"}
DYN, MAIL, DOH, LIAR, LIE = "25.80.9.1", "25.25.0.1", "25.44.0.1", "25.66.0.53", "25.66.6.66"
DOH_URL = f"https://{DOH}/dns-query"
USER, PASSWORD = "anna", "correct horse"
_SOON = timedelta(seconds=10)
_KEY = f'key home-key {{ algorithm hmac-sha256; secret "{named.SECRET}"; }};\n'
_ZONE = f"""$TTL 60
@ IN SOA ns1.example.org. admin.example.org. 1 3600 3600 86400 60
@ IN NS ns1.example.org.
@ IN NS ns2.example.org.
ns1 IN A {NS1}
ns2 IN A {NS2}
"""
_NET = f"""$TTL 60
@ IN SOA ns.example.net. admin.example.net. 1 3600 3600 86400 60
@ IN NS ns.example.net.
ns IN A {RESOLVER}
dyn IN A {DYN}
mail IN A {MAIL}
""" + "".join(f"{page} IN A {ip}\n" for page, ip in PAGES.items())


class Pages(ThreadingHTTPServer):
    """Echo pages, told apart by the Host header; each says whence the visitor came. lies: what a page says instead."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Page)
        self.lies: dict[str, str] = {}
        self.asked = 0
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def handle_error(self, *request: object) -> None:
        """Nothing, where a visitor left early."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(*request)  # type: ignore[arg-type]

    def close(self) -> None:
        """End it."""
        self.shutdown()
        self.server_close()
        self._thread.join(5)


class _Page(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 10
    server: Pages

    def do_GET(self) -> None:
        self.server.asked += 1
        page = self.headers.get("Host", "").partition(".")[0]
        portal = self.path == "/generate_204"
        body = b"" if portal else self.server.lies.get(page, self.client_address[0]).encode()
        self.send_response(204 if portal else 200)
        self.send_header("Content-Type", "text/plain")
        if body:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the library
        """Nothing."""


class Provider(Dyndns2Server):
    """A dyndns2 provider: what it takes stands in the zone as soon as its name servers can be written.

    updates: each address it was sent. struck: called after a change was taken and before the client is answered.
    """

    def __init__(self, publish: Callable[[str, str], None]) -> None:
        super().__init__(USER, PASSWORD)
        self.hosts[NAME] = {}
        self.updates: list[str] = []
        self.struck: Callable[[], None] = lambda: None
        self._publish = publish
        self._due: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write)

    def __enter__(self) -> Self:
        self._writer.start()
        return super().__enter__()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        super().__exit__(kind, error, at)
        self._due.put("")
        self._writer.join(10)

    def _host(self, name: str, wanted: dict[int, str]) -> str:
        said = super()._host(name, wanted)
        self.updates.append(wanted.get(4, ""))
        if said.startswith("good"):
            self._due.put(wanted[4])
            self.struck()
        return said

    def _write(self) -> None:
        while address := self._due.get():
            while not self._ending.is_set():
                try:
                    self._publish(NAME, address)
                    break
                except PortError:
                    self._ending.wait(0.3)


class Post(MailSink):
    """The mail server. taken: called when a mail is kept, before its sender is told so."""

    taken: Callable[[], None] = staticmethod(lambda: None)

    def keep(self, sender: str, to: list[str], content: bytes) -> None:
        """Put a mail away."""
        super().keep(sender, to, content)
        self.taken()


class Internet:
    """All servers. mails: what the mail server took."""

    def __init__(self, place: Place, folder: Path, stack: ExitStack) -> None:
        self.place, self.folder, self._stack = place, folder, stack
        servers = (NS1, NS2, RESOLVER, DYN, MAIL, DOH, LIAR, LIE, *PAGES.values())
        for ip in servers:
            place.ip("address", "add", f"{ip}/32", "dev", "lo")
        place.sysctl("net.ipv4.conf.all.route_localnet=1")  # so that servers of the tests' own may stay on loopback
        place.nft(_FILTER)
        with place.inside():
            self._names()
            self.provider = stack.enter_context(Provider(self.publish))
            self.post = Post(Line(), Journal())
            self.post.start()
            stack.callback(self.post.close)
            self.pages = Pages()
            stack.callback(self.pages.close)
            self.authority = Authority(folder / "ca")
            doh = stack.enter_context(DohServer(self._relayed, self.authority.issue(DOH)))
            self.liar = stack.enter_context(DnsServer(_lie))
        self._at(DYN, 80, int(self.provider.url.rpartition(":")[2]))
        self._at(MAIL, 25, self.post.port)
        self._at(DOH, 443, int(doh.url.rpartition(":")[2]))
        for ip in PAGES.values():
            self._at(ip, 80, self.pages.server_port)
        for protocol in ("udp", "tcp"):
            self._at(LIAR, 53, self.liar.endpoint.port, protocol)

    @property
    def mails(self) -> list[Received]:
        """What the mail server has."""
        return list(self.post.mails)

    def subjects(self) -> list[str]:
        """Of these."""
        return [str(mail.message["Subject"]) for mail in self.mails]

    def cut(self, *ips: str) -> None:
        """From now on these servers are silent."""
        self.place.nft(f"add element inet outage silent {{ {', '.join(ips)} }}\n")

    def mend(self, *ips: str) -> None:
        """They are there again."""
        self.place.nft(f"delete element inet outage silent {{ {', '.join(ips)} }}\n")

    def refuse(self, ip: str) -> None:
        """Nobody listens there any more: connections are refused."""
        self.place.nft(f"add element inet outage closed {{ {ip} }}\n")

    def accept(self, ip: str) -> None:
        """Somebody does again."""
        self.place.nft(f"delete element inet outage closed {{ {ip} }}\n")

    def publish(self, name: str, ip: str) -> None:
        """As a provider does: a signed update at the primary."""
        change = DnsChange(name, Address.parse(ip), timedelta(seconds=60))
        key = TsigKey("home-key", "hmac-sha256", Secret(named.SECRET))
        with self.place.inside():
            said = DnspythonResolver().update("example.org", [change], Endpoint(NS1, 53), key, _SOON)
        assert said == "NOERROR", said

    def shows(self, name: str, server: str) -> tuple[str, ...]:
        """What a name server has."""
        with self.place.inside():
            return DnspythonResolver().ask(name, "A", Endpoint(server, 53), _SOON).texts

    def _at(self, ip: str, port: int, local: int, protocol: str = "tcp") -> None:
        rule = f"add rule ip front in ip daddr {ip} {protocol} dport {port} dnat to 127.0.0.1:{local}\n"
        self.place.nft(rule)

    def _names(self) -> None:
        """A primary that takes updates, a secondary that is told of them, and the resolver everybody uses."""
        program = named.needs("named")
        primary = f"notify explicit; also-notify {{ {NS2}; }}; allow-update {{ key home-key; }};"
        second = f'zone "example.org" {{ type slave; primaries {{ {NS1}; }}; allow-notify {{ any; }}; file "z"; }};\n'
        net = 'zone "example.net" { type master; file "net"; };\n'
        org = f'zone "example.org" {{ type static-stub; server-addresses {{ {NS1}; {NS2}; }}; }};\n'
        setups = {
            NS1: ("example.org", f'zone "example.org" {{ type master; {primary} file "z"; }};\n', _ZONE, ""),
            NS2: ("example.org", second, "", ""),
            RESOLVER: ("example.net", net + org, "", "recursion yes; empty-zones-enable no;"),
        }
        for ip, (zone, stanzas, text, options) in setups.items():
            folder = self.folder / f"named-{ip}"
            folder.mkdir(parents=True)
            (folder / "z").write_text(text) if text else None
            (folder / "net").write_text(_NET)
            config = folder / "named.conf"
            config.write_text(_named(folder, ip, options or "recursion no;") + stanzas)
            argv = [program, "-g", "-n", "1", "-c", str(config)]
            self._stack.enter_context(named.running(argv, Endpoint(ip, 53), zone))

    def _relayed(self, query: dns.message.Message, _transport: str) -> dns.message.Message:
        """DNS over HTTPS: a resolver without a cache, that answers out of the zone while it can be asked."""
        name, rdtype = query.question[0].name.to_text(), query.question[0].rdtype.name
        for server in (NS1, NS2):
            try:
                found = DnspythonResolver().ask(name, rdtype, Endpoint(server, 53), timedelta(seconds=1))
            except PortError:
                continue
            return answer(query, *(f"{name} 60 IN {rdtype} {text}" for text in found.texts), aa=False)
        return answer(query, rcode=2, aa=False)  # SERVFAIL


def _lie(query: dns.message.Message, _transport: str) -> dns.message.Message:
    """One address for every name, as a hotel's box does."""
    question = query.question[0]
    rrs = [f"{question.name.to_text()} 5 IN A {LIE}"] if question.rdtype.name == "A" else []
    return answer(query, *rrs, aa=False)


def _named(folder: Path, ip: str, options: str) -> str:
    own = f'directory "{folder}"; pid-file "{folder}/pid"; session-keyfile "{folder}/session.key"; lock-file none;'
    listen = f"listen-on port 53 {{ {ip}; }}; listen-on-v6 {{ none; }}; query-source address {ip};"
    transfer = f"transfer-source {ip}; notify-source {ip}; notify-delay 0; allow-transfer {{ any; }};"
    rest = f"allow-query {{ any; }}; dnssec-validation no; minimal-responses yes; {options}"
    return f"{_KEY}controls {{ }};\noptions {{ {own} {listen} {transfer} {rest} }};\n"


# Silence is settled before NAT, as a broken cable would; a refusal likewise.
_FILTER = """
table inet outage {
 set silent {
  type ipv4_addr
 }
 set closed {
  type ipv4_addr
 }
 chain before {
  type filter hook prerouting priority -300; policy accept;
  ip daddr @silent drop
 }
 chain own {
  type filter hook output priority -300; policy accept;
  ip daddr @silent drop
 }
 chain in {
  type filter hook input priority 0; policy accept;
  ct original ip daddr @closed tcp flags syn reject with tcp reset
 }
}
table ip front {
 chain in {
  type nat hook prerouting priority dstnat; policy accept;
 }
}
"""
