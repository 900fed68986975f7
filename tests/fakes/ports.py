"""Ports for servers that take a number: none that another test or an outgoing connection is likely to get."""

import os
import socket
from itertools import count

FIRST, SHARE, WORKERS = 10000, 4000, 5  # below where systems number outgoing connections from (Linux: 32768)

# Tests run side by side: each worker has a share of its own, and starts somewhere in it, since another run may go on.
_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % WORKERS
_numbers = count(os.getpid() * 97)


def free_port() -> int:
    """A port that is free for UDP and TCP just now, and was not given to anybody before."""
    for number in _numbers:
        port = FIRST + _worker * SHARE + number % SHARE
        with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            try:
                tcp.bind(("127.0.0.1", port))
                udp.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise AssertionError("count() ends")
