"""core.message and core.words."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipwatch.core.address import Address, Family
from ipwatch.core.event import Event, Topic
from ipwatch.core.message import SUBJECT_LIMIT, Composed, compose
from ipwatch.core.words import RANK

GOLDEN = Path(__file__).parent / "golden"
AT = datetime(2026, 11, 23, 3, 41, tzinfo=UTC)
HOME = {Family.IPV4: Address.parse("25.5.6.7")}
SINCE = "2026-11-23T03:12:00+00:00"

# One event a topic, with all that its line in core.event lists.
RECORD = {"record": "home.example.org", "account": "home", "family": "ipv4", "address": "25.5.6.7"}
DATA: Mapping[Topic, Mapping[str, str]] = {
    Topic.ADDRESS_FOUND: {"family": "ipv4", "new": "25.5.6.7"},
    Topic.ADDRESS_CHANGED: {
        "family": "ipv4",
        "old": "25.1.2.3",
        "new": "25.5.6.7",
        "old_until": SINCE,
        "new_at": AT.isoformat(),
    },
    Topic.ADDRESS_FLAPPING: {"family": "ipv4", "held": "25.1.2.3", "wants": "25.5.6.7", "changes": "4"},
    Topic.ADDRESS_STEADY: {"family": "ipv4", "address": "25.5.6.7"},
    Topic.SOURCES_DISPUTE: {
        "family": "ipv4",
        "said": "ipify said 25.1.2.3; icanhazip said 25.5.6.7",
        "address": "25.1.2.3",
    },
    Topic.SOURCES_AGREE: {"family": "ipv4", "address": "25.5.6.7", "since": SINCE},
    Topic.SOURCE_DISSENT: {"family": "ipv4", "source": "web:ipify", "said": "25.1.2.3", "address": "25.5.6.7"},
    Topic.BEHIND_NAT: {"family": "ipv4", "address": "25.5.6.7", "why": "the router 192.168.1.1 has 100.64.0.9 outside"},
    Topic.REACHABLE: {"family": "ipv4", "address": "25.5.6.7", "why": ""},
    Topic.OFFLINE: {"since": SINCE},
    Topic.ONLINE: {"since": SINCE, "until": AT.isoformat()},
    Topic.RECORD_PUBLISHED: {**RECORD, "old": "25.1.2.3", "verified": "seen"},
    Topic.RECORD_REFUSED: {**RECORD, "code": "badauth", "text": "the password is wrong", "scope": "account"},
    Topic.RECORD_FAILING: {**RECORD, "code": "911", "text": "the provider has trouble", "since": SINCE},
    Topic.RECORD_WELL: {**RECORD, "since": SINCE},
    Topic.RECORD_NOT_SHOWN: {**RECORD, "shown": "25.1.2.3", "detail": "ns1 shows 25.1.2.3"},
    Topic.RECORD_SHOWN: RECORD,
    Topic.RECORD_DRIFTED: {**RECORD, "detail": "ns1 shows 25.9.9.9", "repair": "yes"},
    Topic.NOTIFIER_FAILING: {"notifier": "email", "reason": "smtp.example.org:587 did not answer", "since": SINCE},
    Topic.NOTIFIER_WELL: {"notifier": "email", "since": SINCE},
    Topic.STORE_FAULT: {"reason": "the disk is full"},
    Topic.STORE_WELL: {"since": SINCE},
    Topic.CONFIG_REFUSED: {"reason": "ipwatch.toml:3: watch.intervall: unknown key"},
    Topic.TEST: {},
}
ONLINE = Event(Topic.ONLINE, AT, DATA[Topic.ONLINE])
CHANGED = Event(Topic.ADDRESS_CHANGED, AT, {"family": "ipv4", "old": "25.1.2.3", "new": "25.5.6.7"})
PUBLISHED = Event(Topic.RECORD_PUBLISHED, AT + timedelta(minutes=1), DATA[Topic.RECORD_PUBLISHED])


def one(topic: Topic, **data: str) -> Composed:
    return compose([Event(topic, AT, {**DATA[topic], **data})], HOME, AT)


def test_every_topic_has_words_as_written_down() -> None:
    """Each topic's subject and text are exactly the golden file's: a change of words is a decision."""
    assert set(RANK) == set(DATA) == set(Topic)
    said = "".join(f"[{t.value}]\nSubject: {one(t).subject}\n{one(t).text}\n" for t in Topic)
    assert said == (GOLDEN / "every_topic.txt").read_text()


def test_a_digest_says_all_in_one_line_and_each_below() -> None:
    """Offline, a new address and its verified record are one line, then one sentence each; text and page as golden."""
    made = compose([ONLINE, CHANGED, PUBLISHED], HOME, AT + timedelta(minutes=2))
    assert made.subject == "Home address changed: 25.1.2.3 -> 25.5.6.7 (and 2 more)"
    assert (
        "offline 03:12 to 03:41, address 25.1.2.3 -> 25.5.6.7, record home.example.org verified 03:42"
        in made.text.splitlines()[0]
    )
    assert made.text == (GOLDEN / "digest.txt").read_text()
    assert made.html == (GOLDEN / "digest.html").read_text()


def test_subjects_are_short_and_specific() -> None:
    """The subject alone tells what happened to whom."""
    assert one(Topic.ADDRESS_CHANGED).subject == "Home address changed: 25.1.2.3 -> 25.5.6.7"
    assert one(Topic.RECORD_REFUSED).subject == "home.example.org is refused (badauth)"


@pytest.mark.parametrize(
    ("scope", "name"),
    [("record", "home.example.org"), ("account", "home"), ("provider", "home"), ("", "home.example.org")],
)
def test_a_refusal_tells_what_to_do(scope: str, name: str) -> None:
    """A refused record says what opens it again: `ipwatch unlock` with the latched record's or account's name."""
    assert f"`ipwatch unlock {name}`" in one(Topic.RECORD_REFUSED, scope=scope).text


@pytest.mark.parametrize("verified", ["no", "unknown", "late", "hidden", "", "nonsense"])
def test_what_was_not_verified_is_never_called_verified(verified: str) -> None:
    """Only "seen" claims that the zone shows the address, in text, subject and digest."""
    single = one(Topic.RECORD_PUBLISHED, verified=verified)
    event = replace(PUBLISHED, data={**PUBLISHED.data, "verified": verified})
    several = compose([ONLINE, event], HOME, AT)
    for text in (single.subject, single.text, several.text):
        assert "every name server" not in text
        assert not re.search(r"(?<!not )(?<!not be )\bverified", text)
        assert "points to" not in text


def test_an_unanswered_update_is_not_called_failed() -> None:
    """Where it is not known what happened, the words are "could not confirm"."""
    made = one(Topic.RECORD_FAILING, code="no answer")
    assert "ould not confirm" in made.text
    assert "fail" not in (made.subject + made.text).lower()


def test_a_trouble_that_is_over_does_not_name_the_subject() -> None:
    """In a digest the subject is the weightiest news that still holds."""
    events = [Event(t, AT, DATA[t]) for t in (Topic.RECORD_REFUSED, Topic.ADDRESS_CHANGED, Topic.RECORD_WELL)]
    assert compose(events, HOME, AT).subject.startswith("Home address changed")
    assert compose(events[:2], HOME, AT).subject.startswith("home.example.org is refused")
    other = [events[0], Event(Topic.RECORD_WELL, AT, {**RECORD, "record": "nas.example.org"})]
    assert compose(other, HOME, AT).subject.startswith("home.example.org is refused")


def test_of_two_changes_the_newer_names_the_subject() -> None:
    """A -> B and B -> C: the subject is about C."""
    again = Event(Topic.ADDRESS_CHANGED, AT, {"family": "ipv4", "old": "25.5.6.7", "new": "25.8.8.8"})
    assert "25.8.8.8" in compose([CHANGED, again], HOME, AT).subject


def test_times_carry_the_date_and_the_zone_asked_for() -> None:
    """Times are UTC with the date, or in the zone given; one from another day keeps its date in the digest's line."""
    assert "2026-11-23 03:12 to 03:41 UTC" in one(Topic.ONLINE).text
    there = compose([ONLINE], HOME, AT, timezone(timedelta(hours=1), "CET"))
    assert "2026-11-23 04:12 to 04:41 CET" in there.text
    late = Event(Topic.ONLINE, AT, {"since": "2026-11-22T23:50:00+00:00", "until": AT.isoformat()})
    assert "offline 2026-11-22 23:50 to 03:41" in compose([late, CHANGED], HOME, AT).text
    naive = compose([Event(Topic.OFFLINE, AT, {"since": "2026-11-23T03:12:00"})], HOME, AT)
    assert "2026-11-23 03:12 UTC" in naive.text
    assert "since soon" in compose([Event(Topic.OFFLINE, AT, {"since": "soon"})], HOME, AT).text


