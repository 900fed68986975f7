"""Mime: a Mail as the bytes that are sent. `email` is imported when it is needed, as all of mail is."""

import hashlib
import re

from ipwatch.ports import Mail, Refused

_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_DOT_ATOM = re.compile(rf"{_ATEXT}(\.{_ATEXT})*\Z")  # RFC 5322 3.2.3
_ADDRESS = re.compile(rf"{_ATEXT}(\.{_ATEXT})*@[A-Za-z0-9.:_\[\]-]+\Z")  # ASCII only: SMTPUTF8 is not spoken


def build(mail: Mail) -> bytes:
    """The message as sent: text and HTML alternatives in 7 bit. Raises Refused for an address that is none.

    Line breaks in the subject become spaces, so no header can be smuggled in.
    """
    from email.message import EmailMessage  # noqa: PLC0415
    from email.policy import SMTP  # noqa: PLC0415
    from email.utils import format_datetime  # noqa: PLC0415

    for address in (mail.sender, *mail.to):
        if not _ADDRESS.match(address):
            raise Refused(f"{address[:80]!r} is not a mail address", code="address")
    message = EmailMessage(policy=SMTP.clone(cte_type="7bit"))
    message["Date"] = format_datetime(mail.at)
    message["From"] = mail.sender
    message["To"] = ", ".join(mail.to)
    message["Subject"] = one_line(mail.subject)
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834 5: no out-of-office answers
    message.set_content(mail.text)
    message.add_alternative(mail.html, subtype="html")
    # Written by hand: EmailMessage folds a long Message-ID into encoded words, which no reader takes for one.
    return f"Message-ID: {_message_id(mail)}\r\n".encode("ascii") + message.as_bytes()


def _message_id(mail: Mail) -> str:
    """RFC 5322 3.6.4; an id that can not stand there is replaced by its digest, the same in every try."""
    fits = len(mail.id) <= 64 and _DOT_ATOM.match(mail.id)
    left = mail.id if fits else hashlib.sha256(mail.id.encode("utf-8", "surrogatepass")).hexdigest()[:40]
    return f"<{left}@{mail.sender.rpartition('@')[2]}>"


def one_line(text: str) -> str:
    """The text without control characters, on one line."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
