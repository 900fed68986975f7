"""The SOCKS5 side of a listener: the talk with the client before its connection is carried."""

import socket
from collections.abc import Callable
from contextlib import suppress

from ipwatch.core.forward import Target
from ipwatch.protocols.socks import LARGEST, BadSocks, Reply, Step, greeting, reply, request

__all__ = ["Reply", "reply", "turn_away", "welcome"]

_WITHIN = 10.0  # seconds for a client to say what it wants


def welcome(client: socket.socket, tell: Callable[[str], None]) -> Target | None:
    """Where the client wants to go; None when it speaks no SOCKS 5 or says nothing, then it is closed.

    tell: takes the clause for a client that speaks something else, which itself may show nothing but a reset.

    Nothing behind the request is read: what a client sends before the answer stays in the socket.
    """
    client.settimeout(_WITHIN)
    try:
        first = _message(client, greeting)
        client.sendall(first.answer)
        target = _message(client, request).target
        client.settimeout(None)
        return target
    except BadSocks as error:
        tell(str(error))
        with suppress(OSError):
            client.sendall(error.answer)
    except OSError:
        pass
    client.close()
    return None


def _message(client: socket.socket, read: Callable[[bytes], Step | None]) -> Step:
    """One message, octet by octet past its known length: a byte more would belong to what comes after."""
    octets = b""
    while len(octets) <= LARGEST:
        if (step := read(octets)) is not None:
            return step
        more = client.recv(1)
        if not more:
            raise ConnectionError("the client went away")
        octets += more
    raise BadSocks("the client's message is too long")


def turn_away(client: socket.socket, code: Reply) -> None:
    """Tell the client why, then close."""
    with suppress(OSError):
        client.settimeout(1)
        client.sendall(reply(code))
    client.close()
