"""Ports for servers that take a number: none that another test or an outgoing connection is likely to get."""

import errno
import os
import socket
from itertools import count, islice

FIRST, SHARE, WORKERS = 10000, 4000, 5  # below where systems number outgoing connections from (Linux: 32768)

# Tests run side by side: each worker has a share of its own, and starts somewhere in it, since another run may go on.
_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % WORKERS
_numbers = count(os.getpid() * 97)


def free_port() -> int:
    """A port that is free for UDP and TCP just now, and was not given to anybody before."""
    for number in islice(_numbers, SHARE):
        port = FIRST + _worker * SHARE + number % SHARE
        with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            try:
                tcp.bind(("127.0.0.1", port))
                udp.bind(("127.0.0.1", port))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                continue
        return port
    raise AssertionError(f"no port is free from {FIRST + _worker * SHARE} on")
