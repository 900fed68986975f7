"""A strict HTTP server on loopback that records each request and answers what its subclass says."""

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Seen:
    """One request as it came. params keep their order."""

    method: str
    path: str
    params: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    body: bytes

    def param(self, name: str) -> str | None:
        """The one value of a parameter; None without it."""
        values = [v for n, v in self.params if n == name]
        assert len(values) < 2, f"{name} is given {len(values)} times"
        return values[0] if values else None

    @property
    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)


@dataclass
class Reply:
    """One answer. hang: seconds that pass before it, cut short when the server ends."""

    status: int = 200
    body: str | bytes = ""
    headers: dict[str, str] = field(default_factory=dict)
    hang: float = 0.0


class FakeHttpServer:
    """A context manager; `url` is its origin, `seen` what came, `scripted` replies used before `answer` is asked."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.scripted: list[Reply] = []
        self.faults: list[str] = []  # what a request had wrong by the manual
        self._ending = threading.Event()
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, seen: Seen) -> Reply:
        """What this server says; for subclasses."""
        raise NotImplementedError

    def fault(self, text: str) -> None:
        """Remember that the client broke the manual's rules."""
        self.faults.append(text)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ending.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def _take(self, seen: Seen) -> Reply:
        with self._lock:
            self.seen.append(seen)
            usual = self.answer(seen)  # also judges the request when a scripted reply follows
            return self.scripted.pop(0) if self.scripted else usual

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def _serve(self) -> None:
                parts = urlsplit(self.path)
                length = int(self.headers.get("Content-Length") or 0)
                headers = {k.lower(): v for k, v in self.headers.items()}
                params = tuple(parse_qsl(parts.query, keep_blank_values=True))
                seen = Seen(self.command, parts.path, params, headers, self.rfile.read(length))
                reply = outer._take(seen)
                if reply.hang:
                    outer._ending.wait(reply.hang)
                body = reply.body.encode() if isinstance(reply.body, str) else reply.body
                try:
                    self.send_response(reply.status)
                    for name, value in reply.headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(body) if reply.status != 204 else 0))
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:
                    pass  # the client left, as it may

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the library
                pass

        return Handler
