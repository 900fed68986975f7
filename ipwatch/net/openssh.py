"""The engine "openssh": the system's ssh carries the traffic (hardware keys, unusual configuration, full speed).

prove    a glance at the key exchange finds out which key the server shows; ssh itself proves it once more, with the
         pins in a file of their own and strict checking, before it sends a user name
login    one ssh as a multiplexing master, handed a socket we connected (ProxyUseFdpass), so that we know when the
         other side was last heard, and can cut it
carry    a channel of the connection protocol through its control socket in proxy mode (protocols.ssh_mux and
         ssh_connection; openssh_pump and openssh_stream). Not a stdio forward, which hands ssh the descriptors: ssh
         ends the client's direction of one as soon as the far end's has ended, and its window is always 2 MiB
"""

import shutil
import socket
import sys
from collections.abc import Callable
from datetime import timedelta

from ipwatch.core.candidate import Spot
from ipwatch.core.host import HostKey, Pins, Verdict
from ipwatch.core.trouble import Kind, Trouble
from ipwatch.net.openssh_link import OpenSshLink
from ipwatch.net.openssh_master import Master
from ipwatch.net.openssh_said import OtherKey
from ipwatch.ports import Unreachable
from ipwatch.ports.remote import Link, Login, Session, Stranger


class OpenSshProver:
    """ports.remote.Prover. program: the ssh."""

    def __init__(self, program: str = "ssh") -> None:
        self._program = program

    def prove(self, sock: socket.socket, spot: Spot, pins: Pins, within: timedelta,
              greeted: Callable[[], None] | None = None) -> Session:  # fmt: skip
        """See the port."""
        from ipwatch.net.glance import shown_key  # noqa: PLC0415 - not needed by who only logs in

        with sock:
            key = shown_key(sock, pins.kinds, within, greeted)
        if (verdict := pins.judge(key)) is not Verdict.PINNED:
            raise Stranger(key, revoked=verdict is Verdict.REVOKED)
        return OpenSshSession(self._program, spot, pins, key)


class OpenSshSession:
    """ports.remote.Session: a spot where a pinned key was seen. No connection is open."""

    def __init__(self, program: str, spot: Spot, pins: Pins, key: HostKey) -> None:
        self._program, self._spot, self._pins, self.key = program, spot, pins, key

    def login(self, who: Login, within: timedelta) -> Link:
        """See the port. Questions of ssh's go to `who.ask`; the time they take does not count."""
        if sys.platform == "win32":
            fault = 'engine = "openssh" does not work on Windows, whose ssh has no control socket; "paramiko" does'
            raise Trouble(Kind.CONFIGURATION, fault)
        try:
            return self._logged_in(found(self._program), who, within)
        except OtherKey:  # ssh does not give the key itself
            OpenSshProver(self._program).prove(self._connected(within), self._spot, self._pins, within)
            raise

    def _logged_in(self, program: str, who: Login, within: timedelta) -> Link:
        carrier = self._connected(within)
        try:
            carrier.setblocking(True)
            carrier.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            master = Master(program, self._spot, self._pins, who, carrier, within)
            return OpenSshLink(self._spot, master, carrier, master.log_in(within))
        except BaseException:
            carrier.close()
            raise

    def _connected(self, within: timedelta) -> socket.socket:
        try:
            return socket.create_connection((self._spot.ip, self._spot.port), within.total_seconds())
        except OSError as error:
            raise Unreachable(f"{self._spot}: {(error.strerror or str(error)).lower()}") from None

    def close(self) -> None:
        """Nothing is open."""


def found(program: str = "ssh") -> str:
    """The system's ssh; raises Trouble."""
    if path := shutil.which(program):
        return path
    raise Trouble(Kind.CONFIGURATION, f"there is no {program} on this machine (Debian: apt install openssh-client)")
