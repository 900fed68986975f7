"""A real Postfix of its own on loopback: own configuration, queue and ports; STARTTLS and TLS.

Who may log in is known to a Dovecot (tests.fakes.dovecot) or nobody. Needs root. It delivers into maildirs that belong
to the user `nobody`.
"""

import os
import pwd
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Self

from tests.fakes.ca import Certificate

PROGRAMS = ("postfix",)


def missing() -> str:
    """Why Postfix can not be run here, or an empty text."""
    if os.geteuid() != 0:
        return "Postfix needs root"
    gone = [name for name in PROGRAMS if shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin") is None]
    return f"not installed: {', '.join(gone)}" if gone else ""


class Postfix:
    """A server for the domain home.example, with the mailboxes `anna` and `ben`; nothing is taken before TLS.

    logins: Dovecot's socket; with it, nothing is taken without a login either, and none is offered before TLS.
    """

    def __init__(self, folder: Path, certificate: Certificate, logins: Path | None = None) -> None:
        self._folder, self._certificate, self._logins = folder, certificate, logins
        self.port, self.tls_port = _free_port(), _free_port()

    def __enter__(self) -> Self:
        self._write()
        self._postfix("start")
        try:
            _wait(self.port)
        except BaseException:
            self._postfix("stop")
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._postfix("stop")

    def mails(self, user: str, count: int, within: float = 15) -> list[bytes]:
        """The mails in a mailbox, once there are at least `count`."""
        end = time.monotonic() + within
        while True:
            found = sorted((self._folder / "mail" / user / "new").glob("*"))
            if len(found) >= count or time.monotonic() > end:
                return [path.read_bytes() for path in found]
            time.sleep(0.05)

    def log(self) -> str:
        """What it logged."""
        path = self._folder / "log" / "postfix.log"
        return path.read_text() if path.exists() else ""

    def _postfix(self, command: str) -> None:
        subprocess.run(
            ["/usr/sbin/postfix", "-c", str(self._folder / "etc"), command],
            check=True, capture_output=True, timeout=60, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        )  # fmt: skip

    def _write(self) -> None:
        etc = self._folder / "etc"
        for name in ("etc", "queue", "data", "log", "mail"):
            (self._folder / name).mkdir()
        user = pwd.getpwnam("postfix")
        nobody = pwd.getpwnam("nobody")
        os.chown(self._folder / "data", user.pw_uid, user.pw_gid)
        os.chown(self._folder / "mail", nobody.pw_uid, nobody.pw_gid)
        (etc / "mailboxes").write_text("anna@home.example anna/\nben@home.example ben/\n")
        (etc / "main.cf").write_text(self._main(nobody.pw_uid, nobody.pw_gid))
        (etc / "master.cf").write_text(self._master())

    def _main(self, uid: int, gid: int) -> str:
        folder = self._folder
        return f"""
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/log/postfix.log
maillog_file_prefixes = {folder}
myhostname = mail.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks =
alias_maps =
alias_database =
virtual_mailbox_domains = home.example
virtual_mailbox_base = {folder}/mail
virtual_mailbox_maps = texthash:{folder}/etc/mailboxes
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
smtpd_tls_cert_file = {self._certificate.cert}
smtpd_tls_key_file = {self._certificate.key}
smtpd_relay_restrictions = reject_unauth_destination
smtpd_error_sleep_time = 0
smtputf8_enable = no
{self._access()}"""

    def _access(self) -> str:
        if self._logins is None:
            return """\
smtpd_tls_security_level = encrypt
smtpd_recipient_restrictions = reject_unlisted_recipient, reject_unauth_destination
"""
        return f"""\
smtpd_tls_security_level = may
smtpd_tls_auth_only = yes
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = {self._logins}
smtpd_recipient_restrictions = reject_unlisted_recipient, permit_sasl_authenticated, reject
"""

    def _master(self) -> str:
        return f"""
127.0.0.1:{self.port} inet n - n - - smtpd
127.0.0.1:{self.tls_port} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes
postlog unix-dgram n - n - 1 postlogd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
"""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(port: int, within: float = 15) -> None:
    end = time.monotonic() + within
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
