"""The house as a whole."""

import threading
import time
import tomllib

from ipwatch.demo.house import NAMES, House


def test_the_house_leaves_nothing_behind():
    """After the with block every thread is gone and every port free, also when the line was down."""
    before = set(threading.enumerate())
    with House() as house:
        port = house.dyn.port
        assert len(threading.enumerate()) > len(before)
        house.line_down()
    assert set(threading.enumerate()) == before
    with House() as again:
        assert again.dyn.port
    assert port


def test_its_configuration_is_toml_and_complete(tmp_path):
    """The configuration parses, names four operators, two accounts, two records and two ways to tell."""
    with House() as house:
        config = tomllib.loads(house.toml(tmp_path / 'a "folder"'))
        assert len({source["operator"] for source in config["source"]}) == 4
        assert config["account"]["dyn"]["server"] == house.dyn.url
        assert config["account"]["dns"]["nameservers"] == [house.primary.endpoint, house.secondary.endpoint]
        assert tuple(record["name"] for record in config["record"]) == NAMES
        assert [notify["kind"] for notify in config["notify"]] == ["email", "file"]
        assert config["state"]["path"] == str(tmp_path / 'a "folder"' / "ipwatch.db")


def test_a_wrong_address_is_noticed():
    """What is published and is not the house's address then is kept as wrong."""
    with House() as house:
        house.zone.replace(NAMES[0], "A", house.address, by="test")
        house.zone.replace(NAMES[1], "A", "25.66.6.66", by="test")
        assert house.wrong == ("25.66.6.66",)


def test_the_journal_wakes_who_waits():
    """A wait ends with the note it is for, and at its end without one."""
    with House() as house:
        timer = threading.Timer(0.05, house.line_down)
        timer.start()
        seen = house.journal.until(lambda notes: next((n.text for n in notes if n.what == "line"), None), 2)
        timer.join()
        assert seen == "down"
        started = time.monotonic()
        assert house.journal.until(lambda notes: next((n for n in notes if n.what == "never"), None), 0.05) is None
        assert time.monotonic() - started < 1
        number = len(house.journal.since())
        assert house.journal.wait(number, 0.01) == ()
        assert house.journal.wait(number - 1, 0.01)[0].what == "line"
