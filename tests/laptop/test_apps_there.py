"""The script that works on the host, run by real shells in a home folder of its own."""

import json
import os
import shlex
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ipwatch.core.app import Recipe
from ipwatch.core.trouble import Kind, Trouble
from ipwatch.laptop.apps import recipe_of, there
from ipwatch.protocols.told import Told
from ipwatch.settings.laptop_model import App
from tests.fakes import remote_apps
from tests.fakes.local_link import House, LocalLink
from tests.fakes.ports import free_port
from tests.fakes.waiting import wait


@pytest.fixture(params=[shell for shell in ("dash", "bash", "busybox") if shutil.which(shell)])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    """A host whose sh is that shell."""
    folder = tmp_path / "sh"
    folder.mkdir()
    (folder / "sh").symlink_to(str(shutil.which(request.param)))
    house = House(tmp_path / "home", environ={"PATH": f"{folder}:/usr/bin:/bin"})
    yield house
    house.end()


def ask(house: House, mode: str, recipe: Recipe, **more: Any) -> Told:
    return there.ask(LocalLink(house), "desktop", mode, recipe, **more)


def refused(house: House, mode: str, recipe: Recipe) -> str:
    with pytest.raises(Trouble) as caught:
        ask(house, mode, recipe)
    assert caught.value.kind is Kind.APP_FAILED
    return str(caught.value)


def own(command: str, **more: Any) -> Recipe:
    return recipe_of("api", (), "", {"api": App(command, **more)})


def told_to(house: House) -> dict[str, Any]:
    """How the app says it was started."""
    note = house.home / "told"
    assert wait(lambda: note.exists() and note.read_text().endswith("}"))
    found: dict[str, Any] = json.loads(note.read_text())
    return found


def test_a_started_app_outlives_the_session_is_found_again_and_can_be_ended(house: House) -> None:
    """A started app belongs to a session of its own, is known by the next call, and ends with its children."""
    recipe = own("sleep 300 & sleep 301; echo {port}")
    first = ask(house, "start", recipe)
    assert first.started
    assert first.running
    pid = first.running.pid
    assert wait(lambda: os.getsid(pid) == pid)
    again = ask(house, "start", recipe)
    assert (again.started, again.running and again.running.pid) == (False, pid)
    assert ask(house, "find", recipe).running == first.running
    assert wait(lambda: len(members(pid)) >= 2)
    children = members(pid)
    assert [one.pid for one in ask(house, "stop", recipe, key=there.everything(recipe)).stopped] == [pid]
    assert wait(lambda: all(ended(child) for child in children))
    assert ask(house, "find", recipe).running is None
    assert ask(house, "stop", recipe, key=there.everything(recipe)).stopped == ()


def members(group: int) -> list[int]:
    """The processes of a process group."""
    found = subprocess.run(["pgrep", "-g", str(group)], capture_output=True, text=True, check=False)
    return [int(pid) for pid in found.stdout.split()]


def ended(pid: int) -> bool:
    try:
        return ") Z " in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True


def test_words_of_the_user_are_never_interpreted(house: House) -> None:
    """Quotes, spaces, substitutions, globs and options among the user's words arrive as they were typed."""
    remote_apps.web(house, ".local/bin/streamlit")
    words = ["my app's.py", '$(touch ~/pwned)"`touch ~/pwned`', "*", "; touch ~/pwned", "{port}", "\\n", "é\udcff", "8"]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        words[-1] = str(free_port())
        recipe = recipe_of("streamlit", words, "", {})._replace(first=taken.getsockname()[1])
        ask(house, "start", recipe)
    assert told_to(house)["words"][4:] == words
    assert told_to(house)["words"][:1] == ["run"]
    assert not (house.home / "pwned").exists()


