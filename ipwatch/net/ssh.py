"""ports.remote.Prover by paramiko: the key exchange, the comparison of the host key, and only then a login."""

import socket
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

from paramiko.ssh_exception import IncompatiblePeer

from ipwatch.core.candidate import Spot
from ipwatch.core.host import KINDS, HostKey, Pins, Verdict
from ipwatch.net.ssh_connection import Connection
from ipwatch.net.ssh_link import ParamikoLink
from ipwatch.net.ssh_login import Attempt
from ipwatch.net.ssh_socket import tune
from ipwatch.net.ssh_transport import Alien, alien
from ipwatch.ports import Unreachable
from ipwatch.ports.remote import Link, Login, NotSsh, Stranger

_REKEY = 2**30  # bytes one way under the same keys (RFC 4253 9)
# What sshd says instead of its version (sshd.c: MaxStartups; OpenSSH 9.8: PerSourcePenalties).
_FULL = ("Exceeded MaxStartups", "Not allowed at this time")
_JOIN = 2.0  # seconds: the thread of an aborted socket ends at once


class ParamikoSession:
    """A connection whose other end has shown a pinned key. Nothing was said about a user yet."""

    def __init__(self, transport: Connection, spot: Spot, key: HostKey) -> None:
        self.key = key
        self._transport = transport
        self._spot = spot

    def login(self, who: Login, within: timedelta) -> Link:
        """See ports.remote."""
        try:
            Attempt(self._transport, who, within.total_seconds()).run()
        except BaseException:
            self.close()
            raise
        return ParamikoLink(self._transport, self._spot)

    def close(self) -> None:
        """See ports.remote."""
        _end(self._transport)


class ParamikoProver:
    """ports.remote.Prover. rekey: bytes one way after which new keys are agreed on."""

    def __init__(self, *, rekey: int = _REKEY) -> None:
        self._rekey = rekey

    def prove(self, sock: socket.socket, spot: Spot, pins: Pins, within: timedelta,
              greeted: Callable[[], None] | None = None) -> ParamikoSession:  # fmt: skip
        """See ports.remote. The pinned key types are asked for first; a host that has none of them any more shows
        another one, and is a Stranger."""
        deadline = time.monotonic() + within.total_seconds()
        tune(sock)
        try:
            transport = Connection(sock, algorithms(pins.kinds), self._rekey)
        except OSError as error:
            sock.close()
            raise Unreachable(f"its connection can not be used: {(error.strerror or 'error').lower()}") from None
        transport.greeted = greeted
        try:
            transport.begin()
            transport.ready.wait(max(0.0, deadline - time.monotonic()))
            key = transport.shown if transport.initial_kex_done else None
            if key is None:
                raise _why(transport, within)
            verdict = pins.judge(key)
            if verdict is not Verdict.PINNED:
                raise Stranger(key, revoked=verdict is Verdict.REVOKED)
        except BaseException:
            _end(transport)
            raise
        return ParamikoSession(transport, spot, key)


def algorithms(kinds: tuple[str, ...]) -> tuple[str, ...]:
    """The host key algorithms to ask for, the pinned types first (RFC 8332 for ssh-rsa: never with SHA-1)."""
    asked: list[str] = []
    for kind in (*kinds, *(k for k in KINDS if k not in kinds)):
        if kind == "ssh-rsa":
            asked += ("rsa-sha2-512", "rsa-sha2-256")
        elif kind in KINDS:
            asked.append(kind)
    return tuple(asked)


def _why(transport: Connection, within: timedelta) -> NotSsh | Unreachable:
    """What to call an exchange that did not come to a key."""
    fault = transport.saved_exception
    if isinstance(fault, Alien):
        return NotSsh(str(fault))
    if isinstance(fault, IncompatiblePeer):
        return NotSsh(_nothing_in_common(str(fault), transport.offered))
    if not transport.remote_version:
        return _why_no_version(transport)
    if transport.ended:
        return Unreachable(f"during the key exchange {transport.reason()}", sent=True)
    return Unreachable(f"it did not finish the key exchange within {within.total_seconds():g} s", sent=True)


# What paramiko 5.1 says in brackets where two lists have nothing in common: what that is called, and the other's list.
_LISTS = {
    "no acceptable kex algorithm": ("key exchange", "kex_algo_list"),
    "no acceptable host key": ("type of host key", "server_key_algo_list"),
    "no acceptable ciphers": ("cipher", "server_encrypt_algo_list"),
    "no acceptable macs": ("MAC", "server_mac_algo_list"),
}


def _nothing_in_common(fault: str, offered: Mapping[str, Sequence[str]]) -> str:
    words = fault[fault.find("(") :].strip("()")
    what, name = _LISTS.get(words, ("", ""))
    if not what:
        return f"it is an SSH server, but none the engine paramiko can talk to: {words}"
    theirs = [one for one in offered.get(name, ()) if one.isprintable() and not one.startswith(("kex-", "ext-"))]
    return (
        f"it is an SSH server, but it knows no {what} of the engine paramiko's, only {', '.join(theirs)[:200]}; "
        'engine = "openssh" may do'
    )


def _why_no_version(transport: Connection) -> NotSsh | Unreachable:
    said = (transport.farewell or transport.packets.peeked.decode("utf-8", "replace")).strip()
    if said.startswith(_FULL):
        return Unreachable(f'it takes nobody at present: "{said[:60]}"', sent=True)
    if said:
        return NotSsh("it speaks HTTP" if said.startswith("HTTP/") else alien(said))
    return Unreachable("it hung up without a word", sent=True) if transport.ended else NotSsh("it says nothing")


def _end(transport: Connection) -> None:
    transport.cut()
    transport.join(_JOIN)