def test_a_short_outage_shows_its_seconds() -> None:
    """Under a minute, within one or across two, both ends carry seconds in subject, text and digest; else neither."""

    def outage(since: datetime, seconds: float) -> Event:
        until = since + timedelta(seconds=seconds)
        return Event(Topic.ONLINE, until, {"since": since.isoformat(), "until": until.isoformat()})

    at = datetime(2026, 11, 23, 11, 38, 20, tzinfo=UTC)
    made = compose([outage(at, 3)], HOME, at)
    assert made.subject == "Home is online again: offline 2026-11-23 11:38:20 to 11:38:23 UTC"
    assert "Offline from 2026-11-23 11:38:20 to 11:38:23 UTC: no source" in made.text
    assert "offline 11:38:20 to 11:38:23, address" in compose([outage(at, 3), CHANGED], HOME, at).text
    assert "11:38:20 to 11:39:19 UTC" in compose([outage(at, 59)], HOME, at).text
    assert "11:38 to 11:39 UTC" in compose([outage(at, 60)], HOME, at).text
    midnight = datetime(2026, 11, 23, 23, 59, 58, tzinfo=UTC)
    text = compose([outage(midnight, 4)], HOME, at).text
    assert "2026-11-23 23:59:58 UTC to 2026-11-24 00:00:02 UTC" in text


