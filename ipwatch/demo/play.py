"""`ipwatch demo`: the real service in the bundled house, five scenes, under 20 seconds.

Everything the play waits for is seen from outside, at the house's own servers, never in the service's log.
"""

import sys
import tempfile
import time
from pathlib import Path

from ipwatch.demo.echo import LIE, Manner
from ipwatch.demo.house import NAMES, PAGES, RESIDENT, House
from ipwatch.demo.service import Service, interruptible
from ipwatch.demo.stage import Failed, Stage
from ipwatch.demo.timeline import Change, Timeline

SECOND, THIRD = "25.7.44.90", "25.9.120.7"
PATIENCE = 30.0  # seconds for any one step, on a machine that has other work
STOP = 10.0  # seconds from SIGTERM to the end (DESIGN section 5)
_LIAR = "cedar"
_INTERRUPTED = 130  # the shell's exit status after Ctrl-C


def play(*, keep: bool = False, colour: bool | None = None) -> int:
    """Give the play on stdout; 0 if all went as it should, 1 if not, 130 after Ctrl-C.

    keep: after the last change leave everything running until Ctrl-C. colour: None asks whether stdout is a terminal.
    """
    timeline = Timeline(sys.stdout, colour=colour)
    try:
        with (
            interruptible(),
            tempfile.TemporaryDirectory(prefix="ipwatch-demo-") as folder,
            House() as house,
        ):
            return _play(house, Path(folder), timeline, keep=keep)
    except KeyboardInterrupt:
        timeline.say("\nended; nothing is left running")
        return _INTERRUPTED


def _play(house: House, folder: Path, timeline: Timeline, *, keep: bool) -> int:
    config = folder / "ipwatch.toml"
    config.touch(mode=0o600)
    config.write_text(house.toml(folder))
    timeline.say("A house on this machine's loopback: four pages that tell an address, two name servers,")
    timeline.say("a dyndns2 server and a mail server. The service in it is the real one.")
    with Service(config) as service:
        stage = Stage(house, service, timeline)
        try:
            _found(stage)
            _changes(stage)
            _lies(stage)
            _outage(stage)
            if keep:
                _keep(stage, folder)
            stopped = _stops(stage)
        except Failed as failure:
            timeline.fault(str(failure))
            for line in service.said(15):
                timeline.say(f"          | {line}")
            return 1
    return _summary(stage, folder, stopped)


def _found(stage: Stage) -> None:
    stage.timeline.scene("1  The first address")
    change = stage.change("first address", stage.service.started)
    stage.timeline.step("house", f"its public address is {change.address}", at=change.at)
    stage.timeline.step("ipwatch", f"starts, process {stage.service.pid}", at=change.at)
    _told(stage, change)


def _changes(stage: Stage) -> None:
    stage.timeline.scene("2  The ISP changes it")
    stage.house.address = SECOND
    change = stage.change("changed")
    stage.timeline.step("house", f"gets {SECOND} from the ISP, nobody is told", at=change.at)
    _told(stage, change)


def _lies(stage: Stage) -> None:
    stage.timeline.scene("3  A page lies")
    stage.cause = since = time.monotonic()
    stage.house.lie(_LIAR)
    stage.timeline.step("web", f"{PAGES[_LIAR]} will say {LIE}, which is somebody else's")
    stage.until(lambda: stage.asked(since, Manner.LIE) > 0, PATIENCE, f"{PAGES[_LIAR]} was never asked")
    heard = time.monotonic()
    # Two more rounds of two honest voices each: whoever believed the lie would have published it by then.
    stage.until(lambda: stage.asked(heard, Manner.TRUTH) >= 5, PATIENCE, "the watch stopped after the lie")
    shown = {address for name in NAMES for address in stage.house.zone.shows(name)}
    if stage.house.wrong or shown != {stage.house.address}:
        raise Failed(f"the lie was believed: the zone shows {', '.join(sorted(shown))}")
    stage.timeline.step(
        "dns", f"two rounds later the zone still shows {stage.house.address}: the lie was outvoted", cause=since
    )


