"""The values that cross the ports."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ipwatch.core.address import Address, Family
from ipwatch.ports.secret import Secret

if TYPE_CHECKING:  # of the service alone
    from ipwatch.core.event import Event


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request. `auth`: user name and password for HTTP Basic, sent at once. `family`: connect over this one only.
    `insecure`: the configuration allows plain http to this place; without it an http URL is Refused. `repeatable`: a
    mere question, which may be put once more when the connection kept from an earlier one has broken.
    """

    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    auth: tuple[str, Secret] | None = None
    family: Family | None = None
    insecure: bool = False
    repeatable: bool = False
    limit: int = 65536  # bytes of the answer's body; more is Garbled (DESIGN section 5)


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """The answer, whatever its status. Header names are lower case. Redirects are answers, never followed, except
    for GET without auth to the same host (and never from https to http).
    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    def text(self) -> str:
        """The body as text: UTF-8, other bytes replaced."""
        return self.body.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address and a port to talk to."""

    host: str  # an IP address, no name
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class DnsAnswer:
    """One server's answer. rcode: text such as "NOERROR". authoritative: the AA bit. texts: the rdata of the wanted
    type at the end of its CNAME chain: canonical addresses for A and AAAA, joined strings for TXT. serial: the SOA's,
    also of an authoritative "there is none" (RFC 2308 3). recursion: the RA bit: what answered resolves for others.
    """

    rcode: str
    authoritative: bool
    texts: tuple[str, ...]
    serial: int | None = None
    cname: str | None = None  # where the name is an alias: the target at which the chain left this answer
    ttl: timedelta | None = None
    recursion: bool = False


@dataclass(frozen=True, slots=True)
class NameServer:
    """One authoritative server of a zone, at one of its addresses."""

    name: str
    endpoint: Endpoint


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone cut and the servers that are authoritative for it, every address of both families."""

    name: str
    servers: tuple[NameServer, ...]


@dataclass(frozen=True, slots=True)
class DnsChange:
    """One RRset to be replaced by one address (RFC 2136 2.5.2 and 2.5.1); everything else in the zone stays."""

    name: str
    address: Address
    ttl: timedelta


@dataclass(frozen=True, slots=True)
class TsigKey:
    """A TSIG key (RFC 8945): name, algorithm as in "hmac-sha256", secret in base64."""

    name: str
    algorithm: str
    secret: Secret


@dataclass(frozen=True, slots=True)
class InterfaceAddress:
    """One address of a network interface and what the kernel says about it."""

    interface: str
    address: IPv4Address | IPv6Address
    prefix: int
    temporary: bool = False
    deprecated: bool = False
    tentative: bool = False
    permanent: bool = False
    managed: bool = False  # stable: made by the kernel's stable-privacy or EUI-64, or set by hand


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail. `id`: the left part of its Message-ID, the same in every try."""

    id: str
    at: datetime
    sender: str
    to: tuple[str, ...]
    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where to hand mail in. security: "starttls", "tls" or "none"; cafile: trusted instead of the system's set."""

    host: str
    port: int
    security: str
    username: str | None = None
    password: Secret | None = None
    cafile: Path | None = None


@dataclass(frozen=True, slots=True)
class Completed:
    """A finished command: exit status, and at most `limit` bytes of each output."""

    status: int
    stdout: bytes
    stderr: bytes


@dataclass(frozen=True, slots=True)
class Update:
    """What one name is to show.

    addresses: to be sent now, one per family at most. held: the record's other wanted families, already published and
    right: repeated by protocols in which leaving one out deletes it. ttl: None leaves it as it is.
    options: the record's own keys that the provider's `record` class defines.
    """

    name: str
    addresses: tuple[Address, ...]
    held: tuple[Address, ...] = ()
    ttl: timedelta | None = None
    options: Any = None


@dataclass(frozen=True, slots=True)
class Message:
    """One message to a person: one event, or a digest of several.

    id: stable across retries. events: oldest first. addresses: what is believed now.
    """

    id: str
    at: datetime
    subject: str
    text: str
    html: str
    events: "tuple[Event, ...]"
    addresses: Mapping[Family, Address]
