"""Local listeners: loopback of both families, Unix sockets, and who else holds a port."""

import os
import socket
import stat
import sys
from contextlib import suppress
from pathlib import Path

_BACKLOG = 128


class Taken(OSError):
    """The port or path can not be listened on; str() is a clause that names the owner where the system tells."""


def listen(bind: str, port: int) -> list[socket.socket]:
    """Listening sockets. bind "": 127.0.0.1 and, where the machine has it, ::1 (browsers try both); a path with port 0:
    a Unix socket only its user can open. Raises Taken."""
    if port == 0:
        return [_unix(bind)]
    if bind:
        return [_tcp(bind, port)]
    sockets = [_tcp("127.0.0.1", port)]
    try:
        sockets.append(_tcp("::1", port))
    except Taken:
        sockets[0].close()
        raise
    except OSError:
        pass  # no IPv6 on this machine
    return sockets


def _tcp(ip: str, port: int) -> socket.socket:
    """One listening socket; raises Taken, or OSError where the machine does not have that address."""
    sock = socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET, socket.SOCK_STREAM)
    try:
        for option, value in options(sys.platform):
            sock.setsockopt(socket.SOL_SOCKET, option, value)
        if ":" in ip:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((ip, port))
        sock.listen(_BACKLOG)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        raise _told(error, ip, port) from None
    return sock


def options(platform: str) -> list[tuple[int, int]]:
    """What to set before binding. POSIX: SO_REUSEADDR, so that connections in TIME_WAIT do not hold the port. Windows:
    never that one, it would let another program take the port over, but SO_EXCLUSIVEADDRUSE, which forbids just that
    (Microsoft, "Using SO_REUSEADDR and SO_EXCLUSIVEADDRUSE", 2026-11)."""
    if platform == "win32":
        return [(getattr(socket, "SO_EXCLUSIVEADDRUSE", ~socket.SO_REUSEADDR), 1)]
    return [(socket.SO_REUSEADDR, 1)]


def _told(error: OSError, ip: str, port: int) -> OSError:
    import errno  # noqa: PLC0415 - for a fault only

    place = f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"
    if error.errno == errno.EADDRINUSE:
        by = owner(port)
        return Taken(f"{place} is taken by {by}" if by else f"{place} is taken by another program")
    if error.errno == errno.EACCES:
        low = "ports below 1024 need a privileged user" if port < 1024 else "the system reserves it"
        return Taken(f"{place} may not be listened on: {low}")
    if error.errno == errno.EADDRNOTAVAIL and ip != "::1":
        return Taken(f"{place} can not be listened on: this machine does not have that address")
    return error


def _unix(path: str) -> socket.socket:
    """A Unix socket; one that a dead program left behind is replaced."""
    place = Path(path).expanduser()
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _clear(place)
        before = os.umask(0o177)
        try:
            sock.bind(str(place))
        finally:
            os.umask(before)
        sock.listen(_BACKLOG)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        if isinstance(error, Taken):
            raise
        raise Taken(f"{place} can not be listened on: {(error.strerror or str(error)).lower()}") from None
    return sock


def _clear(place: Path) -> None:
    """Remove the socket if nobody listens on it any more; raises Taken."""
    try:
        is_socket = stat.S_ISSOCK(place.lstat().st_mode)
    except FileNotFoundError:
        return
    if not is_socket:
        raise Taken(f"{place} is there already, and it is no socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(place))
        except ConnectionRefusedError:
            place.unlink()
            return
    raise Taken(f"{place} is taken by another program")


def close(sockets: list[socket.socket]) -> None:
    """Close them, and remove the file of a Unix socket."""
    for sock in sockets:
        path = sock.getsockname() if sock.family == getattr(socket, "AF_UNIX", None) else ""
        sock.close()
        if path:
            with suppress(OSError):
                Path(path).unlink()


def owner(port: int, proc: Path = Path("/proc")) -> str:
    """The program that listens on a TCP port, as "name (process 123)", or "" where the system does not tell: Linux
    tells it to the program's user and to root (proc(5): /proc/net/tcp and /proc/PID/fd)."""
    inodes = {f"socket:[{inode}]" for table in ("tcp", "tcp6") for inode in _listening(proc / "net" / table, port)}
    if not inodes:
        return ""
    for process in proc.glob("[0-9]*"):
        with suppress(OSError):
            if any(os.readlink(fd) in inodes for fd in (process / "fd").iterdir()):  # noqa: PTH115 - no file
                return f"{(process / 'comm').read_text().strip()} (process {process.name})"
    return ""


def _listening(table: Path, port: int) -> list[str]:
    """The inodes of sockets that listen on the port; state 0A is LISTEN (proc(5))."""
    try:
        rows = [row.split() for row in table.read_text().splitlines()[1:]]
    except OSError:
        return []
    return [row[9] for row in rows if len(row) > 9 and row[3] == "0A" and row[1].endswith(f":{port:04X}")]
