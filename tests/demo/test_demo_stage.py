"""The stage: what it makes of the house's observations. The service is stood in for by a process that does nothing."""

import io
import subprocess
import sys
import time

import pytest

from ipwatch.demo.house import NAMES, House
from ipwatch.demo.stage import Failed, Stage
from ipwatch.demo.timeline import Timeline


class Idle:
    """A service that runs and does nothing, or has ended."""

    def __init__(self, status: int | None = None) -> None:
        self.ended = status
        self.started = time.monotonic()


def stage(house: House, service: Idle) -> tuple[Stage, io.StringIO]:
    """A stage that prints into a text."""
    out = io.StringIO()
    return Stage(house, service, Timeline(out)), out


def test_a_change_is_followed_from_the_zone_to_the_mail():
    """Published when both names show it, verified when both servers were asked for both, mailed when a mail says it."""
    with House(lag=0.0) as house:
        view, out = stage(house, Idle())
        change = view.change("changed")
        for name in NAMES:
            house.zone.replace(name, "A", house.address, by="test")
        view.until(lambda: change.published is not None, 1, "not published")
        for name in NAMES:
            for server in ("ns1", "ns2"):
                assert change.verified is None
                house.journal.note("dns", "answered", name, about=server, address=house.address, text="A")
                view.until(lambda: True, 1, "")
        assert change.verified is not None
        house.mail.keep("a@demo.example", ["b@demo.example"], b"Subject: Other\n\nsomething else\n")
        house.mail.keep("a@demo.example", ["b@demo.example"], f"Subject: Moved\n\nnow {house.address}\n".encode())
        view.until(lambda: change.mailed is not None, 1, "not mailed")
        assert '"Moved"' in out.getvalue()
        assert out.getvalue().count("shown both names") == 1


def test_a_lagging_server_is_shown_once():
    """An old answer is no verification, and is told once a change."""
    with House() as house:
        view, out = stage(house, Idle())
        change = view.change("changed")
        house.zone.replace(NAMES[0], "A", house.address, by="test")
        for _ in range(2):
            house.journal.note("dns", "answered", NAMES[0], about="ns2", text="A")
        view.pause(0.02)
        assert out.getvalue().count("ns2 lags, it still shows nothing") == 1
        assert change.verified is None


def test_a_wait_ends_with_its_sentence():
    """What does not come in time, and a service that ended by itself, fail with one sentence."""
    with House() as house:
        view, _ = stage(house, Idle())
        started = time.monotonic()
        with pytest.raises(Failed, match=r"^no mail came \(waited 0\.1 s\)$"):
            view.until(lambda: False, 0.1, "no mail came")
        assert time.monotonic() - started < 1
        view, _ = stage(house, Idle(3))
        with pytest.raises(Failed, match="ended by itself, exit status 3"):
            view.until(lambda: False, 5, "no mail came")


def test_the_demo_is_imported_without_the_libraries_of_the_service():
    """Importing the play loads none of the libraries that only the service needs."""
    code = (
        "import sys, ipwatch.demo.play\n"
        "print(sorted({'requests', 'apscheduler', 'aiosmtplib', 'msgspec'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=True)
    assert done.stdout == "[]\n"
