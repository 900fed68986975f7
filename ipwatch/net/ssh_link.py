"""ports.remote.Link over one connection of ssh_transport."""

import queue
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

from paramiko.message import Message

from ipwatch.core.candidate import Spot
from ipwatch.core.forward import Forward, Target
from ipwatch.net.ssh_arrivals import Arrivals
from ipwatch.net.ssh_channel import Failure
from ipwatch.net.ssh_connection import Connection
from ipwatch.net.ssh_exec import Exec
from ipwatch.net.ssh_socket import progress
from ipwatch.net.ssh_stream import Stream
from ipwatch.ports import Refused, Unreachable

_BACKLOG = 32 * 1024  # bytes not taken by the far end's kernel above which taking them is a sign of life
_PINGS = 4  # unanswered ones, beyond which another would say nothing new
_SOUNDINGS = 3  # pings at the begin: the round trip is wanted before the first connection comes


class ParamikoLink:
    """A logged-in connection. Every method may be called from any thread."""

    def __init__(self, transport: Connection, spot: Spot) -> None:
        self.spot = spot
        self._transport = transport
        self._taken = 0
        self._moved = 0.0
        self._arrivals = Arrivals(transport)
        self._sound(_SOUNDINGS)

    def heard(self) -> timedelta:
        """See ports.remote. On a slow uplink an answer waits behind what is being sent: bytes of a large backlog that
        the other side's kernel acknowledges count as well."""
        packets = self._transport.packets
        with packets.lock:
            now = None if packets.closed else progress(self._transport.sock)
        if now is not None:
            if now.waiting > _BACKLOG and now.acknowledged > self._taken > 0:
                self._moved = time.monotonic()
            self._taken = now.acknowledged
        return timedelta(seconds=max(packets.heard, self._moved))

    def ping(self) -> None:
        """See ports.remote. keepalive@openssh.com is answered by every server: an unknown request fails, and that is
        an answer (RFC 4254 4)."""
        if self._transport.asked() < _PINGS:
            self._sound(1)

    def _sound(self, count: int) -> None:
        def answered(m: Message | None) -> None:
            if m is not None or not self._transport.ended:
                self._sound(count - 1)

        if count > 0:
            with suppress(EOFError):
                self._transport.ask("keepalive@openssh.com", answered)

    def watch(self, lost: Callable[[str], None]) -> None:
        """See ports.remote; called from the connection's thread."""
        self._transport.on_loss(lost)

    def carry(self, client: socket.socket, target: Target, within: timedelta, *, greeting: bytes = b"",
              ended: Callable[[], None] = lambda: None) -> None:  # fmt: skip
        """See ports.remote; `ended` is called from the connection's thread and must not wait."""
        try:
            stream = Stream(self._transport, client, greeting, ended)
            if target.is_path:  # OpenSSH's PROTOCOL 2.4
                stream.ask("direct-streamlocal@openssh.com", target.host, "", 0)
            else:
                stream.ask("direct-tcpip", target.host, target.port, *_origin(client))
        except EOFError:
            raise Unreachable("the link is gone") from None
        if not stream.wait(within.total_seconds()):
            raise Unreachable(f"{target} was not connected within {within.total_seconds():g} s", sent=True)
        if stream.failure is not None and not stream.begun:
            raise _fault(stream.failure, target)

    def remote(self, forward: Forward) -> None:
        """See ports.remote."""
        self._arrivals.listen(forward)

    def run(self, command: str, within: timedelta, *, stdin: bytes = b"", limit: int = 65536,
            said: Callable[[bytes], None] | None = None) -> tuple[int, bytes, bytes]:  # fmt: skip
        """See ports.remote; raises Refused when the server runs no commands."""
        deadline = time.monotonic() + within.total_seconds()
        outputs = {1: bytearray(), 2: bytearray()}
        try:
            running = Exec(self._transport, command, stdin)
            running.ask("session")
        except EOFError:
            raise Unreachable("the link is gone") from None
        if not running.wait(within.total_seconds()):
            raise Unreachable(f"the command was not started within {within.total_seconds():g} s", sent=True)
        if running.failure is not None:
            raise _fault(running.failure, None)
        try:
            while (piece := running.said.get(timeout=max(0.0, deadline - time.monotonic()))) is not None:
                stream, content = piece
                running.used(len(content))
                if stream in outputs:
                    outputs[stream] += content[: limit - len(outputs[stream])]
                    if said is not None:
                        said(content)
        except queue.Empty:
            running.stop()
            raise Unreachable(f"the command did not end within {within.total_seconds():g} s", sent=True) from None
        except BaseException:
            running.stop()
            raise
        if running.failure is not None:
            raise Unreachable(f"while the command ran {running.failure.text}", sent=True)
        if running.refused:
            raise Refused("the server runs no commands for this user")
        return running.status, bytes(outputs[1]), bytes(outputs[2])

    def cut(self) -> None:
        """See ports.remote."""
        self._transport.cut()


def _origin(client: socket.socket) -> tuple[str, int]:
    """Where the connection came from (RFC 4254 7.2)."""
    try:
        name = client.getpeername()
    except OSError:
        name = ""
    return (name[0], name[1]) if isinstance(name, tuple) else ("127.0.0.1", 0)


def _fault(failure: Failure, target: Target | None) -> Refused | Unreachable:
    """RFC 4254 5.1."""
    said = f": {failure.text[:120]}" if failure.text else ""
    match failure.code:
        case 0:
            return Unreachable(failure.text)
        case 1 if target is not None:
            return Refused(f"the server does not allow forwarding to {target}{said}", code="prohibited")
        case 2 if target is not None:
            return Refused(f"{target} can not be reached from there{said}", code="connect failed")
        case _:
            return Refused(f"the server does not open a channel{said}", code="channel")
