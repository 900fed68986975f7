"""What is in the image and what is not, and what it says of itself."""

import json

import pytest

from ipwatch import __version__
from tests.fakes import image
from tests.fakes.nas import Built, Nas

pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.timeout(900),  # the first test of all makes the base image, where none is kept
    pytest.mark.skipif(bool(image.missing()), reason=image.missing() or "never"),
]
# After a whole round: which of the modules that were loaded had no .pyc file.
COMPILED = """\
import sys, pathlib
from ipwatch.cli import main
main(["once"])
gone = [n for n, m in sys.modules.items() if getattr(m, "__cached__", None) and not pathlib.Path(m.__cached__).exists()]
print(len(sys.modules) > 400, gone)
"""
UNWANTED = """\
command -v pip pip3 gcc cc g++ make
find / -xdev '(' -name ensurepip -o -name 'pip*.whl' -o -path '*/pip/__main__.py' -o -path '*/.cache/pip' \
  -o -name paramiko -o -name cryptography ')'
"""


def test_labels(built: Built) -> None:
    """It says what it is, runs as a number, is stopped by SIGTERM, keeps /data and has a health check."""
    [found] = json.loads(built.storage.ask("podman", "image", "inspect", built.name))
    config = found["Config"]
    labels = config["Labels"]
    assert labels["org.opencontainers.image.version"] == __version__
    assert labels["org.opencontainers.image.base.name"] == built.base
    assert {f"org.opencontainers.image.{name}" for name in ("title", "description", "licenses", "revision")} <= set(
        labels
    )
    assert (config["User"], config["StopSignal"], config["WorkingDir"]) == ("1000:1000", "SIGTERM", "/data")
    assert (config["Entrypoint"], config["Cmd"], list(config["Volumes"])) == (["ipwatch"], ["run"], ["/data"])
    assert found["HealthCheck" if "HealthCheck" in found else "Healthcheck"]["Test"] == ["CMD", "ipwatch", "health"]


def test_nothing_else_in_it(built: Built, nas: Nas) -> None:
    """No pip, no compiler, nothing of pip's cache, and no package that only the laptop needs."""
    assert nas.container("-c", UNWANTED, options=("--entrypoint=sh",), user="0:0").run().log == ""
    added = built.storage.size(built.name) - built.storage.size(built.base)
    print(f"\nimage: {added / 1e6:.1f} MB on top of a base of {built.storage.size(built.base) / 1e6:.0f} MB")


def test_compiled(nas: Nas) -> None:
    """Every module of the service and of the standard library that a round loads is compiled: no start does it anew."""
    options = ("--entrypoint=python",)
    looked = nas.container("-c", COMPILED, options=options, mounts=nas.configured()).run()
    assert "True []\n" in looked.log
    assert nas.shown() == nas.house.address
