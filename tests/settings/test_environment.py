"""A complete service out of environment variables alone."""

from pathlib import Path

import pytest

from ipwatch.ports import Secret
from ipwatch.settings.faults import SettingsFault
from ipwatch.settings.load import load

EIGHT = {
    "IPWATCH_RECORD_NAME": "home.example.org",
    "IPWATCH_ACCOUNT_SERVICE": "noip",
    "IPWATCH_ACCOUNT_USERNAME": "me",
    "IPWATCH_ACCOUNT_PASSWORD": "dyn-secret",
    "IPWATCH_MAIL_SERVER": "smtp.example.org:587",
    "IPWATCH_MAIL_USERNAME": "me@example.org",
    "IPWATCH_MAIL_PASSWORD": "mail-secret",
    "IPWATCH_MAIL_TO": "me@example.org, you@example.org",
}


def test_eight_settings(tmp_path: Path) -> None:
    """Eight variables make a DynDNS record and a mail notifier, without any file; each value tells where it is from."""
    settings = load(None, EIGHT, tmp_path, root=tmp_path)
    (record,), (notifier,) = settings.records, settings.notifiers
    account = settings.accounts["environment"]
    assert (record.name, record.account, account.kind) == ("home.example.org", "environment", "dyndns2")
    assert account.options.password == Secret("dyn-secret")
    mail = notifier.options
    assert (mail.sender, mail.to) == ("me@example.org", ("me@example.org", "you@example.org"))
    assert mail.password == Secret("mail-secret")
    assert settings.origins["account.environment.username"] == "environment IPWATCH_ACCOUNT_USERNAME"
    assert "dyn-secret" not in repr(settings.origins)
    assert not settings.warnings


def test_secret_files(tmp_path: Path) -> None:
    """With _FILE behind its name a variable names a file that holds the value."""
    secret = tmp_path / "dyn"
    secret.write_text("from-a-file\n")
    secret.chmod(0o600)
    environ = {k: v for k, v in EIGHT.items() if k != "IPWATCH_ACCOUNT_PASSWORD"}
    settings = load(None, environ | {"IPWATCH_ACCOUNT_PASSWORD_FILE": str(secret)}, tmp_path, root=tmp_path)
    assert settings.accounts["environment"].options.password == Secret("from-a-file")


def test_missing_secret_file(tmp_path: Path) -> None:
    """A secret file that is not there is told with its variable and its path."""
    environ = {k: v for k, v in EIGHT.items() if k != "IPWATCH_ACCOUNT_PASSWORD"}
    with pytest.raises(SettingsFault) as caught:
        load(None, environ | {"IPWATCH_ACCOUNT_PASSWORD_FILE": "/run/secrets/gone"}, tmp_path, root=tmp_path)
    assert "environment IPWATCH_ACCOUNT_PASSWORD_FILE: account.environment.password.file" in str(caught.value)
    assert "/run/secrets/gone can not be read: there is no such file" in str(caught.value)


def test_other_providers(tmp_path: Path) -> None:
    """Any provider's keys can be given so, with their types; several names make several records."""
    environ = {
        "IPWATCH_RECORD_NAME": "home.example.org,nas.example.org",
        "IPWATCH_RECORD_TTL": "2m",
        "IPWATCH_ACCOUNT_KIND": "cloudflare",
        "IPWATCH_ACCOUNT_TOKEN": "token",
        "IPWATCH_ACCOUNT_VERIFY": "no",
        "IPWATCH_ACCOUNT_NAMESERVERS": "127.0.0.1:5353 127.0.0.1:5354",
    }
    settings = load(None, environ, tmp_path, root=tmp_path)
    options = settings.accounts["environment"].options
    assert (options.verify, options.nameservers) == (False, ("127.0.0.1:5353", "127.0.0.1:5354"))
    assert [r.name for r in settings.records] == ["home.example.org", "nas.example.org"]
    assert all(r.ttl is not None and r.ttl.total_seconds() == 120 for r in settings.records)


