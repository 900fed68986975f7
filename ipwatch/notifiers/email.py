"""email: a mail for each message, through the user's mail server."""

from collections.abc import Mapping
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import ClassVar, Literal

from ipwatch.core.dnsname import BadName, canonical
from ipwatch.ports import Mail, Mailer, MailServer, Message, Notifier, NotifierOptions, Plugin, Secret, Tools
from ipwatch.protocols.hostport import BadHostPort, split

PORTS = {"starttls": 587, "tls": 465, "none": 25}  # RFC 6409 3.1, RFC 8314 7.3, RFC 5321 4.5.4.2
_LOCAL_EXTRA = "!#$%&'*+/=?^_`{|}~-."  # RFC 5322 3.2.3 atext, and the dot


class Settings(NotifierOptions, frozen=True, kw_only=True):
    """`[[notify]]` with kind = "email"."""

    DOC: ClassVar[Mapping[str, str]] = {
        "server": '"host" or "host:port"; default port 587 with starttls, 465 with tls, 25 with none',
        "security": '"starttls" (required, never left out), "tls" from the start, or "none"',
        "username": "the login, if the server wants one",
        "password": "its password; never sent without TLS, except to this machine itself",
        "sender": "the address mails come from",
        "to": "the addresses they go to",
        "cafile": "trust the certificate authorities in this file instead of the system's",
    }

    server: str
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str | None = None
    password: Secret | None = None
    sender: str
    to: tuple[str, ...]
    cafile: Path | None = None

    def __post_init__(self) -> None:
        host, port = place(self.server, self.security)
        if not self.to:
            raise ValueError("to names nobody")
        for text in (self.sender, *self.to):
            mailbox(text)
        if (self.username is None) != (not self.password):
            raise ValueError("username and password belong together: one of them is missing")
        if self.username is not None and not self.username.isprintable():
            raise ValueError("username holds a control character")
        if self.security == "starttls" and port == PORTS["tls"]:
            raise ValueError('port 465 speaks TLS from the start (RFC 8314): security = "tls"')
        if self.security == "none" and self.username is not None and not _loopback(host):
            raise ValueError('a password is never sent without TLS: security = "starttls" or "tls"')


def place(server: str, security: str) -> tuple[str, int]:
    """ "host", "host:port", "[IPv6]:port" or a bare IPv6 address -> (host, port); raises ValueError."""
    try:
        host, port = split(server, PORTS[security])
    except BadHostPort as error:
        raise ValueError(f"server {error}") from None
    return _host(host), port


def _host(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        pass
    try:
        return canonical(text)
    except BadName as error:
        raise ValueError(f"server has no host name: {error}") from None


def mailbox(text: str) -> str:
    """A bare mail address, its domain as A-labels; raises ValueError. Display names and quoted forms are not taken."""
    local, at, domain = text.rpartition("@")
    fits = local.isascii() and all(c.isalnum() or c in _LOCAL_EXTRA for c in local) and all(local.split("."))
    if not at or not fits or len(local) > 64:  # RFC 5321 4.5.3.1.1
        raise ValueError(f"{text[:80]!r} is not a mail address such as me@example.org")
    try:
        return f"{local}@{canonical(domain)}"
    except BadName as error:
        raise ValueError(f"{text[:80]!r} is not a mail address: {error}") from None


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class EmailNotifier:
    """Tells by mail."""

    reflects = False

    def __init__(self, settings: Settings, mailer: Mailer) -> None:
        host, port = place(settings.server, settings.security)
        self._server = MailServer(
            host, port, settings.security, settings.username, settings.password, settings.cafile
        )  # fmt: skip
        self._sender = mailbox(settings.sender)
        self._to = tuple(mailbox(to) for to in settings.to)
        self._mailer = mailer

    def send(self, message: Message, within: timedelta) -> None:
        """Hand it to the server; raises what ports.Mailer raises."""
        mail = Mail(message.id, message.at, self._sender, self._to, message.subject, message.text, message.html)
        self._mailer.send(mail, self._server, within)


def _build(settings: Settings, tools: Tools) -> Notifier:
    return EmailNotifier(settings, tools.mailer)


PLUGIN: Plugin[Settings, Notifier] = Plugin(
    title="a mail through your mail server (STARTTLS, TLS, login)",
    manual="https://www.rfc-editor.org/rfc/rfc6409",
    settings=Settings,
    build=_build,
)
