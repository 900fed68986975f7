"""Pages that say what address a visitor comes from, each of another operator, each with its own manners."""

from collections.abc import Callable, Sequence
from enum import StrEnum
from http.server import BaseHTTPRequestHandler

from ipwatch.demo.journal import Journal
from ipwatch.demo.line import LOOPBACK, Line, TcpServer

LIE = "25.66.6.66"
_IDLE = 10.0  # seconds a kept connection may be silent
_DRIP = 0.2  # seconds between two bytes


class Manner(StrEnum):
    """How a page answers."""

    TRUTH = "truth"
    LIE = "lie"  # a good-looking address that is not the house's
    HANG = "hang"  # takes the request and says nothing
    ERROR = "error"  # HTTP 500, with an address in the body
    HTML = "html"  # a portal's page, in which something like an address stands
    DRIP = "drip"  # one byte after the other, slower than anyone should wait


class EchoServer(TcpServer):
    """All pages, at http://127.0.0.1:port/PAGE. `manners` may be set at any time."""

    def __init__(self, line: Line, journal: Journal, pages: Sequence[str], address: Callable[[], str]) -> None:
        self.journal = journal
        self.address = address
        self.manners = dict.fromkeys(pages, Manner.TRUTH)
        super().__init__(line, _Page)

    def url(self, page: str) -> str:
        """Where the page is."""
        return f"http://{LOOPBACK}:{self.port}/{page}"


class _Page(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "echo"
    timeout = _IDLE
    server: EchoServer

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 http.server's signature
        """The journal is kept instead."""

    def do_GET(self) -> None:
        page = self.path.partition("?")[0].strip("/")
        manner = self.server.manners.get(page)
        if manner is None:
            self.send_error(404)
            return
        said = LIE if manner is Manner.LIE else self.server.address()
        shown = said if manner in {Manner.TRUTH, Manner.LIE} else ""
        self.server.journal.note("web", "asked", page, about=manner, address=shown)
        match manner:
            case Manner.TRUTH | Manner.LIE:
                self._answer(200, "text/plain", said + "\n")
            case Manner.ERROR:
                self._answer(500, "text/plain", f"no database at {said}\n")
            case Manner.HTML:
                self._answer(200, "text/html", '<script src="jquery-25.1.1.1.js"></script><h1>Please log in</h1>\n')
            case Manner.HANG:
                self._hang()
            case Manner.DRIP:
                self._drip(said)

    def _answer(self, status: int, kind: str, body: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def _hang(self) -> None:
        self.close_connection = True
        self.rfile.read(1)  # until the visitor, the line or the server gives up

    def _drip(self, said: str) -> None:
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(said) * 1000))
        self.end_headers()
        for byte in (said + " " * len(said) * 999).encode():
            self.wfile.write(bytes((byte,)))
            if self.server.stopped.wait(_DRIP):
                return
