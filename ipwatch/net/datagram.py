"""UDP request and answer."""

import socket
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

from ipwatch.core.address import Family
from ipwatch.net import lookup
from ipwatch.ports import Unreachable

T = TypeVar("T")
_RTO = 0.5  # seconds to the first repetition; each further wait is twice as long (RFC 8489 6.2.1)
_LARGEST = 65535  # bytes of a datagram


class UdpDatagram:
    """ports.Datagram by the system's sockets."""

    def exchange(self, payload: bytes, host: str, port: int, family: Family, within: timedelta,
                 accept: Callable[[bytes], T | None]) -> T:  # fmt: skip
        """Ask the first address of the host. The socket is connected, so the kernel passes only what comes from there,
        and tells when nobody listens."""
        deadline = time.monotonic() + within.total_seconds()
        place = lookup.addresses(host, port, family, within)[0]
        kind = socket.AF_INET if family is Family.IPV4 else socket.AF_INET6
        try:
            with socket.socket(kind, socket.SOCK_DGRAM) as sock:
                sock.connect(place)
                return _exchange(sock, payload, deadline, accept)
        except TimeoutError:
            message = f"{host} port {port} did not answer within {within.total_seconds():g} s"
            raise Unreachable(message, sent=True) from None
        except OSError as error:
            reason = (error.strerror or "error").lower()
            raise Unreachable(f"{host} port {port} can not be reached: {reason}", sent=True) from None


def _exchange(sock: Any, payload: bytes, deadline: float, accept: Callable[[bytes], T | None]) -> T:
    """Send and listen in turns; raises TimeoutError at the deadline."""
    wait = _RTO
    while True:
        sock.send(payload)
        turn = min(time.monotonic() + wait, deadline)
        while (left := turn - time.monotonic()) > 0:
            sock.settimeout(left)
            try:
                answer = accept(sock.recv(_LARGEST))
            except TimeoutError:
                break
            if answer is not None:
                return answer
        if time.monotonic() >= deadline:
            raise TimeoutError
        wait *= 2
