"""Forwards: what one line of `[host.forward]` or one word of `ipwatch up` means."""

import re
from enum import StrEnum
from ipaddress import ip_address
from typing import NamedTuple


class BadForward(ValueError):
    """The text is no forward; str() is a clause."""


class Sort(StrEnum):
    """Which way it goes."""

    LOCAL = "local"
    SOCKS = "socks"  # a SOCKS5 proxy here; names are resolved and connections made at the far end
    REMOTE = "remote"  # a port there, connections arrive here


class Target(NamedTuple):
    """Where connections end: a host name or address and a port, or (port 0) the path of a Unix socket."""

    host: str
    port: int

    @property
    def is_path(self) -> bool:
        """Whether it is a Unix socket."""
        return self.port == 0

    def __str__(self) -> str:
        if self.is_path:
            return self.host
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Forward(NamedTuple):
    """One forward. bind: the address listened on; "" means 127.0.0.1 and ::1 (for REMOTE: the far end's loopback).

    port: listened on; 0 with a bind that is a path: a Unix socket. target: None for SOCKS.
    """

    name: str
    sort: Sort
    bind: str
    port: int
    target: Target | None

    def __str__(self) -> str:
        place = str(Target(self.bind or "localhost", self.port))
        match self.sort:
            case Sort.SOCKS:
                return f"{place} (SOCKS)"
            case Sort.REMOTE:
                return f"{self.target} <- {place} (there)"
            case _:
                return f"{place} -> {self.target}"


_PART = re.compile(r"(?:\[([^\]]*)\]|([^:\[\]]*))(:|\Z)")
HOW = 'a forward is 8890, "8000:8501", "6310:192.168.1.30:631", "socks:1080" or "remote:9000:3000"'


def parse(name: str, value: int | str) -> Forward:
    """Read one forward as the configuration writes it; raises BadForward.

    PORT | PORT:PORT | PORT:HOST:PORT | BIND:PORT:HOST:PORT | PORT:/SOCKET | /SOCKET:/SOCKET | /SOCKET:HOST:PORT,
    "socks:[BIND:]PORT", "remote:" and any of the forms with a port. An IPv6 address stands in brackets.
    """
    if isinstance(value, int):
        return Forward(name, Sort.LOCAL, "", _port(str(value)), Target("localhost", _port(str(value))))
    head, _, rest = value.partition(":")
    if head == "socks":
        parts = _split(rest)
        if len(parts) not in {1, 2}:
            raise BadForward(HOW)
        return Forward(name, Sort.SOCKS, _bind(parts[0]) if len(parts) == 2 else "", _port(parts[-1]), None)
    if head == "remote":
        return _pair(name, Sort.REMOTE, _split(rest))
    return _pair(name, Sort.LOCAL, _split(value))


def _pair(name: str, sort: Sort, parts: list[str]) -> Forward:
    match parts:
        case [port]:
            return Forward(name, sort, "", _port(port), Target("localhost", _port(port)))
        case [here, path] if path.startswith("/"):
            bind, port_here = _here(here, sort)
            return Forward(name, sort, bind, port_here, Target(_path(path), 0))
        case [port, there]:
            return Forward(name, sort, "", _port(port), Target("localhost", _port(there)))
        case [here, host, there]:
            bind, port_here = _here(here, sort)
            return Forward(name, sort, bind, port_here, Target(_host(host), _port(there)))
        case [bind, port, host, there]:
            return Forward(name, sort, _bind(bind), _port(port), Target(_host(host), _port(there)))
        case _:
            raise BadForward(HOW)


def _here(text: str, sort: Sort) -> tuple[str, int]:
    """Where it listens: a port, or the path of a socket, which only this machine can have."""
    if not text.startswith("/"):
        return "", _port(text)
    if sort is Sort.REMOTE:
        raise BadForward(f"a remote forward listens on a port; {HOW}")
    return _path(text), 0


def _split(text: str) -> list[str]:
    """The parts between colons; what stands in brackets is one."""
    parts, at = [], 0
    while found := _PART.match(text, at):
        parts.append(found[1] if found[1] is not None else found[2])
        if not found[3]:
            return parts
        at = found.end()
    raise BadForward(HOW)


def _port(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 0 < int(text) < 65536:
        raise BadForward(f"{text[:40]!r} is not a port (1 to 65535); {HOW}")
    return int(text)


def _host(text: str) -> str:
    if not text or not text.isprintable() or any(c in text for c in " /@"):
        raise BadForward(f"{text[:40]!r} is not a host; {HOW}")
    if ":" in text:
        try:
            return str(ip_address(text))
        except ValueError:
            raise BadForward(f"{text[:40]!r} is not an IPv6 address; {HOW}") from None
    return text


def _path(text: str) -> str:
    if not text.isprintable():
        raise BadForward(f"{text[:40]!r} is not the path of a socket; {HOW}")
    return text


def _bind(text: str) -> str:
    if text in {"localhost", ""}:
        return ""
    if text == "*":
        return "0.0.0.0"  # noqa: S104 - the user asked for it in as many words
    try:
        return str(ip_address(text))
    except ValueError:
        raise BadForward(f"{text[:40]!r} is not an address to listen on; {HOW}") from None
