"""~/.ssh/ipwatch.conf and the Include line, with the system's own ssh as the reader."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ipwatch.cli import main
from ipwatch.core.host import HostKey
from ipwatch.core.trouble import Trouble
from ipwatch.laptop.sshconfig import Installation, configured_keys, home, keep_configured, program, text
from ipwatch.settings.laptop_load import load
from ipwatch.settings.laptop_model import Laptop
from tests.fakes.named import needs

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJJqNXnDWBb0bLy2zxkWn4QhJmSIG8iKQxO0Yp0vqh4e"
OTHER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBWuhHLx6tgYgKVyWQbpJEtO0Ry0eJ6ckR/eXa6zHRwN"
TOML = f"""\
[home]
names = ["home.example.org"]
[[host]]
name = "nas"
[[host]]
name = "desktop"
user = "anna"
port = 2223
identity = "id %h"
keys = ["{KEY}"]
mac = "aa:bb:cc:dd:ee:ff"
wake = {{ via = "direct", takes = "2m" }}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A home whose path has all that needs quotes."""
    made = tmp_path / "a b%c 'd'"
    made.mkdir()
    return made


@pytest.fixture
def settings(folder: Path) -> Laptop:
    return configured(folder, TOML)


def configured(folder: Path, toml: str) -> Laptop:
    (folder / "id %h").touch()
    (folder / "laptop.toml").write_text(toml + f"[state]\npath = '''{folder / 'state'}'''\n")
    return load(str(folder / "laptop.toml"), {}, folder)


def asked(config: Path, host: str) -> dict[str, str]:
    """What `ssh -G` says."""
    command = [needs("ssh"), "-F", str(config), "-G", host]
    found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout
    return dict(line.split(None, 1) for line in found.splitlines() if " " in line)


@pytest.mark.real
def test_ssh_reads_every_setting(folder: Path, settings: Laptop) -> None:
    """With spaces, quotes and percent signs in every path, ssh has all of a block; a host that is not ours has none."""
    place = Installation(folder, own=False)
    (folder / ".ssh").mkdir()
    (folder / ".ssh" / "config").write_text("Host *\n  User bob\n  ConnectTimeout 3\n  CheckHostIP yes\n")
    assert place.install(settings)
    found = asked(place.config, "desktop")
    expected = {
        "user": "anna", "hostname": "desktop", "port": "2223", "hostkeyalias": "desktop", "checkhostip": "no",
        "stricthostkeychecking": "true", "updatehostkeys": "false", "verifyhostkeydns": "false",
        "proxyusefdpass": "yes", "serveraliveinterval": "10", "serveralivecountmax": "3", "connecttimeout": "180",
        "globalknownhostsfile": "/dev/null",
    }  # fmt: skip
    assert {key: found[key] for key in expected} == expected
    assert found["identityfile"] == str(folder / "id %h").replace("%", "%%")
    assert found["userknownhostsfile"].endswith(f"{folder}/state/known_hosts.configured")
    assert found["proxycommand"].endswith(
        "proxy --pass-fd --config '"
        + str(folder / "laptop.toml").replace("'", "'\"'\"'").replace("%", "%%")
        + "' desktop"
    )
    other = asked(place.config, "example.org")
    assert (other["user"], other["connecttimeout"]) == ("bob", "3")
    assert not {"proxycommand", "hostkeyalias"} & set(other)


def test_installing_again_changes_nothing(folder: Path, settings: Laptop) -> None:
    """A second install finds all as it is to be; what changed in laptop.toml is brought in."""
    place = Installation(folder)
    assert place.install(settings)
    before = [path.stat().st_ino for path in (place.config, place.included)]
    assert not place.install(settings)
    assert [path.stat().st_ino for path in (place.config, place.included)] == before
    assert place.install(configured(folder, TOML.replace("2223", "2224")))
    assert "Port 2224" in place.included.read_text()
    assert place.config.read_text().count("Include") == 1


def test_the_files_are_private(folder: Path, settings: Laptop) -> None:
    """The folder is made with 0700, the files with 0600."""
    place = Installation(folder)
    place.install(settings)
    modes = [path.stat().st_mode & 0o777 for path in (place.folder, place.config, place.included)]
    assert modes == [0o700, 0o600, 0o600]


@pytest.mark.parametrize("before", [None, b"", b"Host x\r\n  User y", b"Host x\n"])
def test_uninstall_leaves_what_there_was(folder: Path, settings: Laptop, before: bytes | None) -> None:
    """The user's file is as it was, byte for byte and with its mode; where there was none there is none."""
    place = Installation(folder)
    if before is not None:
        place.folder.mkdir()
        place.config.write_bytes(before)
        place.config.chmod(0o644)
    place.install(settings)
    assert place.uninstall()
    assert not place.included.exists()
    assert (place.config.read_bytes() if place.config.exists() else None) == before
    if before is not None:
        assert place.config.stat().st_mode & 0o777 == 0o644
    assert not place.uninstall()


