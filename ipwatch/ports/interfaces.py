"""The ports: what the rest may ask of the outside. The adapters are in `net` and `store`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from ipwatch.core.address import Address, Family
from ipwatch.core.outcome import Outcome
from ipwatch.ports.values import (
    Completed,
    DnsAnswer,
    DnsChange,
    Endpoint,
    HttpRequest,
    HttpResponse,
    InterfaceAddress,
    Mail,
    MailServer,
    Message,
    TsigKey,
    Update,
    Zone,
)

if TYPE_CHECKING:  # the laptop's commands keep no state, and start the faster
    from ipwatch.core.event import Event
    from ipwatch.core.state import State


class Clock(Protocol):
    """The only reader of the time."""

    def now(self) -> datetime:
        """The time, aware, in UTC."""
        ...

    def monotonic(self) -> timedelta:
        """A time that never jumps back; only differences mean something."""
        ...

    def sleep(self, time: timedelta) -> None:
        """Wait."""
        ...


class Http(Protocol):
    """HTTP with a total deadline and a size limit."""

    def send(self, request: HttpRequest, within: timedelta) -> HttpResponse:
        """Send it once; raises Unreachable, Refused (TLS not verifiable, plain http not allowed) or Garbled."""
        ...


class Resolver(Protocol):
    """DNS questions."""

    def ask(self, name: str, rdtype: str, server: Endpoint, within: timedelta, *, rdclass: str = "IN",
            recurse: bool = False) -> DnsAnswer:  # fmt: skip
        """Ask this server, UDP first and TCP where truncated; raises Unreachable or Garbled."""
        ...

    def lookup(self, host: str, within: timedelta, family: Family | None = None) -> tuple[str, ...]:
        """The addresses of a host by the system's resolver; raises Unreachable when there are none."""
        ...

    def zone(self, name: str, within: timedelta) -> Zone:
        """The zone a name lies in and all its servers; raises Unreachable or Garbled."""
        ...

    def update(self, zone: str, changes: Sequence[DnsChange], server: Endpoint, key: TsigKey | None,
               within: timedelta) -> str:  # fmt: skip
        """Send one RFC 2136 update for the zone and give its rcode ("NOERROR"); raises Unreachable (sent or not),
        Refused (an unusable key; the server's BADKEY, BADSIG ...), Busy (its BADTIME, until the clocks agree) or
        Garbled (the TSIG of the answer can not be verified, or it is no DNS answer)."""
        ...


T = TypeVar("T")


class Datagram(Protocol):
    """UDP request and answer."""

    def exchange(self, payload: bytes, host: str, port: int, family: Family, within: timedelta,
                 accept: Callable[[bytes], T | None]) -> T:  # fmt: skip
        """Send, and again at growing intervals, until `accept` makes a value of an answer that came from the place
        asked; answers it returns None for are passed over. Raises Unreachable; errors of `accept` pass through."""
        ...


class Interfaces(Protocol):
    """The machine's own addresses."""

    def addresses(self) -> tuple[InterfaceAddress, ...]:
        """All addresses of all interfaces that are up; raises Unreachable where the system does not tell."""
        ...


class Commands(Protocol):
    """Programs of the user's."""

    def run(self, argv: Sequence[str], within: timedelta, *, env: Mapping[str, str] | None = None,
            stdin: bytes = b"", limit: int = 65536) -> Completed:  # fmt: skip
        """Run without a shell and end it (with its children) at the deadline; raises Unreachable when it can not be
        started or does not end. `env` is added to the environment."""
        ...


class Files(Protocol):
    """Files of the user's."""

    def read(self, path: Path, limit: int = 65536) -> bytes:
        """The file's bytes; raises Unreachable when it can not be read and Garbled when it is larger."""
        ...

    def replace(self, path: Path, content: bytes) -> None:
        """Replace it atomically, on disk before this returns; raises Unreachable."""
        ...


class Mailer(Protocol):
    """Hands a mail to a server."""

    def send(self, mail: Mail, server: MailServer, within: timedelta) -> None:
        """Returns when the server took it for every recipient; raises Unreachable, Busy (4yz), Refused (5yz)."""
        ...


class Store(Protocol):
    """State, history and outbox on disk; every fault is a StoreFault."""

    def load(self) -> "State":
        """The state as last committed; an empty one at first."""
        ...

    def commit(self, state: "State", events: Sequence["Event"] = ()) -> None:
        """Write both in one transaction; on disk when it returns."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...


class StoreFault(Exception):
    """The database can not be used or written; str() is the sentence for the user. `full`: the disk is."""

    def __init__(self, message: str, *, full: bool = False) -> None:
        super().__init__(message)
        self.full = full


@dataclass(frozen=True, slots=True)
class Tools:
    """The ports an adapter may be handed; a build function takes what it needs of them."""

    clock: Clock
    http: Http
    resolver: Resolver
    datagram: Datagram
    interfaces: Interfaces
    commands: Commands
    files: Files
    mailer: Mailer


class Source(Protocol):
    """One way to learn the public address.

    id: how log and state call it, unique ("web:api.ipify.org"). operator: who stands behind it. families: those it can
    answer for. min_interval: the operator's own limit between two questions (zero: none).
    """

    id: str
    operator: str
    families: frozenset[Family]
    min_interval: timedelta

    def observe(self, family: Family, within: timedelta) -> Address:
        """Ask once. The address is public and of that family (core.address.public); raises PortError."""
        ...


class Provider(Protocol):
    """One DNS service, for one account.

    batch: most names in one publish call. repairs: whether a drifted record may be sent again unasked.
    refresh: publish again after this long although nothing changed (None: never). pause: least time between two
    requests of the account. service: what PROVIDER-wide refusals reach: the server's name.
    """

    batch: int
    repairs: bool
    refresh: timedelta | None
    pause: timedelta
    service: str

    def publish(self, updates: Sequence[Update], within: timedelta) -> Mapping[tuple[str, Family], Outcome]:
        """Set exactly these records and touch no other. All updates have equal addresses, held, ttl and options;
        there are at most `batch`. An outcome for each (name, family) of `addresses`; a PortError raised instead
        stands for all of them."""
        ...


class Notifier(Protocol):
    """One way to tell.

    reflects: it mirrors the addresses instead of telling events: `send` is called whenever they differ from what
    it last took (and once at every start), with a Message whose events are empty.
    """

    reflects: bool

    def send(self, message: Message, within: timedelta) -> None:
        """Deliver it; returning means delivered. Raises PortError."""
        ...
