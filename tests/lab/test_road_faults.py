"""Bad days between the laptop and the house, each with what was lost and how long until all was well again."""

import time

import pytest

from tests.lab.internet import LIE, NAME, NS1, NS2
from tests.lab.lab import CARRIER, FIRST, SHARED, THIRD, Lab
from tests.lab.table import note
from tests.lab.wires import RESOLVER

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.timeout(600)]


def test_no_name_server_answers(settled: Lab) -> None:
    """The zone's servers and the resolver are silent, and there is no DNS over HTTPS: the host is found where its key
    was proved last."""
    settled.laptop.configure(doh=False)
    with settled.laptop.up() as up:
        assert settled.laptop.shows(), up.text
    settled.internet.cut(NS1, NS2, RESOLVER)
    began = time.monotonic()
    with settled.laptop.up() as up:
        assert settled.laptop.shows(), up.text
        note("no name server answers, no DNS over HTTPS: one `ipwatch up`", "nothing", time.monotonic() - began,
             "the command")  # fmt: skip
        assert up.when("memory)"), up.text


def test_port_53_is_hijacked(settled: Lab) -> None:
    """Somebody answers every question to every name server with a lie: it is said so, the address comes by HTTPS, the
    host is proved, and the page is there."""
    settled.isp.hijack()
    began = time.monotonic()
    with settled.laptop.up() as up:
        assert settled.laptop.shows(), up.text
        note("port 53 hijacked on the laptop's network: one `ipwatch up`", "nothing", time.monotonic() - began,
             "the command")  # fmt: skip
        assert FIRST in up.text
    told = settled.laptop.ipwatch("where", "desktop")
    assert LIE in told.stdout
    assert "answers DNS in everybody's place" in told.stderr


@pytest.mark.parametrize("engine", ["paramiko", "openssh"])
def test_the_laptops_line_is_cut_without_a_word(settled: Lab, engine: str) -> None:
    """Packets of the laptop vanish for eight seconds: its port stays open, and answers again when they pass."""
    settled.laptop.configure(engine=engine)
    by = "" if engine == "paramiko" else f", engine {engine}"
    with settled.laptop.up() as up:
        assert settled.laptop.shows(), up.text
        began = time.monotonic()
        settled.isp.cut("campus")
        lost = up.says("lost", after=began)
        time.sleep(max(0.0, began + 8 - time.monotonic()))
        settled.isp.mend("campus")
        mended = time.monotonic()
        assert settled.laptop.shows(), up.text
        note(f"the laptop's line cut without a word for 8 s{by} (noticed after {lost - began:.1f} s)",
             "what was in flight, reset at once", time.monotonic() - mended, "it is mended")  # fmt: skip


def test_carrier_nat(home: Lab) -> None:
    """The ISP puts the line behind carrier NAT: the router says so when asked by NAT-PMP, that is told, and from
    outside one sentence says that nobody answers. Where somebody publishes the carrier's address, as a router's own
    DynDNS does, the laptop says what it is. When the line has an address again, it is told and works."""
    if not home.router.announce():
        pytest.skip("miniupnpd is not installed")
    home.configure(router=True)
    home.desktop.work(real=False)
    home.power_on()
    home.published(FIRST)
    home.mailed(FIRST)
    taken = time.monotonic()
    home.carrier_nat()
    home.mailed("Port forwards can not work from outside")
    told = time.monotonic()
    print(f"lab: carrier NAT told after {told - taken:.1f} s")
    home.published(SHARED)
    explained = home.ask("explain")
    assert "no public address" in explained, explained
    assert CARRIER not in explained
    looked = home.laptop.ipwatch("where", "desktop")
    assert looked.returncode != 0
    assert SHARED in looked.stdout
    home.internet.publish(NAME, CARRIER)
    for command in ("where", "doctor"):
        looked = home.laptop.ipwatch(command, "desktop")
        assert looked.returncode != 0
        assert f"{CARRIER} is reached from its own network only" in looked.stdout + looked.stderr, looked
    given = time.monotonic()
    home.change_address(THIRD)
    home.mailed("no longer behind another NAT")
    with home.laptop.up() as up:
        assert home.laptop.shows(), up.text
        note(f"carrier NAT (diagnosed and told after {told - taken:.1f} s)", "the way in, as long as it lasts",
             time.monotonic() - given, "the line has an address of its own again")  # fmt: skip
