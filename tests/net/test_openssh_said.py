"""What ssh's lines mean. Those of logins are real ones of OpenSSH 9.2 (LogLevel INFO, LogVerbose sshconnect2.c:*)."""

import pytest

from ipwatch.net import openssh_said as words
from ipwatch.ports import Unreachable
from ipwatch.ports.remote import LoginRefused

KEYS_AND_PASSWORD = """\
debug3: sshconnect2.c:order_hostkeyalgs():160 (pid=28461): have matching best-preference key type ssh-ed25519-cert-v01@openssh.com, using HostkeyAlgorithms verbatim
debug1: sshconnect2.c:pubkey_prepare():1996 (pid=28461): Will attempt key: my key ED25519 SHA256:dmoa6YUdAuakT7Llc27WAlZ8toUJaEqJhDD+3QOlu7A explicit
debug1: sshconnect2.c:input_userauth_failure():743 (pid=28461): Authentications that can continue: publickey,password
debug1: sshconnect2.c:authmethod_get():2520 (pid=28461): Next authentication method: publickey
debug1: sshconnect2.c:userauth_pubkey():2066 (pid=28461): Offering public key: my key ED25519 SHA256:dmoa6YUdAuakT7Llc27WAlZ8toUJaEqJhDD+3QOlu7A explicit
debug2: sshconnect2.c:userauth():650 (pid=28461): we sent a publickey packet, wait for reply
debug1: sshconnect2.c:input_userauth_failure():743 (pid=28461): Authentications that can continue: publickey,password
debug1: sshconnect2.c:userauth_pubkey():2066 (pid=28461): Offering public key: anna@laptop RSA SHA256:dmoa6YUdAuakT7Llc27WAlZ8toUJaEqJhDD+3QOlu7A agent
debug1: sshconnect2.c:input_userauth_failure():743 (pid=28461): Authentications that can continue: publickey,password
debug1: sshconnect2.c:userauth_pubkey():2095 (pid=28461): Trying private key: nothere
sshconnect2.c:load_identity_file():1706 (pid=28461): no such identity: nothere: No such file or directory
debug1: sshconnect2.c:userauth_pubkey():2095 (pid=28461): Trying private key: open
sshconnect2.c:load_identity_file():1716 (pid=28461): Load key "open": bad permissions
debug2: sshconnect2.c:userauth():653 (pid=28461): we did not send a packet, disable method
debug1: sshconnect2.c:authmethod_get():2520 (pid=28461): Next authentication method: password
debug2: sshconnect2.c:userauth():650 (pid=28461): we sent a password packet, wait for reply
debug1: sshconnect2.c:input_userauth_failure():743 (pid=28461): Authentications that can continue: publickey,password
sshconnect2.c:userauth_passwd():1228 (pid=28461): Permission denied, please try again.
debug2: sshconnect2.c:userauth():650 (pid=28461): we sent a password packet, wait for reply
debug1: sshconnect2.c:authmethod_get():2510 (pid=28461): No more authentication methods to try.
sshconnect2.c:userauth():640 (pid=28461): root@127.0.0.1: Permission denied (publickey,password).
"""  # noqa: E501
LOCKED = """\
debug1: sshconnect2.c:input_userauth_failure():743 (pid=1): Authentications that can continue: publickey
debug1: sshconnect2.c:userauth_pubkey():2066 (pid=1): Offering public key: locked ED25519 SHA256:FxZ54Lsx explicit
debug1: sshconnect2.c:input_userauth_pk_ok():840 (pid=1): Server accepts key: locked ED25519 SHA256:FxZ54Lsx explicit
debug2: sshconnect2.c:load_identity_file():1727 (pid=1): no passphrase given, try next key
debug1: sshconnect2.c:userauth_pubkey():2066 (pid=1): Offering public key: other ED25519 SHA256:FxZ54Lsx explicit
debug2: sshconnect2.c:load_identity_file():1742 (pid=1): bad passphrase given, try again...
debug2: sshconnect2.c:load_identity_file():1742 (pid=1): bad passphrase given, try again...
sshconnect2.c:userauth():640 (pid=1): an na@x: Permission denied (publickey).
"""
TOO_MANY = """\
debug1: sshconnect2.c:userauth_pubkey():2066 (pid=1): Offering public key: m 1 ED25519 SHA256:wmedzgpT explicit
debug1: sshconnect2.c:input_userauth_failure():743 (pid=1): Authentications that can continue: publickey,password
debug1: sshconnect2.c:userauth_pubkey():2066 (pid=1): Offering public key: m 2 ED25519 SHA256:6l/eNa6L explicit
Received disconnect from 127.0.0.1 port 22822:2: Too many authentication failures
Disconnected from 127.0.0.1 port 22822
"""
REVOKED = """\
Host key ED25519 SHA256:R+ZCnJWedhk revoked by file /tmp/rev
Host key verification failed.
"""
NO_REVOKED_FILE = """\
Error checking host key ED25519 SHA256:R+ZCnJWedhk/ZT in revoked keys file /no: No such file or directory
Host key verification failed.
"""


