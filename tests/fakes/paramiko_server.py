"""A second SSH server, for what sshd can not do without PAM: questions, passwords, a second factor."""

import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import paramiko
from paramiko.common import AUTH_FAILED, AUTH_PARTIALLY_SUCCESSFUL, AUTH_SUCCESSFUL

from ipwatch.core.host import HostKey


class Rules(NamedTuple):
    """Who gets in. methods: what is offered first; then: what is wanted as well after the key."""

    methods: str
    password: str = ""
    key: Path | None = None
    then: str = ""
    dialogue: tuple[tuple[str, bool], ...] = ()
    answers: tuple[str, ...] = ()
    sessions: bool = True


class _Interface(paramiko.ServerInterface):
    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._partly = False

    def get_allowed_auths(self, username: str) -> str:
        return self._rules.then if self._partly else self._rules.methods

    def check_auth_none(self, username: str) -> int:
        return AUTH_SUCCESSFUL if self._rules.methods == "none" else AUTH_FAILED

    def check_auth_password(self, username: str, password: str) -> int:
        return AUTH_SUCCESSFUL if password == self._rules.password != "" else AUTH_FAILED

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        if self._rules.key is None or key.get_base64() not in Path(f"{self._rules.key}.pub").read_text():
            return AUTH_FAILED
        self._partly = bool(self._rules.then)
        return AUTH_PARTIALLY_SUCCESSFUL if self._partly else AUTH_SUCCESSFUL

    def check_auth_interactive(self, username: str, submethods: str) -> Any:
        if not self._rules.dialogue:
            return AUTH_FAILED
        return paramiko.InteractiveQuery("Title", "Read this", *self._rules.dialogue)

    def check_auth_interactive_response(self, responses: list[str]) -> int:
        return AUTH_SUCCESSFUL if tuple(responses) == self._rules.answers else AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return 0 if self._rules.sessions else 1


class ParamikoServer:
    """Runs until its `with` ends. kex: the one key exchange it allows, "" for its usual ones."""

    def __init__(self, rules: Rules, kex: str = "") -> None:
        self._rules, self._kex = rules, kex
        self._key = paramiko.ECDSAKey.generate()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.ip = "127.0.0.1"
        self.port: int = self._listener.getsockname()[1]
        self.keys = (HostKey(self._key.get_name(), self._key.asbytes()),)
        self._transports: list[paramiko.Transport] = []
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "ParamikoServer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)
        for transport in self._transports:
            transport.close()
            transport.join(5)

    def open(self, kind: str) -> None:
        """Open a channel to the client that came last."""
        self._transports[-1].open_channel(kind, ("localhost", 1), ("localhost", 2), timeout=5)

    def _run(self) -> None:
        with suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                transport = paramiko.Transport(sock)
                transport.name = "server"
                if self._kex:
                    transport.get_security_options().kex = (self._kex,)
                transport.add_server_key(self._key)
                self._transports.append(transport)
                transport.start_server(threading.Event(), _Interface(self._rules))
