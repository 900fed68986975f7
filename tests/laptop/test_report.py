"""What `ipwatch up` shows."""

import io
from datetime import timedelta

from ipwatch.core import tunnel as table
from ipwatch.core.tunnel import State, Tunnel
from ipwatch.laptop.forwarder import Events, Forwarder
from ipwatch.laptop.report import Report
from ipwatch.laptop.say import Say


def test_a_long_outage_is_a_short_log() -> None:
    """In a pipe each state is told once until the next change of the link, however often it is searched in vain."""
    out, now = io.StringIO(), timedelta()
    report = Report(Say(out), "desktop", lambda: now)
    forwarder = Forwarder(lambda: now, Events(lambda: None, lambda _text: None))
    try:
        for _ in range(2):
            for _ in range(1000):
                for state in (State.LOCATING, State.DIALLING, State.BACKING_OFF):
                    report.show(Tunnel(state), forwarder, None)
            report.moved(Tunnel(State.UP), Tunnel(State.LOCATING), table.Lost(now, "gone"))
    finally:
        forwarder.close()
    once = ["looking for desktop", "calling desktop", "desktop is away, another try soon"]
    lost = "desktop: lost (gone), looking for it again"
    assert out.getvalue().splitlines() == [*once, lost, *once, lost]
