"""A link whose traffic the system's ssh carries."""

import itertools
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
from ipwatch.net.openssh_pump import Pump
from ipwatch.net.openssh_run import run
from ipwatch.ports import Refused, Unreachable
from ipwatch.protocols import ssh_mux
from ipwatch.protocols.ssh_connection import NotOpened
from ipwatch.protocols.ssh_mux import Failed

_LAST_DATA_RECEIVED = 52  # tcp_info.tcpi_last_data_recv, milliseconds ago (linux/tcp.h, Linux 6.1)
_REMOTE_WITHIN = 10.0
_WORDS_WITHIN = 1.0  # for the last words of an ssh that ends by itself
_GONE = "the link is lost"


class OpenSshLink:
    """ports.remote.Link."""

    def __init__(self, spot: Spot, master: Master, carrier: socket.socket, line: MuxConnection) -> None:
        self.spot = spot
        self._master, self._carrier = master, carrier
        self._lock = threading.Lock()
        self._heard = timedelta(seconds=time.monotonic())
        self._numbers = itertools.count(1)
        self._watchers: list[Callable[[str], None]] = []
        self._ended = ""  # why it ended by itself
        self._cut = False
        self._pump = Pump(line, self._lost)

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
        line = self._pump.spare()
        if line is None:
            line = self._pump.grow(self._master.proxied(deadline))
        stream = self._pump.open(line, client, target, ended)
        began = time.monotonic()
        settled = stream.settled.wait(within.total_seconds())
        try:
            if not settled:
                self._pump.post(stream.give_up)
                raise Unreachable(f"{target} was not connected within {within.total_seconds():g} s", sent=True)
            if stream.answer is None:
                raise Unreachable(_GONE)
            self._pump.took(time.monotonic() - began)
            if isinstance(stream.answer, NotOpened):
                raise Refused(f"the far end does not connect to {target}: {stream.answer.reason}")
            if greeting:
                client.settimeout(max(0.001, deadline - time.monotonic()))
                with suppress(OSError):  # the client is gone: the stream finds out
                    client.sendall(greeting)
            self._pump.post(stream.begin)
        except BaseException:
            client.settimeout(timeout)
            raise

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

    def _lost(self) -> None:
        """The pump's last act: everything carried has been reset."""
        self._master.ended.wait(_WORDS_WITHIN)
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
    try:
        info = carrier.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _LAST_DATA_RECEIVED + 4)
    except OSError:  # it has just been closed
        return 0.0
    return int.from_bytes(info[_LAST_DATA_RECEIVED:], sys.byteorder) / 1000
