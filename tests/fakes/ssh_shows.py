"""A server that begins SSH's key exchange and shows whatever host key it is given, without holding any."""

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from ipwatch.core.host import HostKey

_EXCHANGES = ("curve25519-sha256", "curve25519-sha256@libssh.org")  # RFC 8731; paramiko knows the second name only


def string(value: bytes) -> bytes:
    return len(value).to_bytes(4) + value


def frame(payload: bytes) -> bytes:
    """A packet without cipher (RFC 4253 6)."""
    padding = 8 - (len(payload) + 5) % 8 + 8
    return (len(payload) + padding + 1).to_bytes(4) + bytes([padding]) + payload + bytes(padding)


def kexinit(host_keys: Sequence[str], exchanges: Sequence[str] = _EXCHANGES) -> bytes:
    """A server's SSH_MSG_KEXINIT (RFC 4253 7.1)."""
    ciphers, macs = "aes128-ctr", "hmac-sha2-256"
    lists = [",".join(exchanges), ",".join(host_keys), ciphers, ciphers, macs, macs, "none", "none", "", ""]
    return bytes([20]) + bytes(16) + b"".join(string(names.encode()) for names in lists) + bytes(5)


def reply(key: HostKey) -> bytes:
    """SSH_MSG_KEX_ECDH_REPLY with a signature that is none (RFC 5656 4)."""
    value = (9).to_bytes(32, "little")  # the base point (RFC 7748 4.1): a valid public value
    signature = string(string(key.kind.encode()) + string(bytes(64)))
    return bytes([31]) + string(key.blob) + string(value) + signature


@contextmanager
def server(serve: Callable[[socket.socket], None], times: int = 20) -> Iterator[tuple[str, int]]:
    """Serves connections on loopback, one after the other; gives the address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def run() -> None:
            for _ in range(times):
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                with client, suppress(OSError):
                    client.settimeout(10)
                    serve(client)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield listener.getsockname()
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)


def shows(key: HostKey) -> Callable[[socket.socket], None]:
    """Serve one connection: show that key, wait until the other side has had enough."""

    def serve(client: socket.socket) -> None:
        client.sendall(b"SSH-2.0-shows\r\n" + frame(kexinit([key.kind])))
        seen = b""
        while frame_number(seen) != 30:
            data = client.recv(65536)
            if not data:
                return
            seen += data
        client.sendall(frame(reply(key)) + frame(bytes([21])))
        while client.recv(65536):
            pass

    return serve


def frame_number(seen: bytes) -> int | None:
    """The message number of the last whole packet a client has sent."""
    _, end, rest = seen.partition(b"\n")
    number = None
    while end and len(rest) > 5 and len(rest) >= 4 + int.from_bytes(rest[:4]):
        number, rest = rest[5], rest[4 + int.from_bytes(rest[:4]) :]
    return number
