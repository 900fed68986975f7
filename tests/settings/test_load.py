"""Whole configurations: what comes out, and that every fault is told at once with its place and a suggestion."""

from datetime import timedelta
from pathlib import Path

import pytest

from ipwatch.core.address import Family
from ipwatch.ports import Secret
from ipwatch.settings.faults import SettingsFault
from ipwatch.settings.files import LIMIT
from ipwatch.settings.load import load
from tests.fakes.settings import faults, read, told

GOOD = """\
[watch]
interval = "90s"
families = ["ipv6", "ipv4"]
quorum = { ipv6 = 1 }
heartbeat = { env = "PING" }

[state]
path = "data/state.db"

[[source]]
kind = "web"
url = "https://api.ipify.org"

[[source]]
kind = "file"
path = "address"

[account.home]
kind = "dyndns2"
server = "https://dyn.example.net"
username = "me"
password = "correct horse"
nameservers = ["127.0.0.1:5353", "[::1]:53"]

[account.cf]
kind = "cloudflare"
token = { file = "token" }

[[record]]
name = "Home.Example.ORG."
account = "home"
ttl = "60s"

[[record]]
name = "büro.example.org"
account = "cf"
families = ["ipv4"]
proxied = true

[[notify]]
kind = "file"
path = "/data/ip.txt"

[[notify]]
kind = "command"
argv = ["true"]

[[notify]]
kind = "file"
path = "~/ip.json"
format = "json"
"""


def test_a_whole_configuration_is_read(tmp_path: Path) -> None:
    """Each table becomes its value: units, names, paths and secrets are what they stand for."""
    (tmp_path / "token").write_text("a-cloudflare-token-of-some-length\n")
    (tmp_path / "token").chmod(0o600)
    settings = read(tmp_path, GOOD, {"PING": "https://hc.example.net/x", "HOME": "/home/anna"})
    assert settings.watch.interval == timedelta(seconds=90)
    assert settings.watch.families == (Family.IPV4, Family.IPV6)
    assert settings.watch.quorum == {Family.IPV4: 2, Family.IPV6: 1}
    assert settings.watch.heartbeat == Secret("https://hc.example.net/x")
    assert settings.state == tmp_path / "data/state.db"
    assert [source.kind for source in settings.sources] == ["web", "file"]
    assert settings.sources[1].options.path == tmp_path / "address"  # type: ignore[attr-defined]
    assert settings.accounts["home"].options.password == Secret("correct horse")  # type: ignore[attr-defined]
    assert settings.accounts["cf"].options.token == Secret("a-cloudflare-token-of-some-length")  # type: ignore[attr-defined]
    first, second = settings.records
    assert (first.name, first.account, first.ttl) == ("home.example.org", "home", timedelta(minutes=1))
    assert (first.families, first.options) == ((Family.IPV4, Family.IPV6), None)
    assert (second.name, second.families, second.options.proxied) == ("xn--bro-hoa.example.org", (Family.IPV4,), True)
    assert [notifier.name for notifier in settings.notifiers] == ["file", "command", "file-2"]
    assert settings.notifiers[2].options.path == Path("/home/anna/ip.json")  # type: ignore[attr-defined]
    assert settings.warnings == ()


def test_origins_say_where_each_value_comes_from(tmp_path: Path) -> None:
    """Every key in force has an origin: a line, an environment variable, or the default."""
    (tmp_path / "token").write_text("a-cloudflare-token-of-some-length\n")
    environ = {"PING": "https://hc.example.net/x", "IPWATCH_WATCH_INTERVAL": "1m"}
    origins = read(tmp_path, GOOD, environ).origins
    want = {
        "watch.interval": "environment IPWATCH_WATCH_INTERVAL",
        "watch.families": "ipwatch.toml:3",
        "watch.heartbeat": "ipwatch.toml:5, environment",
        "state.path": "ipwatch.toml:8",
        "source[2].kind": "ipwatch.toml:15",
        "source[2].timeout": "default",
        "account.home.password": "ipwatch.toml:22",
        "account.home.verify": "default",
        "account.cf.token": "ipwatch.toml:27, file",
        "record[2].proxied": "ipwatch.toml:38",
        "record[1].families": "default",
        "notify[3].format": "ipwatch.toml:51",
    }
    assert {key: origins.get(key) for key in want} == want


