"""net.mail against real SMTP servers on loopback (aiosmtpd); Postfix is in test_mail_postfix."""

import email
import email.policy
import logging
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipwatch.net.mail import SmtpMailer
from ipwatch.net.mime import build
from ipwatch.ports import Busy, Garbled, Mail, MailServer, PortError, Refused, Secret, Unreachable
from tests.fakes.ca import Authority, Certificate
from tests.fakes.smtp_server import SmtpServer

SOON = timedelta(seconds=10)
MAIL = Mail(
    "4f1c-77",
    datetime(2026, 11, 23, 3, 41, tzinfo=UTC),
    "ipwatch@home.example",
    ("anna@home.example", "ben@home.example"),
    "Home address changed: 25.1.2.3 -> 25.5.6.7",
    "The text: grün.\n.a line with a dot\n",
    "<p>The <b>page</b></p>",
)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def certificate(authority: Authority) -> Certificate:
    return authority.issue("localhost", "127.0.0.1")


def plain(server: SmtpServer, **more: object) -> MailServer:
    return replace(MailServer("127.0.0.1", server.port, "none"), **more)  # type: ignore[arg-type]


def test_a_mail_arrives_with_both_parts_and_the_headers_of_the_standards() -> None:
    """The mail is multipart/alternative with Date, Message-ID, From, To, Subject and Auto-Submitted, unchanged."""
    with SmtpServer() as server:
        SmtpMailer().send(MAIL, plain(server), SOON)
    (mail,) = server.mails
    assert mail.get_content_type() == "multipart/alternative"
    assert [p.get_content_type() for p in mail.iter_parts()] == ["text/plain", "text/html"]
    assert mail.get_body(("plain",)).get_content().replace("\r\n", "\n") == MAIL.text  # type: ignore[union-attr]
    assert mail["Date"].datetime == MAIL.at
    assert mail["Message-ID"] == "<4f1c-77@home.example>"
    assert (mail["From"], mail["To"]) == ("ipwatch@home.example", "anna@home.example, ben@home.example")
    assert (mail["Subject"], mail["Auto-Submitted"]) == (MAIL.subject, "auto-generated")
    assert server.envelopes == [list(MAIL.to)]
    assert server.helo == "[127.0.0.1]"


def test_sending_works_from_a_worker_thread() -> None:
    """The mailer needs no event loop of its caller's: a pool's thread will do."""
    with SmtpServer() as server, ThreadPoolExecutor(1) as pool:
        pool.submit(SmtpMailer().send, MAIL, plain(server), SOON).result()
    assert len(server.mails) == 1


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_tls_and_login(security: str, authority: Authority, certificate: Certificate) -> None:
    """With STARTTLS and with TLS from the start, the server is verified against the cafile and the login is sent."""
    context = certificate.server_context()
    doors = {"starttls": context} if security == "starttls" else {"tls": context}
    with SmtpServer(**doors, login=("me", "pässword")) as server:  # type: ignore[arg-type]
        place = MailServer("localhost", server.port, security, "me", Secret("pässword"), authority.cafile)
        SmtpMailer().send(MAIL, place, SOON)
    assert [login[1:] for login in server.logins] == [("me", "pässword")]
    assert len(server.mails) == 1


def test_a_wrong_password_is_refused_tried_once_and_never_shown(authority: Authority, certificate: Certificate) -> None:
    """AUTH 535 is Refused after one try, and a server that repeats the password does not get it into the error."""
    with SmtpServer(starttls=certificate.server_context(), login=("me", "right")) as server:
        place = MailServer("localhost", server.port, "starttls", "me", Secret("wr0ng-Secret"), authority.cafile)
        with pytest.raises(Refused) as caught:
            SmtpMailer().send(MAIL, place, SOON)
    assert caught.value.code == "535"
    assert "wr0ng-Secret" not in str(caught.value)
    assert len(server.logins) == 1


def test_without_starttls_on_offer_nothing_is_sent(authority: Authority) -> None:
    """security = "starttls" never falls back: where it is not offered (or was removed on the way) nothing is sent."""
    with SmtpServer(login=("me", "pw"), plain_login=True) as server:
        place = MailServer("localhost", server.port, "starttls", "me", Secret("pw"), authority.cafile)
        with pytest.raises(Refused, match="STARTTLS"):
            SmtpMailer().send(MAIL, place, SOON)
    assert (server.mails, server.logins) == ([], [])


@pytest.mark.parametrize("security", ["starttls", "tls"])
@pytest.mark.parametrize("fault", ["unknown authority", "other name", "expired", "system's set"])
def test_a_certificate_that_can_not_be_verified_is_refused(
    security: str, fault: str, tmp_path: Path, authority: Authority
) -> None:
    """An unknown authority, another host's name and an expired certificate are Refused before any login or mail."""
    issuer = Authority(tmp_path) if fault == "unknown authority" else authority
    context = issuer.issue("other.example" if fault == "other name" else "localhost", expired=fault == "expired")
    doors = {"starttls" if security == "starttls" else "tls": context.server_context()}
    with SmtpServer(**doors, login=("me", "pw")) as server:  # type: ignore[arg-type]
        cafile = None if fault == "system's set" else authority.cafile
        with pytest.raises(Refused, match="not trusted") as caught:
            SmtpMailer().send(MAIL, MailServer("localhost", server.port, security, "me", Secret("pw"), cafile), SOON)
    assert caught.value.code == "certificate"
    assert (server.mails, server.logins) == ([], [])


