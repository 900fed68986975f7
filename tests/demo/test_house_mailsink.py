"""The house's mail server, spoken to by smtplib and by hand."""

import smtplib
import socket
from email.message import EmailMessage

import pytest

from ipwatch.demo.house import RESIDENT, House


def mail(text: str) -> EmailMessage:
    """A mail with that text and an HTML part."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "ipwatch@demo.example", RESIDENT, "Grüße"
    message.set_content(text)
    message.add_alternative(f"<p>{text}</p>", subtype="html")
    return message


class Talk:
    """A dialogue line by line."""

    def __init__(self, house: House) -> None:
        self.socket = socket.create_connection(("127.0.0.1", house.mail.port), timeout=2)
        self.lines = self.socket.makefile("rb")

    def say(self, line: bytes = b"") -> int:
        """Send it and give the code of the answer."""
        if line:
            self.socket.sendall(line)
        while (answer := self.lines.readline())[3:4] == b"-":
            pass
        return int(answer[:3])

    def close(self) -> None:
        """Hang up."""
        self.lines.close()
        self.socket.close()


def test_a_mail_arrives_whole():
    """Envelope, subject, text and lines that begin with a dot arrive as they were sent, twice in one connection."""
    with House() as house:
        with smtplib.SMTP("127.0.0.1", house.mail.port, timeout=2) as client:
            client.send_message(mail("first\n.\n..dots\n"))
            client.send_message(mail("second\n"))
        first, second = house.mail.mails
        assert (first.sender, first.to) == ("ipwatch@demo.example", (RESIDENT,))
        assert first.message["Subject"] == "Grüße"
        assert first.text == "first\n.\n..dots\n"
        assert second.text == "second\n"
        assert [n.subject for n in house.journal.since() if n.what == "mail"] == ["Grüße", "Grüße"]


def test_out_of_order_and_garbage():
    """Commands out of order get 503, malformed ones 501, unknown ones 500, those not offered 502; it goes on."""
    with House() as house:
        talk = Talk(house)
        assert talk.say() == 220
        steps = [
            (b"MAIL FROM:<a@demo.example>\r\n", 503),
            (b"EHLO\r\n", 501),
            (b"HELO me\r\n", 250),
            (b"EHLO me\r\n", 250),
            (b"RCPT TO:<a@demo.example>\r\n", 503),
            (b"DATA\r\n", 503),
            (b"MAIL FROM:a@demo.example\r\n", 501),
            (b"MAIL FROM:<a@demo.example> SIZE=9999999\r\n", 552),
            (b"MAIL FROM:<a@demo.example> SIZE=10 BODY=8BITMIME\r\n", 250),
            (b"MAIL FROM:<a@demo.example>\r\n", 503),
            (b"RCPT TO:<nobody>\r\n", 501),
            (b"RCPT TO:<b@demo.example>\r\n", 250),
            (b"DATA now\r\n", 501),
            (b"RSET\r\n", 250),
            (b"DATA\r\n", 503),
            (b"NOOP\r\n", 250),
            (b"STARTTLS\r\n", 502),
            (b"MEOW\r\n", 500),
            (b"\xff\xfe\r\n", 500),
            (b"NOOP\n", 500),
            (b"NOOP " + b"x" * 5000 + b"\r\n", 500),
            (b"NOOP\r\n", 250),
            (b"QUIT\r\n", 221),
        ]
        for line, code in steps:
            assert talk.say(line) == code, line
        talk.close()
        assert house.mail.mails == []


def test_too_many_and_too_much():
    """The 101st recipient gets 452, and a message over the size 552; neither breaks the dialogue."""
    with House() as house:
        talk = Talk(house)
        talk.say()
        talk.say(b"EHLO me\r\n")
        talk.say(b"MAIL FROM:<>\r\n")
        assert [talk.say(b"RCPT TO:<b@demo.example>\r\n") for _ in range(101)][-2:] == [250, 452]
        assert talk.say(b"DATA\r\n") == 354
        assert talk.say(b"x" * 1_100_000 + b"\r\n.\r\n") == 552
        assert talk.say(b"QUIT\r\n") == 221
        talk.close()
        assert house.mail.mails == []


def test_only_cr_lf_dot_cr_lf_ends_a_mail():
    """A dot between bare LFs does not end a mail, so no second one can be smuggled in."""
    with House() as house:
        talk = Talk(house)
        talk.say()
        for line in (b"EHLO me\r\n", b"MAIL FROM:<>\r\n", b"RCPT TO:<b@demo.example>\r\n", b"DATA\r\n"):
            talk.say(line)
        assert talk.say(b"Subject: one\r\n\r\na\n.\nMAIL FROM:<x@y>\n.\r\nb\r\n.\r\n") == 250
        talk.close()
        assert len(house.mail.mails) == 1


def test_a_mail_cut_off_by_the_line_is_not_kept():
    """When the line goes in the middle of DATA nothing is kept; while it is down nobody is greeted."""
    with House() as house:
        talk = Talk(house)
        talk.say()
        for line in (b"EHLO me\r\n", b"MAIL FROM:<>\r\n", b"RCPT TO:<b@demo.example>\r\n", b"DATA\r\n"):
            talk.say(line)
        talk.socket.sendall(b"Subject: half\r\n")
        house.line_down()
        with pytest.raises((ConnectionError, ValueError)):
            talk.say(b".\r\n")
        talk.close()
        with pytest.raises((OSError, smtplib.SMTPException)):
            smtplib.SMTP("127.0.0.1", house.mail.port, timeout=2)
        assert house.mail.mails == []
