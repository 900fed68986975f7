"""Mail: hands a message to an SMTP server. The only user of aiosmtplib, inside `asyncio.run` in the calling thread.

    connect -> [TLS] -> EHLO -> [STARTTLS] -> [AUTH] -> MAIL -> RCPT... -> DATA -> QUIT

aiosmtplib, asyncio, ssl and email are imported when a mail is sent: who mails once a month need not carry them.
"""

import logging
import os
import socket
from base64 import b64encode
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from ipaddress import ip_address
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

from ipwatch.net.mime import build, one_line
from ipwatch.ports import Busy, Garbled, Mail, MailServer, PortError, Refused, Unreachable

if TYPE_CHECKING:
    import asyncio
    import ssl

    import aiosmtplib

log = logging.getLogger("ipwatch")

_REMEMBERED = 64  # mails whose delivered part is kept in mind while the rest of their recipients is deferred
_QUIT_WITHIN = 2.0  # seconds; the mail is delivered by then, so a slow farewell is not waited for
_MECHANISMS = ("plain", "login", "cram-md5")  # all are equal inside TLS; one try, as wrong logins get people locked out
_MECHANISM_UNKNOWN = 504  # RFC 4954 4: the next mechanism may still do


class Reply(NamedTuple):
    """What a server answered: RFC 5321 4.2.1 code, and its text on one line without secrets."""

    code: int
    text: str


class SmtpMailer:
    """ports.Mailer over SMTP (RFC 5321), STARTTLS (RFC 3207), implicit TLS (RFC 8314 3) and AUTH (RFC 4954).

    A recipient's permanent refusal (5yz) does not keep the mail from the others: it is logged, and the mail counts as
    delivered. When one is deferred (4yz), the others get it and Unreachable(sent=True) is raised: the next try with the
    same id addresses only the rest (as long as this object lives; afterwards the Message-ID shows the repeat).
    """

    def __init__(self) -> None:
        self._taken: OrderedDict[str, frozenset[str]] = OrderedDict()
        self._lock = Lock()

    def send(self, mail: Mail, server: MailServer, within: timedelta) -> None:
        """Deliver to every recipient; see ports.Mailer for the errors. Not to be called from a running event loop."""
        import asyncio  # noqa: PLC0415

        _check(mail, server)
        with self._lock:
            taken = self._taken.get(mail.id, frozenset())
        left = tuple(to for to in dict.fromkeys(mail.to) if to not in taken)
        replies = asyncio.run(_Try(server, within).deliver(mail.sender, left, build(mail))) if left else {}
        self._settle(mail.id, _place(server), taken | (set(left) - replies.keys()), replies)

    def _settle(self, mail_id: str, place: str, taken: frozenset[str], replies: Mapping[str, Reply]) -> None:
        """What the recipients that were not taken come to. replies: the server's, for each of them."""
        deferred = {to: reply for to, reply in replies.items() if reply.code < 500}
        if not taken:
            raise _fault(place, next(iter((deferred or replies).values())))
        for to, reply in replies.items():
            log.warning(f"mail to {to} {'deferred' if to in deferred else 'refused'} by {place}: {_words(reply)}")
        with self._lock:
            self._taken.pop(mail_id, None)
            if deferred:
                self._taken[mail_id] = taken
                while len(self._taken) > _REMEMBERED:
                    self._taken.popitem(last=False)
        if deferred:
            raise Unreachable(f"{place} took the mail for some and deferred {', '.join(deferred)}", sent=True)


def _check(mail: Mail, server: MailServer) -> None:
    if not mail.to:
        raise Refused("the mail has no recipient", code="address")
    if server.security not in {"starttls", "tls", "none"}:
        raise Refused(f"{server.security!r} is not starttls, tls or none", code="security")
    if server.security == "none" and server.username is not None and not _loopback(server.host):
        raise Refused("a password is never sent without TLS: use security starttls or tls", code="security")


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower().rstrip(".") == "localhost"


