"""/proc/net/route, where Linux tells its IPv4 routes (proc_pid_net(5), 6.9)."""

import sys
from ipaddress import IPv4Address

_UP, _GATEWAY = 0x1, 0x2  # RTF_UP and RTF_GATEWAY, linux/route.h


def default_gateway(text: str) -> IPv4Address | None:
    """The gateway of the default route that is preferred, the one of the least metric; None without one.

    Columns: interface, destination, gateway, flags, two counters, metric, mask; the addresses are hexadecimal, in the
    byte order of the machine.
    """
    found: list[tuple[int, IPv4Address]] = []
    for line in text.splitlines()[1:]:
        fields = line.split()
        try:
            destination, gateway, flags, mask = (int(fields[i], 16) for i in (1, 2, 3, 7))
            metric = int(fields[6])
            address = IPv4Address(gateway.to_bytes(4, sys.byteorder))
        except (IndexError, ValueError, OverflowError):
            continue
        if destination == mask == 0 and flags & _UP and flags & _GATEWAY:
            found.append((metric, address))
    return min(found)[1] if found else None
