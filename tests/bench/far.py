"""The far end's server, and lines to it, as processes of their own: `python -m tests.bench.far PORT`.

The first byte of a connection says what it does: E sends back what it gets, F feeds as fast as it is read, S swallows
and says how many bytes when the client has ended.
"""

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.bench.figures import NotMeasured
from tests.bench.slow_line import Line, SlowLine

_PIECE = bytes(256 * 1024)


def main(words: list[str]) -> None:
    """Serve on that port of loopback until standard input ends."""
    if words[0] == "line":
        target, rate, delay, queue = int(words[1]), float(words[2]), float(words[3]), int(words[4])
        with SlowLine(("127.0.0.1", target), Line(rate, delay, queue)) as line:
            print(line.port, flush=True)
            sys.stdin.read()
        return
    server = socket.create_server(("127.0.0.1", 0), backlog=256)
    threading.Thread(target=_accept, args=(server,), daemon=True).start()
    print(server.getsockname()[1], flush=True)
    sys.stdin.read()


def _accept(server: socket.socket) -> None:
    while True:
        client, _ = server.accept()
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=_serve, args=(client,), daemon=True).start()


def _serve(client: socket.socket) -> None:
    with client, suppress(OSError):
        word = client.recv(1)
        if word == b"E":
            while data := client.recv(65536):
                client.sendall(data)
        elif word == b"F":
            while True:
                client.sendall(_PIECE)
        elif word == b"S":
            got = 0
            buffer = bytearray(1024 * 1024)
            while size := client.recv_into(buffer):
                got += size
            client.sendall(str(got).encode())


@contextmanager
def process(*words: str) -> Iterator[int]:
    """It as a process; the port."""
    command = [sys.executable, "-m", "tests.bench.far", *words]
    running = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert running.stdin is not None
    assert running.stdout is not None
    try:
        port = running.stdout.readline().strip()
        if not port.isdigit():
            raise NotMeasured(f"{' '.join(words)} did not start")
        yield int(port)
    finally:
        running.stdin.close()
        try:
            running.wait(5)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait(5)
        running.stdout.close()


@contextmanager
def line(target: int, line: Line) -> Iterator[int]:
    """A slow line to that port, as a process; its port."""
    with process("line", str(target), str(line.rate), str(line.delay), str(line.queue)) as port:
        yield port


if __name__ == "__main__":
    main(sys.argv[1:])