@pytest.mark.parametrize(
    ("said", "clause"),
    [
        (KEYS_AND_PASSWORD,
         ("tried my key, anna@laptop of the agent, open, password for user root; it would take publickey, password; no"
          ' such identity: nothere: No such file or directory; Load key "open": bad permissions')),
        (LOCKED,
         ("tried locked, other for user an na; it would take publickey; no passphrase was given for locked; "
          "wrong passphrases for other")),
        (TOO_MANY,
         "too many authentication failures: it allows no more after 2 tries; name the key that fits as `identity`"),
        ("Received disconnect from 1.2.3.4 port 22:2: Too many authentication failures",
         "too many authentication failures: it allows no more; name the key that fits as `identity`"),
        ("Permission denied, please try again.\nx: Permission denied (none).", "permission denied; it would take none"),
        ("debug1: sshconnect2.c:f():7 (pid=1): Authentications that can continue: gssapi\na@b: Permission denied (x).",
         "tried nothing for user a; it would take gssapi"),
        ("/h/.ssh/config: line 3: Bad configuration option: x\n/h/.ssh/config: terminating, 1 bad configuration option",
         "/h/.ssh/config: line 3: Bad configuration option: x"),
        ("/h/c line 3: Deprecated option\n/h/c line 4: Missing argument.", "/h/c line 4: Missing argument"),
        ("Bad owner or permissions on /h/.ssh/config", "Bad owner or permissions on /h/.ssh/config"),
        ("Unable to negotiate with UNKNOWN port 65535: no matching cipher found. Their offer: 3des-cbc",
         "Unable to negotiate with UNKNOWN port 65535: no matching cipher found. Their offer: 3des-cbc"),
        (REVOKED, "ssh does not take its host key: Host key ED25519 SHA256:R+ZCnJWedhk revoked by file /tmp/rev"),
        (NO_REVOKED_FILE, "ssh does not take its host key: Error checking host key"),
    ],
)  # fmt: skip
def test_refusals_are_understood(said: str, clause: str) -> None:
    """What was tried, what it would take, and what the user can mend."""
    why = words.why_it_ended(said.splitlines())
    assert type(why) is LoginRefused
    assert str(why).startswith(clause)


@pytest.mark.parametrize(
    ("said", "clause"),
    [
        ("debug1: x\nkex_exchange_identification: Connection closed by remote host\x1b[2J.",
         "ssh ended: kex_exchange_identification: Connection closed by remote host[2J"),
        ("/h/config line 3: Deprecated option\nConnection reset by x", "ssh ended: Connection reset by x"),
        ("\ndebug1: x", "ssh ended without a word"),
    ],
)  # fmt: skip
def test_ends_that_may_be_tried_again(said: str, clause: str) -> None:
    """All that is no refusal, without control characters."""
    why = words.why_it_ended(said.splitlines())
    assert type(why) is Unreachable
    assert str(why) == clause


def test_changed_key_is_told_apart() -> None:
    """So that the key can be looked at."""
    said = ["@@@@@", "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @", "Host key verification failed."]
    assert type(words.why_it_ended(said)) is words.OtherKey


@pytest.mark.parametrize(
    ("said", "clause"),
    [
        ([], "ssh has ended"),
        (["channel 3: open failed: x"], "ssh has ended"),
        (
            ['sshconnect2.c:ssh_userauth2():580 (pid=1): Authenticated to x ([::1]:22) using "publickey".'],
            "ssh has ended",
        ),
        (["Timeout, server desktop not responding."], "no sign of life"),
        (["Connection to x closed by remote host."], "the other side closed the connection"),
        (["client_loop: send disconnect: Broken pipe"], "ssh ended: client_loop: send disconnect: Broken pipe"),
    ],
)
def test_end_of_a_link_is_understood(said: list[str], clause: str) -> None:
    """Why a link ended, as a clause."""
    assert words.why_it_was_lost(said) == clause


def test_question_nobody_answers_tells_the_rest() -> None:
    """What was tried before it; nothing else when ssh does not say."""
    why = words.unanswered("Password", LOCKED.splitlines())
    assert str(why) == "nobody answered its question: Password; tried locked, other; it would take publickey"
    assert str(words.unanswered("Password", ())) == "nobody answered its question: Password"