def test_secret_from_two_places(tmp_path: Path) -> None:
    """A secret and a file for the same secret: the file counts, and that the other is not read is told."""
    secret = tmp_path / "dyn"
    secret.write_bytes(b"\xef\xbb\xbffrom-a-file\r\n")  # as Windows' Notepad writes it
    secret.chmod(0o600)
    settings = load(None, EIGHT | {"IPWATCH_ACCOUNT_PASSWORD_FILE": str(secret)}, tmp_path, root=tmp_path)
    assert settings.accounts["environment"].options.password == Secret("from-a-file")
    (warning,) = settings.warnings
    assert warning == "environment IPWATCH_ACCOUNT_PASSWORD: not read, for IPWATCH_ACCOUNT_PASSWORD_FILE is set, too"


def test_further_keys_of_records(tmp_path: Path) -> None:
    """A record's other keys can be given, too, for all the names."""
    environ = EIGHT | {
        "IPWATCH_RECORD_NAME": "a.example.org b.example.org",
        "IPWATCH_RECORD_FAMILIES": "ipv4,ipv6",
        "IPWATCH_RECORD_PROXIED": "no",
        "IPWATCH_WATCH_FAMILIES": "ipv4,ipv6",
        "IPWATCH_ACCOUNT_KIND": "cloudflare",
        "IPWATCH_ACCOUNT_TOKEN": "token",
    }
    for key in ("SERVICE", "USERNAME", "PASSWORD"):
        del environ[f"IPWATCH_ACCOUNT_{key}"]
    records = load(None, environ, tmp_path, root=tmp_path).records
    assert [(r.name, len(r.families), r.options.proxied) for r in records] == [
        ("a.example.org", 2, False), ("b.example.org", 2, False),
    ]  # fmt: skip


def test_misspelt_tables(tmp_path: Path) -> None:
    """A variable that is nearly one of the eight is told, where it would make no mail without a word."""
    environ = {name.replace("_MAIL_", "_EMAIL_"): text for name, text in EIGHT.items()}
    warnings = load(None, environ, tmp_path, root=tmp_path).warnings
    assert len(warnings) == 4
    assert "environment IPWATCH_EMAIL_TO: this variable is not read; did you mean IPWATCH_MAIL_TO?" in warnings


def test_numbers(tmp_path: Path) -> None:
    """A number is a number where the key wants one, and a password of digits stays text."""
    environ = EIGHT | {"IPWATCH_ACCOUNT_BATCH": "3", "IPWATCH_ACCOUNT_PASSWORD": "123456"}
    options = load(None, environ, tmp_path, root=tmp_path).accounts["environment"].options
    assert (options.batch, options.password) == (3, Secret("123456"))


def test_beside_a_file(tmp_path: Path) -> None:
    """The variables' tables stand beside those of a file."""
    path = tmp_path / "ipwatch.toml"
    path.write_text('[account.a]\nkind = "duckdns"\ntoken = "x"\n[[record]]\nname = "a.duckdns.org"\naccount = "a"\n')
    path.chmod(0o600)
    settings = load(path, EIGHT, tmp_path, root=tmp_path)
    assert [r.name for r in settings.records] == ["a.duckdns.org", "home.example.org"]


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({"IPWATCH_ACCOUNT_USRNAME": "me"}, "environment IPWATCH_ACCOUNT_USRNAME: account.environment.usrname"),
        ({"IPWATCH_ACCOUNT_KIND": "cloudflair"}, "environment IPWATCH_ACCOUNT_KIND: account.environment.kind"),
        ({"IPWATCH_RECORD_TTL": "2m"}, "the key 'name' is missing"),
        ({"IPWATCH_MAIL_TO": "me@example.org"}, "the key 'server' is missing"),
        ({"IPWATCH_ACCOUNT_VERIFY": "perhaps"}, "account.environment.verify: this is true or false"),
        ({"IPWATCH_ACCOUNT_KIND": "duckdns"}, "environment IPWATCH_ACCOUNT_...: account.environment: the key 'token'"),
        ({"IPWATCH_ACCOUNT_USERNAME_FILE": "/x"}, "username: only secrets are taken from a file or a variable"),
        (EIGHT | {"IPWATCH_MAIL_TO": "Anna"}, "environment IPWATCH_MAIL_...: notify[1]: 'Anna' is not a mail address"),
    ],
)
def test_faults_name_the_variable(tmp_path: Path, environ: dict[str, str], told: str) -> None:
    """What is wrong with a variable is told with its name."""
    with pytest.raises(SettingsFault) as caught:
        load(None, environ, tmp_path, root=tmp_path)
    assert told in str(caught.value)