def test_a_span_keeps_what_is_no_time() -> None:
    """An end that can not be read stands as it is, beside the other end in full."""
    text = compose([Event(Topic.ONLINE, AT, {"since": "soon"})], HOME, AT).text
    assert "Offline from soon to 2026-11-23 03:41 UTC:" in text


def test_where_the_clock_was_changed_both_ends_carry_the_zone() -> None:
    """An outage over the end of summer time shows which 02:30 is meant."""
    since = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    event = Event(Topic.ONLINE, AT, {"since": since.isoformat(), "until": (since + timedelta(hours=1)).isoformat()})
    assert "2026-10-25 02:30 CEST to 2026-10-25 02:30 CET" in compose([event], HOME, AT, Berlin()).text


def test_an_unconfirmed_update_tells_how_to_end_the_pause() -> None:
    """The hint names the record, which `ipwatch unlock` accepts."""
    assert "`ipwatch unlock home.example.org`" in one(Topic.RECORD_FAILING).text


def test_without_events_the_addresses_are_the_message() -> None:
    """No event: subject and text name the addresses, or say that none is known."""
    both = {Family.IPV6: Address.parse("2a02:1::7"), **HOME}
    assert compose([], both, AT).subject == "Home address: 25.5.6.7 (IPv4), 2a02:1::7 (IPv6)"
    assert "not known yet" in compose([], {}, AT).text


TEXTS = st.text(st.characters(codec="utf-8"), max_size=300)


@given(
    st.lists(
        st.builds(
            Event,
            st.sampled_from(Topic),
            st.just(AT),
            st.dictionaries(st.sampled_from(sorted({k for d in DATA.values() for k in d})), TEXTS, max_size=8),
        ),
        max_size=5,
    )
)
def test_any_details_give_a_message(events: list[Event]) -> None:
    """Whatever details an event holds or lacks: a one-line subject within the limit, and HTML that adds no tag."""
    made = compose(events, HOME, AT)
    assert made.subject.isprintable()
    assert 0 < len(made.subject) <= SUBJECT_LIMIT
    tags = Tags(made.html)
    assert set(tags.seen) <= {"html", "head", "meta", "title", "style", "body", "p", "span", "br"}
    assert not set(tags.attributes) & {"src", "href", "onclick"}
    assert len(re.findall("<p", made.html)) == len(events) + (len(events) > 1) + 1


def test_markup_in_a_detail_is_text() -> None:
    """A provider's answer full of markup is shown, not obeyed."""
    made = one(Topic.RECORD_REFUSED, text="<script>alert('x')</script> & {braces}")
    assert "<script" not in made.html
    assert "&lt;script&gt;" in made.html
    assert "{braces}" in made.html


class Berlin(tzinfo):
    """Europe/Berlin in the autumn of 2026: summer time ends on October 25 at 01:00 UTC; after it the fold is 1."""

    def utcoffset(self, at: datetime | None) -> timedelta:
        """One hour, or two in summer time."""
        return timedelta(hours=1) + self.dst(at)

    def dst(self, at: datetime | None) -> timedelta:
        """The hour of summer time."""
        return timedelta(hours=0 if at is not None and at.fold else 1)

    def tzname(self, at: datetime | None) -> str:
        """CEST or CET."""
        return "CEST" if self.dst(at) else "CET"

    def fromutc(self, at: datetime) -> datetime:
        """The wall clock."""
        over = at.replace(tzinfo=UTC) >= datetime(2026, 10, 25, 1, tzinfo=UTC)
        return (at + timedelta(hours=1 if over else 2)).replace(fold=int(over))


class Tags(HTMLParser):
    """The tags and attributes of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.attributes: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note it."""
        self.seen.append(tag)
        self.attributes += [name for name, _ in attrs]
