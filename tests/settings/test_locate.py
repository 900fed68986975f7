"""Which configuration is read, and where the state lives."""

from pathlib import Path

import pytest

from ipwatch.settings import locate
from ipwatch.settings.faults import SettingsFault
from ipwatch.settings.load import load


@pytest.fixture
def places(tmp_path: Path) -> dict[str, Path]:
    """A machine in a folder, with a configuration at every place of the search order."""
    home, cwd = tmp_path / "home", tmp_path / "cwd"
    found = {
        "option": tmp_path / "option.toml",
        "variable": tmp_path / "variable.toml",
        "cwd": cwd / "ipwatch.toml",
        "config": tmp_path / "config" / "ipwatch.toml",
        "xdg": tmp_path / "xdg" / "ipwatch" / "ipwatch.toml",
        "home": home / ".config" / "ipwatch" / "ipwatch.toml",
    }
    for path in found.values():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    return found


def test_the_search_order_is_kept(tmp_path: Path, places: dict[str, Path]) -> None:
    """--config, $IPWATCH_CONFIG, ./, /config, the user's folder: the first there is wins; then built-in defaults."""
    environ = {"IPWATCH_CONFIG": "../variable.toml", "HOME": str(tmp_path / "home")}
    cwd = tmp_path / "cwd"
    assert load(Path("../option.toml"), environ, cwd, root=tmp_path).path == cwd / "../option.toml"
    assert load(None, environ, cwd, root=tmp_path).path == cwd / "../variable.toml"
    del environ["IPWATCH_CONFIG"]
    for name in ("cwd", "config"):
        assert load(None, environ, cwd, root=tmp_path).path == places[name]
        places[name].unlink()
    assert load(None, {**environ, "XDG_CONFIG_HOME": str(tmp_path / "xdg")}, cwd, root=tmp_path).path == places["xdg"]
    assert load(None, {**environ, "XDG_CONFIG_HOME": "relative"}, cwd, root=tmp_path).path == places["home"]
    assert load(None, {}, cwd, root=tmp_path).path is None


@pytest.mark.parametrize(
    ("path", "environ", "by"),
    [(Path("no.toml"), {}, "--config"), (None, {"IPWATCH_CONFIG": "no.toml"}, "IPWATCH_CONFIG")],
)
def test_a_named_file_that_is_missing_is_a_fault(
    tmp_path: Path, path: Path | None, environ: dict[str, str], by: str
) -> None:
    """Who names a file wants that file: nothing else is read in its place."""
    (tmp_path / "ipwatch.toml").write_text("")
    with pytest.raises(SettingsFault) as caught:
        load(path, environ, tmp_path, root=tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}/no.toml: the configuration can not be read: there is no such file (named by {by})"
    )


def test_built_in_defaults_watch_and_publish_nothing(tmp_path: Path) -> None:
    """With no file: the three built-in sources, no account, no record, and every origin is the default."""
    settings = load(None, {"HOME": str(tmp_path / "home")}, tmp_path, root=tmp_path)
    assert [source.kind for source in settings.sources] == ["web", "dns", "stun"]
    assert (dict(settings.accounts), settings.records, settings.notifiers) == ({}, (), ())
    assert set(settings.origins.values()) == {"default"}
    assert settings.warnings == ()


def test_the_state_lives_beside_the_configuration(tmp_path: Path, places: dict[str, Path]) -> None:
    """With a file the default is beside it, wherever the program was started."""
    assert load(places["config"], {}, tmp_path, root=tmp_path).state == tmp_path / "config" / "ipwatch.db"


def test_without_a_configuration_the_state_lives_in_the_user_s_folder(tmp_path: Path) -> None:
    """/data if it can be written, else $XDG_STATE_HOME, else ~/.local/state, else where it was started."""
    home = {"HOME": "/home/anna"}
    assert load(None, home, tmp_path, root=tmp_path).state == Path("/home/anna/.local/state/ipwatch/ipwatch.db")
    assert load(None, {**home, "XDG_STATE_HOME": "/s"}, tmp_path, root=tmp_path).state == Path("/s/ipwatch/ipwatch.db")
    assert load(None, {}, tmp_path, root=tmp_path).state == tmp_path / "ipwatch.db"
    (tmp_path / "data").mkdir()
    assert load(None, home, tmp_path, root=tmp_path).state == tmp_path / "data" / "ipwatch.db"
    named = {"IPWATCH_STATE_PATH": "my.db"}
    assert load(None, named, tmp_path, root=tmp_path).state == tmp_path / "my.db"


def test_a_name_no_file_can_have_is_not_there(tmp_path: Path) -> None:
    """A working folder with an impossible name does not stop the search."""
    assert locate.configuration(None, {}, Path("/" + "x" * 5000), tmp_path) is None
