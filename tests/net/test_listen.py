"""Local listeners."""

import os
import socket
import stat
from pathlib import Path

import pytest

from ipwatch.net import listen
from tests.fakes.ports import free_port


def test_both_loopbacks() -> None:
    """A forward without a bind listens on 127.0.0.1 and ::1 and nowhere else."""
    port = free_port()
    sockets = listen.listen("", port)
    try:
        assert [s.getsockname()[0] for s in sockets] == ["127.0.0.1", "::1"]
        for ip in ("127.0.0.1", "::1"):
            socket.create_connection((ip, port), 2).close()
    finally:
        listen.close(sockets)


def test_taken_port_names_its_owner() -> None:
    """A taken port is told with the program that holds it, and nothing stays open."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        with pytest.raises(listen.Taken, match=rf"127\.0\.0\.1:{port} is taken by .*\(process {os.getpid()}\)"):
            listen.listen("", port)
    listen.close(listen.listen("", port))


def test_taken_on_the_other_loopback() -> None:
    """A port that is taken on ::1 alone is taken: half a forward would answer some clients and not others."""
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as held:
        port = held.getsockname()[1]
        with pytest.raises(listen.Taken, match=rf"\[::1\]:{port} is taken"):
            listen.listen("", port)
    listen.close(listen.listen("", port))


def test_foreign_address() -> None:
    """An address this machine does not have is told as that."""
    with pytest.raises(listen.Taken, match="does not have that address"):
        listen.listen("192.0.2.1", free_port())


def test_unix_socket(tmp_path: Path) -> None:
    """A Unix socket is its user's alone; one left behind by a dead program is replaced, a live one or a file is not."""
    path = tmp_path / "docker.sock"
    first = listen.listen(str(path), 0)
    assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0
    with pytest.raises(listen.Taken, match="taken by another program"):
        listen.listen(str(path), 0)
    first[0].close()
    assert path.exists()
    again = listen.listen(str(path), 0)
    listen.close(again)
    assert not path.exists()
    path.write_text("precious")
    with pytest.raises(listen.Taken, match="no socket"):
        listen.listen(str(path), 0)
    assert path.read_text() == "precious"


def test_unix_socket_nowhere(tmp_path: Path) -> None:
    """A folder that is not there is told with the path."""
    with pytest.raises(listen.Taken, match=r"missing/a\.sock can not be listened on: no such file"):
        listen.listen(str(tmp_path / "missing" / "a.sock"), 0)


def test_options_of_windows() -> None:
    """Windows never gets SO_REUSEADDR, which would let another program take the port over."""
    assert (socket.SO_REUSEADDR, 1) not in listen.options("win32")
    assert listen.options("linux") == [(socket.SO_REUSEADDR, 1)]


def test_owner_of_nothing(tmp_path: Path) -> None:
    """Where the system does not tell, no owner is made up."""
    assert listen.owner(free_port()) == ""
    assert listen.owner(80, tmp_path) == ""
