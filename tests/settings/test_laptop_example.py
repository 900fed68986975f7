"""config/laptop.toml: complete, true and usable; and the example of the design loads line by line."""

import re
from pathlib import Path
from typing import Any

import pytest

from ipwatch.settings import laptop_model as model
from ipwatch.settings.laptop_load import load
from ipwatch.settings.laptop_model import App, Host, Laptop, Wake

EXAMPLE = Path(__file__).parents[2] / "config" / "laptop.toml"
# What users were promised; every line of it is a contract.
PROMISED = """\
[home]
names = ["home.example.org"]          # asked at the zone's own servers first
nameservers = ["127.0.0.1:5353"]    # ask these instead (tests, split DNS)

[[host]]
name = "nas"
user = "anna"
port = 2222                           # as forwarded on the router
identity = "~/.ssh/id_ed25519"      # else the agent and ssh's defaults
keys = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICEwzIEi07GVXA+EYBYOyAEHo5X+QF7mnOevPpO7C5mA"]
engine = "paramiko"                 # or "openssh"
lan = "192.168.1.10:22"               # tried as well, when at home

[[host]]
name = "desktop"
user = "anna"
port = 2223
lan = "192.168.1.20:22"
mac = "aa:bb:cc:dd:ee:ff"
wake = { via = "nas", command = "sudo /usr/syno/sbin/synonet --wake {mac} eth0" }
[host.forward]
lab = 8890                            # local 8890 -> remote localhost:8890
streamlit = "8000:8501"               # local 8000 -> remote localhost:8501
printer = "6310:192.168.1.30:631"     # local port : host as seen from there : port
browse = "socks:1080"                 # a SOCKS proxy: pages see the house's address
"""


def uncommented() -> str:
    """The example with every key in force."""
    return re.sub(r"^#(?=[^\s#])", "", EXAMPLE.read_text(), flags=re.MULTILINE)


def loaded(folder: Path, text: str) -> Laptop:
    home = folder / "home"
    (home / ".ssh").mkdir(parents=True, exist_ok=True)
    (home / ".ssh" / "id_ed25519").touch()
    file = folder / "laptop.toml"
    file.write_text(text)
    file.chmod(0o600)
    return load(str(file), {"HOME": str(home)}, folder)


@pytest.fixture
def full(tmp_path: Path) -> Laptop:
    """The example with every key in force, loaded."""
    return loaded(tmp_path, uncommented())


def test_the_example_loads_as_it_is(tmp_path: Path) -> None:
    """As shipped it loads without a warning, and says the same as having no file: every default is written out."""
    shipped = loaded(tmp_path, EXAMPLE.read_text())
    without = load(None, {"HOME": str(tmp_path / "home")}, tmp_path / "elsewhere")
    assert shipped._replace(path=None) == without
    assert (shipped.warnings, without.path) == ((), None)


def test_the_example_with_every_key_in_force_loads(full: Laptop, tmp_path: Path) -> None:
    """With the comment marks taken away it is valid, without a warning."""
    assert full.warnings == ()
    assert list(full.hosts) == ["nas", "desktop"]
    assert full.state == tmp_path / "home/.local/state/ipwatch"
    assert full.hosts["desktop"].apps["notes"] == App("mkdocs serve -a localhost:{port}", folder="~/notes")


@pytest.mark.parametrize("line", re.findall(r"^# (wake = .*)$", EXAMPLE.read_text(), re.MULTILINE))
def test_the_other_ways_to_wake_load_too(tmp_path: Path, line: str) -> None:
    """Each of the ways the example names can be written in the place of the first."""
    text = re.sub(r"^wake = .*$", line, uncommented(), flags=re.MULTILINE)
    assert loaded(tmp_path, text).hosts["desktop"].wake not in {None, Wake()}


def keys_of(text: str) -> set[str]:
    return set(re.findall(r"^(?:# )?(\w+) = ", text, re.MULTILINE))


@pytest.mark.parametrize(
    ("cls", "heading", "spelt"),
    [
        (Host, r"\[\[host\]\]", {"forwards": None, "apps": None}),
        (App, r"\[host\.app\.notes\]", {}),
        (Laptop, r"\[home\]", {"path": None, "state": None, "hosts": None, "warnings": None}),
    ],
)
def test_every_key_is_in_the_example(cls: Any, heading: str, spelt: dict[str, None]) -> None:
    """No field of the settings is missing under its heading; forwards and apps are tables of their own."""
    blocks = re.findall(rf"^{heading}\n.*?(?=^\[|\Z)", uncommented(), re.MULTILINE | re.DOTALL)
    assert set(cls._fields) - set(spelt) <= keys_of("".join(blocks))


def test_every_key_of_wake_is_in_the_example() -> None:
    """In one of its three ways."""
    ways = "".join(re.findall(r"wake = \{.*\}", EXAMPLE.read_text()))
    assert all(f"{field} = " in ways for field in Wake._fields)


def test_the_defaults_it_names_are_the_defaults(full: Laptop) -> None:
    """What it says of a default is so."""
    desktop = full.hosts["desktop"]
    assert desktop.engine == Host("x").engine
    assert (desktop.keep_awake, full.hosts["nas"].keep_awake) == (True, False)
    assert desktop.wake == Wake("nas", command=model.WAKE_COMMAND)
    assert full.hosts["nas"].wake is None


def test_what_was_promised_loads(tmp_path: Path) -> None:
    """Every line of the design's example is understood, those behind a comment mark too."""
    settings = loaded(tmp_path, PROMISED)
    assert settings.warnings == ()
    desktop = settings.hosts["desktop"]
    assert {name: str(forward) for name, forward in desktop.forwards.items()} == {
        "lab": "localhost:8890 -> localhost:8890",
        "streamlit": "localhost:8000 -> localhost:8501",
        "printer": "localhost:6310 -> 192.168.1.30:631",
        "browse": "localhost:1080 (SOCKS)",
    }
    assert desktop.names == ("home.example.org",)
    assert [str(spot) for spot in settings.nameservers] == ["127.0.0.1:5353"]
    assert str(settings.hosts["nas"].lan) == "192.168.1.10:22"
