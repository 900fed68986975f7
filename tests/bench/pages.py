"""Address pages, each on a port of its own as in life, that count what comes and go wrong in every way on request."""

import socket
import socketserver
import threading
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

LIE = "25.66.6.66"  # as a stranger's address; whoever publishes it was taken in
DRIP = 0.2  # seconds between two bytes


def reply(body: str | bytes, status: str = "200 OK", kind: str = "text/plain", length: int | None = None) -> bytes:
    """One HTTP/1.1 answer. length: what Content-Length claims; default: the truth."""
    raw = body.encode() if isinstance(body, str) else body
    claimed = len(raw) if length is None else length
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {claimed}\r\n\r\n".encode() + raw


# How a page goes wrong: the octets it sends for the house's true address. Each that shows an address shows a wrong one.
BAD: dict[str, Callable[[str], bytes]] = {
    "lie": lambda _: reply(LIE),
    "html": lambda _: reply(f"<h1>Log in</h1><p>You are {LIE}</p>", kind="text/html"),
    "error 500": lambda _: reply(LIE, "500 Internal Server Error"),
    "error 429": lambda _: reply(LIE, "429 Too Many Requests"),
    "redirect": lambda _: (
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 11\r\n\r\n25.66.6.66\n"
    ),
    "private": lambda _: reply("192.168.1.7"),
    "shared (CGNAT)": lambda _: reply("100.64.7.7"),
    "loopback": lambda _: reply("127.0.0.1"),
    "zero": lambda _: reply("0.0.0.0"),
    "documentation": lambda _: reply("203.0.113.9"),
    "other family": lambda _: reply("2a00:1450::6666"),
    "two addresses": lambda true: reply(f"{LIE}, {true}"),
    "two lines": lambda _: reply(f"{LIE}\n25.66.6.67\n"),
    "leading zeros": lambda _: reply("025.066.006.066"),
    "with a mask": lambda _: reply(f"{LIE}/24"),
    "empty": lambda _: reply(""),
    "binary": lambda _: reply(b"\xff\xfe" + LIE.encode()),
    "huge": lambda _: reply(f"{LIE}\n" + " " * 200_000),
    "cut short": lambda true: reply(true[:-1], length=len(true)),
    "hang up": lambda _: b"",
    "not HTTP": lambda _: f"{LIE}\r\n".encode(),
}
ENDING = frozenset({"cut short", "hang up", "not HTTP"})  # the connection is closed after these
SLOW = ("drip", "hang")
MANNERS = (*BAD, *SLOW)


class Page(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """One page. manner: "" tells the truth. received, sent: bytes of HTTP."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False

    def __init__(self, host: str, address: Callable[[], str]) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.address = address
        self.manner = ""
        self.requests = self.connections = self.received = self.sent = self.bad = 0
        self.ending = threading.Event()
        self.lock = threading.Lock()
        self.open: set[socket.socket] = set()
        super().__init__((host, 0), _Visit)
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{self.server_address[1]}/"
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.ending.set()
        self.shutdown()
        self.server_close()
        with self.lock:
            for connection in self.open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue
        self._thread.join(5)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A visitor that leaves is no news."""


class _Visit(socketserver.BaseRequestHandler):
    server: Page

    def handle(self) -> None:
        with self.server.lock:
            self.server.connections += 1
            self.server.open.add(self.request)
        try:
            while self._question():
                if not self._answer():
                    return
        except OSError:
            return
        finally:
            with self.server.lock:
                self.server.open.discard(self.request)

    def _question(self) -> bool:
        head = b""
        while b"\r\n\r\n" not in head:
            if not (part := self.request.recv(65536)):
                return False
            head += part
        with self.server.lock:
            self.server.requests += 1
            self.server.received += len(head)
        return True

    def _answer(self) -> bool:
        """Answer once; gives whether the connection stays."""
        page, manner = self.server, self.server.manner
        page.bad += manner != ""
        if manner == "hang":
            page.ending.wait(30)
            return False
        if manner == "drip":
            for byte in reply(LIE + " " * 5000):
                self.request.sendall(bytes((byte,)))
                if page.ending.wait(DRIP):
                    return False
        said = BAD[manner](page.address()) if manner else reply(page.address())
        with page.lock:
            page.sent += len(said)
        self.request.sendall(said)
        return manner not in ENDING


class Pages:
    """Several pages of different operators on one host."""

    def __init__(self, address: Callable[[], str], count: int = 3, host: str = "127.0.0.1") -> None:
        self.pages = [Page(host, address) for _ in range(count)]
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        for page in self.pages:
            self._stack.enter_context(page)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.close()

    def __getitem__(self, number: int) -> Page:
        return self.pages[number]

    @property
    def counts(self) -> tuple[int, int, int, int]:
        """Requests, connections, bytes received, bytes sent, of all pages."""
        return (
            sum(p.requests for p in self.pages),
            sum(p.connections for p in self.pages),
            sum(p.received for p in self.pages),
            sum(p.sent for p in self.pages),
        )
