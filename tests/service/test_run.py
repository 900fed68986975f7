"""The real service as a process of its own, in the bundled house: signals, health, unlock, kill -9."""

import itertools
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from ipwatch.core.event import Topic
from ipwatch.demo.echo import Manner
from ipwatch.demo.house import DNS_NAME, DYN_NAME, House
from ipwatch.demo.service import Service
from ipwatch.net.clock import SystemClock
from ipwatch.store import SqliteStore, read_events, read_state
from tests.fakes.small_disk import fill, mounted
from tests.fakes.waiting import wait


def ipwatch(config: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ipwatch", *words, "--config", str(config)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def house() -> Iterator[House]:
    with House(lag=0.1) as it:
        yield it


@pytest.fixture
def config(house: House, tmp_path: Path) -> Path:
    path = tmp_path / "ipwatch.toml"
    path.write_text(house.toml(tmp_path))
    path.chmod(0o600)
    return path


def shows(house: House, address: str) -> bool:
    return all(house.zone.shows(name) == (address,) for name in (DYN_NAME, DNS_NAME))


def mails(house: House) -> str:
    return "\n".join(
        f"Subject: {m.message['Subject']}\nMessage-ID: {m.message['Message-ID']}\n{m.text}" for m in house.mail.mails
    )


def test_once(house: House, config: Path) -> None:
    """`ipwatch once` publishes, sees it in the zone, delivers the mail and ends with 0; a second one sends nothing."""
    assert ipwatch(config, "once").returncode == 0
    assert shows(house, house.address)
    assert len(house.mail.mails) == 1
    requests = len([n for n in house.journal.since() if n.who == "dyndns2"])
    again = ipwatch(config, "once")
    assert (again.returncode, len(house.mail.mails)) == (0, 1)
    assert len([n for n in house.journal.since() if n.who == "dyndns2"]) == requests


def test_dry_run(house: House, config: Path) -> None:
    """`once --dry-run` says what would be set and sends and writes nothing."""
    done = ipwatch(config, "once", "--dry-run")
    assert f"{DYN_NAME} A: would be set to {house.address}" in done.stdout
    assert not shows(house, house.address)
    assert not (config.parent / "ipwatch.db").exists()


def test_ip(house: House, config: Path) -> None:
    """`ipwatch ip` gives the agreed address alone; when the pages differ it gives reasons and exit status 1."""
    assert ipwatch(config, "ip").stdout == f"{house.address}\n"
    for page in ("amber", "birch", "cedar"):
        house.lie(page, Manner.ERROR)
    done = ipwatch(config, "ip")
    assert (done.returncode, done.stdout) == (1, "")
    assert "web:" in done.stderr


def test_signals(house: House, config: Path, tmp_path: Path) -> None:
    """SIGUSR1 makes a round at once, SIGHUP takes a new configuration and refuses a faulty one, SIGTERM ends with 0."""
    config.write_text(config.read_text().replace('interval = "1s"', 'interval = "1h"'))
    with Service(config) as service:
        assert wait(lambda: shows(house, house.address)), service.said(20)
        house.address = "25.8.8.8"
        os.kill(service.pid, signal.SIGUSR1)
        assert wait(lambda: shows(house, "25.8.8.8")), service.said(20)

        good = config.read_text()
        config.write_text(good.replace("[watch]", "[wach]"))
        os.kill(service.pid, signal.SIGHUP)
        assert wait(lambda: "configuration" in mails(house)), service.said(20)
        assert any("did you mean" in line for line in service.said(10))

        config.write_text(good.replace('interval = "1h"', 'interval = "1s"'))
        os.kill(service.pid, signal.SIGHUP)
        assert wait(lambda: any("was read again" in line for line in service.said(5)))
        house.address = "25.9.9.9"
        assert wait(lambda: shows(house, "25.9.9.9")), service.said(20)
        assert service.stop(10) == 0


def test_starts_without_network(house: House, config: Path) -> None:
    """A start while the line is down ends in no error; all is done once the line is there."""
    house.line_down()
    with Service(config) as service:
        assert wait(lambda: any("unclear" in line for line in service.said(5)))
        assert service.ended is None
        house.line_up()
        assert wait(lambda: shows(house, house.address)), service.said(20)
        assert wait(lambda: house.mail.mails), service.said(20)


def test_refused_then_unlocked(house: House, config: Path) -> None:
    """A wrong password costs one request over restarts; `status` and `explain` say so; a corrected one is used."""
    good = config.read_text()
    config.write_text(good.replace('password = "correct horse"', 'password = "wrong"'))
    for _ in range(2):
        with Service(config) as service:
            assert wait(lambda: service.said(1))
            assert wait(lambda: house.zone.shows(DNS_NAME) == (house.address,)), service.said(20)
            assert wait(lambda: "badauth" in mails(house)), service.said(20)
            time.sleep(1.2)
            assert service.stop(10) == 0
    requests = [n for n in house.journal.since() if n.who == "dyndns2" and n.what == "request"]
    assert len(requests) == 1
    assert mails(house).count("Subject:") <= 3
    assert ipwatch(config, "status").returncode == 1
    explained = ipwatch(config, "explain").stdout
    assert "badauth" in explained or "refused" in explained
    assert "wrong" not in explained
    with Service(config) as service:
        assert wait(lambda: service.said(1))
        assert "unlocked now" in ipwatch(config, "unlock", DYN_NAME).stdout
        assert wait(lambda: len([n for n in house.journal.since() if n.who == "dyndns2" and n.what == "request"]) == 2)
    config.write_text(good)
    with Service(config) as service:
        assert wait(lambda: shows(house, house.address)), service.said(20)


def test_health(house: House, config: Path) -> None:
    """`ipwatch health` is 0 beside a running service, and 1 before the first round and long after the last."""
    assert ipwatch(config, "health").returncode == 1
    with Service(config) as service:
        assert wait(lambda: shows(house, house.address)), service.said(20)
        assert ipwatch(config, "health").returncode == 0
    db = config.parent / "ipwatch.db"
    clock = SystemClock()
    store = SqliteStore(db, clock)
    long_ago = clock.now() - timedelta(hours=1)
    store.commit(replace(store.load(), alive_at=long_ago, next_at=long_ago))
    store.close()
    stale = ipwatch(config, "health")
    assert (stale.returncode, stale.stdout.split(":")[0]) == (1, "unhealthy")


def test_second_service_is_refused(house: House, config: Path) -> None:
    """Two services on one state: the second says who is there and ends."""
    with Service(config) as service:
        assert wait(lambda: shows(house, house.address)), service.said(20)
        done = ipwatch(config, "once")
        assert done.returncode == 1
        assert str(service.pid) in done.stderr


def test_stops_while_the_provider_hangs(house: House, config: Path) -> None:
    """SIGTERM while every server is dead ends within 10 s with 0, and the next start repairs what was open."""
    with Service(config) as service:
        assert wait(lambda: shows(house, house.address)), service.said(20)
        for page in ("amber", "birch", "cedar", "dune"):
            house.lie(page, Manner.HANG)
        time.sleep(1.5)
        assert service.stop(10) == 0
    for page in ("amber", "birch", "cedar", "dune"):
        house.lie(page, Manner.TRUTH)
    house.address = "25.6.6.6"
    with Service(config) as service:
        assert wait(lambda: shows(house, "25.6.6.6")), service.said(20)


def test_full_disk(house: House, config: Path) -> None:
    """With the state's disk full a new address is published and told all the same, and the fault is told; with room
    again all of it is on disk."""
    with mounted() as disk:
        db = disk / "ipwatch.db"
        config.write_text(config.read_text().replace(str(config.parent / "ipwatch.db"), str(db)))
        with Service(config) as service:
            assert wait(lambda: house.address in mails(house)), service.said(20)
            filler = fill(disk)
            house.address = "25.3.3.3"
            assert wait(lambda: shows(house, "25.3.3.3")), service.said(20)
            assert wait(lambda: "25.3.3.3" in mails(house)), service.said(20)
            assert any("can not be written" in line for line in service.said(40))
            filler.unlink()
            assert wait(lambda: any("can be written again" in line for line in service.said(40))), service.said(20)
            assert service.stop(10) == 0
        chain = [e["new"] for e in read_events(db) if e.topic in {Topic.ADDRESS_FOUND, Topic.ADDRESS_CHANGED}]
        assert chain == ["25.7.31.10", "25.3.3.3"]


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_killed_at_fifty_moments(house: House, config: Path) -> None:
    """kill -9 at 50 random moments of a busy run: the database is sound, no event is lost, no mail is repeated beyond
    the one in flight, nothing wrong is published, and the provider was never given cause for complaint."""
    moments = random.Random(20261123)
    for n in range(50):
        house.address = f"25.20.{n}.{moments.randrange(1, 255)}"
        with Service(config) as service:
            wait(lambda: False, moments.uniform(0.35, 1.1))
            os.kill(service.pid, signal.SIGKILL)
            assert wait(lambda: service.ended is not None)
    with Service(config) as service:
        assert wait(lambda: shows(house, house.address), 20), service.said(20)
        assert wait(lambda: house.address in mails(house), 90), service.said(20)
        assert wait(lambda: not read_state(config.parent / "ipwatch.db").outbox, 90), service.said(20)
        assert service.stop(10) == 0
    db = config.parent / "ipwatch.db"
    with closing(sqlite3.connect(db)) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert house.wrong == ()
    assert_no_event_lost(house, db)
    assert_no_mail_twice(house, kills=50)
    assert len(house.dyn.faults) <= 50 // 10  # each a kill between the server's answer and its note


def assert_no_event_lost(house: House, db: Path) -> None:
    """The chain of addresses is unbroken, and each of its links was mailed."""
    chain = [e for e in read_events(db) if e.topic in {Topic.ADDRESS_FOUND, Topic.ADDRESS_CHANGED}]
    assert chain[0].topic is Topic.ADDRESS_FOUND
    for before, after in itertools.pairwise(chain):
        assert after["old"] == before["new"]
    told = mails(house)
    assert [e["new"] for e in chain if e["new"] not in told] == []


def assert_no_mail_twice(house: House, kills: int) -> None:
    """A mail comes again, under the same Message-ID, only where a kill fell between delivery and note."""
    ids = re.findall(r"(?im)^message-id:\s*(\S+)", mails(house))
    assert ids
    assert len(ids) - len(set(ids)) <= kills // 10
