"""docker/compose.yaml: what it promises, and that its variables make a complete service."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from ipwatch import __version__
from ipwatch.settings.load import load
from tests.fakes.image import PROJECT

COMPOSE = PROJECT / "docker" / "compose.yaml"
Tree = dict[str, "Tree | list[str] | str"]


def read(text: str) -> Tree:
    """The YAML of that file: mappings, lists of texts, comments; two blanks an indent. Anything else fails."""
    root: Tree = {}
    path: list[tuple[int, Tree, str]] = [(-2, root, "")]
    for raw in text.splitlines():
        line = raw if '"' in raw else raw.partition(" #")[0]
        words = line.strip()
        if not words or words.startswith("#"):
            continue
        depth = len(line) - len(line.lstrip())
        while path[-1][0] >= depth:
            path.pop()
        _, above, key = path[-1]
        if words.startswith("- "):
            kept = above.setdefault(key, [])
            assert isinstance(kept, list)
            kept.append(words[2:].strip('"'))
            continue
        found = re.fullmatch(r'([\w-]+):(?: "?([^"]*)"?)?', words)
        assert found, f"not understood: {raw}"
        here = above.setdefault(key, {}) if key else above
        assert isinstance(here, dict)
        if found[2] is not None:
            here[found[1]] = found[2]
        path.append((depth, here, found[1]))
    return root


@pytest.fixture
def service() -> Tree:
    services = read(COMPOSE.read_text())["services"]
    assert isinstance(services, dict)
    found = services["ipwatch"]
    assert isinstance(found, dict)
    return found


def test_promises(service: Tree) -> None:
    """Host network, a numeric user out of PUID and PGID, nothing writable but the volume, no right to anything."""
    assert service["network_mode"] == "host"
    assert service["user"] == "${PUID:-1026}:${PGID:-100}"
    assert (service["read_only"], service["tmpfs"]) == ("true", ["/tmp"])
    assert (service["cap_drop"], service["security_opt"]) == (["ALL"], ["no-new-privileges:true"])
    assert (service["restart"], service["stop_grace_period"]) == ("unless-stopped", "20s")
    assert service["volumes"] == ["/volume1/docker/ipwatch/data:/data"]
    assert service["logging"] == {"driver": "json-file", "options": {"max-size": "1m", "max-file": "3"}}
    assert set(service) <= KEYS


# Known to every version of the file's format from 3.7 on (https://docs.docker.com/reference/compose-file/, 2026-11).
KEYS = {"image", "build", "container_name", "network_mode", "user", "read_only", "tmpfs", "cap_drop", "security_opt",
        "restart", "stop_grace_period", "volumes", "secrets", "environment", "logging"}  # fmt: skip


def test_variables_make_a_service(service: Tree, tmp_path: Path) -> None:
    """The program takes each variable that is shown, with nothing to warn of, and reads the mounted secrets."""
    environ = service["environment"]
    assert isinstance(environ, dict)
    given = {name: str(text) for name, text in environ.items()}
    assert given.pop("TZ")
    assert len(given) == 8
    named = [name for name, text in given.items() if text.startswith("/run/secrets/")]
    assert [given[name].removeprefix("/run/secrets/") for name in named] == service["secrets"]
    for name in named:
        path = tmp_path / given[name].rpartition("/")[2]
        path.write_text("hidden\n")
        path.chmod(0o600)
        given[name] = str(path)
    settings = load(None, given, tmp_path, root=tmp_path)
    assert not settings.warnings
    assert [r.name for r in settings.records] == ["home.example.org"]
    assert [n.kind for n in settings.notifiers] == ["email"]


def test_secrets_are_files(service: Tree) -> None:
    """Each secret is a file on the NAS, and is mounted where the variables look for it."""
    secrets = read(COMPOSE.read_text())["secrets"]
    assert secrets == {name: {"file": f"/volume1/docker/ipwatch/secrets/{name}"} for name in service["secrets"]}


def test_compose_takes_it() -> None:
    """Where there is a docker-compose, it takes the file."""
    program = shutil.which("docker-compose")
    if program is None:
        pytest.skip("docker-compose is not installed")
    words = [program, "-f", str(COMPOSE), "config"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_version_of_the_image() -> None:
    """The Dockerfile labels the image with the program's version."""
    assert f"ARG VERSION={__version__}\n" in (PROJECT / "docker" / "Dockerfile").read_text()
