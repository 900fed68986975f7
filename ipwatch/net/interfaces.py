"""The machine's own addresses, from the Linux kernel."""

import os
import socket
import time
from collections.abc import Iterator
from ipaddress import IPv6Address

from ipwatch.ports import InterfaceAddress, Unreachable
from ipwatch.protocols import rtnetlink
from ipwatch.protocols.rtnetlink import Flag, Kind, Link, LinkAddress

_WITHIN = 2.0  # seconds: the kernel answers at once, or something is very wrong
_TRIES = 3  # the table may change while it is read
_LARGEST = 65536


class NetlinkInterfaces:
    """ports.Interfaces by rtnetlink."""

    def addresses(self) -> tuple[InterfaceAddress, ...]:
        """All addresses of all interfaces that are up; raises Unreachable."""
        if not hasattr(socket, "AF_NETLINK"):
            raise Unreachable("the interfaces can be read on Linux only")
        try:
            links = {link.index: link for link in map(rtnetlink.link, _table(Kind.GET_LINK, Kind.NEW_LINK))}
            found = [rtnetlink.address(payload) for payload in _table(Kind.GET_ADDRESS, Kind.NEW_ADDRESS)]
        except OSError as error:
            raise Unreachable(
                f"the kernel does not tell its addresses: {(error.strerror or 'error').lower()}"
            ) from None
        except rtnetlink.BadMessage as error:
            raise Unreachable(f"the kernel's answer can not be read: {error}") from None
        return tuple(_described(one, links[one.index]) for one in found if one and _up(links.get(one.index)))


def _up(link: Link | None) -> bool:
    return link is not None and link.up


def _described(one: LinkAddress, link: Link) -> InterfaceAddress:
    six = isinstance(one.address, IPv6Address)
    stable = Flag.PERMANENT | Flag.MANAGETEMPADDR | Flag.STABLE_PRIVACY
    return InterfaceAddress(
        interface=link.name,
        address=one.address,
        prefix=one.prefix,
        temporary=six and bool(one.flags & Flag.TEMPORARY),
        deprecated=bool(one.flags & Flag.DEPRECATED),
        tentative=bool(one.flags & Flag.TENTATIVE),
        permanent=bool(one.flags & Flag.PERMANENT),
        managed=bool(one.flags & stable),
    )


def _table(ask: Kind, wanted: Kind) -> list[bytes]:
    """The payloads of one table, asked again while it changes under the reading; raises OSError and BadMessage."""
    for _ in range(_TRIES):
        answers = list(_dump(ask))
        if not any(answer.interrupted for answer in answers):
            return [answer.payload for answer in answers if answer.kind == wanted]
    raise OSError(0, "the table kept changing")


def _dump(ask: Kind) -> Iterator[rtnetlink.Message]:
    deadline = time.monotonic() + _WITHIN
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as sock:
        sock.bind((0, 0))
        sock.send(rtnetlink.dump(ask, sequence=1))
        while (left := deadline - time.monotonic()) > 0:
            sock.settimeout(left)
            for message in rtnetlink.messages(sock.recv(_LARGEST)):
                if message.kind in {Kind.ERROR, Kind.DONE}:
                    if number := rtnetlink.error_of(message):
                        raise OSError(number, os.strerror(number))
                    return
                yield message
    raise TimeoutError(0, "no answer in time")