def test_a_cafile_that_is_none_is_refused(tmp_path: Path) -> None:
    """A missing or empty cafile is one clear sentence, not a traceback."""
    (tmp_path / "empty.pem").write_text("nothing")
    with SmtpServer() as server:
        for name in ("missing.pem", "empty.pem"):
            with pytest.raises(Refused, match="no readable certificates"):
                SmtpMailer().send(MAIL, MailServer("localhost", server.port, "tls", cafile=tmp_path / name), SOON)


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # asyncio's server side leaves a failed TLS to the gc
def test_tls_to_a_port_that_speaks_plain_is_refused_with_a_hint() -> None:
    """TLS from the start to a STARTTLS port says which setting is probably wrong."""
    with SmtpServer() as server, pytest.raises(Refused, match="security starttls"):
        SmtpMailer().send(MAIL, MailServer("localhost", server.port, "tls"), SOON)


def test_no_password_without_tls_except_to_this_machine() -> None:
    """A login over "none" is refused before any connection, but for loopback."""
    away = MailServer("mail.example", 25, "none", "me", Secret("pw"))
    with pytest.raises(Refused, match="never sent without TLS"):
        SmtpMailer().send(MAIL, away, SOON)
    with SmtpServer(login=("me", "pw"), plain_login=True) as server:
        SmtpMailer().send(MAIL, plain(server, username="me", password=Secret("pw")), SOON)
    assert len(server.mails) == 1


def test_greylisting_is_busy_and_the_next_try_has_the_same_message_id() -> None:
    """451 is Busy; the repeated mail carries the same Message-ID, so that a repeat can be recognised."""
    replies = iter(["451 4.7.1 greylisted, come back", None, None])
    with SmtpServer(data=lambda: next(replies)) as server:
        mailer = SmtpMailer()
        with pytest.raises(Busy, match="greylisted") as caught:
            mailer.send(MAIL, plain(server), SOON)
        assert caught.value.code == "451"
        mailer.send(MAIL, plain(server), SOON)
        mailer.send(MAIL, plain(server), SOON)
    assert [mail["Message-ID"] for mail in server.mails] == ["<4f1c-77@home.example>"] * 2


def test_a_refused_message_is_refused() -> None:
    """554 after DATA is Refused with the server's words."""
    with (
        SmtpServer(data=lambda: "554 5.6.0 looks like spam") as server,
        pytest.raises(Refused, match="looks like spam"),
    ):
        SmtpMailer().send(MAIL, plain(server), SOON)


def test_a_connection_lost_after_data_may_have_delivered() -> None:
    """No answer after the message was sent is Unreachable(sent=True): it may have arrived, and here it did."""
    with SmtpServer(data=lambda: "drop") as server, pytest.raises(Unreachable) as caught:
        SmtpMailer().send(MAIL, plain(server), SOON)
    assert caught.value.sent
    assert len(server.mails) == 1


def test_a_server_that_never_answers_after_data_is_left_at_the_deadline() -> None:
    """The deadline is one for the whole try, and the error says that the mail may have arrived."""
    begin = time.monotonic()
    with SmtpServer(data=lambda: "hang") as server, pytest.raises(Unreachable) as caught:
        SmtpMailer().send(MAIL, plain(server), timedelta(seconds=0.5))
    assert caught.value.sent
    assert time.monotonic() - begin < 3


@pytest.mark.parametrize("security", ["starttls", "tls", "none"])
def test_a_banner_that_never_comes_is_left_at_the_deadline(security: str) -> None:
    """A server that takes the connection and says nothing is Unreachable(sent=False) at the deadline."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        begin = time.monotonic()
        with pytest.raises(Unreachable, match=r"did not answer within 0\.3 s") as caught:
            SmtpMailer().send(MAIL, MailServer("127.0.0.1", silent.getsockname()[1], security), timedelta(seconds=0.3))
    assert not caught.value.sent
    assert time.monotonic() - begin < 2


def test_a_closed_port_and_a_name_without_address_are_unreachable() -> None:
    """Nothing there: Unreachable(sent=False), with the reason."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with pytest.raises(Unreachable, match="Connection refused") as caught:
        SmtpMailer().send(MAIL, MailServer("127.0.0.1", port, "none"), SOON)
    assert not caught.value.sent
    with pytest.raises(Unreachable):
        SmtpMailer().send(MAIL, MailServer("a" * 64 + ".invalid", 25, "none"), SOON)


