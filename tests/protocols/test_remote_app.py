"""What the host's script and Jupyter tell, and heads of HTTP answers."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipwatch.core.app import Running, Server
from ipwatch.protocols import http_head, jupyter
from ipwatch.protocols.http_head import Head
from ipwatch.protocols.told import Stopped, Told, parse

LAB = {"base_url": "/", "hostname": "127.0.0.1", "password": False, "pid": 18938, "port": 18890, "secure": False,
       "root_dir": "/home/anna", "sock": "", "token": "abc123", "url": "http://127.0.0.1:18890/",
       "version": "2.21.1"}  # fmt: skip
CLASSIC = {"base_url": "/x/", "hostname": "localhost", "notebook_dir": "/home/anna/n", "password": True, "pid": 5,
           "port": 8888, "secure": True, "sock": "", "token": "", "url": "https://localhost:8888/x/"}  # fmt: skip


@pytest.mark.parametrize(
    ("info", "server"),
    [
        (LAB, Server(18938, "127.0.0.1", 18890, "/", "abc123", "/home/anna")),
        (CLASSIC, Server(5, "localhost", 8888, "/x/", "", "/home/anna/n", secure=True)),
        ({"port": 0, "sock": "/run/j", "pid": "?"}, Server(0, "", 0, sock="/run/j")),
        ({"port": 70000}, None),
        ({"port": "8888"}, None),
        ({"port": True, "hostname": 7}, Server(0, "", 1)),
        ({}, None),
    ],
)
def test_what_jupyter_says_about_a_server(info: dict[str, object], server: Server | None) -> None:
    """Lab, Notebook 7 and the classic Notebook are understood; what does not say where it is is no server."""
    assert jupyter.server(info) == server


def test_what_the_script_told() -> None:
    """Every fact is read, and lines that are none are passed over."""
    facts = [
        {"fact": "folder", "path": "/home/anna"},
        {"fact": "running", "pid": "7", "port": "8888", "log": "/log"},
        {"fact": "server", "is": LAB},
        {"fact": "server", "is": {}},
        {"fact": "server", "is": "text"},
        {"fact": "gone"},
        {"fact": "socket", "path": "/run/docker.sock"},
        {"fact": "stopped", "pid": "9", "port": "1", "title": "streamlit app.py"},
        {"fact": "line", "text": "one"},
        {"fact": "line", "text": "two"},
        {"fact": "news from a later version"},
        {"fact": "fault", "what": "missing", "text": "PATH"},
        {"fact": "end"},
    ]
    noise = ["Welcome to Ubuntu", "{not json", "{" * 20, '["a"]', "{}", ""]
    told = parse("\n".join([*noise, *map(json.dumps, facts)]).encode() + b"\n\xff\n")
    assert told == Told(
        complete=True,
        fault=("missing", "PATH"),
        folder="/home/anna",
        running=Running(7, 8888, "/log"),
        gone=True,
        servers=(Server(18938, "127.0.0.1", 18890, "/", "abc123", "/home/anna"),),
        socket="/run/docker.sock",
        stopped=(Stopped(9, "streamlit app.py"),),
        lines=("one", "two"),
    )
    started = parse(b'{"fact":"started","pid":"x","port":"99999999999","log":1}')
    assert started == Told(running=Running(0, 0, ""), started=True)


@given(st.binary())
def test_no_output_is_too_odd(output: bytes) -> None:
    """Whatever a host says, it is read without a fault."""
    assert parse(output + b"\n[" + b"[" * 2000).complete in {True, False}


def test_a_request() -> None:
    """The token travels in a header, the fragment does not travel, no line can be smuggled in by the path's caller."""
    asked = http_head.request("/lab?a=1#top", "localhost:8888", "abc")
    assert asked.startswith(b"GET /lab?a=1 HTTP/1.1\r\nHost: localhost:8888\r\n")
    assert asked.endswith(b"Connection: close\r\nAuthorization: token abc\r\n\r\n")
    assert b"Authorization" not in http_head.request("/", "localhost")


@pytest.mark.parametrize(
    ("answer", "head"),
    [
        (b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n<html>", Head(200)),
        (b"HTTP/1.0 302\r\nlocation:  /lab \r\n\r\nLocation: /no", Head(302, "/lab")),
        (b"HTTP/1.1 404 Not Found\n", Head(404)),
        (b"HTTP/1.1 301 Moved\nLocation: /x\n\nbody", Head(301, "/x")),
        (b"SSH-2.0-OpenSSH_9.2\r\n", None),
        (b"HTTP/2 200\r\n", None),
        (b"", None),
    ],
)
def test_a_head(answer: bytes, head: Head | None) -> None:
    """Status and location are read; what is no HTTP/1 is told as such."""
    assert http_head.parse(answer) == head