def test_a_link_stays_a_link(folder: Path, settings: Laptop) -> None:
    """Where ~/.ssh/config is a link into a collection of dotfiles, the file it leads to is edited."""
    place, real = Installation(folder), folder / "dotfiles"
    place.folder.mkdir()
    real.write_text("Host x\n")
    place.config.symlink_to(real)
    place.install(settings)
    assert place.config.is_symlink()
    assert "Include ipwatch.conf" in real.read_text()
    place.uninstall()
    assert real.read_text() == "Host x\n"


def test_a_read_only_file_is_left_alone(folder: Path, settings: Laptop) -> None:
    """A file that nobody may write is not replaced behind its owner's back; the sentence has the line to add."""
    place = Installation(folder)
    place.folder.mkdir()
    place.config.write_text("Host x\n")
    place.config.chmod(0o444)
    with pytest.raises(Trouble, match=r'read-only.*"Include ipwatch\.conf"'):
        place.install(settings)
    assert place.config.read_text() == "Host x\n"


def test_a_file_of_somebody_else_s_is_not_replaced(folder: Path, settings: Laptop) -> None:
    """An ipwatch.conf that ipwatch did not write stays."""
    place = Installation(folder)
    place.folder.mkdir()
    place.included.write_text("Host x\n")
    for act in (lambda: place.install(settings), place.uninstall):
        with pytest.raises(Trouble, match="is not from ipwatch"):
            act()
    assert place.included.read_text() == "Host x\n"


def test_what_can_not_be_used_is_named(folder: Path, settings: Laptop) -> None:
    """A file in the place of the folder, and a folder in the place of the file, end in a sentence."""
    (folder / ".ssh").write_text("")
    with pytest.raises(Trouble, match="can not be used: not a directory"):
        Installation(folder).install(settings)
    (folder / ".ssh").unlink()
    (folder / ".ssh" / "config").mkdir(parents=True)
    with pytest.raises(Trouble, match="can not be used: is a directory"):
        Installation(folder).install(settings)


def test_without_hosts_there_is_nothing_to_write(folder: Path) -> None:
    """An empty laptop.toml is named."""
    with pytest.raises(Trouble, match=r"laptop.toml has no \[\[host\]\]"):
        text(configured(folder, ""))


def test_keys_of_the_configuration_are_kept_up_to_date(tmp_path: Path) -> None:
    """The file for ssh follows laptop.toml: new keys come, old ones go, other hosts stay; nothing is written twice."""
    one, two = HostKey.parse(KEY), HostKey.parse(OTHER)
    keep_configured(tmp_path, {"nas": [one], "desktop": [two]})
    path = configured_keys(tmp_path)
    before = path.stat().st_ino
    keep_configured(tmp_path, {"nas": [one]})
    assert path.stat().st_ino == before
    keep_configured(tmp_path, {"nas": [two]})
    assert sorted(path.read_text().splitlines()) == [f"desktop {OTHER}", f"nas {OTHER}"]
    keep_configured(tmp_path, {"nas": []})
    assert path.read_text() == f"desktop {OTHER}\n"


def test_the_program_is_named_with_its_full_path() -> None:
    """The console script beside this interpreter."""
    assert program(windows=False) == (str(Path(sys.executable).with_name("ipwatch")),)


def test_ssh_s_home_is_the_user_database_s(tmp_path: Path) -> None:
    """ssh does not heed $HOME: where they differ that is known."""
    assert not home({"HOME": str(tmp_path)}).own
    assert home({"HOME": os.path.expanduser("~")}).own or os.environ.get("HOME") != home({}).ssh  # noqa: PTH111
    assert home({}).own


def test_without_a_console_script_the_interpreter_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows' name of it is not here: then it is this interpreter, which does not look into the working directory."""
    monkeypatch.setenv("PATH", "")
    assert program(windows=True) == (sys.executable, "-P", "-m", "ipwatch")


def test_a_path_ssh_can_not_read_is_a_fault_of_the_configuration(folder: Path, settings: Laptop) -> None:
    """A folder called ${x} is named before anything is written."""
    with pytest.raises(Trouble, match="ssh reads as a variable"):
        Installation(folder).install(settings._replace(state=folder / "${x}"))
    assert not (folder / ".ssh").exists()


def test_the_command_says_what_it_did(
    folder: Path, settings: Laptop, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """`ipwatch ssh-config` prints the file; --install and --uninstall tell what was done, and where ssh looks."""
    monkeypatch.setenv("HOME", str(folder))
    command = ["ssh-config", "--config", str(settings.path)]
    assert main(command) == 0
    assert capfd.readouterr().out == text(settings)
    for words in (["now has nas, desktop; try: ssh ", "use ssh -F"], ["conf has nas, desktop"]):
        assert main([*command, "--install"]) == 0
        said = capfd.readouterr()
        assert said.out == ""
        assert all(word in said.err for word in words)
    for word in ("as it was before", "nothing to take away"):
        assert main([*command, "--uninstall"]) == 0
        assert word in capfd.readouterr().err
