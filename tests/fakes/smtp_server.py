"""A real SMTP server (aiosmtpd) on an ephemeral loopback port, told how to be awkward."""

import asyncio
import email
import email.policy
import gc
import ssl
import warnings
from collections.abc import Callable
from email.message import EmailMessage
from threading import Event, Thread
from typing import Any, Self

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword


class SmtpServer:
    """Keeps what it takes in `mails`, and the envelopes' recipients in `envelopes`.

    rcpt: recipient -> a reply, or None to take it. data: a reply, or None to take the mail; "drop" hangs up and "hang"
    never answers, both after the message has come. login: (user, password) that is let in, over TLS only unless
    `plain_login`.
    """

    def __init__(
        self,
        *,
        starttls: ssl.SSLContext | None = None,
        tls: ssl.SSLContext | None = None,
        login: tuple[str, str] | None = None,
        plain_login: bool = False,
        rcpt: Callable[[str], str | None] = lambda _: None,
        data: Callable[[], str | None] = lambda: None,
        refusal: str | None = None,
    ) -> None:
        self.mails: list[EmailMessage] = []
        self.envelopes: list[list[str]] = []
        self.logins: list[tuple[str, str, str]] = []
        self.helo: str = ""
        self.port = 0
        self._tls, self._starttls, self._login = tls, starttls, login
        self._plain_login, self._rcpt, self._data, self._refusal = plain_login, rcpt, data, refusal
        self._open: list[SMTP] = []
        self._ready = Event()
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        with warnings.catch_warnings():
            # asyncio drops a connection whose TLS never came about without closing it: that is ours, not the mailer's.
            ours = rf"unclosed .*laddr=\('127\.0\.0\.1', {self.port}\)"
            warnings.filterwarnings("ignore", ours, ResourceWarning)
            self._open.clear()
            gc.collect()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(self._loop.create_server(self._protocol, "127.0.0.1", 0, ssl=self._tls))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        for protocol in self._open:
            if isinstance(protocol.transport, asyncio.WriteTransport):
                protocol.transport.abort()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.run_until_complete(asyncio.sleep(0.01))
        self._loop.close()

    def _protocol(self) -> SMTP:
        made = SMTP(
            self,
            hostname="mail.test",
            loop=self._loop,
            tls_context=self._starttls,
            authenticator=self._authenticate if self._login else None,
            auth_require_tls=not (self._plain_login or self._tls),
        )
        self._open.append(made)
        return made

    def _authenticate(self, _server: SMTP, _session: Any, _envelope: Any, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        told = (data.login.decode(), data.password.decode())
        self.logins.append((mechanism, *told))
        if told == self._login:
            return AuthResult(success=True)
        # An awkward server: it repeats what it was told.
        return AuthResult(success=False, handled=False, message=f"535 5.7.8 no {told[0]} with {told[1]}")

    async def handle_EHLO(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, session: Any, _envelope: Any, hostname: str, responses: list[str]
    ) -> list[str]:
        self.helo = session.host_name = hostname
        return responses

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, session: Any, envelope: Any, address: str, _options: list[str]
    ) -> str:
        if self._login and not session.authenticated:
            return "530 5.7.0 log in first"
        if (reply := self._rcpt(address)) is not None:
            return reply
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Any, envelope: Any) -> str:  # noqa: N802
        reply = self._data()
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        if reply is None or reply in {"drop", "hang"}:
            self.mails.append(message)
            self.envelopes.append(list(envelope.rcpt_tos))
        if reply == "drop":
            assert server.transport is not None
            server.transport.abort()
        if reply == "hang":
            await asyncio.sleep(60)
        return reply or "250 OK"
