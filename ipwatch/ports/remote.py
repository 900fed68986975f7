"""The ports of the laptop's half: proving a machine's key, logging in, carrying connections, waking.

A module of its own, not re-exported by `ipwatch.ports`: the commands that start fast import neither settings classes
nor the service's ports.
"""

import socket
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple, Protocol

from ipwatch.core.candidate import Spot
from ipwatch.core.forward import Forward, Target
from ipwatch.core.host import HostKey, Pins
from ipwatch.core.ssh_faults import NotSsh as NotSsh  # noqa: PLC0414 - defined where no heavy import is before it


class Prompt(NamedTuple):
    """A question to the user at the terminal. echo: the answer may be seen."""

    text: str
    echo: bool = False


class Login(NamedTuple):
    """Who logs in and how. host: the name its keys are pinned under (ssh's HostKeyAlias).

    identities: private key files, in order. identities_only: of an agent's keys only these are tried. agent: the
    agent's socket, "" for none. ask: answers a prompt (passphrase, password, keyboard-interactive), None when there
    is nobody to ask or they gave up. tell: shows what the user is to do elsewhere ("touch the key").
    """

    host: str
    user: str
    identities: tuple[Path, ...] = ()
    identities_only: bool = False
    agent: str = ""
    ask: Callable[[Prompt], str | None] = lambda _prompt: None
    tell: Callable[[str], None] = lambda _text: None


class Stranger(Exception):
    """A machine showed a key that is not pinned for this host. No user name was sent to it."""

    def __init__(self, key: HostKey, *, revoked: bool = False) -> None:
        super().__init__(f"its host key is {key.kind} {key.fingerprint}" + (", which is revoked" if revoked else ""))
        self.key = key
        self.revoked = revoked


class LoginRefused(Exception):
    """The host is proved but does not let the user in; str() is a clause that names the ways tried."""


class Link(Protocol):
    """A logged-in SSH connection to the proved host. Every method may be called from any thread."""

    spot: Spot

    def heard(self) -> timedelta:
        """When, by the monotonic clock, the other side was last heard."""
        ...

    def ping(self) -> None:
        """Ask for a sign of life; it moves `heard`. Never blocks."""
        ...

    def watch(self, lost: Callable[[str], None]) -> None:
        """Call `lost` (once, with a clause) when the link ends by itself; at once if it has ended already."""
        ...

    def carry(self, client: socket.socket, target: Target, within: timedelta, *, greeting: bytes = b"",
              ended: Callable[[], None] = lambda: None) -> None:  # fmt: skip
        """Connect to the target from the far end, send `greeting` to the client, then carry bytes both ways in the
        background until both directions have ended; each is half-closed by itself. Takes the socket over; `ended` is
        called once when it is closed. When the link is lost the client is reset (SO_LINGER 0).
        Raises Refused (the far end does not connect) or Unreachable (the link is gone, or `within` is over); then the
        socket is still the caller's."""
        ...

    def remote(self, forward: Forward) -> None:
        """Listen at the far end and carry what arrives there to the forward's target here; raises Refused."""
        ...

    def run(self, command: str, within: timedelta, *, stdin: bytes = b"", limit: int = 65536,
            said: Callable[[bytes], None] | None = None) -> tuple[int, bytes, bytes]:  # fmt: skip
        """Run a command line there: exit status (-1: ended by a signal), standard output and error, at most `limit`
        bytes each. said: called with each piece of either as it comes. Raises Unreachable when it does not end in
        time (it is then told to end)."""
        ...

    def cut(self) -> None:
        """End it at once, without a word to the other side; everything carried is reset. Never blocks."""
        ...


class Session(Protocol):
    """A connection whose other end has shown a pinned key, before any user name was sent."""

    key: HostKey

    def login(self, who: Login, within: timedelta) -> Link:
        """Authenticate; raises LoginRefused or Unreachable. The session is used up either way."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class Prover(Protocol):
    """Finds out whether what listens at a spot is the host."""

    def prove(self, sock: socket.socket, spot: Spot, pins: Pins, within: timedelta,
              greeted: Callable[[], None] | None = None) -> Session:  # fmt: skip
        """Talk SSH over the connected socket until the host key is known and compare it; raises Stranger, NotSsh,
        Unreachable. Takes the socket over: it is closed when this raises. With pins that hold no key it raises
        Stranger for whatever key is shown (that is how keys are collected). greeted: called once, from any thread,
        when the other end has said that it speaks SSH 2 (RFC 4253 4.2)."""
        ...


class Waker(Protocol):
    """Sends magic packets."""

    def wake(self, mac: str, secureon: bytes, destinations: Sequence["Destination"]) -> Sequence["Sent"]:
        """Send once to each; a destination that fails does not stop the others. mac: "aa:bb:cc:dd:ee:ff"."""
        ...


class Destination(NamedTuple):
    """Where a magic packet goes. source: the local address it leaves from ("" for the system's choice)."""

    ip: str
    port: int
    source: str = ""


class Sent(NamedTuple):
    """What became of one packet; fault is "" when the system took it."""

    destination: Destination
    fault: str = ""
