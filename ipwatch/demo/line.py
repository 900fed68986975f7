"""The house's line, and the servers behind it.

While the line is down a TCP connection is reset, an open one is cut, and a datagram is not answered. socketserver's
own threading server leaves idle connections and their threads behind; these here are ended with the server.
"""

import socket
import socketserver
import struct
import sys
import threading
from typing import Any

LOOPBACK = "127.0.0.1"
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 s: close() sends RST (socket(7))
_POLL = 0.02  # seconds until serve_forever notices that it is to end


class Line:
    """Whether the internet is there, and the connections that end when it goes.

    refused: how often somebody tried in vain.
    """

    def __init__(self) -> None:
        self.refused = 0
        self._up = True
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    @property
    def up(self) -> bool:
        """Whether it works now."""
        return self._up

    def raise_(self) -> None:
        """It works again."""
        self._up = True

    def drop(self) -> None:
        """It is gone, in the middle of whatever was going on."""
        with self._lock:
            self._up = False
            for connection in self._open:
                cut(connection)

    def enter(self, connection: socket.socket) -> bool:
        """A connection comes; False if there is no line for it."""
        with self._lock:
            if self._up:
                self._open.add(connection)
            else:
                self.refused += 1
            return self._up

    def leave(self, connection: socket.socket) -> None:
        """A connection ended."""
        with self._lock:
            self._open.discard(connection)


def cut(connection: socket.socket) -> None:
    """End it for both sides, without a good-bye; whoever reads from it sees its end at once."""
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # already gone


class _Quiet(socketserver.BaseServer):
    """Runs in a thread of its own; a client that hangs up is no news."""

    def start(self) -> None:
        """Serve until `close`."""
        self.thread = threading.Thread(target=self.serve_forever, args=(_POLL,), name=type(self).__name__)
        self.thread.start()

    def close(self) -> None:
        """End, with every connection and thread; returns when they are gone."""
        self.shutdown()
        self.thread.join()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A fault of ours is shown, a lost connection is not."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class TcpServer(_Quiet, socketserver.ThreadingMixIn, socketserver.TCPServer):
    """A TCP server on an ephemeral loopback port, behind the line."""

    allow_reuse_address = True
    request_queue_size = 64
    stopped: threading.Event

    def __init__(self, line: Line, handler: type[socketserver.BaseRequestHandler]) -> None:
        self.line = line
        self.stopped = threading.Event()
        self._mine: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__((LOOPBACK, 0), handler)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ARG002 socketserver's signature
        """Whether the line lets the connection through."""
        with self._lock:
            self._mine.add(request)
        if self.line.enter(request):
            return True
        request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        return False

    def shutdown_request(self, request: Any) -> None:
        """The end of a connection: a reset if the line is down, else in good order."""
        self.line.leave(request)
        with self._lock:
            self._mine.discard(request)
        if self.line.up:
            super().shutdown_request(request)
        else:
            self.close_request(request)

    def close(self) -> None:
        """End it; answers that hang or drip see `stopped`."""
        self.stopped.set()
        self.shutdown()
        with self._lock:
            for connection in self._mine:
                cut(connection)
        super().close()


class UdpServer(_Quiet, socketserver.UDPServer):
    """A UDP server on an ephemeral loopback port (or the one given), behind the line: one datagram after the other."""

    max_packet_size = 65535

    def __init__(self, line: Line, handler: type[socketserver.BaseRequestHandler], port: int = 0) -> None:
        self.line = line
        super().__init__((LOOPBACK, port), handler)

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ARG002 socketserver's signature
        """Whether the line lets the datagram through."""
        return self.line.up