def _outage(stage: Stage) -> None:
    house, timeline = stage.house, stage.timeline
    timeline.scene("4  The line goes down, and comes back with another address")
    mails = len(house.mail.mails)
    house.line_down()
    stage.cause = down = time.monotonic()
    timeline.step("house", "the line is down", at=down)
    refused = house.line.refused
    stage.until(lambda: house.line.refused >= refused + 4, PATIENCE, "nobody tried to get out")
    house.address = THIRD
    timeline.step("house", f"gets {THIRD}, still cut off; ipwatch tried {house.line.refused - refused} times in vain")
    stage.pause(0.5)
    house.line_up()
    change = stage.change("after the outage")
    timeline.step("house", f"the line is back after {change.at - down:.1f} s", at=change.at)
    _told(stage, change)
    stage.pause(1.2)
    if (extra := len(house.mail.mails) - mails) != 1:
        raise Failed(f"{extra} mails instead of one digest told of the outage")
    timeline.quote(house.mail.mails[-1].text.strip().partition("\n\n")[0])


def _told(stage: Stage, change: Change) -> None:
    """Wait until a change is published, verified and mailed."""
    where = f"{change.address} was not published at both accounts"
    stage.until(lambda: change.published is not None, PATIENCE, where)
    stage.until(lambda: change.verified is not None, PATIENCE, "ipwatch did not look at both name servers")
    stage.until(lambda: change.mailed is not None, PATIENCE, f"no mail tells of {change.address}")


def _keep(stage: Stage, folder: Path) -> None:
    """Say where everything is, and wait for Ctrl-C."""
    house, config = stage.house, folder / "ipwatch.toml"
    places = (
        ("configuration", str(config)),
        ("the service", f"process {stage.service.pid}, log in {stage.service.log}"),
        ("what it thinks", f"ipwatch --config {config} explain"),
        ("the zone", f"dig @127.0.0.1 -p {house.primary.port} {NAMES[0]} A"),
        ("the lagging server", f"dig @127.0.0.1 -p {house.secondary.port} {NAMES[0]} A"),
        ("the pages", "  ".join(house.pages.url(page) for page in PAGES)),
        ("the dyndns2 server", house.dyn.url),
        ("the mail server", f"127.0.0.1:{house.mail.port} (SMTP), mails for {RESIDENT}"),
    )
    try:
        stage.timeline.scene("It goes on until Ctrl-C. Have a look:")
        for what, where in places:
            stage.timeline.say(f"  {what:<20}{where}")
        while True:
            stage.pause(3600)
    except KeyboardInterrupt:
        stage.timeline.say()


def _stops(stage: Stage) -> float:
    """SIGTERM; the seconds until the service has ended well."""
    stage.timeline.scene("5  The end")
    asked = time.monotonic()
    stage.timeline.step("demo", "sends SIGTERM", at=asked)
    status = stage.service.stop(STOP)
    if status is None:
        raise Failed(f"the service did not end within {STOP:g} s of SIGTERM")
    if status != 0:
        raise Failed(f"the service ended with exit status {status} after SIGTERM")
    stage.timeline.step("ipwatch", "has ended, exit status 0", cause=asked)
    return time.monotonic() - asked


def _summary(stage: Stage, folder: Path, stopped: float) -> int:
    house = stage.house
    mails, wrong, faults = len(house.mail.mails), len(house.wrong), len(house.dyn.faults)
    written = (folder / "current-ip.txt").read_text().strip() if (folder / "current-ip.txt").exists() else "missing"
    facts = [
        ("changes of the address", str(len(stage.changes)), True),
        ("mails, one for each", str(mails), mails == len(stage.changes)),
        ("wrong addresses published", str(wrong), wrong == 0),
        ("requests a provider would object to", str(faults), faults == 0),
        ("the file with the current address", written, house.address in written),
        ("seconds from SIGTERM to exit", f"{stopped:.2f}", stopped <= STOP),
    ]
    stage.timeline.summary(stage.changes, facts)
    return 0 if all(well for _, _, well in facts) else 1
