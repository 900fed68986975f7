"""Bad days of the whole home, each with what was lost and how long until all was well again."""

import time

import pytest

from tests.fakes.waiting import wait
from tests.lab.internet import LIAR, LIE, MAIL, NS1, NS2
from tests.lab.lab import CARRIER, FIRST, SECOND, SHARED, THIRD, Lab
from tests.lab.table import note
from tests.lab.wires import RESOLVER

pytestmark = [pytest.mark.real, pytest.mark.slow]


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
        assert up.when("last proved") or up.when("memory") or up.when("proved"), up.text


def test_address_changes_while_both_name_servers_are_down(settled: Lab) -> None:
    """What was sent at such a time is neither repeated blindly nor lost: the zone shows it as soon as it can."""
    service = settled.service
    assert service is not None
    settled.internet.cut(NS1, NS2)
    settled.change_address(SECOND)
    assert wait(lambda: SECOND in settled.internet.provider.updates, 15), service.text
    time.sleep(4)
    settled.internet.mend(NS1, NS2)
    mended = time.monotonic()
    settled.published(SECOND, 60)
    note("both name servers down while the address changes", "nothing", time.monotonic() - mended, "they are back")
    settled.mailed(f"changed from {FIRST} to {SECOND}", 60)
    assert settled.internet.provider.updates == [FIRST, SECOND]
    assert settled.internet.provider.faults == []


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


def test_mail_server_down_for_the_first_minutes(settled: Lab) -> None:
    """What happened while the mail server was away is told once it is back, all of it, once."""
    before = len(settled.internet.mails)
    settled.internet.refuse(MAIL)
    settled.change_address(SECOND)
    settled.published(SECOND)
    assert settled.service is not None
    settled.service.says("could not deliver")
    settled.internet.accept(MAIL)
    back = time.monotonic()
    settled.mailed(f"changed from {FIRST} to {SECOND}", 45)
    note("the mail server is down when the address changes", "nothing", time.monotonic() - back, "it is back")
    texts = [mail.text for mail in settled.internet.mails[before:]]
    assert sum(f"changed from {FIRST} to {SECOND}" in text for text in texts) == 1


def test_two_of_three_pages_lie(settled: Lab) -> None:
    """Two of the three echo pages name other addresses while the house's own changes: nothing wrong is published, the
    dispute is told, and when they repent the new address is published."""
    service = settled.service
    assert service is not None
    settled.internet.pages.lies = {"birch": LIE, "cedar": LIAR}
    settled.change_address(SECOND)
    settled.mailed("disagree", 30)
    assert settled.internet.provider.updates == [FIRST]
    settled.internet.pages.lies = {}
    repented = time.monotonic()
    settled.published(SECOND, 40)
    note("two of three echo pages lie while the address changes", "nothing; no lie was published",
         time.monotonic() - repented, "they say the truth again")  # fmt: skip
    assert settled.internet.provider.updates == [FIRST, SECOND]


def test_power_cut_in_the_middle_of_publishing(settled: Lab) -> None:
    """The NAS loses power after the provider took the new address and before it could say so: after the start the zone
    is looked at, nothing is sent twice, and the mail comes."""
    settled.internet.provider.struck = settled.power_cut
    settled.change_address(SECOND)
    assert wait(lambda: settled.service is None)
    cut = time.monotonic()
    settled.internet.provider.struck = lambda: None
    service = settled.power_on()
    settled.published(SECOND, 60)
    settled.mailed(f"changed from {FIRST} to {SECOND}", 60)
    note("power cut of the NAS between the provider's change and its answer", "nothing; nothing was sent twice",
         time.monotonic() - cut, "the start")  # fmt: skip
    assert settled.internet.provider.updates == [FIRST, SECOND], service.text
    assert settled.internet.provider.faults == []


def test_power_cut_as_the_mail_is_taken(settled: Lab) -> None:
    """The NAS loses power as the mail server takes the mail: after the start it is there, under one Message-ID however
    often it came, and nothing is published twice."""
    settled.internet.post.taken = settled.power_cut
    settled.change_address(SECOND)
    assert wait(lambda: settled.service is None)
    cut = time.monotonic()
    settled.internet.post.taken = lambda: None
    settled.power_on()
    settled.published(SECOND)
    settled.mailed(f"changed from {FIRST} to {SECOND}", 60)
    assert wait(lambda: not settled.status()["outbox"], 40), settled.status()
    note("power cut of the NAS as the mail is handed over", "nothing; a mail that comes twice has one Message-ID",
         time.monotonic() - cut, "the start")  # fmt: skip
    told = [mail.message for mail in settled.internet.mails if f"changed from {FIRST}" in mail.text]
    assert len({str(message["Message-ID"]) for message in told}) == 1
    assert settled.internet.provider.updates == [FIRST, SECOND]


def test_the_laptops_line_is_cut_without_a_word(settled: Lab) -> None:
    """Packets of the laptop vanish for eight seconds: its port stays open, and answers again when they pass."""
    with settled.laptop.up() as up:
        assert settled.laptop.shows(), up.text
        began = time.monotonic()
        settled.isp.cut("campus")
        lost = up.says("lost", 30, began)
        time.sleep(max(0.0, began + 8 - time.monotonic()))
        settled.isp.mend("campus")
        mended = time.monotonic()
        assert settled.laptop.shows(), up.text
        note(f"the laptop's line cut without a word for 8 s (noticed after {lost - began:.1f} s)",
             "what was in flight, reset at once", time.monotonic() - mended, "it is mended")  # fmt: skip


def test_carrier_nat(home: Lab) -> None:
    """The ISP puts the line behind carrier NAT: the router says so when asked by NAT-PMP, that is told, and from
    outside one sentence says that nobody answers. When the line has an address again, it is told and works."""
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
    given = time.monotonic()
    home.change_address(THIRD)
    home.mailed("no longer behind another NAT")
    with home.laptop.up() as up:
        assert home.laptop.shows(), up.text
        note(f"carrier NAT (diagnosed and told after {told - taken:.1f} s)", "the way in, as long as it lasts",
             time.monotonic() - given, "the line has an address of its own again")  # fmt: skip


def test_two_of_three_pages_tell_the_same_lie(home: Lab) -> None:
    """With the router as a voice, even two pages in league do not win against it and the third."""
    if not home.router.announce():
        pytest.skip("miniupnpd is not installed")
    home.configure(router=True)
    home.power_on()
    home.published(FIRST)
    home.internet.pages.lies = dict.fromkeys(("birch", "cedar"), LIE)
    lied = time.monotonic()
    home.mailed("disagree", 30)
    assert home.internet.provider.updates == [FIRST]
    home.internet.pages.lies = {}
    repented = time.monotonic()
    home.mailed("agree again", 30)
    assert home.internet.provider.updates == [FIRST]
    print(f"lab: told after {repented - lied:.1f} s")
    note("two of three pages tell the same lie, the router is a source", "nothing; no lie was published",
         time.monotonic() - repented, "they say the truth again")  # fmt: skip