BAD = """\
intervall = "5m"
[watch]
interval = 300
familys = ["ipv4"]
quorum = { ipv4 = 2, ipv44 = 1 }
[[source]]
kind = "wbe"
[[source]]
kind = "web"
url = "http://plain.example.org"
[account.home]
kind = "dyndns"
[account.duck]
kind = "duckdns"
tokn = "x"
timeout = "0s"
[[record]]
name = "home..example.org"
account = "hme"
[[record]]
name = "a.example.org"
ttl = 60
account = "duck"
proxied = true
[[notify]]
kind = "email"
server = "smtp.example.org"
sender = "a@example.org"
to = "b@example.org"
security = "startls"
[[notify]]
[recrod]
"""


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    """All faults of all tables come in one go, in the file's order, each with line, key and suggestion."""
    assert told(tmp_path, BAD) == [
        "1: intervall: unknown table; did you mean 'interval' under [watch]?",
        '3: watch.interval: a duration needs its unit: interval = "5m" if seconds are meant',
        "4: watch.familys: unknown key; did you mean 'families'?",
        "5: watch.quorum.ipv44: unknown key; did you mean 'ipv4'?",
        "7: source[1].kind: unknown kind 'wbe': did you mean 'web'?",
        "10: source[2].url: url is plain http, which anyone on the way can change: allow_insecure = true permits it",
        "12: account.home.kind: unknown kind 'dyndns': did you mean 'dyndns2'?",
        "13: account.duck: the key 'token' is missing",
        "15: account.duck.tokn: unknown key; did you mean 'token'?",
        "16: account.duck.timeout: it can not be zero",
        "18: record[1].name: '' in 'home..example.org' is not a DNS label: letters, digits and inner hyphens, at most 63",  # noqa: E501
        "19: record[1].account: no account is called 'hme'; did you mean 'home'?",
        '22: record[2].ttl: a duration needs its unit: ttl = "1m" if seconds are meant',
        "24: record[2].proxied: unknown key; there are 'account', 'families', 'name' and 'ttl'",
        "29: notify[1].to: this is a list: to = [...]",
        "30: notify[1].security: this is not one of the permitted words: 'startls' is not; did you mean 'starttls'?",
        "31: notify[2]: the key 'kind' is missing; there are 'command', 'email', 'file' and 'webhook'",
        "32: recrod: unknown table; did you mean 'record'?",
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("watch = 3", "1: watch: this is a table, with keys of its own"),
        ("[source]\nkind = 'web'", "1: source: write [[source]] with two brackets: there may be several"),
        ("source = 0", "1: source: write [[source]] with two brackets: there may be several"),
        ("record = [1]", "1: record: write [[record]] with two brackets: there may be several"),
        ("notify = 'x'", "1: notify: write [[notify]] with two brackets: there may be several"),
        ("[[account]]\nkind = 'duckdns'", "1: account: write [account.NAME], with a name of your own for each account"),
        ("[account]\nkind = 'duckdns'", "1: account: write [account.NAME], with a name of your own for each account"),
        (
            "[account]\n[account.'']\nkind = 'duckdns'",
            '2: account."": an account\'s name has 1 to 64 printable characters',
        ),
        ("[watch]\nquorum = 'two'", "2: watch.quorum: this is a whole number, or one for each family:"),
        ("[watch]\nquorum = { ipv6 = 100 }", "2: watch.quorum.ipv6: there are not that many operators"),
        ("[watch]\nquorum = true", "2: watch.quorum: this is a whole number, or one for each family:"),
        ("[watch]\nquorum = 0", "2: watch.quorum: at least one operator must be asked"),
        ("[watch]\nfamilies = []", '2: watch.families: name at least one: families = ["ipv4"]'),
        (
            "[watch]\nfamilies = ['ip4']",
            "2: watch.families[1]: this is not one of the permitted words: 'ip4' is not; did",
        ),
        ("[watch]\nfamilies = 'ipv4'", "2: watch.families: this is a list: families = [...]"),
        ("[watch]\ninterval = '999ms'", '2: watch.interval: it must be at least "1s"'),
        ("[watch]\ninterval = '-5m'", "2: watch.interval: a duration can not be negative"),
        ("[watch]\nheartbeat = 'hc.example.org'", "2: watch.heartbeat: this is a URL that begins with https://"),
        ("[state]\npath = ''", '2: state.path: this is the path of a file, text in "quotes"'),
        ('[state]\npath = "a\\u0000b"', "2: state.path: the path holds a control character"),
        ("[[source]]\nkind = 3", "2: source[1].kind: unknown kind of source; there are 'command', 'dns', "),
        ("[[source]]\nkind = '__init__'", "2: source[1].kind: unknown kind of source; there are 'command', 'dns', "),
        ("[[source]]\nkind = '../web'", "2: source[1].kind: unknown kind '../web': did you mean 'web'?"),
        ("a = 1\nb = [\n", "3: column 1: invalid value"),
        ("a = 1\na = 2\n", "2: column 6: cannot overwrite a value"),
    ],
)
def test_each_fault_has_its_sentence(tmp_path: Path, text: str, says: str) -> None:
    """One sentence that says where, what, and what is permitted."""
    assert told(tmp_path, text)[0].startswith(says)


