"""net.mail against a real Postfix with our own certificate authority and Cyrus SASL."""

import email
import email.policy
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ipwatch.net.mail import SmtpMailer
from ipwatch.ports import Mail, MailServer, Refused, Secret
from tests.fakes.ca import Authority
from tests.fakes.postfix import Postfix, missing

pytestmark = [pytest.mark.real, pytest.mark.skipif(bool(missing()), reason=missing() or "-")]

SOON = timedelta(seconds=20)
PASSWORD = "correct horse"
MAIL = Mail(
    "postfix-1",
    datetime(2026, 11, 23, 3, 41, tzinfo=UTC),
    "ipwatch@home.example",
    ("anna@home.example", "ben@home.example"),
    "Home address changed: 25.1.2.3 -> 25.5.6.7",
    "The text: grün.\n",
    "<p>The page</p>",
)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def postfix(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Postfix]:
    with Postfix(tmp_path_factory.mktemp("postfix"), authority.issue("localhost"), PASSWORD) as server:
        yield server


def door(postfix: Postfix, authority: Authority, security: str = "starttls", password: str = PASSWORD) -> MailServer:
    port = postfix.port if security == "starttls" else postfix.tls_port
    return MailServer("localhost", port, security, "me@mail.test", Secret(password), authority.cafile)


def test_postfix_delivers_to_both_over_starttls_and_over_tls(postfix: Postfix, authority: Authority) -> None:
    """After STARTTLS or TLS and a login, Postfix puts the mail into both mailboxes with its Message-ID unchanged."""
    SmtpMailer().send(MAIL, door(postfix, authority), SOON)
    SmtpMailer().send(MAIL, door(postfix, authority, "tls"), SOON)
    for user in ("anna", "ben"):
        mails = [email.message_from_bytes(raw, policy=email.policy.default) for raw in postfix.mails(user, 2)]
        assert [m["Message-ID"] for m in mails] == ["<postfix-1@home.example>"] * 2, postfix.log()
        assert mails[0].get_body(("plain",)).get_content() == MAIL.text  # type: ignore[union-attr]


def test_postfix_refuses_a_wrong_password(postfix: Postfix, authority: Authority) -> None:
    """SASL's 535 is Refused, tried once, and the password is not in the error."""
    with pytest.raises(Refused) as caught:
        SmtpMailer().send(MAIL, door(postfix, authority, password="wr0ng-Secret"), SOON)
    assert caught.value.code == "535"
    assert "wr0ng-Secret" not in str(caught.value)
    assert postfix.log().count("authentication failed") == 1


def test_postfix_refuses_one_recipient_and_delivers_to_the_other(postfix: Postfix, authority: Authority) -> None:
    """An unknown mailbox among the recipients keeps the mail from nobody else."""
    mail = replace(MAIL, id="postfix-2", to=("nobody@home.example", "anna@home.example"))
    SmtpMailer().send(mail, door(postfix, authority), SOON)
    mails = postfix.mails("anna", 3)
    assert any(b"<postfix-2@home.example>" in raw for raw in mails)


def test_postfix_with_an_unknown_authority_gets_nothing(postfix: Postfix, tmp_path: Path) -> None:
    """A certificate of an authority that is not trusted ends the try before the login."""
    other = Authority(tmp_path)
    with pytest.raises(Refused, match="not trusted"):
        SmtpMailer().send(replace(MAIL, id="postfix-3"), door(postfix, other), SOON)
