"""Magic packets by wakeonlan."""

from collections.abc import Sequence
from ipaddress import ip_address
from socket import AF_INET, AF_INET6

import wakeonlan

from ipwatch.ports.remote import Destination, Sent


class WakeonlanWaker:
    """ports.remote.Waker by wakeonlan 4. Each packet has a socket of its own: what one destination answers (a port
    unreachable, say) must not fail the next packet."""

    def wake(self, mac: str, secureon: bytes, destinations: Sequence[Destination]) -> Sequence[Sent]:
        """Send once to each; a destination that fails does not stop the others. mac: "aa:bb:cc:dd:ee:ff"."""
        # The library takes a password of 6 bytes only; those of 4 exist, too (protocols.magic_packet).
        packet = wakeonlan.create_magic_packet(mac) + secureon
        return [Sent(destination, _send(packet, destination)) for destination in destinations]


def _send(packet: bytes, to: Destination) -> str:
    """Why it was not sent; "" when the system took it."""
    try:
        family = AF_INET if ip_address(to.ip).version == 4 else AF_INET6
        with wakeonlan.create_socket(host=to.ip, port=to.port, interface=to.source or None, family=family) as sock:
            sock.send(packet)
    except OSError as error:
        return (error.strerror or "error").lower()
    except ValueError:
        return "not an IP address"
    return ""
