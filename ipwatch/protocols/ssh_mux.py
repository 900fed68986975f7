"""The control socket of a multiplexing ssh (OpenSSH's PROTOCOL.mux, 2024-01; version 4 since OpenSSH 5.4).

Messages are framed by a length of four bytes. File descriptors follow a request as SCM_RIGHTS, each with a byte of its
own; that is the adapter's part (net.openssh_mux).
"""

from collections.abc import Iterator
from typing import NamedTuple

from ipwatch.protocols.ssh_fields import Fields

VERSION = 4
LONGEST = 256 * 1024  # channels.c: larger packets are refused by ssh as well

_HELLO = 0x00000001
_NEW_SESSION = 0x10000002
_OPEN_FORWARD = 0x10000006
_PROXY = 0x1000000F

LOCAL, REMOTE = 1, 2  # MUX_FWD_LOCAL, MUX_FWD_REMOTE
PATH = 0xFFFFFFFE  # in the place of a port: the host is the path of a Unix socket (section 6: "(unsigned int) -2")
_NO_ESCAPE = 0xFFFFFFFF  # section 2


class BadMux(ValueError):
    """What came does not fit the protocol; str() is a clause."""


class Hello(NamedTuple):
    version: int


class Done(NamedTuple):
    """The request was fulfilled. number: what came of it (a session's id, a port), 0 for nothing."""

    request: int
    number: int = 0


class Failed(NamedTuple):
    """It was not; ssh's reason."""

    request: int
    reason: str


class Exited(NamedTuple):
    """A session's command ended."""

    session: int
    status: int


Reply = Hello | Done | Failed | Exited


def hello() -> bytes:
    """What each side says first."""
    return _packet(_number(_HELLO), _number(VERSION))


def proxy(request: int) -> bytes:
    """From the answer on, the connection carries the connection protocol (protocols.ssh_connection)."""
    return _packet(_number(_PROXY), _number(request))


def session(request: int, command: str) -> bytes:
    """Run a command without a terminal on three descriptors (in, out, error; they follow)."""
    no = _number(0)
    return _packet(_number(_NEW_SESSION), _number(request), _text(""), no, no, no, no, _number(_NO_ESCAPE),
                   _text(""), _text(command))  # fmt: skip


def open_forward(request: int, sort: int, listen: tuple[str, int], connect: tuple[str, int]) -> bytes:
    """Listen (LOCAL: here, REMOTE: there) and connect from the other side; a port may be PATH."""
    ends = (_text(listen[0]), _number(listen[1]), _text(connect[0]), _number(connect[1]))
    return _packet(_number(_OPEN_FORWARD), _number(request), _number(sort), *ends)


class Frames:
    """Bytes in, replies out. Replies of kinds we have no use for are passed over."""

    def __init__(self) -> None:
        self._held = bytearray()

    def rest(self) -> bytes:
        """What came after the last complete reply."""
        return bytes(self._held)

    def feed(self, data: bytes) -> Iterator[Reply]:
        """The replies that are complete now; raises BadMux."""
        self._held += data
        while len(self._held) >= 4:
            length = int.from_bytes(self._held[:4], "big")
            if length > LONGEST:
                raise BadMux(f"a message of {length} bytes")
            if len(self._held) < 4 + length:
                return
            body = Fields(bytes(self._held[4 : 4 + length]), fault=BadMux("a message shorter than it says"))
            del self._held[: 4 + length]
            if (reply := _reply(body)) is not None:
                yield reply


def _reply(body: Fields) -> Reply | None:
    match body.number():  # section 11
        case 0x00000001:
            return Hello(body.number())
        case 0x80000001 | 0x8000000F:  # OK, PROXY (mux.c: it is missing in section 11)
            return Done(body.number())
        case 0x80000002 | 0x80000003:  # PERMISSION_DENIED, FAILURE
            return Failed(body.number(), body.text())
        case 0x80000004:  # EXIT_MESSAGE
            return Exited(body.number(), body.number())
        case 0x80000006 | 0x80000007:  # SESSION_OPENED, REMOTE_PORT
            return Done(body.number(), body.number())
        case _:
            return None


def _packet(*parts: bytes) -> bytes:
    body = b"".join(parts)
    return _number(len(body)) + body


def _number(value: int) -> bytes:
    return value.to_bytes(4, "big")


def _text(value: str) -> bytes:
    data = value.encode("utf-8")
    return _number(len(data)) + data
