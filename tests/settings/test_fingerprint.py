"""Fingerprints: equal as long as nothing changes, other as soon as something does, and no way back to a password."""

import re
import time
from datetime import timedelta
from pathlib import Path

import pytest

from ipwatch.core.address import Family
from ipwatch.ports import Options, Secret
from ipwatch.settings.fingerprint import fingerprint
from tests.fakes.settings import read

TEXT = """\
[account.home]
kind = "dyndns2"
server = "https://dyn.example.net"
username = "me"
password = "pass-1"
parameters = { b = "2", a = "1" }
[[record]]
name = "x.example.org"
account = "home"
ttl = "60s"
"""


def prints(folder: Path, text: str, environ: dict[str, str] | None = None) -> tuple[str, str]:
    """The fingerprints of account and record."""
    settings = read(folder, text, environ)
    return next(iter(settings.accounts.values())).fingerprint, settings.records[0].fingerprint


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"me"', '"you"'),
        ('"pass-1"', '"pass-2"'),
        ("dyn.example.net", "dyn.example.com"),
        ("[[record]]", "timeout = '9s'\n[[record]]"),
        ("[[record]]", "verify = false\n[[record]]"),
        ("[[record]]", "nameservers = ['192.0.2.1']\n[[record]]"),
        ('a = "1"', 'a = "11"'),
    ],
)
def test_a_changed_account_has_another_fingerprint(tmp_path: Path, old: str, new: str) -> None:
    """Any key of the account, the secret included, changes its fingerprint and not the record's."""
    account, record = prints(tmp_path, TEXT)
    changed, same = prints(tmp_path, TEXT.replace(old, new))
    assert changed != account
    assert same == record


@pytest.mark.parametrize(
    ("old", "new"),
    [("x.example", "y.example"), ('"60s"', '"61s"'), ('ttl = "60s"', "")],
)
def test_a_changed_record_has_another_fingerprint(tmp_path: Path, old: str, new: str) -> None:
    """Any key of the record changes its fingerprint and not the account's."""
    account, record = prints(tmp_path, TEXT)
    same, changed = prints(tmp_path, TEXT.replace(old, new))
    assert changed != record
    assert same == account


def test_what_means_the_same_has_the_same_fingerprint(tmp_path: Path) -> None:
    """Order, comments, spelling of a name, a default written out and the way of giving the secret do not matter."""
    other = TEXT.replace('b = "2", a = "1"', 'a = "1", b = "2"').replace('"60s"', '"1m" # comment')
    other = other.replace('"x.example.org"', '"X.Example.org."').replace('"pass-1"', '{ env = "P" }')
    other = other.replace("[[record]]", "verify = true\ntimeout = '20s'\n[[record]]")
    assert prints(tmp_path, other, {"P": "pass-1"}) == prints(tmp_path, TEXT)


class Keys(Options, frozen=True, kw_only=True):
    """An account's keys as of one version."""

    username: str
    password: Secret
    timeout: timedelta = timedelta(seconds=20)


class MoreKeys(Keys, frozen=True, kw_only=True):
    """The same of a later version."""

    added: str = "default"


def test_a_fingerprint_stays_the_same_across_versions() -> None:
    """It stands in state files: neither a new version nor a key it adds may open every latch."""
    want = "0c2f2f4351d62c12949bb0467f16dff2"
    for cls in (Keys, MoreKeys):
        keys = cls(username="me", password=Secret("pass-1"), timeout=timedelta(seconds=9))
        parts = {"kind": "dyndns2", "options": keys, "families": (Family.IPV4,), "ttl": None, "path": Path("/a")}
        assert fingerprint("home", parts) == want


def test_a_guess_at_the_password_is_not_cheap(tmp_path: Path) -> None:
    """Each secret costs a slow hash, salted with the account's name, once for a program's life."""
    start = time.process_time()
    found = {fingerprint(f"account-{n}", {"p": Secret("pass-1")}) for n in range(5)}
    assert len(found) == 5
    assert time.process_time() - start > 0.005
    assert all(re.fullmatch("[0-9a-f]{32}", text) for text in found)
    again = time.process_time()
    for _ in range(1000):
        fingerprint("account-1", {"p": Secret("pass-1")})
    assert time.process_time() - again < 1
