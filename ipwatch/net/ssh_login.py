"""Authentication (RFC 4252, RFC 4256) in ssh's order: keys, then questions of the server, then the password."""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from paramiko.message import Message

from ipwatch.net import ssh_keys
from ipwatch.net.ssh_agent import Agent, AgentFault, AgentKey
from ipwatch.net.ssh_connection import Connection
from ipwatch.net.ssh_keys import CERT, BadPassphrase, Credential, Identity, KeyFault, Private
from ipwatch.ports import Unreachable
from ipwatch.ports.remote import Login, LoginRefused, Prompt

_SERVICE_ACCEPT, _FAILURE, _SUCCESS, _BANNER, _ASKED, _CHANGE = 6, 51, 52, 53, 60, 60
_ORDER = ("publickey", "keyboard-interactive", "password")
_PROMPTS = 3  # ssh_config(5), NumberOfPasswordPrompts; the same for passphrases
_AGENT = 30.0  # seconds: an agent may ask its user before it signs
_ROUNDS = 20  # questions of one keyboard-interactive dialogue


T = TypeVar("T")


class _Denied(Exception):
    """The method did not succeed."""


class Attempt:
    """One login. Everything it waits for is bounded: the server by the deadline, which a user's thinking extends."""

    def __init__(self, link: Connection, who: Login, within: float) -> None:
        self._link = link
        self._who = who
        self._within = within
        self._deadline = time.monotonic() + within
        self._allowed: tuple[str, ...] = _ORDER
        self._tried: list[str] = []
        self._notes: list[str] = []
        self._asks = {"keyboard-interactive": _PROMPTS, "password": _PROMPTS}
        self._agent: Agent | None = None
        self._left: list[Credential] = []

    def run(self) -> None:
        """Log in; raises LoginRefused or Unreachable."""
        try:
            self._collect()
            self._ask_for_service()
            if not self._left:
                self._learn()
            while (method := self._next()) is not None:
                try:
                    self._try(method)
                except _Denied:
                    continue
                self._link.authenticated = True
                return
            raise LoginRefused(self._clause())
        except EOFError:
            raise self._ended() from None
        finally:
            if self._agent is not None:
                self._agent.close()

    def _next(self) -> str | None:
        for method in _ORDER:
            left = bool(self._left) if method == "publickey" else self._asks[method] > 0
            if method in self._allowed and left:
                return method
        return None

    def _try(self, method: str) -> None:
        if method == "publickey":
            self._publickey(self._left.pop(0))
        elif method == "keyboard-interactive":
            self._asks[method] -= 1
            self._interactive()
        else:
            self._asks[method] -= 1
            self._password()

    # What there is to try.

    def _collect(self) -> None:
        identities: list[Identity] = []
        missing: list[str] = []
        for path in self._who.identities:
            try:
                identities.append(ssh_keys.read(path))
            except FileNotFoundError:
                missing.append(str(path))
            except KeyFault as fault:
                self._notes.append(str(fault))
        if missing and not identities:
            self._notes.append(f"{', '.join(missing[:3])} can not be found")
        held: tuple[AgentKey, ...] = ()
        if self._who.agent:
            try:
                self._agent = Agent(self._who.agent, _AGENT)
                held = self._agent.keys(_AGENT)
            except AgentFault as fault:
                self._notes.append(str(fault))
        self._left = ssh_keys.credentials(identities, held, only=self._who.identities_only)
        for one in identities:
            if not one.text and not any(c.identity is one for c in self._left):
                self._notes.append(f"the agent does not hold the private half of {one.path}")

    # The ways.

    def _publickey(self, one: Credential) -> None:
        private = None
        if one.in_agent is None and one.identity is not None and not (one.identity.locked and one.public):
            private = self._unlock(one.identity)  # without a passphrase, or its public half is not known before
        public = one.public
        if public is None and private is not None:
            public = private.public
        if public is None:
            raise _Denied
        algorithm = self._algorithm(public.kind)
        self._tried.append(one.label)
        if private is None:
            self._send("publickey", False, algorithm, public.blob)
            if self._answer() != _ASKED:
                return
            if one.in_agent is None and one.identity is not None:
                private = self._unlock(one.identity)
        body = self._request("publickey", True, algorithm, public.blob)
        session = Message()
        session.add_string(self._link.session_id)
        signature = self._sign(one, private, session.asbytes() + body.asbytes(), algorithm)
        body.add_string(signature)
        self._link.send(body)
        self._answer()

    def _sign(self, one: Credential, private: Private | None, data: bytes, algorithm: str) -> bytes:
        if private is not None:
            return private.sign(data, algorithm.removesuffix(CERT))
        try:
            if (agent := self._agent) is None or (key := one.in_agent) is None:
                raise AgentFault("there is no agent")
            return self._thinking(lambda: agent.sign(key, data, algorithm, _AGENT))
        except AgentFault as fault:
            self._notes.append(f"{one.label} can not sign: {fault}")
            raise _Denied from None

    def _algorithm(self, kind: str) -> str:
        """RSA keys sign with SHA-2 (RFC 8332 3.1), as the server likes it."""
        if kind.removesuffix(CERT) != "ssh-rsa":
            return kind
        liked = self._link.server_extensions.get("server-sig-algs", b"").decode("ascii", "replace").split(",")
        best = "rsa-sha2-256" if "rsa-sha2-256" in liked and "rsa-sha2-512" not in liked else "rsa-sha2-512"
        return best + (CERT if kind.endswith(CERT) else "")

    def _unlock(self, identity: Identity) -> Private:
        try:
            if not identity.locked:
                return ssh_keys.unlock(identity, None)
            text = f"Passphrase for {identity.path}: "
            for _ in range(_PROMPTS):
                passphrase = self._ask(Prompt(text))
                if not passphrase:
                    self._notes.append(f"no passphrase was given for {identity.path}")
                    raise _Denied
                with suppress(BadPassphrase):
                    return ssh_keys.unlock(identity, passphrase)
                text = f"That was not it. Passphrase for {identity.path}: "
            self._notes.append(f"the passphrases given for {identity.path} are wrong")
        except KeyFault as fault:
            self._notes.append(str(fault))
        raise _Denied

    def _interactive(self) -> None:
        self._send("keyboard-interactive", "", "")
        for _ in range(_ROUNDS):
            if self._answer() != _ASKED:
                return
            m = self._last
            title, words, _language, count = m.get_text(), m.get_text(), m.get_text(), min(m.get_int(), 32)
            prompts = [(m.get_text(), m.get_boolean()) for _ in range(count)]
            reply = Message()
            reply.add_byte(b"\x3d")
            reply.add_int(count)
            lead = _printable("\n".join(part for part in (title, words) if part))
            for text, echo in prompts:
                answer = self._ask(Prompt((f"{lead}\n" if lead else "") + _printable(text), echo))
                lead = ""
                if answer is None:
                    self._asks["keyboard-interactive"] = 0
                    self._asks["password"] = 0  # whoever gave up, or is not there, is not asked again
                    raise _Denied
                reply.add_string(answer)
            self._tried.append("keyboard-interactive")
            self._link.send(reply)
        raise _Denied

    def _password(self) -> None:
        again = "password" in self._tried
        name = f"{self._who.user}@{self._who.host}"
        word = self._ask(Prompt(f"{'That was not it. ' if again else ''}Password of {name}: "))
        if word is None:
            self._asks["password"] = 0
            raise _Denied
        self._tried.append("password")
        self._send("password", False, word)
        if self._answer() == _CHANGE:
            raise LoginRefused("the password has expired: log in with ssh once to set a new one")

    # Talking.

    def _ask_for_service(self) -> None:
        """RFC 4253 10. The first request follows at once: its answer would only cost a round trip more."""
        message = Message()
        message.add_byte(b"\x05")
        message.add_string("ssh-userauth")
        self._link.send(message)

    def _learn(self) -> None:
        """Ask which ways there are (RFC 4252 5.2)."""
        self._send("none")
        with suppress(_Denied):
            if self._answer() == _SUCCESS:
                raise LoginRefused("it lets anybody in without a key, which no host of ours does")

    def _request(self, method: str, *fields: bool | str | bytes) -> Message:
        message = Message()
        message.add_byte(b"\x32")
        for text in (self._who.user, "ssh-connection", method):
            message.add_string(text)
        for field in fields:
            message.add_boolean(field) if isinstance(field, bool) else message.add_string(field)
        return message

    def _send(self, method: str, *fields: bool | str | bytes) -> None:
        self._link.send(self._request(method, *fields))

    def _answer(self) -> int:
        """The next answer that decides; raises _Denied for a failure (RFC 4252 5.1), EOFError, Unreachable."""
        while True:
            left = self._deadline - time.monotonic()
            if left <= 0 or not self._link.answered.acquire(timeout=left):
                raise Unreachable(f"it did not answer the login within {self._within:g} s", sent=True)
            if not self._link.answers:
                raise EOFError
            number, self._last = self._link.answers.popleft()
            if number in {_SERVICE_ACCEPT, _BANNER}:
                continue
            if number == _FAILURE:
                self._allowed = tuple(self._last.get_list())
                raise _Denied
            return number

    def _ask(self, prompt: Prompt) -> str | None:
        return self._thinking(lambda: self._who.ask(prompt))

    def _thinking(self, act: Callable[[], T]) -> T:
        began = time.monotonic()
        try:
            return act()
        finally:
            self._deadline += time.monotonic() - began

    # Why not.

    def _clause(self) -> str:
        tried = ", ".join(dict.fromkeys(self._tried)) or "nothing"
        takes = ", ".join(self._allowed) or "nothing"
        return "; ".join((f"tried {tried} for user {self._who.user}", f"it would take {takes}", *self._notes))

    def _ended(self) -> LoginRefused | Unreachable:
        if "too many authentication failures" in self._link.farewell.lower():
            count = len(self._tried)
            return LoginRefused(
                f"too many authentication failures: it allows no more after {count} tries; name the key that fits "
                f"as `identity`"
            )
        return Unreachable(f"during the login {self._link.reason()}", sent=True)


def _printable(text: str) -> str:
    """What a server says is shown without anything that could steer a terminal."""
    return "".join(c for c in text if c.isprintable() or c == "\n")[:2000]
