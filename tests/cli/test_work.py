"""`ipwatch run` as far as it goes before there is a service."""

import argparse
import logging
import os
from collections.abc import Iterator

import pytest

from ipwatch.cli import work


@pytest.fixture(autouse=True)
def _log() -> Iterator[None]:
    """`run` sets the log up for a process of its own."""
    logger = logging.getLogger("ipwatch")
    before = logger.handlers[:], logger.level
    yield
    logger.handlers[:], level = before
    logger.setLevel(level)


@pytest.mark.parametrize(
    ("environ", "asked"),
    [
        ({}, ""),
        ({"PUID": str(os.geteuid()), "PGID": str(os.getegid())}, ""),
        ({"PUID": "abc"}, ""),
        ({"PUID": "4711"}, f'PUID=4711: ipwatch runs as uid {os.geteuid()} and gid {os.getegid()}'),
        ({"PUID": "4711", "PGID": "100"}, 'in compose `user: "4711:100"`'),
    ],
)  # fmt: skip
def test_another_user_is_asked_for(
    environ: dict[str, str], asked: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """PUID and PGID are told where they ask for another user than there is, and never followed."""
    for name in ("PUID", "PGID"):
        monkeypatch.delenv(name, raising=False)
    for name, text in environ.items():
        monkeypatch.setenv(name, text)
    assert work.run(argparse.Namespace(config="/nowhere/ipwatch.toml")) == 2
    assert asked in caplog.text
    assert bool(caplog.text) is bool(asked)