def test_one_refused_recipient_does_not_keep_the_mail_from_the_others(caplog: pytest.LogCaptureFixture) -> None:
    """550 for one of two: the other gets it once, the mail counts as delivered, and the log names who did not."""
    with (
        SmtpServer(rcpt=lambda to: "550 5.1.1 no such user" if to.startswith("ben") else None) as server,
        caplog.at_level(logging.WARNING, "ipwatch"),
    ):
        SmtpMailer().send(MAIL, plain(server), SOON)
    assert server.envelopes == [["anna@home.example"]]
    assert "mail to ben@home.example refused" in caplog.text
    assert "550 5.1.1 no such user" in caplog.text


def test_a_deferred_recipient_gets_it_later_and_the_others_only_once() -> None:
    """451 for one of two: the other gets it at once; the next try goes to the deferred one alone."""
    deferred = {"ben@home.example"}
    with SmtpServer(rcpt=lambda to: "451 4.2.1 greylisted" if to in deferred else None) as server:
        mailer = SmtpMailer()
        with pytest.raises(Unreachable, match=r"deferred ben@home\.example") as caught:
            mailer.send(MAIL, plain(server), SOON)
        assert caught.value.sent
        deferred.clear()
        mailer.send(MAIL, plain(server), SOON)
    assert server.envelopes == [["anna@home.example"], ["ben@home.example"]]


def test_all_recipients_refused_is_refused_and_one_deferred_among_them_busy() -> None:
    """Nobody took it: Refused, or Busy where one may take it later; no DATA is sent."""
    with SmtpServer(rcpt=lambda _: "550 5.1.1 no such user") as server, pytest.raises(Refused, match="no such user"):
        SmtpMailer().send(MAIL, plain(server), SOON)
    replies = {"anna@home.example": "550 no", "ben@home.example": "452 full"}
    with SmtpServer(rcpt=replies.get) as later, pytest.raises(Busy, match="452 full"):
        SmtpMailer().send(MAIL, plain(later), SOON)
    assert (server.mails, later.mails) == ([], [])


@pytest.fixture
def scripted() -> Iterator[Callable[[bytes], int]]:
    """A server that says some bytes to whoever connects, and hangs up."""
    with ThreadPoolExecutor(1) as pool:

        def start(answer: bytes) -> int:
            listener = socket.create_server(("127.0.0.1", 0))
            listener.settimeout(5)

            def serve() -> None:
                with listener, suppress(OSError):
                    peer, _ = listener.accept()
                    with peer:
                        peer.sendall(answer)
                        peer.shutdown(socket.SHUT_WR)
                        peer.recv(1000)

            pool.submit(serve)
            return int(listener.getsockname()[1])

        yield start


@pytest.mark.parametrize(
    ("banner", "error"),
    [
        (b"421 4.3.2 shutting down\r\n", Busy),
        (b"554 5.7.1 not you\r\n", Refused),
        (b"SSH-2.0-OpenSSH_9.2\r\n", Garbled),
        (b"", Unreachable),
        (b"220 hello\r\n", Unreachable),
        (b"\xff\xfe\x00\r\n", Garbled),
        (b"220-" + b"x" * 100_000, PortError),
    ],
)
def test_any_banner_gives_one_of_the_four_errors(
    banner: bytes, error: type[Exception], scripted: Callable[[bytes], int]
) -> None:
    """Whatever greets us, the error is one of the four and the message was not sent."""
    with pytest.raises(error) as caught:
        SmtpMailer().send(MAIL, MailServer("127.0.0.1", scripted(banner), "none"), SOON)
    assert not getattr(caught.value, "sent", False)


@pytest.mark.parametrize("address", ["a@b@c", "a b@c.example", "a@c.example\r\nBcc: x@y", "", "grün@c.example", "a@"])
def test_a_text_that_is_no_address_is_refused(address: str) -> None:
    """Line breaks, spaces and other letters never reach the envelope or a header."""
    for mail in (replace(MAIL, sender=address), replace(MAIL, to=(address,))):
        with pytest.raises(Refused):
            build(mail)


@settings(max_examples=150, deadline=None)
@given(subject=st.text(), mail_id=st.text(), text=st.text(max_size=200))
def test_no_text_adds_or_breaks_a_header(subject: str, mail_id: str, text: str) -> None:
    """Any subject, id and text give a 7 bit mail with exactly our headers and one well-formed Message-ID."""
    text = text.encode("utf-8", "replace").decode()
    mail = replace(MAIL, subject=subject.encode("utf-8", "replace").decode(), id=mail_id, text=text)
    raw = build(mail)
    parsed = email.message_from_bytes(raw, policy=email.policy.default)
    names = ["Message-ID", "Date", "From", "To", "Subject", "Auto-Submitted", "MIME-Version", "Content-Type"]
    assert sorted(parsed.keys()) == sorted(names)
    assert raw.isascii()
    assert raw.split(b"\r\n")[0].startswith(b"Message-ID: <")
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998  # RFC 5322 2.1.1
    assert parsed["Message-ID"] == email.message_from_bytes(build(mail), policy=email.policy.default)["Message-ID"]


def test_importing_the_mailer_imports_neither_asyncio_nor_aiosmtplib() -> None:
    """Who sends no mail does not carry the mail library, asyncio or ssl in memory."""
    code = "import sys, ipwatch.net.mail; print([m for m in ('aiosmtplib', 'asyncio', 'ssl') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.strip() == "[]"
