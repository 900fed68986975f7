"""A network interface of this machine: for a house whose machine holds the public address itself, as with IPv6."""

from dataclasses import dataclass
from datetime import timedelta

from ipwatch.core.address import Address, Family, refusal
from ipwatch.ports import Garbled, InterfaceAddress, Interfaces, Plugin, SourceOptions, Tools


class InterfaceOptions(SourceOptions, frozen=True, kw_only=True):
    """`[[source]]` of kind "interface"."""

    name: str

    def __post_init__(self) -> None:
        if not self.name or "/" in self.name or any(c.isspace() for c in self.name):
            raise ValueError('name must be an interface such as "eth0"')


DOC = {"name": 'the interface, such as "eth0"'}


@dataclass(frozen=True, slots=True)
class InterfaceSource:
    """One interface. For IPv6 the stable address a host keeps, never a temporary, deprecated or tentative one."""

    id: str
    operator: str
    families: frozenset[Family]
    min_interval: timedelta
    name: str
    interfaces: Interfaces

    def observe(self, family: Family, within: timedelta) -> Address:  # noqa: ARG002 - the kernel answers at once
        """The interface's public address; raises Garbled with the reason where there is none, or not one in IPv4."""
        ours = [one for one in self.interfaces.addresses() if one.interface == self.name]
        if not ours:
            raise Garbled(f"there is no interface {self.name!r} that is up and has an address")
        found = [one for one in ours if Address(one.address).family is family]
        if not found:
            raise Garbled(f"{self.name} has no {family.label} address")
        usable = sorted((one for one in found if _why_not(one) is None), key=_rank)
        if not usable:
            raise Garbled("; ".join(f"{one.address}: {_why_not(one)}" for one in found[:3]))
        if family is Family.IPV4 and len({one.address for one in usable}) > 1:
            raise Garbled(f"{self.name} has several public IPv4 addresses: {usable[0].address}, {usable[1].address}")
        return Address(usable[0].address)


def _why_not(one: InterfaceAddress) -> str | None:
    """Why this is not the address to publish (RFC 4862 5.5.4 deprecated, 5.4 tentative; RFC 8981 temporary)."""
    if one.temporary:
        return "it is temporary"
    if one.deprecated:
        return "it is deprecated"
    if one.tentative:
        return "it is tentative"
    return refusal(Address(one.address))


def _rank(one: InterfaceAddress) -> tuple[bool, bool, int]:
    """Set by hand first, then what the kernel keeps stable, then the lowest: the same one at every look."""
    return not one.permanent, not one.managed, int(one.address)


def _build(options: InterfaceOptions, tools: Tools) -> list[InterfaceSource]:
    return [
        InterfaceSource(
            id=f"interface:{options.name}",
            operator=options.operator or "this machine",
            families=frozenset(Family if options.families is None else options.families),
            min_interval=timedelta(0),
            name=options.name,
            interfaces=tools.interfaces,
        )
    ]


PLUGIN = Plugin(
    title="a network interface of this machine",
    manual="https://man7.org/linux/man-pages/man7/rtnetlink.7.html",
    settings=InterfaceOptions,
    build=_build,
)
