"""A real UDP server on loopback that answers each datagram as a function says."""

import socket
import threading
from collections.abc import Callable, Sequence
from types import TracebackType


class UdpServer:
    """`answer` gets each datagram and its number (from 1) and gives the datagrams to send back."""

    def __init__(self, answer: Callable[[bytes, int], Sequence[bytes]], host: str = "127.0.0.1", port: int = 0) -> None:
        self.received: list[bytes] = []
        self._answer = answer
        self._socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((host, port))
        self._socket.settimeout(0.05)
        self._over = False
        self.host, self.port = host, self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def __enter__(self) -> "UdpServer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over = True
        self._thread.join(5)
        self._socket.close()

    def _serve(self) -> None:
        while not self._over:
            try:
                data, place = self._socket.recvfrom(65535)
            except TimeoutError:
                continue
            except OSError:
                return
            self.received.append(data)
            for answer in self._answer(data, len(self.received)):
                self._socket.sendto(answer, place)