ACCOUNTS = "[account.a]\nkind = 'duckdns'\ntoken = 't0ken'\n[account.b]\nkind = 'duckdns'\ntoken = 't0ken'\n"


def test_the_same_record_twice_at_one_account_is_a_fault(tmp_path: Path) -> None:
    """Name and family may be given once for an account, whatever the spelling."""
    text = ACCOUNTS + "[[record]]\nname = 'x.org'\naccount = 'a'\n[[record]]\nname = 'X.ORG.'\naccount = 'a'\n"
    assert told(tmp_path, text) == ["11: record[2].name: x.org (A) was already given for this account in line 7"]


def test_the_same_record_at_two_accounts_is_a_warning(tmp_path: Path) -> None:
    """Split DNS may want it; two accounts that undo each other are more likely."""
    text = ACCOUNTS + "[[record]]\nname = 'x.org'\naccount = 'a'\n[[record]]\nname = 'x.org'\naccount = 'b'\n"
    (warning,) = read(tmp_path, text).warnings
    assert "ipwatch.toml:11: record[2].name: x.org (A) is kept at account 'a' too" in warning


def test_the_families_of_one_name_may_stand_in_two_records(tmp_path: Path) -> None:
    """One record for IPv4 and one for IPv6 of the same name are two records."""
    text = "[watch]\nfamilies = ['ipv4', 'ipv6']\n" + ACCOUNTS.partition("[account.b]")[0]
    for family in ("ipv4", "ipv6"):
        text += f"[[record]]\nname = 'x.org'\naccount = 'a'\nfamilies = ['{family}']\n"
    assert [record.families for record in read(tmp_path, text).records] == [(Family.IPV4,), (Family.IPV6,)]


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("families = ['ipv6']", "'ipv6' is not watched: add it to families in [watch]"),
        ("families = []", "name at least one, or leave the key out"),
        ("ttl = '1500ms'", "a TTL is whole seconds"),
        ("ttl = '999999d'", "it is longer than ten years"),
        ("ttl = '1m\\u0031'", "a duration is written with its unit"),
    ],
)
def test_a_record_that_can_not_be_kept_is_a_fault(tmp_path: Path, key: str, says: str) -> None:
    """A family nobody watches, no family, or a TTL DNS can not hold."""
    text = ACCOUNTS + f"[[record]]\nname = 'x.org'\naccount = 'a'\n{key}\n"
    (fault,) = told(tmp_path, text)
    assert says in fault


def test_tables_of_later_versions_are_warned_about(tmp_path: Path) -> None:
    """[web] is accepted with a warning, [[host]] without: `ipwatch wake` reads it. An idle account is told, too."""
    text = "[web]\nlisten = '127.0.0.1:8245'\n[[host]]\nname = 'desktop'\n" + ACCOUNTS.partition("[account.b]")[0]
    warnings = read(tmp_path, text).warnings
    assert [warning.removeprefix(f"{tmp_path}/ipwatch.toml:") for warning in warnings] == [
        "1: web: not used by this version",
        "5: account.a: no [[record]] names this account, so nothing is published there",
    ]


def test_a_source_for_no_watched_family_is_a_warning(tmp_path: Path) -> None:
    """It would never be asked."""
    text = "[[source]]\nkind = 'web'\n[[source]]\nkind = 'web'\nfamilies = ['ipv6']\n"
    (warning,) = read(tmp_path, text).warnings
    assert warning.endswith(
        "ipwatch.toml:5: source[2].families: none of them is watched, so this source is never asked"
    )


