"""The system's resolver with a deadline: getaddrinfo itself knows none and may take half a minute."""

import socket
import threading
from datetime import timedelta
from typing import Any

from ipwatch.core.address import Family
from ipwatch.ports import Unreachable

_FAMILY = {Family.IPV4: socket.AF_INET, Family.IPV6: socket.AF_INET6}


def addresses(host: str, port: int, family: Family, within: timedelta) -> list[Any]:
    """The socket addresses of a UDP host in one family; raises Unreachable when there are none in time."""
    found: list[Any] = []
    fault: list[str] = []

    def look() -> None:
        try:
            infos = socket.getaddrinfo(host, port, _FAMILY[family], socket.SOCK_DGRAM)
        except (OSError, UnicodeError) as error:
            fault.append(str(getattr(error, "strerror", None) or "it is not a host name").lower())
        else:
            found.extend(info[4] for info in infos)

    # A daemon, since nothing can end a getaddrinfo that hangs: it must not hold up the program's exit.
    looker = threading.Thread(target=look, name="lookup", daemon=True)
    looker.start()
    looker.join(max(0.0, within.total_seconds()))
    if fault:
        raise Unreachable(f"{host} has no {family.label} address: {fault[0]}")
    if not found:
        raise Unreachable(f"{host} could not be looked up in time")
    return list(found)
