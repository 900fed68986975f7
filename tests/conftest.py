"""Which tests run side by side: files do, tests of one file do not. And what the programs they start inherit."""

import signal
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

if TYPE_CHECKING:
    from xdist.scheduler.loadfile import LoadFileScheduling

# How long an example takes says how busy the machine is, and nothing about the code.
hypothesis.settings.register_profile("ipwatch", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("ipwatch")

# They start apps at the usual ports (8888, 8501 ...), which a machine has once: one after the other.
ALONE = ("tests/laptop/test_apps.py", "tests/laptop/test_apps_there.py", "tests/real/test_apps_real.py")


def pytest_configure() -> None:
    """A shell ignores these for what it starts in the background, and everything that is started here would too."""
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that hold a slow test come first, since whoever starts last should not be the longest; the order within a
    file stays."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> "LoadFileScheduling":
    """A file at a time, as `--dist loadfile`; the files of ALONE are one."""
    from xdist.scheduler.loadfile import LoadFileScheduling

    class Files(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file: str = super()._split_scope(nodeid)
            return ALONE[0] if file in ALONE else file

    return Files(config, log)
