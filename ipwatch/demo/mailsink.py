"""A small mail server that keeps what it is sent (RFC 5321, without TLS and without logins)."""

import email
import email.policy
import re
import socketserver
from dataclasses import dataclass, field
from email.message import EmailMessage

from ipwatch.demo.journal import Journal
from ipwatch.demo.line import Line, TcpServer

SIZE = 1_048_576  # bytes of one message (announced by RFC 1870 SIZE)
LINE = 1000  # bytes of one line with its CR LF (RFC 5321 4.5.3.1.6)
RECIPIENTS = 100  # the least a server must take (RFC 5321 4.5.3.1.8)
_IDLE = 60.0  # seconds
_PATH = re.compile(r"(FROM|TO):\s*<([^<>\s]*)>((?:\s+\S+)*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Received:
    """One mail as it came: the envelope and the parsed message."""

    sender: str
    to: tuple[str, ...]
    message: EmailMessage

    @property
    def text(self) -> str:
        """Its plain text part, lines ended by LF."""
        part = self.message.get_body(("plain",))
        return str(part.get_content()).replace("\r\n", "\n") if part is not None else ""


@dataclass(slots=True)
class _Envelope:
    sender: str | None = None
    to: list[str] = field(default_factory=list)


class MailSink(TcpServer):
    """Takes every mail for everybody; `mails` has them in order."""

    def __init__(self, line: Line, journal: Journal) -> None:
        self.journal = journal
        self.mails: list[Received] = []
        super().__init__(line, _Dialogue)

    def keep(self, sender: str, to: list[str], content: bytes) -> None:
        """Put a mail away."""
        message = email.message_from_bytes(content, policy=email.policy.default)
        self.mails.append(Received(sender, tuple(to), message))
        self.journal.note("mail", "mail", str(message["Subject"] or ""), about=", ".join(to))


class _Dialogue(socketserver.StreamRequestHandler):
    server: MailSink
    timeout = _IDLE

    def handle(self) -> None:
        self.envelope = _Envelope()
        self.greeted = False
        self._say("220 mail.demo.example ESMTP")
        while line := self.rfile.readline(LINE + 1):
            if len(line) > LINE:
                while line and not line.endswith(b"\n"):
                    line = self.rfile.readline(LINE)
                self._say("500 5.5.2 line too long")
            elif not line.endswith(b"\r\n") or not line.isascii():
                self._say("500 5.5.2 a line is ASCII and ends with CR LF")
            elif not self._command(line.decode().rstrip("\r\n")):
                return

    def _say(self, *lines: str) -> None:
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())

    def _command(self, line: str) -> bool:
        verb, _, rest = line.partition(" ")
        match verb.upper():
            case "EHLO" | "HELO" if rest:
                self.envelope, self.greeted = _Envelope(), True
                helo = ("250 mail.demo.example",)
                self._say(
                    *(("250-mail.demo.example", "250-8BITMIME", f"250 SIZE {SIZE}") if verb.upper() == "EHLO" else helo)
                )
            case "EHLO" | "HELO":
                self._say("501 5.5.4 say who you are")
            case "MAIL":
                self._mail(rest)
            case "RCPT":
                self._rcpt(rest)
            case "DATA":
                return self._data(rest)
            case "RSET":
                self.envelope = _Envelope()
                self._say("250 2.0.0 forgotten")
            case "NOOP":
                self._say("250 2.0.0 still here")
            case "QUIT":
                self._say("221 2.0.0 bye")
                return False
            case "AUTH" | "STARTTLS" | "VRFY" | "EXPN" | "HELP":
                self._say("502 5.5.1 not offered here")
            case _:
                self._say("500 5.5.2 no such command")
        return True

    def _mail(self, rest: str) -> None:
        path = _PATH.fullmatch(rest)
        if not self.greeted or self.envelope.sender is not None:
            self._say("503 5.5.1 not now")
        elif path is None or path[1].upper() != "FROM":
            self._say("501 5.5.4 MAIL FROM:<address>")
        elif (size := re.search(r"\bSIZE=(\d+)", path[3], re.IGNORECASE)) and int(size[1]) > SIZE:
            self._say("552 5.3.4 too big")
        else:
            self.envelope.sender = path[2]
            self._say("250 2.1.0 ok")

    def _rcpt(self, rest: str) -> None:
        path = _PATH.fullmatch(rest)
        if self.envelope.sender is None:
            self._say("503 5.5.1 first MAIL")
        elif path is None or path[1].upper() != "TO" or "@" not in path[2]:
            self._say("501 5.5.4 RCPT TO:<address>")
        elif len(self.envelope.to) >= RECIPIENTS:
            self._say("452 4.5.3 too many recipients")
        else:
            self.envelope.to.append(path[2])
            self._say("250 2.1.5 ok")

    def _data(self, rest: str) -> bool:
        if rest:
            self._say("501 5.5.4 DATA stands alone")
            return True
        if not self.envelope.to:
            self._say("503 5.5.1 first RCPT")
            return True
        self._say("354 go on, end with a dot")
        content = self._content()
        if content is None:
            return False  # the line went in the middle: a mail without its end was never sent
        envelope, self.envelope = self.envelope, _Envelope()
        if len(content) > SIZE:
            self._say("552 5.3.4 too big")
            return True
        self.server.keep(envelope.sender or "", envelope.to, content)
        self._say("250 2.0.0 kept")
        return True

    def _content(self) -> bytes | None:
        """The lines up to the lone dot, dots unstuffed (RFC 5321 4.5.2); None when the end never came."""
        content = bytearray()
        fresh = True  # at the start of a line: only CR LF ends one, or a bare LF could smuggle a second mail in
        while line := self.rfile.readline(LINE):
            if fresh and line == b".\r\n":
                return bytes(content)
            if len(content) <= SIZE:
                content += line[1:] if fresh and line.startswith(b".") else line
            fresh = line.endswith(b"\r\n")
        return None