def test_the_token_stands_in_no_argument_list(house: House) -> None:
    """The token reaches the app by its environment: no process has it among its arguments, no file of ours holds it."""
    remote_apps.jupyter(house)
    token = "0123456789abcdef" * 3
    told = ask(house, "start", recipe_of("jupyter", (), "", {}), token=token)
    assert told.running
    listing = house.home / ".local/share/jupyter/runtime"
    assert wait(lambda: list(listing.glob("*.json")))
    everyone = subprocess.run(["ps", "-ww", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert "--port-retries=0" in everyone
    assert token not in everyone
    assert token in Path(f"/proc/{told.running.pid}/environ").read_text()
    assert all(token not in file.read_text() for file in house.state.iterdir())
    assert oct(house.state.stat().st_mode & 0o777) == "0o700"
    assert all(file.stat().st_mode & 0o077 == 0 for file in house.state.iterdir())


def test_a_running_jupyter_is_found_with_and_without_its_program(house: House) -> None:
    """A Jupyter somebody else started is found by Jupyter's own files, or by `jupyter server list`."""
    program = remote_apps.jupyter(house)
    recipe = recipe_of("jupyter", (), "", {})
    assert ask(house, "find", recipe).servers == ()
    started = ask(house, "start", recipe, token="secret").running
    assert started
    assert wait(lambda: ask(house, "find", recipe).servers)
    runtime = house.home / ".local/share/jupyter/runtime"
    elsewhere = house.home / "elsewhere"
    (by_file,) = ask(house, "find", recipe).servers
    assert (by_file.pid, by_file.port, by_file.token) == (started.pid, started.port, "secret")
    program.write_text(program.read_text().replace("~/.local/share/jupyter/runtime", str(elsewhere)))
    runtime.rename(elsewhere)
    assert ask(house, "find", recipe).servers == (by_file,)
    program.unlink()
    assert ask(house, "find", recipe).servers == ()


@pytest.mark.parametrize("place", [".local/bin", ".venv/bin", "miniconda3/bin", "mambaforge/envs/work/bin"])
def test_a_program_is_found_where_users_have_it(house: House, place: str) -> None:
    """A program is found in the home's usual folders though the session's PATH has none of them."""
    remote_apps.web(house, f"{place}/uvicorn")
    assert ask(house, "start", recipe_of("uvicorn", ("main:app",), "", {})).started
    assert told_to(house)["words"][:3] == ["--host", "127.0.0.1", "--port"]


@pytest.mark.parametrize("file", [".bash_profile", ".bashrc"])
def test_a_program_is_found_where_the_users_own_shell_finds_it(house: House, file: str) -> None:
    """The login shell is asked, and then the interactive one (where conda writes), whatever else they print."""
    house.environ["SHELL"] = shutil.which("bash") or "/bin/bash"
    remote_apps.web(house, "odd place/uvicorn")
    only = "case $- in *i*) ;; *) return ;; esac\n" if file == ".bashrc" else ""
    (house.home / file).write_text(f'{only}echo "welcome to /"; PATH="$HOME/odd place:$PATH"\n')
    assert ask(house, "start", recipe_of("uvicorn", ("main:app",), "", {})).started
    assert told_to(house)["words"][-1] == "main:app"


def test_a_folder_of_its_own_comes_first(house: House) -> None:
    """--folder is where the app starts, and its .venv is where its program is looked for first."""
    remote_apps.web(house, ".local/bin/uvicorn")
    remote_apps.web(house, "work/api/.venv/bin/uvicorn")
    told = ask(house, "start", recipe_of("uvicorn", ("main:app",), "~/work/api", {}))
    assert told.folder == str(house.home / "work/api")
    assert told_to(house)["folder"] == told.folder
    assert told.running
    assert wait(lambda: "work/api/.venv/bin/uvicorn" in Path(f"/proc/{told.running.pid}/cmdline").read_text())


def test_the_ports_that_are_taken_there_are_passed_over(house: House) -> None:
    """The first free port from the usual one on is taken; a port that the configuration fixes must be free."""
    remote_apps.web(house, "api")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = ask(house, "start", own("exec ~/api {port}")._replace(first=port))
        assert told.running
        assert told.running.port > port
        assert told_to(house)["port"] == str(told.running.port)
        said = refused(house, "start", own("exec ~/api {port} x", port=port))
    assert f"port {port} of desktop is taken by something that ipwatch did not start" in said


def test_what_stands_in_the_way_is_told(house: House) -> None:
    """Not installed, no such folder, no container engine, a state folder that can not be written: a sentence each."""
    said = refused(house, "start", recipe_of("uvicorn", ("main:app",), "", {}))
    assert said.startswith("uvicorn is not installed on desktop (looked for it in its folder's .venv, PATH")
    nowhere = recipe_of("jupyter", (), "/no/such 'folder", {})
    assert refused(house, "find", nowhere) == "desktop has no folder /no/such 'folder"
    house.environ |= {"XDG_RUNTIME_DIR": "/nowhere", "DOCKER_HOST": "/nowhere"}
    if not Path("/var/run/docker.sock").exists():
        assert "no container engine's socket" in refused(house, "socket", recipe_of("docker", (), "", {}))
    house.environ["XDG_STATE_HOME"] = "/proc/self"
    assert (
        refused(house, "find", recipe_of("jupyter", (), "", {})) == "/proc/self/ipwatch on desktop can not be written"
    )


def test_the_engines_socket_is_found(house: House) -> None:
    """The socket that the environment or the user's own rootless engine names comes before the system's."""
    with socket.socket(socket.AF_UNIX) as engine:
        path = house.home / "docker.sock"
        engine.bind(str(path))
        house.environ["XDG_RUNTIME_DIR"] = str(house.home)
        assert ask(house, "socket", recipe_of("docker", (), "", {})).socket == str(path)


def test_the_log_of_a_dead_app_is_told(house: House) -> None:
    """An app that ended is gone, and the end of its log is told, whatever bytes are in it."""
    recipe = own("printf 'one\\n\\n\\t\"two\"\\\\ \\351\\033[31m\\r\\nthree'; true {port}")
    ask(house, "start", recipe)
    assert wait(lambda: ask(house, "look", recipe).gone)
    assert ask(house, "look", recipe).lines == ("one", ' "two"\\ \ufffd[31m', "three")


def test_half_a_script_does_nothing(house: House) -> None:
    """A line that is cut while the script travels starts nothing."""
    recipe = own(f"touch {shlex.quote(str(house.home))}/started; sleep 300 # {{port}}")
    ask(house, "start", recipe._replace(command="true"))
    whole = house.scripts[-1].replace(b"command=true", f"command={shlex.quote(recipe.command)}".encode())
    for length in (len(whole) // 3, len(whole) // 2, len(whole) - 6):
        done = subprocess.run(["sh", "-s"], input=whole[:length], env=house.environ, cwd=house.home,
                              capture_output=True, check=False)  # fmt: skip
        assert done.stdout == b""
    assert not (house.home / "started").exists()


def test_a_host_without_sh_is_told(tmp_path: Path) -> None:
    """Where `sh` is no shell, the sentence says what the host answered."""
    house = House(tmp_path / "home", environ={"PATH": str(tmp_path)}, shell="/bin/sh")
    assert "desktop could not run a script by sh: " in refused(house, "find", recipe_of("jupyter", (), "", {}))
    (tmp_path / "sh").write_text("#!/bin/sh\nexit 3\n")
    (tmp_path / "sh").chmod(0o755)
    said = refused(house, "find", recipe_of("jupyter", (), "", {}))
    assert said == "desktop could not run a script by sh (exit status 3)"
