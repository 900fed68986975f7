"""net.mail against a real Postfix with our own certificate authority. Logins are in test_mail_login."""

import email
import email.policy
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from ipwatch.net.mail import SmtpMailer
from ipwatch.ports import Mail, MailServer, Refused
from tests.fakes.ca import Authority
from tests.fakes.postfix import Postfix, missing

pytestmark = [pytest.mark.real, pytest.mark.skipif(bool(missing()), reason=missing() or "-")]

SOON = timedelta(seconds=20)
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
def postfix(authority: Authority) -> Iterator[Postfix]:
    # Not pytest's own folder: that one is closed to all but root, and Postfix gives up root.
    with TemporaryDirectory(prefix="ipwatch-postfix-") as folder:
        Path(folder).chmod(0o755)
        with Postfix(Path(folder), authority.issue("localhost")) as server:
            yield server


def door(postfix: Postfix, authority: Authority, security: str = "starttls") -> MailServer:
    port = postfix.port if security == "starttls" else postfix.tls_port
    return MailServer("localhost", port, security, cafile=authority.cafile)


def test_postfix_delivers_to_both_over_starttls_and_over_tls(postfix: Postfix, authority: Authority) -> None:
    """After STARTTLS or TLS, Postfix puts the mail into both mailboxes with its Message-ID unchanged."""
    SmtpMailer().send(MAIL, door(postfix, authority), SOON)
    SmtpMailer().send(MAIL, door(postfix, authority, "tls"), SOON)
    for user in ("anna", "ben"):
        mails = [email.message_from_bytes(raw, policy=email.policy.default) for raw in postfix.mails(user, 2)]
        assert [m["Message-ID"] for m in mails] == ["<postfix-1@home.example>"] * 2, postfix.log()
        assert mails[0].get_body(("plain",)).get_content() == MAIL.text  # type: ignore[union-attr]


def test_postfix_refuses_one_recipient_and_delivers_to_the_other(postfix: Postfix, authority: Authority) -> None:
    """An unknown mailbox among the recipients keeps the mail from nobody else."""
    mail = replace(MAIL, id="postfix-2", to=("nobody@home.example", "anna@home.example"))
    SmtpMailer().send(mail, door(postfix, authority), SOON)
    mails = postfix.mails("anna", 3)
    assert any(b"<postfix-2@home.example>" in raw for raw in mails)


def test_postfix_with_an_unknown_authority_gets_nothing(postfix: Postfix, tmp_path: Path) -> None:
    """A certificate of an authority that is not trusted ends the try before anything is sent."""
    other = Authority(tmp_path)
    with pytest.raises(Refused, match="not trusted"):
        SmtpMailer().send(replace(MAIL, id="postfix-3"), door(postfix, other), SOON)


def test_postfix_in_plain_text_asks_for_starttls(postfix: Postfix) -> None:
    """security = "none" to a server that wants TLS is Refused with the server's own words."""
    with pytest.raises(Refused, match="STARTTLS"):
        SmtpMailer().send(replace(MAIL, id="postfix-4"), MailServer("localhost", postfix.port, "none"), SOON)
