"""STUN servers: one of the user's, or the built-in table."""

import secrets
from dataclasses import dataclass
from datetime import timedelta

from ipwatch.core.address import Address, BadAddress, Family, public
from ipwatch.ports import Datagram, Garbled, Plugin, SourceOptions, Tools
from ipwatch.protocols import stun
from ipwatch.protocols.hostport import BadHostPort, split
from ipwatch.protocols.operators import operator_of

_PORT = 3478  # RFC 8489 18.6
_BOTH = frozenset(Family)

# Servers as their operators name them for public use, 2026-11: Google in its WebRTC samples,
# https://developers.cloudflare.com/realtime/turn/, Nextcloud Talk's default, sipgate's set-up pages.
SERVERS: tuple[tuple[str, int, frozenset[Family]], ...] = (
    ("stun.l.google.com", 19302, _BOTH),
    ("stun.cloudflare.com", 3478, _BOTH),
    ("stun.nextcloud.com", 3478, _BOTH),
    ("stun.sipgate.net", 3478, frozenset({Family.IPV4})),
)


class StunOptions(SourceOptions, frozen=True, kw_only=True):
    """`[[source]]` of kind "stun". Without `server` it stands for the whole built-in table."""

    server: str | None = None

    def __post_init__(self) -> None:
        if self.server is not None:
            _server(self.server)
        elif self.operator is not None:
            raise ValueError("operator needs a server: the built-in servers have operators of their own")


DOC = {"server": '"host" or "host:port" of a STUN server (port 3478 where none is named); none: the built-in table'}


@dataclass(frozen=True, slots=True)
class StunSource:
    """One STUN server."""

    id: str
    operator: str
    families: frozenset[Family]
    min_interval: timedelta
    host: str
    port: int
    timeout: timedelta
    datagram: Datagram

    def observe(self, family: Family, within: timedelta) -> Address:
        """One binding request, repeated while no answer comes; raises PortError."""
        transaction = secrets.token_bytes(stun.TRANSACTION_LENGTH)  # unpredictable: RFC 8489 5

        def accept(datagram: bytes) -> stun.Mapped | None:
            return stun.read(datagram, transaction) if stun.answers(datagram, transaction) else None

        try:
            mapped = self.datagram.exchange(
                stun.request(transaction), self.host, self.port, family, min(within, self.timeout), accept
            )
            return public(str(mapped.address), family)
        except (stun.BadStun, BadAddress) as error:
            raise Garbled(f"{self.host}: {error}") from None


def _server(text: str) -> tuple[str, int]:
    try:
        return split(text, _PORT)
    except BadHostPort as error:
        raise ValueError(f"server {error}") from None


def _build(options: StunOptions, tools: Tools) -> list[StunSource]:
    wanted = _BOTH if options.families is None else frozenset(options.families)
    if options.server is None:
        rows = [(f"stun:{host}", host, port, able & wanted) for host, port, able in SERVERS]
    else:
        host, port = _server(options.server)
        shown = host if port == _PORT else options.server
        rows = [(f"stun:{shown}", host, port, wanted)]
    return [
        StunSource(
            id=name,
            operator=options.operator or operator_of(host),
            families=families,
            min_interval=timedelta(0),
            host=host,
            port=port,
            timeout=options.timeout,
            datagram=tools.datagram,
        )
        for name, host, port, families in rows
        if families
    ]


PLUGIN = Plugin(
    title="a STUN server (or the built-in table of them)",
    manual="https://www.rfc-editor.org/rfc/rfc8489",
    settings=StunOptions,
    build=_build,
)
