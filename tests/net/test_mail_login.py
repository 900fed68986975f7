"""net.mail logs in at a real Postfix, which asks a real Dovecot; certificates are of our own authority."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from ipwatch.net.mail import SmtpMailer
from ipwatch.ports import Mail, MailServer, Refused, Secret
from tests.fakes import dovecot, postfix
from tests.fakes.ca import Authority

MISSING = postfix.missing() or dovecot.missing()
pytestmark = [pytest.mark.real, pytest.mark.skipif(bool(MISSING), reason=MISSING or "-")]

SOON = timedelta(seconds=20)
AT = datetime(2026, 11, 23, 3, 41, tzinfo=UTC)
MAIL = Mail("login-1", AT, "ipwatch@home.example", ("anna@home.example",), "Home address", "The text.\n", "<p>It</p>")
PASSWORD = 'Grüße, 1% für {2} " \\ '


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def server(authority: Authority) -> Iterator[postfix.Postfix]:
    # Not pytest's own folder: that one is closed to all but root, and both give up root.
    with TemporaryDirectory(prefix="ipwatch-login-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "postfix").mkdir()
        with (
            dovecot.Dovecot(folder / "dovecot", {"anna": PASSWORD}) as logins,
            postfix.Postfix(folder / "postfix", authority.issue("localhost"), logins.socket) as started,
        ):
            yield started


def door(server: postfix.Postfix, authority: Authority, security: str, password: str = PASSWORD) -> MailServer:
    port = server.tls_port if security == "tls" else server.port
    return MailServer("localhost", port, security, "anna", Secret(password), authority.cafile)


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_login_inside_tls_delivers(server: postfix.Postfix, authority: Authority, security: str) -> None:
    """With the right name and password, Postfix takes the mail over STARTTLS and over TLS, and notes who sent it."""
    before = len(server.mails("anna", 0))
    SmtpMailer().send(replace(MAIL, id=f"login-{security}"), door(server, authority, security), SOON)
    mails = server.mails("anna", before + 1)
    assert any(f"<login-{security}@home.example>".encode() in raw for raw in mails), server.log()
    assert "sasl_username=anna" in server.log()


def test_a_wrong_password_delivers_nothing(server: postfix.Postfix, authority: Authority) -> None:
    """A wrong password is Refused (535) without naming it, after a single try, and no mail arrives."""
    tries = server.log().count("authentication failed")
    with pytest.raises(Refused) as caught:
        SmtpMailer().send(replace(MAIL, id="login-wrong"), door(server, authority, "starttls", "guessed-1"), SOON)
    assert caught.value.code == "535"
    assert "guessed-1" not in f"{caught.value}{caught.value!r}"
    assert server.log().count("authentication failed") == tries + 1
    assert arrived(server, authority, "login-wrong") is False


def test_without_a_login_nothing_is_taken(server: postfix.Postfix, authority: Authority) -> None:
    """This server takes no mail from strangers: the deliveries above are owed to the login."""
    stranger = replace(door(server, authority, "starttls"), username=None, password=None)
    with pytest.raises(Refused, match="Access denied"):
        SmtpMailer().send(replace(MAIL, id="login-none"), stranger, SOON)


def test_no_login_is_offered_before_tls(server: postfix.Postfix, authority: Authority) -> None:
    """In plain text Postfix offers no login: Refused before the password leaves, and no mail arrives."""
    with pytest.raises(Refused, match="offers no login"):
        SmtpMailer().send(replace(MAIL, id="login-plain"), door(server, authority, "none"), SOON)
    assert arrived(server, authority, "login-plain") is False


def arrived(server: postfix.Postfix, authority: Authority, mail_id: str) -> bool:
    """Whether a mail is in the mailbox by the time that a later one is."""
    before = len(server.mails("anna", 0))
    SmtpMailer().send(replace(MAIL, id=f"after-{mail_id}"), door(server, authority, "starttls"), SOON)
    mails = server.mails("anna", before + 1)
    assert any(f"<after-{mail_id}@".encode() in raw for raw in mails), server.log()
    return any(f"<{mail_id}@".encode() in raw for raw in mails)
