"""A link whose traffic the system's ssh carries."""

import itertools
import os
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

from ipwatch.core.candidate import Spot
from ipwatch.core.forward import Forward, Target
from ipwatch.net.openssh_master import Master
from ipwatch.net.openssh_mux import MuxConnection
from ipwatch.net.openssh_pump import PIPE, Carried, Pump, best_mover
from ipwatch.net.openssh_run import run
from ipwatch.ports import Refused, Unreachable
from ipwatch.protocols import ssh_mux
from ipwatch.protocols.ssh_mux import Failed

_LAST_DATA_RECEIVED = 52  # tcp_info.tcpi_last_data_recv, milliseconds ago (linux/tcp.h, Linux 6.1)
_REMOTE_WITHIN = 10.0
_WORDS_WITHIN = 0.2
_GONE = "the link is lost"


class OpenSshLink:
    """ports.remote.Link."""

    def __init__(self, spot: Spot, master: Master, carrier: socket.socket, control: MuxConnection) -> None:
        self.spot = spot
        self._master, self._carrier = master, carrier
        self._lock = threading.Lock()
        self._heard = timedelta(seconds=time.monotonic())
        self._numbers = itertools.count(1)
        self._watchers: list[Callable[[str], None]] = []
        self._ended = ""  # why it ended by itself
        self._cut = False
        self._opening = self._opened = 0  # channels being opened now; ever
        self._pump = Pump(control, self._lost)

    def heard(self) -> timedelta:
        """When data last came over the TCP connection. Elsewhere than on Linux nobody tells: while ssh lives, which
        ends when its own questions stay unanswered, that counts as heard."""
        now = time.monotonic()
        with self._lock:
            if self._carrier.fileno() >= 0:
                self._heard = max(self._heard, timedelta(seconds=now - _silent_for(self._carrier)))
            return self._heard

    def ping(self) -> None:
        """Nothing to do: ssh asks for a sign of life by itself after each second of silence (ServerAliveInterval)."""

    def watch(self, lost: Callable[[str], None]) -> None:
        """See the port."""
        with self._lock:
            if not self._ended:
                self._watchers.append(lost)
                return
        if not self._cut:
            lost(self._ended)

    def carry(self, client: socket.socket, target: Target, within: timedelta, *, greeting: bytes = b"",
              ended: Callable[[], None] = lambda: None) -> None:  # fmt: skip
        """See the port."""
        deadline = time.monotonic() + within.total_seconds()
        timeout = client.gettimeout()
        reading, writing = os.pipe()
        mux: MuxConnection | None = None
        try:
            _enlarge(reading)
            client.setblocking(False)
            mux = self._master.connect(deadline)
            self._open(mux, target, (client.fileno(), writing), deadline)
            if greeting:
                client.settimeout(max(0.001, deadline - time.monotonic()))
                with suppress(OSError):  # the client is gone: the pump finds out
                    client.sendall(greeting)
                client.setblocking(False)
            self._pump.add(Carried(client, reading, mux, best_mover(reading, client), ended))
        except BaseException:
            os.close(reading)
            if mux is not None:
                mux.close()
            client.settimeout(timeout)
            raise
        finally:
            os.close(writing)

    def remote(self, forward: Forward) -> None:
        """See the port. ssh itself connects to the target."""
        assert forward.target is not None  # noqa: S101 - only SOCKS has none
        there = (forward.bind, ssh_mux.PATH) if forward.port == 0 else (forward.bind or "localhost", forward.port)
        here = _end(forward.target)
        deadline = time.monotonic() + _REMOTE_WITHIN
        try:
            mux = self._master.connect(deadline)
            try:
                mux.send(ssh_mux.open_forward(next(self._numbers), ssh_mux.REMOTE, there, here))
                reply = mux.reply(deadline)
            finally:
                mux.close()
        except Unreachable as error:
            raise Refused(str(error)) from None
        if isinstance(reply, Failed):
            raise Refused("it is taken there, or sshd does not allow it")

    def run(self, command: str, within: timedelta, *, stdin: bytes = b"", limit: int = 65536,
            said: Callable[[bytes], None] | None = None) -> tuple[int, bytes, bytes]:  # fmt: skip
        """See the port."""
        deadline = time.monotonic() + within.total_seconds()
        mux = self._master.connect(deadline)
        try:
            return run(mux, command, deadline, stdin=stdin, limit=limit, said=said)
        finally:
            mux.close()

    def cut(self) -> None:
        """See the port."""
        self._cut = True
        self._master.kill()
        with self._lock:
            with suppress(OSError):
                self._carrier.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._carrier.close()

    def _open(self, mux: MuxConnection, target: Target, descriptors: tuple[int, int], deadline: float) -> None:
        with self._lock:
            self._opening += 1
            self._opened += 1
            alone, opened, said = self._opening == 1, self._opened, self._master.count
        try:
            mux.send(ssh_mux.stdio_forward(next(self._numbers), *_end(target)), descriptors)
            reply = mux.reply(deadline)
        finally:
            with self._lock:
                self._opening -= 1
        if isinstance(reply, Failed):
            sure = alone and opened == self._opened  # nobody else's channel can be meant
            why = self._master.why_not_opened(said, _WORDS_WITHIN) if sure else ""
            raise Refused(f"the far end does not connect to {target}" + (f": {why}" if why else ""))

    def _lost(self) -> None:
        """The pump's last act: everything carried has been reset."""
        self._master.kill()
        self._master.join(5)
        with self._lock:
            self._carrier.close()
            self._ended = self._master.lost()
            watchers, self._watchers = self._watchers, []
        for lost in watchers if not self._cut else ():
            lost(self._ended)


def _end(target: Target) -> tuple[str, int]:
    return (target.host, ssh_mux.PATH if target.is_path else target.port)


def _silent_for(carrier: socket.socket) -> float:
    """Seconds since data last came over the connection."""
    if sys.platform != "linux":
        return 0.0
    info = carrier.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _LAST_DATA_RECEIVED + 4)
    return struct.unpack_from("I", info, _LAST_DATA_RECEIVED)[0] / 1000


def _enlarge(pipe: int) -> None:
    if sys.platform == "linux":
        import fcntl  # noqa: PLC0415 - not on Windows

        with suppress(OSError):  # the user's pipes take all they may
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE)
