"""A strict dyndns2 server: it answers as the protocol's manuals say and counts what they call abuse.

https://help.dyn.com/remote-access-api/ (perform-update, return-codes, policies) and https://www.noip.com/integrate/request
and /response, as of 2026-11: Basic auth at once, a User-Agent that names the client, up to 20 host names, the address
given, one line for each host in order; no `nochg` twice in a row, nothing more after a code that asking cannot cure.
"""

import base64
import binascii
from collections.abc import Collection, Sequence
from http.server import BaseHTTPRequestHandler
from ipaddress import IPv4Address, ip_address
from urllib.parse import parse_qs, urlsplit

from ipwatch.demo.journal import Journal
from ipwatch.demo.line import LOOPBACK, Line, TcpServer
from ipwatch.demo.zone import Zone

HOSTS = 20  # names in one request
PATIENCE = 5  # faults until every answer is `abuse`
FATAL = frozenset({"badauth", "badagent", "notfqdn", "numhost", "nohost", "badparam", "abuse", "!yours", "!donator"})
_LIBRARIES = ("python-requests", "python-urllib", "python-httpx", "curl", "wget", "go-http-client", "okhttp")
_IDLE = 10.0  # seconds a kept connection may be silent


class DynServer(TcpServer):
    """http://127.0.0.1:port/nic/update, writing into the zone.

    faults: how often a client did what the manuals forbid. answer: said instead of the truth while set ("911"), and
    nothing is changed. requests: how many came at all.
    """

    def __init__(
        self, line: Line, journal: Journal, zone: Zone, *, username: str, password: str, hosts: Collection[str]
    ) -> None:
        self.journal = journal
        self.zone = zone
        self.faults: list[str] = []
        self.requests = 0
        self.answer = ""
        self.hosts = frozenset(hosts)
        self._login = (username, password)
        self._quiet: set[tuple[str, str]] = set()  # (host, address) whose nochg was already forgiven
        self._fatal: set[tuple[str, ...]] = (
            set()
        )  # (credentials, agent, hosts) and perhaps the address that were refused for good
        super().__init__(line, _Update)

    @property
    def url(self) -> str:
        """Its address, as `server` in the configuration."""
        return f"http://{LOOPBACK}:{self.port}"

    def pardon(self) -> None:
        """Forget every fault and refusal, as a provider's support does."""
        self.faults.clear()
        self._fatal.clear()
        self._quiet.clear()

    def update(self, credentials: str, agent: str, query: dict[str, list[str]]) -> list[str]:
        """The reply's lines to one request."""
        self.requests += 1
        names = query.get("hostname", [""])[0]
        given = query.get("myip", [""])[0]
        again = (credentials, agent, names)
        if again in self._fatal or (*again, given) in self._fatal:
            self.faults.append(f"asked again for {names or 'nothing'} after a refusal")
        lines = self._judge(credentials, agent, names.split(","), given)
        if FATAL.intersection(line.partition(" ")[0] for line in lines):
            self._fatal.add((*again, given) if lines == ["badparam"] else again)
        self.journal.note("dyndns2", "request", names, text=" / ".join(lines))
        return lines

    def _judge(self, credentials: str, agent: str, names: Sequence[str], given: str) -> list[str]:
        addresses = _addresses(given)
        rules = (
            (bool(self.answer), self.answer),
            (len(self.faults) >= PATIENCE, "abuse"),
            (not agent or agent.lower().startswith(_LIBRARIES), "badagent"),
            (_login(credentials) != self._login, "badauth"),
            (len(names) > HOSTS, "numhost"),
            (not addresses, "badparam"),
        )
        refused = next((code for broken, code in rules if broken), "")
        return [refused] if refused else [self._host(name.lower(), addresses) for name in names]

    def _host(self, name: str, addresses: Sequence[str]) -> str:
        if "." not in name:
            return "notfqdn"
        if name not in self.hosts:
            return "nohost"
        changes = [
            self.zone.replace(name, "A" if "." in address else "AAAA", address, by=self._login[0])
            for address in addresses
        ]
        shown = ",".join(addresses)
        if any(changes):
            self._quiet = {q for q in self._quiet if q[0] != name}
            return f"good {shown}"
        if (name, shown) in self._quiet:
            self.faults.append(f"nochg again for {name}")
        self._quiet.add((name, shown))
        return f"nochg {shown}"


def _login(credentials: str) -> tuple[str, str] | None:
    """User name and password out of an Authorization header (RFC 7617); None if it has none."""
    scheme, _, token = credentials.partition(" ")
    try:
        text = base64.b64decode(token.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    user, colon, password = text.partition(":")
    return (user, password) if scheme.lower() == "basic" and colon else None


def _addresses(text: str) -> list[str]:
    """The addresses given, at most one of each family; none if any of it is not an address."""
    try:
        addresses = [ip_address(part) for part in text.split(",")]
    except ValueError:
        return []
    families = [isinstance(address, IPv4Address) for address in addresses]
    return [str(address) for address in addresses] if len(families) == len(set(families)) else []


class _Update(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "dyndns2"
    timeout = _IDLE
    server: DynServer

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 http.server's signature
        """The journal is kept instead."""

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if url.path != "/nic/update":
            self.send_error(404)
            return
        credentials = self.headers.get("Authorization", "")
        agent = self.headers.get("User-Agent", "")
        lines = self.server.update(credentials, agent, parse_qs(url.query, keep_blank_values=True))
        status = 401 if lines == ["badauth"] else 500 if lines == ["911"] else 200
        body = "".join(f"{line}\n" for line in lines).encode()
        self.send_response(status)
        if status == 401:
            self.send_header("WWW-Authenticate", 'Basic realm="dyndns2"')
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
