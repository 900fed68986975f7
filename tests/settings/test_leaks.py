"""Whatever is wrong, no secret is printed."""

import json
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ipwatch.settings import render
from ipwatch.settings.faults import SettingsFault
from ipwatch.settings.load import load
from ipwatch.settings.model import Settings

# Where a password may end up by mistake: in its own place, under a wrong key, as a word among permitted ones, as the
# name of a file or variable, beside a fault, or without its quotes.
PLACES = [
    "[account.a]\nkind = 'dyndns2'\nserver = 'https://d.example.org'\nusername = 'u'\npassword = {}\n[watch]\nx = 1",
    "[account.a]\nkind = 'dyndns2'\nserver = 'https://d.example.org'\nusername = 'u'\npasswort = {}",
    "[account.a]\nkind = 'dyndns2'\nserver = 'https://d.example.org'\nusername = 'u'\npassword = [{}]",
    "[account.a]\nkind = 'dyndns2'\nserver = 'https://d.example.org'\nusername = 'u'\npassword = {{ text = {} }}",
    "[account.a]\nkind = 'dyndns2'\nserver = 'https://d.example.org'\nusername = 'u'\npassword = {{ file = {} }}",
    "[account.a]\nkind = 'dyndns2'\nserver = 'https://d.example.org'\nusername = 'u'\npassword = {{ env = {} }}",
    "[account.a]\nkind = 'dyndns2'\nserver = 'https://d.example.org'\npassword = {}",
    "[account.a]\nkind = 'dyndns2'\nserver = 'nonsense'\nusername = 'u'\npassword = {}",
    "[account.a]\nkind = 'dyndns2'\nservice = 'noip'\nusername = 'u'\npassword = 'p'\nparameters = {{ key = {} }}",
    "[account.a]\nkind = 'dyndns2'\nserver = 'https://d.example.org'\nusername = 'u'\npassword = 'p'\nparameters = {}",
    "[account.a]\nkind = {}",
    "[account.a]\nkind = 'rfc2136'\nserver = '127.0.0.1'\nkey_name = 'k'\nkey_secret = {}\n",
    "[account.a]\nkind = 'rfc2136'\nserver = '127.0.0.1'\nkey_secret = {}\nkey_algorithm = {}",
    "[account.a]\nkind = 'cloudflare'\nzone = 'x'\nzone_id = 'y'\ntoken = {}",
    "[account.a]\nkind = 'duckdns'\ntoken = 1\ntimeout = {}\nverify = {}\nnameservers = {}",
    "[account.a]\nkind = 'duckdns'\ntoken = 1\nnameservers = [{}]",
    "[account]\na = {}",
    "[[record]]\nname = 'x.org'\naccount = {}\nttl = {}\nfamilies = {}",
    "[[source]]\nkind = {}",
    "[[source]]\nkind = 'web'\nform = {}\ntimeout = {}",
    "[[notify]]\nkind = 'email'\nserver = 's.example.org'\nsender = 'a@b.org'\nto = ['a@b.org']\npassword = {}",
    "[[notify]]\nkind = 'webhook'\nurl = {}",
    "[[notify]]\nkind = 'webhook'\nurl = 'https://h.example.org'\nheaders = {{ 'bad name' = {} }}",
    "[[notify]]\nkind = 'webhook'\nurl = 'https://h.example.org'\nmethod = {}\nheaders = {}",
    "[watch]\nheartbeat = {}",
    "[watch]\ninterval = {}\nfamilies = [{}]\nquorum = {}",
    "[watch]\nquorum = {{ ipv4 = {} }}",
    "[state]\npath = [{}]",
    "secret = {}",
]
MARK = "Zq7"
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=3, max_size=20).map(
    lambda text: f"{MARK}{text}{MARK}"
)
NUMBERS = st.integers(10**9, 10**15)


def toml_string(text: str) -> str:
    """A TOML basic string (JSON's escapes are among TOML's, except that DEL has to be escaped)."""
    return json.dumps(text).replace("\x7f", "\\u007f")


def everything(folder: Path, text: str) -> str:
    """All that the program could print about a configuration."""
    (folder / "ipwatch.toml").write_text(text, encoding="utf-8")
    (folder / "ipwatch.toml").chmod(0o644)
    try:
        loaded: Settings = load(folder / "ipwatch.toml", {}, folder, root=folder)
    except SettingsFault as error:
        return f"{error}{error!r}{error.faults!r}"
    return "\n".join([repr(loaded), *render.lines(loaded), *loaded.warnings])


quick = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


@quick
@given(st.sampled_from(PLACES), TEXTS)
def test_no_text_given_as_a_secret_is_ever_printed(tmp_path: Path, place: str, secret: str) -> None:
    """A random password in any of the places a password can slip into appears in no fault and no warning."""
    shown = everything(tmp_path, place.replace("{}", toml_string(secret)).replace("{{", "{").replace("}}", "}"))
    assert MARK not in shown


@quick
@given(st.sampled_from(PLACES), NUMBERS)
def test_no_number_given_as_a_secret_is_ever_printed(tmp_path: Path, place: str, secret: int) -> None:
    """A password of digits without quotes is masked as well."""
    shown = everything(tmp_path, place.replace("{}", str(secret)).replace("{{", "{").replace("}}", "}"))
    assert str(secret) not in shown


@quick
@given(st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=4, max_size=12))
def test_no_unquoted_secret_is_printed(tmp_path: Path, secret: str) -> None:
    """A password without quotes is a syntax error that does not repeat it."""
    shown = everything(tmp_path, f"[account.a]\nkind = 'duckdns'\ntoken = {MARK}{secret}\n")
    assert MARK not in shown


@quick
@given(st.text(max_size=200))
def test_any_text_is_settings_or_faults(tmp_path: Path, text: str) -> None:
    """Whatever stands in the file, it is read or refused with faults; nothing else is raised."""
    everything(tmp_path, text.encode("utf-8", "ignore").decode())


KEYS = st.sampled_from(
    ["watch", "interval", "quorum", "families", "account", "home", "kind", "record", "name", "token"]
)
WORDS = st.sampled_from(["web", "duckdns", "email", "5m", "ipv4", "home", "x.example.org", "", "-1s"])
DATA = st.recursive(
    st.one_of(WORDS, st.integers(-3, 300), st.booleans(), st.floats(allow_nan=False, allow_infinity=False)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=8,
)
TOP = st.sampled_from(["watch", "state", "source", "account", "record", "notify", "web", "host", "other"])


def inline(data: object) -> str:
    """The data as a TOML value."""
    match data:
        case dict():
            return "{ " + ", ".join(f"{key} = {inline(value)}" for key, value in data.items()) + " }"
        case list():
            return "[ " + ", ".join(map(inline, data)) + " ]"
        case str():
            return toml_string(data)
        case _:
            return json.dumps(data)


@quick
@given(st.dictionaries(TOP, DATA, max_size=4))
def test_any_data_is_settings_or_faults(tmp_path: Path, data: dict[str, object]) -> None:
    """Tables, lists and values where others belong are told, never raised."""
    everything(tmp_path, "\n".join(f"{key} = {inline(value)}" for key, value in data.items()))


def test_a_password_with_slashes_is_no_path(tmp_path: Path) -> None:
    """A base64 key written where a file's name belongs is not repeated in the fault."""
    place = "[account.a]\nkind = 'dyndns2'\nserver = 'https://d.example.org'\nusername = 'u'\n"
    assert MARK not in everything(tmp_path, place + f"password = {{ file = '{MARK}00/{MARK}==' }}")
