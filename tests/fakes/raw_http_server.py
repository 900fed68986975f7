"""A real HTTP server on loopback whose answers are written byte by byte, so that it can misbehave in any way."""

import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType

Answer = Callable[[socket.socket, str], None]


def page(body: bytes | str, status: str = "200 OK", **headers: str) -> Answer:
    """A well-formed answer; headers: names with underscores for hyphens."""
    content = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(content)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return raw("\r\n".join(lines).encode() + b"\r\n\r\n" + content)


def raw(content: bytes) -> Answer:
    """Exactly these bytes."""
    return lambda sock, _: sock.sendall(content)


def drip(content: bytes, every: float = 0.05) -> Answer:
    """One byte at a time, for at most ten seconds."""

    def answer(sock: socket.socket, _: str) -> None:
        end = time.monotonic() + 10
        for byte in content:
            if time.monotonic() > end:
                return
            sock.sendall(bytes([byte]))
            time.sleep(every)

    return answer


def reset(sock: socket.socket, _: str) -> None:
    """An Answer: what a connection gets that nobody on the way knows any more."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close() sends RST (socket(7))
    sock.close()


def raw_first(first: Answer, then: Answer) -> Answer:
    """`first` to the first request of each connection; to a further one, `then`."""
    known: set[socket.socket] = set()

    def answer(sock: socket.socket, head: str) -> None:
        (then if sock in known else first)(sock, head)
        known.add(sock)

    return answer


class HttpServer:
    """Answers each path with its Answer; `requests` holds the head of each request, `connections` counts them."""

    def __init__(self, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> None:
        self.answers: dict[str, Answer] = {}
        self.requests: list[str] = []
        self.connections = 0
        self.hung = threading.Event()  # set when the server closes: what hangs, hangs on it
        self._tls = tls
        self._sockets: list[socket.socket] = []
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, 0), family=family)
        self.host, self.port = (f"[{host}]" if ":" in host else host), self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def __enter__(self) -> "HttpServer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.hung.set()
        for sock in (self._listener, *self._sockets):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        for thread in self._threads:
            thread.join(5)

    def url(self, path: str = "/") -> str:
        """The address of a page here."""
        return f"{'https' if self._tls else 'http'}://{self.host}:{self.port}{path}"

    def serve(self, answer: Answer, path: str = "/") -> str:
        """Answer that path so; gives its URL."""
        self.answers[path] = answer
        return self.url(path)

    def hang(self, _sock: socket.socket, _head: str) -> None:
        """An Answer: say nothing."""
        self.hung.wait(10)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._sockets.append(sock)
            thread = threading.Thread(target=self._talk, args=(sock,), daemon=True)
            thread.start()
            self._threads.append(thread)

    def _talk(self, sock: socket.socket) -> None:
        try:
            if self._tls:
                sock = self._tls.wrap_socket(sock, server_side=True)
                self._sockets.append(sock)
            with sock:
                while self._one(sock):
                    pass
        except OSError:
            sock.close()

    def _one(self, sock: socket.socket) -> bool:
        data = b""
        while b"\r\n\r\n" not in data:
            more = sock.recv(65536)
            if not more:
                return False
            data += more
        begin, _, body = data.partition(b"\r\n\r\n")
        lines = begin.decode("latin-1").lower().split("\r\n")
        length = next((int(line.split(":")[1]) for line in lines if line.startswith("content-length:")), 0)
        while len(body) < length:
            body += sock.recv(65536)
        head = (begin + b"\r\n\r\n" + body).decode("latin-1")
        self.requests.append(head)
        path = head.split(" ")[1].split("?")[0]
        answer = self.answers.get(path)
        if answer is None:
            page("no such page", "404 Not Found")(sock, head)
            return True
        answer(sock, head)
        # Only what page() and its kin made may be followed by another request.
        return getattr(answer, "__qualname__", "").startswith("raw")
