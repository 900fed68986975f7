"""The browser, and the page that keeps a token out of its argument list; the head of a page asked for directly."""

import http.client
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from ipwatch.core.app import Place
from ipwatch.core.forward import Forward, Sort, Target
from ipwatch.laptop.apps.browser import OnePage, has_browser, open_browser
from ipwatch.laptop.apps.page import Opener, status
from ipwatch.net import loopback
from ipwatch.ports import Unreachable
from tests.fakes.ca import Authority
from tests.fakes.ports import free_port


@pytest.mark.parametrize(
    ("environ", "platform", "kernel", "has"),
    [
        ({"DISPLAY": ":0"}, "linux", "6.1.0-amd64", True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", "6.1.0-amd64", True),
        ({}, "linux", "6.1.0-amd64", False),
        ({"DISPLAY": ":0"}, "linux", "5.15.90.1-microsoft-standard-WSL2", False),
        ({}, "darwin", "", True),
        ({"SSH_CONNECTION": "1 2 3 4"}, "darwin", "", False),
        ({}, "win32", "", True),
    ],
)
def test_where_a_browser_is(environ: dict[str, str], platform: str, kernel: str, has: bool) -> None:
    """Without a display, in WSL and over SSH no browser is opened; the address is printed anyway."""
    assert has_browser(environ, platform, kernel) is has
    assert has_browser({}, "linux") is False


def get(url: str) -> tuple[int, str | None]:
    """Status and location."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection("127.0.0.1", parts.port or 0, timeout=5)
    try:
        connection.request("GET", parts.path)
        answer = connection.getresponse()
        return answer.status, answer.headers["Location"]
    finally:
        connection.close()


def test_a_plain_address_is_handed_over() -> None:
    """An address without a token goes to the browser as it is."""
    shown: list[str] = []
    assert open_browser("http://localhost:1/", secret=False, show=lambda url: not shown.append(url))
    assert shown == ["http://localhost:1/"]


def test_a_token_stands_in_no_argument_list() -> None:
    """The browser is given a page that leads to the address once, to whoever knows its name, and then is gone."""
    secret = "http://localhost:1/lab?token=abc"
    page = OnePage(secret)
    assert "abc" not in page.address
    assert get(page.address + "x") == (404, None)
    assert get(page.address) == (302, secret)
    assert page.wait(5)
    with pytest.raises(OSError, match="refused"):
        get(page.address)


def test_a_page_nobody_asks_for_goes_away() -> None:
    """When no browser starts, the page does not stay."""
    asked: list[str] = []

    def show(url: str) -> bool:
        asked.append(url)
        return False

    assert not open_browser("http://localhost:1/?token=abc", secret=True, show=show)
    with pytest.raises(OSError, match="refused"):
        get(asked[0])
    assert OnePage("http://localhost:1/", within=0.5).wait(5)
    seen: list[tuple[int, str | None]] = []
    assert open_browser("http://localhost:1/?token=abc", secret=True, show=lambda url: not seen.append(get(url)))
    assert seen == [(302, "http://localhost:1/?token=abc")]


@contextmanager
def answering(answer: bytes, wrap: ssl.SSLContext | None = None) -> Iterator[int]:
    """A server that reads once, gives this answer to everybody and hangs up; its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        over = threading.Event()

        def serve() -> None:
            while not over.is_set():
                try:
                    client, _ = server.accept()
                except TimeoutError:
                    continue
                client.settimeout(2)
                with wrap.wrap_socket(client, server_side=True) if wrap else client as stream:
                    stream.recv(4096)
                    stream.sendall(answer)
                    if not answer:
                        over.wait(2)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            over.set()
            thread.join(5)


def opener(port: int) -> Opener:
    return Opener(forward=Forward("x", Sort.LOCAL, "", port, Target("localhost", 1)), target=Target("localhost", 1))


def test_a_page_over_tls_is_asked_for(tmp_path: Path) -> None:
    """A Jupyter with a certificate of its own, which nobody signed, answers through the tunnel."""
    context = Authority(tmp_path).issue("localhost").server_context()
    with answering(b"HTTP/1.1 200 OK\r\n\r\n", context) as port:
        assert status(opener(port), Place(Target("localhost", 1), secure=True), "/") == 200


def test_redirects_have_an_end() -> None:
    """A page that leads to itself is given up, with the status it has; one that leads away is not followed."""
    place = Place(Target("localhost", 1))
    with answering(b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n") as port:
        assert status(opener(port), place, "/") == 302
    with answering(b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere.example/\r\n\r\n") as port:
        assert status(opener(port), place, "/") == 302


def test_what_does_not_answer_is_told() -> None:
    """A closed port, a server that says nothing and one that hangs up are Unreachable, each in its time."""
    soon = timedelta(seconds=0.5)
    with pytest.raises(Unreachable, match="refused"):
        loopback.connect("", free_port(), soon)
    with answering(b"") as port, pytest.raises(Unreachable, match=r"no answer within 0.5 s"):
        loopback.question(loopback.connect("", port, soon), b"GET", soon)
    here, there = socket.socketpair()
    there.close()
    with pytest.raises(Unreachable):
        loopback.question(here, b"GET", soon)
    here, there = socket.socketpair()
    there.shutdown(socket.SHUT_WR)
    with there, pytest.raises(Unreachable, match="without a word"):
        loopback.question(here, b"GET", soon)
    assert 0 < loopback.free_port() < 65536