class _Try:
    """One connection, one mail. sent: whether the server may have the message."""

    def __init__(self, server: MailServer, within: timedelta) -> None:
        self.server = server
        self.within = within.total_seconds()
        self.sent = False
        self.sock: socket.socket | None = None
        self.transport: asyncio.BaseTransport | None = None

    async def deliver(self, sender: str, to: Sequence[str], message: bytes) -> dict[str, Reply]:
        """The replies for the recipients that were not taken. Raises PortError."""
        import asyncio  # noqa: PLC0415

        from aiosmtplib import SMTPException  # noqa: PLC0415

        deadline = asyncio.get_running_loop().time() + self.within
        try:
            async with asyncio.timeout_at(deadline):
                smtp = await self._open(deadline)
                await self._secure(smtp)
                await self._login(smtp)
                replies = await self._hand_in(smtp, sender, to, message)
        except (SMTPException, OSError) as error:
            raise self._translate(error) from None
        else:
            await self._farewell(smtp, deadline)
            return replies
        finally:
            await self._drop()

    async def _open(self, deadline: float) -> "aiosmtplib.SMTP":
        """Connect (with implicit TLS where asked for) and read the greeting."""
        from aiosmtplib import SMTP  # noqa: PLC0415

        from ipwatch.net.connect import connect  # noqa: PLC0415

        self.sock = await connect(self.server.host, self.server.port, deadline)
        smtp = SMTP(
            hostname=self.server.host,
            sock=self.sock,
            timeout=None,  # the deadline over all is ours
            local_hostname=_literal(self.sock),
            use_tls=self.server.security == "tls",
            start_tls=False,
            tls_context=self._context() if self.server.security != "none" else None,
        )
        await smtp.connect()
        self.transport = smtp.transport
        return smtp

    def _context(self) -> "ssl.SSLContext":
        import ssl  # noqa: PLC0415

        try:
            return ssl.create_default_context(cafile=self.server.cafile)
        except OSError:
            raise Refused(f"{self.server.cafile} holds no readable certificates", code="cafile") from None

    async def _secure(self, smtp: "aiosmtplib.SMTP") -> None:
        if self.server.security != "starttls":
            return
        await smtp.ehlo()
        if not smtp.supports_extension("starttls"):
            raise Refused(f"{_place(self.server)} offers no STARTTLS; nothing is sent in the clear", code="starttls")
        await smtp.starttls()
        self.transport = smtp.transport

    async def _login(self, smtp: "aiosmtplib.SMTP") -> None:
        from aiosmtplib import SMTPAuthenticationError  # noqa: PLC0415

        if self.server.username is None:
            return
        await smtp.ehlo()
        user = self.server.username.encode()
        password = self.server.password.reveal().encode() if self.server.password else b""
        doors = {"plain": smtp.auth_plain, "login": smtp.auth_login, "cram-md5": smtp.auth_crammd5}
        for name in (name for name in _MECHANISMS if name in smtp.server_auth_methods):
            try:
                await doors[name](user, password)
            except SMTPAuthenticationError as error:
                if error.code != _MECHANISM_UNKNOWN:
                    raise
            else:
                return
        raise Refused(f"{_place(self.server)} offers no login by name and password", code="auth")

    async def _hand_in(
        self, smtp: "aiosmtplib.SMTP", sender: str, to: Sequence[str], message: bytes
    ) -> dict[str, Reply]:
        from aiosmtplib import SMTPRecipientRefused  # noqa: PLC0415

        await smtp.mail(sender)
        replies: dict[str, Reply] = {}
        for recipient in to:
            try:
                await smtp.rcpt(recipient)
            except SMTPRecipientRefused as error:
                replies[recipient] = self._reply(error.code, error.message)
        if len(replies) < len(to):
            self.sent = True
            await smtp.data(message)
        return replies

    async def _farewell(self, smtp: "aiosmtplib.SMTP", deadline: float) -> None:
        """QUIT, as RFC 5321 4.1.1.10 asks; whatever comes of it, the mail was taken."""
        import asyncio  # noqa: PLC0415

        from aiosmtplib import SMTPException  # noqa: PLC0415

        with suppress(SMTPException, OSError):
            async with asyncio.timeout_at(min(deadline, asyncio.get_running_loop().time() + _QUIT_WITHIN)):
                await smtp.quit()

    async def _drop(self) -> None:
        """Let go of the connection now: a TLS transport would wait for the other side's goodbye."""
        import asyncio  # noqa: PLC0415

        if isinstance(self.transport, asyncio.WriteTransport):
            self.transport.abort()
        for _ in range(3):  # the loop's turns in which a transport closes its socket
            await asyncio.sleep(0)
        if self.sock is not None:
            self.sock.close()

    def _translate(self, error: Exception) -> PortError:
        """The port's error for one of aiosmtplib's, of ssl's or of the system's."""
        import ssl  # noqa: PLC0415

        from aiosmtplib import SMTPException, SMTPResponseException  # noqa: PLC0415

        place = _place(self.server)
        cause = error.__cause__ if isinstance(error.__cause__, ssl.SSLError) else error
        match cause:
            case ssl.SSLCertVerificationError():
                return Refused(f"the certificate of {place} is not trusted: {cause.verify_message}", code="certificate")
            case ssl.SSLError(reason="WRONG_VERSION_NUMBER" | "HTTP_REQUEST"):
                return Refused(f"{place} does not begin with TLS: is security starttls meant?", code="tls")
            case SMTPResponseException():
                return _fault(place, self._reply(cause.code, cause.message))
            case TimeoutError():
                return Unreachable(f"{place} did not answer within {self.within:g} s", sent=self.sent)
            case OSError():
                return Unreachable(f"{place}: {_why(cause)}", sent=self.sent)
            case SMTPException():
                return Refused(f"{place}: {self._reply(0, str(cause)).text}")
        raise error

    def _reply(self, code: int, text: str) -> Reply:
        """A reply without what we may have told the server: some echo the login."""
        if self.server.password:
            secret = self.server.password.reveal()
            user = self.server.username or ""
            spoken = (f"\0{user}\0{secret}", f"{user}\0{user}\0{secret}", secret)
            for part in (*(b64encode(s.encode()).decode() for s in spoken), secret):
                text = text.replace(part, "***")
        return Reply(code, one_line(text)[:120])


