"""Connect: a TCP connection for asyncio within a deadline, look-up included."""

import asyncio
import socket
from contextlib import suppress
from threading import Thread

_SockAddr = tuple[str, int] | tuple[str, int, int, int]
_Place = tuple[socket.AddressFamily, _SockAddr]


async def connect(host: str, port: int, deadline: float) -> socket.socket:
    """A connected socket. Every address gets its share of the time, so that a dead one does not eat it all."""
    loop = asyncio.get_running_loop()
    found = await _lookup(host, port)
    fault: OSError = OSError(0, "the name has no address")
    for i, (family, address) in enumerate(found):
        share = max(0.0, deadline - loop.time()) / (len(found) - i)
        try:
            return await _dial(family, address, share)
        except OSError as error:  # TimeoutError is one, and so is a family this machine does not speak
            fault = error
    raise fault


async def _dial(family: socket.AddressFamily, address: _SockAddr, within: float) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setblocking(False)
    try:
        async with asyncio.timeout(within):
            await asyncio.get_running_loop().sock_connect(sock, address)
    except BaseException:  # a cancelled call leaves no socket behind either
        sock.close()
        raise
    return sock


async def _lookup(host: str, port: int) -> list[_Place]:
    """The addresses by the system's resolver, in a thread that nobody has to wait for: it knows no deadline, and
    `asyncio.run` would wait for its own executor's."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[list[_Place]] = loop.create_future()

    def settle(found: "list[_Place] | OSError") -> None:
        if answer.done():
            return
        if isinstance(found, OSError):
            answer.set_exception(found)
        else:
            answer.set_result(found)

    def ask() -> None:
        found: list[_Place] | OSError
        try:
            found = [(i[0], i[4]) for i in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]  # type: ignore[misc]
        except OSError as error:
            found = OSError(0, error.strerror or "the name can not be resolved")
        except UnicodeError:
            found = OSError(0, "the name can not be resolved")
        with suppress(RuntimeError):  # the deadline has passed and the loop is closed
            loop.call_soon_threadsafe(settle, found)

    Thread(target=ask, name="mail-lookup", daemon=True).start()
    return await answer
