"""Connections that arrive at the far end (RFC 4254 7.1 and 7.2; Unix sockets: OpenSSH's PROTOCOL 2.4)."""

import socket
import threading
from functools import partial

from paramiko.message import Message

from ipwatch.core.forward import Forward, Target
from ipwatch.net.ssh_connection import Connection
from ipwatch.net.ssh_stream import Stream
from ipwatch.ports import Refused, Unreachable

_WITHIN = 10.0  # seconds for the server's answer, and for a connection to the target here
_AT_ONCE = 64  # connections being made here


class Arrivals:
    """What the far end listens for, and where it goes here."""

    def __init__(self, link: Connection) -> None:
        self._link = link
        self._targets: dict[str | int, Target] = {}
        self._room = threading.Semaphore(_AT_ONCE)
        link.incoming = self._arrived

    def listen(self, forward: Forward) -> None:
        """Have the far end listen; raises Refused or Unreachable."""
        if forward.target is None:
            raise Refused("a forward from there needs a target here")
        place: str | int = forward.port or forward.bind
        self._targets[place] = forward.target
        answered = threading.Event()
        granted: list[Message] = []

        def reply(m: Message | None) -> None:
            if m is not None:
                granted.append(m)
            answered.set()

        try:
            if forward.port:
                bind = forward.bind or "localhost"  # RFC 4254 7.1: the loopback addresses of every family
                self._link.ask("tcpip-forward", reply, bind, forward.port)
            else:
                self._link.ask("streamlocal-forward@openssh.com", reply, forward.bind)
        except EOFError:
            raise Unreachable("the link is gone") from None
        if not answered.wait(_WITHIN):
            raise Unreachable("the server did not say whether it listens", sent=True)
        if self._link.ended:
            raise Unreachable("the link is gone", sent=True)
        if not granted:
            del self._targets[place]
            raise Refused(f"the server does not listen on {place}: it is taken there, or forwarding is not allowed")

    def _arrived(self, kind: str, peer: int, room: int, largest: int, m: Message) -> None:
        target = None
        if kind == "forwarded-tcpip":
            m.get_text()
            target = self._targets.get(m.get_int())
        elif kind == "forwarded-streamlocal@openssh.com":
            target = self._targets.get(m.get_text())
        if target is None:
            self._link.decline(peer, 1)
        elif not self._room.acquire(blocking=False):
            self._link.decline(peer, 4)
        else:
            connect = partial(self._connect, target, peer, room, largest)
            threading.Thread(target=connect, name="ssh arrival", daemon=True).start()

    def _connect(self, target: Target, peer: int, room: int, largest: int) -> None:
        try:
            client = _dial(target)
        except OSError:
            self._link.decline(peer, 2)
        else:
            try:
                stream = Stream(self._link, client, b"", lambda: None, ours=True)
            except EOFError:
                client.close()
            else:
                self._link.turns.post(lambda: stream.accept(peer, room, largest))
        finally:
            self._room.release()


def _dial(target: Target) -> socket.socket:
    if not target.is_path:
        return socket.create_connection((target.host, target.port), _WITHIN)
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        client.settimeout(_WITHIN)
        client.connect(target.host)
    except OSError:
        client.close()
        raise
    return client