def test_notifiers_get_names_of_their_own(tmp_path: Path) -> None:
    """Given names stay; the others are the kind, numbered around those; one name twice is a fault."""
    one = "[[notify]]\nkind = 'command'\nargv = ['true']\n"
    text = one + one + "name = 'command'\n" + one + "name = 'mine'\n" + one
    assert [spec.name for spec in read(tmp_path, text).notifiers] == ["command-2", "command", "mine", "command-3"]
    assert told(tmp_path, (one + "name = 'x'\n") * 2) == ["8: notify[2].name: two notifiers have this name"]
    assert "printable" in told(tmp_path, one + "name = ' '\n")[0]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("'192.0.2.1:0'", "'192.0.2.1:0' names no port from 1 to 65535"),
        ("'192.0.2.1:99999'", "'192.0.2.1:99999' names no port"),
        ("'ns1.example.org'", "'ns1.example.org' is not an address such as"),
        ("'[::1'", "'[::1' is not an address such as"),
        ("'::1'", None),
        ("3", "this is text"),
    ],
)
def test_name_servers_are_addresses(tmp_path: Path, text: str, says: str | None) -> None:
    """`nameservers` takes addresses with or without a port, nothing that had to be looked up first."""
    account = f"[account.a]\nkind = 'duckdns'\ntoken = 't0ken'\nnameservers = ['192.0.2.53', {text}]\n"
    if says is None:
        assert read(tmp_path, account)
    else:
        assert f"account.a.nameservers[2]: {says}" in told(tmp_path, account)[0]


def test_files_that_are_no_text_are_one_fault(tmp_path: Path) -> None:
    """Not UTF-8, a folder, a huge file, a pipe: one sentence each, and no hang."""
    file = tmp_path / "ipwatch.toml"
    file.write_bytes(b"# ok\na = '\xff'\n")
    with pytest.raises(SettingsFault, match=r"ipwatch.toml:2: the file is not UTF-8 text"):
        load(file, {}, tmp_path)
    file.write_bytes(b"#" * (LIMIT + 1))
    with pytest.raises(SettingsFault, match="larger than 1024 KiB"):
        load(file, {}, tmp_path)
    file.unlink()
    file.mkdir()
    with pytest.raises(SettingsFault, match="it is a folder"):
        load(file, {}, tmp_path)
    with pytest.raises(SettingsFault, match="not a regular file"):
        load(Path("/dev/null"), {}, tmp_path)
    with pytest.raises(SettingsFault, match="there is no such file"):
        load(file / "below", {}, tmp_path)


def test_a_byte_order_mark_and_windows_lines_do_no_harm(tmp_path: Path) -> None:
    """A file saved by an editor on Windows reads the same, with the same lines."""
    text = "\ufeff[watch]\r\ninterval = '7m'\r\nfamilys = 1\r\n"
    assert told(tmp_path, text) == ["3: watch.familys: unknown key; did you mean 'families'?"]


def test_faults_of_the_environment_name_the_variable(tmp_path: Path) -> None:
    """A faulty override is told at its variable, not at a line of the file."""
    environ = {
        "IPWATCH_WATCH_INTERVAL": "often",
        "IPWATCH_WATCH_FAMILIES": "ipv4 ipv7",
        "IPWATCH_WATCH_QUORUM": "many",
    }
    found = faults(tmp_path, "[watch]\ninterval = '1m'\n", environ)
    assert {fault.place for fault in found} == {f"environment {name}" for name in environ}


def test_overrides_stand_above_the_file(tmp_path: Path) -> None:
    """The four variables win over the file; empty ones do not count; a nearly right one is warned about."""
    environ = {
        "IPWATCH_WATCH_INTERVAL": "2m",
        "IPWATCH_WATCH_FAMILIES": "ipv6,ipv4",
        "IPWATCH_WATCH_QUORUM": "ipv4=3, ipv6=1",
        "IPWATCH_STATE_PATH": "elsewhere.db",
        "IPWATCH_WATCH_INTERVALL": "3m",
        "IPWATCH_UNRELATED_THING": "x",
        "IPWATCH_QUORUM": "9",
    }
    settings = read(tmp_path, "[watch]\ninterval = '1m'\nquorum = 5\n[state]\npath = 'x.db'\n", environ)
    assert settings.watch.interval == timedelta(minutes=2)
    assert settings.watch.families == (Family.IPV4, Family.IPV6)
    assert settings.watch.quorum == {Family.IPV4: 3, Family.IPV6: 1}
    assert settings.state == tmp_path / "elsewhere.db"
    assert settings.warnings == (
        "environment IPWATCH_QUORUM: this variable is not read; did you mean IPWATCH_WATCH_QUORUM?",
        "environment IPWATCH_WATCH_INTERVALL: this variable is not read; did you mean IPWATCH_WATCH_INTERVAL?",
    )
    empty = read(tmp_path, "[watch]\ninterval = '1m'\n", dict.fromkeys(environ, ""))
    assert empty.watch.interval == timedelta(minutes=1)
