"""What an SSH connection's TCP socket is set to, and what the kernel knows about it."""

import socket
import struct
import sys
from contextlib import suppress
from typing import NamedTuple

_USER_TIMEOUT = 20_000  # ms that sent bytes may stay unacknowledged (RFC 5482): a second line behind our own questions
_NOTSENT_LOWAT = 25  # <linux/tcp.h>, Linux 3.12
_UNSENT = 128 * 1024  # bytes: more than a burst of acknowledgements releases, less than a person would notice
_INFO = 11  # TCP_INFO, <linux/tcp.h>
_RESET = struct.pack("ii", 1, 0)


def tune(sock: socket.socket) -> None:
    """No delay for small packets, and a dead peer noticed by the kernel as well, as far as the system can."""
    with suppress(OSError):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if sys.platform == "linux":
        with suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _USER_TIMEOUT)
            sock.setsockopt(socket.IPPROTO_TCP, _NOTSENT_LOWAT, _UNSENT)


def reset(sock: socket.socket) -> None:
    """Close it so that its peer sees a reset and not an orderly end."""
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    sock.close()


def abort(sock: socket.socket) -> None:
    """End it for whoever waits on it; the descriptor stays valid until its owner closes it."""
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


class Progress(NamedTuple):
    """acknowledged: bytes the peer's kernel has taken so far; waiting: bytes it has not taken yet."""

    acknowledged: int
    waiting: int


def progress(sock: socket.socket) -> Progress | None:
    """From struct tcp_info of <linux/tcp.h>: tcpi_unacked, tcpi_snd_mss, tcpi_bytes_acked (Linux 4.1) and
    tcpi_notsent_bytes (Linux 4.6). None where the system does not tell."""
    if sys.platform != "linux":
        return None
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, _INFO, 192)
    except OSError:
        return None
    if len(info) < 148:
        return None
    (mss,) = struct.unpack_from("=I", info, 16)
    (unacked,) = struct.unpack_from("=I", info, 24)
    (acknowledged,) = struct.unpack_from("=Q", info, 120)
    (unsent,) = struct.unpack_from("=I", info, 144)
    return Progress(acknowledged, unsent + unacked * mss)
