"""This machine's loopback, as a browser here sees it: a free port, a connection to a forward, the head of a page."""

import socket
import ssl
import time
from datetime import timedelta
from typing import Any

from ipwatch.ports import Unreachable

_HEAD = 16384  # bytes of an answer that are read: its head, and a little of the page


def free_port() -> int:
    """A TCP port nobody listens on; another program may take it before the caller does."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def connect(bind: str, port: int, within: timedelta) -> socket.socket:
    """A connection to a listener here: a port of the loopback, or (port 0) a Unix socket. Raises Unreachable."""
    sock = socket.socket(socket.AF_UNIX if port == 0 else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.settimeout(within.total_seconds())
        sock.connect(bind if port == 0 else (bind or "127.0.0.1", port))
    except OSError as error:
        sock.close()
        raise Unreachable((error.strerror or "no connection").lower()) from None
    return sock


def question(sock: socket.socket, request: bytes, within: timedelta, *, tls: bool = False) -> bytes:
    """Send the request and give the first bytes of the answer, its head at least. Closes the socket. Raises
    Unreachable: reset, ended without a word, or not answered in time.

    tls: speak it without looking at the certificate: the machine was proved by its SSH host key, and between the two
    ends of the tunnel nobody listens.
    """
    deadline = time.monotonic() + within.total_seconds()
    try:
        with sock, _wrapped(sock, tls=tls, within=within.total_seconds()) as stream:
            stream.settimeout(max(0.01, deadline - time.monotonic()))
            stream.sendall(request)
            return _head(stream, deadline)
    except TimeoutError:
        raise Unreachable(f"no answer within {within.total_seconds():g} s", sent=True) from None
    except OSError as error:
        raise Unreachable((error.strerror or "the connection ended").lower(), sent=True) from None


def _head(stream: Any, deadline: float) -> bytes:
    got = b""
    while b"\r\n\r\n" not in got and len(got) < _HEAD:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        stream.settimeout(left)
        piece = stream.recv(4096)
        if not piece:
            break
        got += piece
    if not got:
        raise Unreachable("the connection ended without a word", sent=True)
    return got


def _wrapped(sock: socket.socket, *, tls: bool, within: float) -> Any:
    if not tls:
        return sock
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    sock.settimeout(within)
    return context.wrap_socket(sock)
