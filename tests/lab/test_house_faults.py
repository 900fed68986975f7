"""Bad days of the house and its providers, each with what was lost and how long until all was well again."""

import time

import pytest

from tests.fakes.waiting import wait
from tests.lab.internet import LIAR, LIE, MAIL, NS1, NS2
from tests.lab.lab import FIRST, SECOND, Lab
from tests.lab.table import note

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.timeout(600)]


def test_address_changes_while_both_name_servers_are_down(settled: Lab) -> None:
    """What was sent at such a time is neither repeated blindly nor lost: the zone shows it as soon as it can."""
    service = settled.service
    assert service is not None
    settled.internet.cut(NS1, NS2)
    settled.change_address(SECOND)
    assert wait(lambda: SECOND in settled.internet.provider.updates), service.text
    time.sleep(4)
    settled.internet.mend(NS1, NS2)
    mended = time.monotonic()
    settled.published(SECOND)
    note("both name servers down while the address changes", "nothing", time.monotonic() - mended, "they are back")
    settled.mailed(f"changed from {FIRST} to {SECOND}")
    assert settled.internet.provider.updates == [FIRST, SECOND]
    assert settled.internet.provider.faults == []


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
    settled.mailed(f"changed from {FIRST} to {SECOND}")
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
    settled.mailed("disagree")
    assert settled.internet.provider.updates == [FIRST]
    settled.internet.pages.lies = {}
    repented = time.monotonic()
    settled.published(SECOND)
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
    settled.published(SECOND)
    settled.mailed(f"changed from {FIRST} to {SECOND}")
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
    settled.mailed(f"changed from {FIRST} to {SECOND}")
    assert wait(lambda: not settled.status()["outbox"]), settled.status()
    note("power cut of the NAS as the mail is handed over", "nothing; a mail that comes twice has one Message-ID",
         time.monotonic() - cut, "the start")  # fmt: skip
    told = [mail.message for mail in settled.internet.mails if f"changed from {FIRST}" in mail.text]
    assert len({str(message["Message-ID"]) for message in told}) == 1
    assert settled.internet.provider.updates == [FIRST, SECOND]


def test_two_of_three_pages_tell_the_same_lie(home: Lab) -> None:
    """With the router as a voice, even two pages in league do not win against it and the third."""
    if not home.router.announce():
        pytest.skip("miniupnpd is not installed")
    home.configure(router=True)
    home.power_on()
    home.published(FIRST)
    home.internet.pages.lies = dict.fromkeys(("birch", "cedar"), LIE)
    lied = time.monotonic()
    home.mailed("disagree")
    assert home.internet.provider.updates == [FIRST]
    home.internet.pages.lies = {}
    repented = time.monotonic()
    home.mailed("agree again")
    assert home.internet.provider.updates == [FIRST]
    print(f"lab: told after {repented - lied:.1f} s")
    note("two of three pages tell the same lie, the router is a source", "nothing; no lie was published",
         time.monotonic() - repented, "they say the truth again")  # fmt: skip
