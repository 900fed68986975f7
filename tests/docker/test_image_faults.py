"""What is wrong is told where users of containers look for it: in one line of `docker logs`, and by the exit status."""

import os
from pathlib import Path

import pytest

from tests.fakes import image
from tests.fakes.container import Container, Ended, Mounts
from tests.fakes.nas import GID, UID, Nas

pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.timeout(900),  # the first test of all makes the base image, where none is kept
    pytest.mark.skipif(bool(image.missing()), reason=image.missing() or "never"),
]
ACCOUNT = {
    "IPWATCH_RECORD_NAME": "home.example.org",
    "IPWATCH_ACCOUNT_SERVICE": "noip",
    "IPWATCH_ACCOUNT_USERNAME": "me",
    "IPWATCH_ACCOUNT_PASSWORD_FILE": "/run/secrets/dyn",
}
ME = f"uid {UID}, as which ipwatch runs"


def end(container: Container) -> Ended:
    """How a container that ends by itself ended; what it said, one line a fault."""
    ended = container.run()
    assert "Traceback" not in ended.log
    return ended


def test_volume_of_somebody_else(nas: Nas) -> None:
    """A volume that the container's user may not write: whose it is, who may not, and what to run where."""
    os.chown(nas.data, 0, 0)
    ended = end(nas.container())
    assert ended.status == 1
    assert ended.log == (
        f"ipwatch: the state file /data/ipwatch.db can not be written: /data belongs to uid 0 and does not let {ME}, "
        f"write; run `chown -R {UID} /data` as root (in a container: of the folder that is mounted there), or choose "
        "another `path` under [state]\n"
    )


def test_volume_to_read_alone(nas: Nas) -> None:
    """A volume mounted for reading alone is told as that."""
    ended = end(nas.container(data="/data:ro"))
    assert (ended.status, "/data lies on a read-only file system" in ended.log) == (1, True), ended.log


def test_puid(nas: Nas) -> None:
    """PUID and PGID, which this image can not follow, are told together with what does it."""
    os.chown(nas.data, UID + 1, GID)
    ended = end(nas.container(environ={"PUID": f"{UID + 1}", "PGID": f"{GID}"}))
    assert ended.status == 1
    assert (
        f"PUID={UID + 1}, PGID={GID}: ipwatch runs as uid {UID} and gid {GID} and can not become another" in ended.log
    )
    assert f'in compose `user: "{UID + 1}:{GID}"`' in ended.log


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[watch]\nintervall = "5m"\n', "2: watch.intervall: unknown key; did you mean 'interval'?"),
        ('[watch]\ninterval = "5m\n', "2: column"),
        (
            '[account.home]\nkind = "dyndns2"\nservice = "noip"\nusername = "me"\n',
            "1: account.home: the key 'password'",
        ),
    ],
    ids=["unknown-key", "no-toml", "missing-key"],
)
def test_broken_configuration(nas: Nas, text: str, told: str) -> None:
    """A fault of the configuration is told with file and line, and the exit status is 2."""
    ended = end(nas.container(mounts=nas.file("c", text, "/config/ipwatch.toml")))
    assert ended.status == 2
    assert ended.log.startswith(f"ipwatch: /config/ipwatch.toml:{told}")


def test_folder_for_a_file(nas: Nas) -> None:
    """Where docker made a folder, since the file to be mounted was missing, that is told: configuration and secret."""
    (nas.folder / "made").mkdir()
    made: Mounts = {nas.folder / "made": "/config/ipwatch.toml:ro"}
    ended = end(nas.container(mounts=made))
    assert (ended.status, "it is a folder (Docker makes one where the file" in ended.log) == (2, True), ended.log
    ended = end(nas.container(environ=ACCOUNT, mounts={nas.folder / "made": "/run/secrets/dyn:ro"}))
    assert (ended.status, "it is a folder (Docker makes one where the file" in ended.log) == (2, True), ended.log


def test_files_of_somebody_else(nas: Nas) -> None:
    """A configuration or a secret that the container's user may not read: its uid is told."""
    ended = end(nas.container(mounts=nas.file("c", "", "/config/ipwatch.toml", 0o600)))
    assert ended.status == 2
    assert f"/config/ipwatch.toml: the configuration can not be read: permission denied to {ME}" in ended.log
    ended = end(nas.container(environ=ACCOUNT, mounts=nas.file("dyn", "x", "/run/secrets/dyn", 0o600)))
    assert ended.status == 2
    assert f"the file /run/secrets/dyn can not be read: permission denied to {ME}" in ended.log


def test_missing_secret(nas: Nas) -> None:
    """A secret's file that is not there is told with the variable that names it."""
    ended = end(nas.container(environ=ACCOUNT))
    assert ended.status == 2
    assert ended.log == (
        "ipwatch: environment IPWATCH_ACCOUNT_PASSWORD_FILE: account.environment.password.file: the file "
        "/run/secrets/dyn can not be read: there is no such file\n"
    )


def test_commands_beside_the_service(nas: Nas) -> None:
    """The entry point takes every command: `check` shows the settings and where each is from, no secret among them."""
    secret = nas.file("dyn", "hidden", "/run/secrets/dyn")
    ended = end(nas.container("check", environ=ACCOUNT, mounts=secret))
    assert ended.status == 0
    assert "environment IPWATCH_ACCOUNT_USERNAME" in ended.log
    assert "/data/ipwatch.db" in ended.log
    assert "hidden" not in ended.log
    assert not list(Path(nas.data).iterdir())