def _fault(place: str, reply: Reply) -> PortError:
    """RFC 5321 4.2.1: 4yz may do later, 5yz will not; anything else stands where no reply of its kind may stand."""
    if 400 <= reply.code < 500:
        return Busy(f"{place} asks to come back later: {_words(reply)}", code=str(reply.code))
    if 500 <= reply.code < 600:
        return Refused(f"{place} refuses: {_words(reply)}", code=str(reply.code))
    return Garbled(f"{place} does not speak SMTP", excerpt=reply.text)


def _words(reply: Reply) -> str:
    return f"{reply.code} {reply.text}".strip()


def _why(error: OSError) -> str:
    """The system's reason; aiosmtplib wraps it in its own sentence, which we do not repeat."""
    inner = error.__cause__ if isinstance(error.__cause__, OSError) else error
    return os.strerror(inner.errno) if inner.errno else inner.strerror or "the connection was lost"


def _place(server: MailServer) -> str:
    return f"[{server.host}]:{server.port}" if ":" in server.host else f"{server.host}:{server.port}"


def _literal(sock: socket.socket) -> str:
    """The EHLO name: our address as a literal (RFC 5321 4.1.3). A container's host name is no name at all."""
    host = sock.getsockname()[0].partition("%")[0]
    return f"[IPv6:{host}]" if ":" in host else f"[{host}]"
