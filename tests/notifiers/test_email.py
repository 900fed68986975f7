"""notifiers.email."""

from datetime import timedelta

import pytest

from ipwatch.net.mail import SmtpMailer
from ipwatch.notifiers.email import PLUGIN, Settings, mailbox, place
from ipwatch.ports import Notifier, Secret, Unreachable
from tests.contracts.notifier import CHANGED, SOON, NotifierContract, message, refused
from tests.fakes.notifying import KeptMail, tools
from tests.fakes.smtp_server import SmtpServer


def settings(**more: object) -> Settings:
    return Settings(**{"server": "mail.example", "sender": "ipwatch@home.example", "to": ("me@home.example",), **more})  # type: ignore[arg-type]


class TestEmail(NotifierContract):
    """The contract, with a mailer that keeps what it is given."""

    plugin = PLUGIN

    def notifier(self) -> Notifier:
        self.mailer = KeptMail()
        return PLUGIN.build(settings(), tools(mailer=self.mailer))

    def delivered(self) -> int:
        return len(self.mailer.mails)

    def broken(self) -> Notifier:
        return PLUGIN.build(settings(), tools(mailer=KeptMail(Unreachable("mail.example:587 did not answer"))))

    def test_the_mail_is_the_message(self) -> None:
        """Id, time and words go over unchanged, to the server with the default port of its security."""
        told = message(CHANGED)
        self.notifier().send(told, SOON)
        mail, server = self.mailer.mails[0]
        assert (mail.id, mail.at, mail.subject, mail.text, mail.html) == (
            told.id, told.at, told.subject, told.text, told.html,
        )  # fmt: skip
        assert (server.host, server.port, server.security) == ("mail.example", 587, "starttls")


def test_it_delivers_through_a_real_server() -> None:
    """With the real mailer and a real SMTP server the message arrives."""
    with SmtpServer() as server:
        given = tools(mailer=SmtpMailer())  # type: ignore[arg-type]
        made = PLUGIN.build(settings(server=f"127.0.0.1:{server.port}", security="none"), given)
        made.send(message(CHANGED), timedelta(seconds=10))
    assert server.mails[0]["Subject"] == "Home address changed: 25.1.2.3 -> 25.5.6.7"


@pytest.mark.parametrize(
    ("text", "security", "expected"),
    [
        ("mail.example", "starttls", ("mail.example", 587)),
        ("mail.example", "tls", ("mail.example", 465)),
        ("mail.example", "none", ("mail.example", 25)),
        ("Mail.Example:2525", "tls", ("mail.example", 2525)),
        ("bücher.example", "tls", ("xn--bcher-kva.example", 465)),
        ("127.0.0.1:25", "none", ("127.0.0.1", 25)),
        ("[::1]:2525", "none", ("::1", 2525)),
        ("[::1]", "none", ("::1", 25)),
        ("::1", "none", ("::1", 25)),
    ],
)
def test_where_the_server_is(text: str, security: str, expected: tuple[str, int]) -> None:
    """Host, host and port, and IPv6 addresses with and without brackets."""
    assert place(text, security) == expected


@pytest.mark.parametrize("text", ["", ":25", "a b", "mail.example:", "mail.example:0", "mail.example:70000",
                                  "mail.example:x", "[::1", "[::1]x", "mail.example\r\n", "a\0b", "h:٣"])  # fmt: skip
def test_a_server_that_is_none_is_refused(text: str) -> None:
    """Anything else is a clause for the user."""
    assert refused(lambda: place(text if text != "mail.example\r\n" else "mail\r\n.example", "tls"))


@pytest.mark.parametrize("text", ["", "me", "@x.example", "me@", "a b@x.example", "me@x.example\r\nBcc: you@x.example",
                                  "Me <me@x.example>", "a@b@x.example", ".a@x.example", "grün@x.example",
                                  "a" * 65 + "@x.example"])  # fmt: skip
def test_an_address_that_is_none_is_refused(text: str) -> None:
    """Sender and recipients are bare addresses without line breaks."""
    assert refused(lambda: mailbox(text))
    assert refused(lambda: settings(sender=text))
    assert refused(lambda: settings(to=("me@x.example", text)))


def test_the_domain_of_an_address_is_written_in_a_labels() -> None:
    """An address in an internationalised domain needs no SMTPUTF8."""
    assert mailbox("me@bücher.example") == "me@xn--bcher-kva.example"


def test_combinations_that_can_not_work_are_refused() -> None:
    """A login without its other half, over plain text, STARTTLS on 465 and nobody to write to are told at once."""
    pw = Secret("hush-hush")
    faults = [
        refused(lambda: settings(username="me")),
        refused(lambda: settings(password=pw)),
        refused(lambda: settings(username="me\r\n", password=pw)),
        refused(lambda: settings(security="none", username="me", password=pw)),
        refused(lambda: settings(server="mail.example:465")),
        refused(lambda: settings(to=())),
    ]
    assert "hush" not in " ".join(faults)
    assert settings(server="localhost", security="none", username="me", password=pw)
    assert "hush" not in repr(settings(username="me", password=pw))
