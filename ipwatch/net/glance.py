"""A look at the host key an SSH server shows. Standard library only: `ipwatch proxy` waits for it.

The key is not proved by it: the server's signature is not verified, since the only thing decided here is which
candidate is worth a real proof. ssh or paramiko then makes the machine prove that it holds the key, before any user
name is sent. In the server's log such a look is a connection closed before authentication; OpenSSH 9.8 and later
count one second of penalty for it and lock an address out at 15 (PerSourcePenalties, sshd_config(5), 2024-07).
"""

import os
import socket
import time
from collections.abc import Callable, Sequence
from datetime import timedelta

from ipwatch.core.host import HostKey
from ipwatch.core.ssh_faults import NotSsh
from ipwatch.protocols.ssh_glance import CHANCE, Glance, NoGlance

_PIECE = 16384  # octets read at once


def shown_key(
    sock: socket.socket, kinds: Sequence[str], within: timedelta, greeted: Callable[[], None] | None = None
) -> HostKey:
    """The host key that the server at the other end of the connected socket shows.

    kinds: the types wanted, best first, () for any. A server that has none of them shows a key of another type. Takes
    the socket over: it is closed in any case. greeted: see ports.remote.Prover. Raises NotSsh, for silence, a closed
    and a broken connection, too.
    """
    return _look(sock, kinds, within, greeted)[0]


def shown_keys(connect: Callable[[], socket.socket], within: timedelta) -> tuple[HostKey, ...]:
    """The keys of all types the server has, best first: one connection after the other, one a type.

    connect: makes a new connection; its OSError passes through. within: for each connection. Raises NotSsh.
    """
    first, kinds = _look(connect(), (), within)
    others = [_look(connect(), (kind,), within)[0] for kind in kinds if kind != first.kind]
    return (first, *others)


def _look(
    sock: socket.socket, kinds: Sequence[str], within: timedelta, greeted: Callable[[], None] | None = None
) -> tuple[HostKey, tuple[str, ...]]:
    """The key, and the types the server has."""
    glance = Glance(kinds, os.urandom(CHANCE))
    deadline = time.monotonic() + within.total_seconds()
    try:
        with sock:
            _send(sock, glance.hello, deadline)
            while glance.key is None:
                sock.settimeout(_left(deadline))
                data = sock.recv(_PIECE)
                if not data:
                    raise NotSsh(glance.ended(closed=True))
                _send(sock, glance.receive(data), deadline)
                if greeted is not None and glance.identified:
                    greeted()
                    greeted = None
    except NoGlance as fault:
        raise NotSsh(str(fault)) from None
    except TimeoutError:
        raise NotSsh(glance.ended(closed=False)) from None
    except OSError:  # reset: what a port forward does whose machine is not there, for one
        raise NotSsh(glance.ended(closed=True)) from None
    return glance.key, glance.offer.kinds if glance.offer else ()


def _send(sock: socket.socket, data: bytes, deadline: float) -> None:
    if data:
        sock.settimeout(_left(deadline))
        sock.sendall(data)


def _left(deadline: float) -> float:
    """Seconds until the deadline; raises TimeoutError when there are none."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
