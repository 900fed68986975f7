"""The house's own router, asked by NAT-PMP for the address it has outside. Says at once when that is no public one."""

from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Address
from pathlib import Path

from ipwatch.core.address import Address, Family, refusal
from ipwatch.ports import Datagram, Files, Garbled, Plugin, SourceOptions, Tools, Unreachable
from ipwatch.protocols import natpmp
from ipwatch.protocols.proc_route import default_gateway

_ROUTES = Path("/proc/net/route")


class RouterOptions(SourceOptions, frozen=True, kw_only=True):
    """`[[source]]` of kind "router"."""

    address: str | None = None

    def __post_init__(self) -> None:
        if self.address is not None:
            try:
                IPv4Address(self.address)
            except ValueError:
                raise ValueError('address must be the router\'s in the house, such as "192.168.1.1"') from None
        if self.families is not None and Family.IPV6 in self.families:
            raise ValueError("NAT-PMP knows IPv4 alone: leave families out")


DOC = {"address": "the router's own address in the house; none: this machine's default gateway (Linux)"}


@dataclass(frozen=True, slots=True)
class RouterSource:
    """One router. Where it stands behind another NAT, its answer is an error that says so (Garbled.behind)."""

    id: str
    operator: str
    families: frozenset[Family]
    min_interval: timedelta
    address: str | None
    port: int
    timeout: timedelta
    datagram: Datagram
    files: Files

    def observe(self, family: Family, within: timedelta) -> Address:
        """Ask for the address outside; raises PortError."""
        router = self.address or self._gateway()
        datagram = self.datagram.exchange(
            natpmp.REQUEST, router, self.port, family, min(within, self.timeout),
            lambda got: got if natpmp.answers(got) else None,
        )  # fmt: skip
        try:
            address = natpmp.read(datagram)
        except natpmp.BadNatPmp as error:
            reason = f"the router {router}: {error}"
            raise Garbled(reason, behind=reason if error.nowhere else "") from None
        if (why := refusal(address)) is not None:
            reason = f"the router {router} has {address} outside: {why}"
            raise Garbled(reason, behind=reason)
        return address

    def _gateway(self) -> str:
        gateway = default_gateway(self.files.read(_ROUTES).decode("ascii", "replace"))
        if gateway is None:
            raise Unreachable("this machine has no default gateway that could be asked")
        return str(gateway)


def _build(options: RouterOptions, tools: Tools) -> list[RouterSource]:
    return [
        RouterSource(
            id=f"router:{options.address or 'gateway'}",
            operator=options.operator or "the router",
            families=frozenset({Family.IPV4}),
            min_interval=timedelta(0),
            address=options.address,
            port=natpmp.PORT,
            timeout=options.timeout,
            datagram=tools.datagram,
            files=tools.files,
        )
    ]


PLUGIN = Plugin(
    title="the house's own router, by NAT-PMP; tells carrier NAT",
    manual="https://www.rfc-editor.org/rfc/rfc6886",
    settings=RouterOptions,
    build=_build,
)
