"""An ssh-agent (draft-miller-ssh-agent-14): which keys it holds, and signatures by them, within a deadline."""

import socket
import time
from typing import NamedTuple

from ipwatch.protocols.ssh_fields import Fields, string

_REQUEST_IDENTITIES, _IDENTITIES_ANSWER = 11, 12  # section 5.1
_SIGN_REQUEST, _SIGN_RESPONSE = 13, 14
_LONGEST = 256 * 1024  # bytes of an answer (OpenSSH 9.2, authfd.c, MAX_AGENT_REPLY_LEN)
_FLAGS = {"rsa-sha2-256": 2, "rsa-sha2-512": 4}  # section 5.3


class AgentFault(Exception):
    """The agent can not be asked, or does not sign; str() is a clause."""


class AgentKey(NamedTuple):
    """A key it holds. blob: the public key or certificate on the wire."""

    blob: bytes
    comment: str


class Agent:
    """One connection to an agent, closed by `close`."""

    def __init__(self, path: str, within: float) -> None:
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._sock.settimeout(within)
        try:
            self._sock.connect(path)
        except OSError as error:
            self._sock.close()
            raise AgentFault(
                f"the agent at {path} can not be reached: {(error.strerror or str(error)).lower()}"
            ) from None

    def close(self) -> None:
        """Let go of it."""
        self._sock.close()

    def keys(self, within: float) -> tuple[AgentKey, ...]:
        """The keys it holds."""
        answer = _fields(self._ask(bytes((_REQUEST_IDENTITIES,)), _IDENTITIES_ANSWER, within))
        return tuple(AgentKey(answer.octets(), answer.text()) for _ in range(answer.number()))

    def sign(self, blob: bytes, data: bytes, algorithm: str, within: float) -> bytes:
        """A signature (RFC 4252 7); the agent may ask its user first."""
        flags = _FLAGS.get(algorithm.removesuffix("-cert-v01@openssh.com"), 0)
        request = bytes((_SIGN_REQUEST,)) + string(blob) + string(data) + flags.to_bytes(4, "big")
        return _fields(self._ask(request, _SIGN_RESPONSE, within)).octets()

    def _ask(self, request: bytes, wanted: int, within: float) -> bytes:
        deadline = time.monotonic() + within
        try:
            self._sock.settimeout(max(0.01, within))
            self._sock.sendall(string(request))
            size = int.from_bytes(self._read(4, deadline), "big")
            if not 0 < size <= _LONGEST:
                raise AgentFault("the agent's answer does not fit its protocol")
            answer = self._read(size, deadline)
        except TimeoutError:
            raise AgentFault("the agent does not answer") from None
        except OSError as error:
            raise AgentFault(f"the agent hung up: {(error.strerror or str(error)).lower()}") from None
        if answer[0] != wanted:
            raise AgentFault("the agent refuses")
        return answer[1:]

    def _read(self, size: int, deadline: float) -> bytes:
        got = bytearray()
        while len(got) < size:
            self._sock.settimeout(max(0.01, deadline - time.monotonic()))
            piece = self._sock.recv(size - len(got))
            if not piece:
                raise AgentFault("the agent hung up")
            got += piece
        return bytes(got)


def _fields(answer: bytes) -> Fields:
    return Fields(answer, fault=AgentFault("the agent's answer does not fit its protocol"))
