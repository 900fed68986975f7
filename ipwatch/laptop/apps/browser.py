"""Opens the browser, where there is one to open.

A browser is started with the address in its argument list, which every user of this machine may read. An address with
a token is therefore not handed over: a page of ours, good for one look, sends the browser on to it.
"""

import os
import secrets
import sys
import threading
import webbrowser
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

LOOK_WITHIN = 60.0  # seconds a browser may take to start


def has_browser(
    environ: Mapping[str, str] = os.environ, platform: str = sys.platform, kernel: str | None = None
) -> bool:
    """Whether a browser window can be opened here: not without a display, and not in WSL, whose browser is Windows'.

    kernel: what /proc/sys/kernel/osrelease says; WSL's has "microsoft" in it (Microsoft, "WSL kernel", 2026-11).
    """
    if platform in {"win32", "darwin"}:
        return "SSH_CONNECTION" not in environ
    if kernel is None:
        with suppress(OSError):
            kernel = Path("/proc/sys/kernel/osrelease").read_text("ascii", "replace")
    return "microsoft" not in (kernel or "").lower() and bool(environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"))


def open_browser(url: str, *, secret: bool, show: Callable[[str], bool] = webbrowser.open) -> bool:
    """Open it; whether a browser was started. secret: the address may not stand in an argument list."""
    if not secret:
        return show(url)
    page = OnePage(url)
    if not show(page.address):
        page.close()
        return False
    return True


class OnePage:
    """A page on a loopback port that leads whoever asks for it first to another address, once."""

    def __init__(self, leads_to: str, within: float = LOOK_WITHIN) -> None:
        name = f"/{secrets.token_urlsafe(16)}"
        self._server = HTTPServer(("127.0.0.1", 0), _handler(name, leads_to, self._seen))
        self._server.timeout = 0.5
        self._done = threading.Event()
        self._within = within
        self.address = f"http://localhost:{self._server.server_port}{name}"
        self._thread = threading.Thread(target=self._serve, name="browser", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """No longer."""
        self._done.set()
        self._thread.join(5)

    def wait(self, within: float) -> bool:
        """Whether it was asked for, or its time is over."""
        self._thread.join(within)
        return not self._thread.is_alive()

    def _seen(self) -> None:
        self._done.set()

    def _serve(self) -> None:
        rounds = int(self._within / 0.5)
        with self._server:
            while not self._done.is_set() and rounds > 0:
                self._server.handle_request()
                rounds -= 1


def _handler(name: str, leads_to: str, seen: Callable[[], None]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 5

        def do_GET(self) -> None:
            right = secrets.compare_digest(self.path.encode(), name.encode())
            self.send_response(302 if right else 404)
            if right:
                self.send_header("Location", leads_to)
                self.send_header("Referrer-Policy", "no-referrer")
            self.send_header("Cache-Control", "no-store")
            self.send_header("Content-Length", "0")
            self.end_headers()
            if right:
                seen()

        def log_message(self, *_: object) -> None:
            """Say nothing: the address is a secret."""

    return Handler
