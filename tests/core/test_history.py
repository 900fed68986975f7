"""History: from events to spans and outages."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from ipwatch.core.address import Address, Family
from ipwatch.core.event import Event, Topic
from ipwatch.core.history import Dissent, Outage, Span, outages, spans

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
NOW = NOON + timedelta(hours=24)
A, B = Address.parse("192.0.2.1"), Address.parse("192.0.2.2")
SIX = Address.parse("2001:db8::1")


def hour(count):
    return NOON + timedelta(hours=count)


def found(at, new, **data):
    return Event(Topic.ADDRESS_FOUND, at, {"family": new.family.value, "new": str(new), **data})


def changed(at, old, new, **data):
    return Event(Topic.ADDRESS_CHANGED, at, {"family": new.family.value, "old": str(old), "new": str(new), **data})


def dissent(at, source, said, family=Family.IPV4):
    return Event(Topic.SOURCE_DISSENT, at, {"family": family.value, "source": source, "said": said, "address": ""})


def test_one_address_that_lasts():
    """An address held until now has no end, and its length grows with the time."""
    assert spans([found(NOON, A)], NOW) == [Span(Family.IPV4, A, NOON, None, timedelta(hours=24))]


def test_change_with_its_gap():
    """A span ends where its address was last confirmed and the next begins where that was agreed on."""
    event = changed(hour(3), A, B, old_until=hour(1).isoformat(), new_at=hour(2).isoformat())
    assert spans([found(NOON, A), event], NOW) == [
        Span(Family.IPV4, A, NOON, hour(1), timedelta(hours=1)),
        Span(Family.IPV4, B, hour(2), None, timedelta(hours=22)),
    ]


def test_change_without_a_gap():
    """Where the gap is not told, one span ends as the next begins."""
    first, second = spans([found(NOON, A), changed(hour(2), A, B)], NOW)
    assert (first.until, second.since) == (hour(2), hour(2))


def test_there_and_back():
    """An address that comes back has a span of its own."""
    events = [found(NOON, A), changed(hour(1), A, B), changed(hour(2), B, A)]
    assert [(span.address, span.since) for span in spans(events, NOW)] == [(A, NOON), (B, hour(1)), (A, hour(2))]


def test_found_again():
    """The same address found again, by a service that lost its state, goes on with its span."""
    (span,) = spans([found(NOON, A), found(hour(5), A)], NOW)
    assert (span.since, span.until) == (NOON, None)


def test_found_another():
    """Another address found without a change being told ends the span as well."""
    first, second = spans([found(NOON, A), found(hour(5), B)], NOW)
    assert (first.until, second.address) == (hour(5), B)


def test_families_apart():
    """The two families do not touch each other's spans."""
    events = [found(NOON, A), found(hour(1), SIX), changed(hour(2), A, B)]
    assert [(span.family, span.address, span.until) for span in spans(events, NOW)] == [
        (Family.IPV4, A, hour(2)),
        (Family.IPV6, SIX, None),
        (Family.IPV4, B, None),
    ]


def test_who_disagreed():
    """Dissent belongs to the span of its family during which it was said; before any span it belongs to none."""
    events = [
        dissent(hour(-1), "web:early", str(B)),
        found(NOON, A),
        dissent(hour(1), "web:liar", str(B)),
        dissent(hour(1), "dns:six", str(SIX), Family.IPV6),
        changed(hour(2), A, B),
        dissent(hour(3), "stun:x", "no answer"),
    ]
    first, second = spans(events, NOW)
    assert first.dissent == (Dissent(hour(1), "web:liar", str(B)),)
    assert second.dissent == (Dissent(hour(3), "stun:x", "no answer"),)


def test_history_that_begins_with_a_change():
    """Where the older history is gone, the old address still has its last known moment."""
    event = changed(hour(2), A, B, old_until=hour(1).isoformat())
    first, second = spans([event], NOW)
    assert (first.address, first.since, first.until, first.duration) == (A, hour(1), hour(1), timedelta(0))
    assert second.address == B
    assert [span.address for span in spans([changed(hour(2), A, B)], NOW)] == [B]


def test_clock_set_back():
    """No span and no outage is shorter than nothing, wherever the clock was."""
    event = changed(hour(1), A, B, old_until=hour(-9).isoformat())
    first, second = spans([found(NOON, A), event], hour(-1))
    assert (first.until, first.duration) == (NOON, timedelta(0))
    assert second.duration == timedelta(0)


def test_nonsense_is_passed_over():
    """Events without sense (of a newer program, or edited by hand) change nothing."""
    nonsense = [
        Event(Topic.ADDRESS_FOUND, hour(1)),
        Event(Topic.ADDRESS_FOUND, hour(1), {"family": "ipv5", "new": str(A)}),
        Event(Topic.ADDRESS_FOUND, hour(1), {"family": "ipv4", "new": "x"}),
        Event(Topic.ADDRESS_FOUND, hour(1), {"family": "ipv4", "new": str(SIX)}),
        Event(Topic.SOURCES_DISPUTE, hour(1), {"family": "ipv4"}),
        Event(Topic.TEST, hour(1)),
    ]
    assert spans([found(NOON, A), *nonsense], NOW) == spans([found(NOON, A)], NOW)
    assert outages(nonsense, NOW) == []
    naive = changed(hour(2), A, B, old_until="2026-11-23T13:00:00", new_at="soon")
    assert spans([found(NOON, A), naive], NOW)[0].until == hour(2)


def online(since, until):
    return Event(Topic.ONLINE, until, {"since": since.isoformat(), "until": until.isoformat()})


def offline(since):
    return Event(Topic.OFFLINE, since, {"since": since.isoformat()})


def test_outages():
    """An outage has both ends once the line is back, told or not while it lasted."""
    events = [offline(hour(1)), online(hour(1), hour(2)), online(hour(5), hour(8))]
    assert outages(events, NOW) == [
        Outage(hour(1), hour(2), timedelta(hours=1)),
        Outage(hour(5), hour(8), timedelta(hours=3)),
    ]


def test_outage_that_lasts():
    """An outage without an end lasts until now; one that lasts is the newest, older ones without an end are unknown."""
    assert outages([offline(hour(20))], NOW) == [Outage(hour(20), None, timedelta(hours=4))]
    events = [offline(hour(1)), offline(hour(3)), online(hour(3), hour(4)), offline(hour(23))]
    assert outages(events, NOW) == [
        Outage(hour(3), hour(4), timedelta(hours=1)),
        Outage(hour(23), None, timedelta(hours=1)),
    ]


def test_outages_without_details():
    """Where an event tells no times, its own time stands for both."""
    assert outages([Event(Topic.ONLINE, hour(1))], NOW) == [Outage(hour(1), hour(1), timedelta(0))]
    assert outages([Event(Topic.OFFLINE, hour(1))], hour(2)) == [Outage(hour(1), None, timedelta(hours=1))]


happenings = st.builds(
    lambda at, topic, family, new, old: Event(topic, hour(at), {"family": family, "new": str(new), "old": str(old)}),
    st.integers(0, 50),
    st.sampled_from([Topic.ADDRESS_FOUND, Topic.ADDRESS_CHANGED, Topic.SOURCE_DISSENT, Topic.ONLINE, Topic.OFFLINE]),
    st.sampled_from(["ipv4", "ipv6", "x"]),
    st.sampled_from([A, B, SIX]),
    st.sampled_from([A, B, SIX]),
)


@given(st.lists(happenings, max_size=20, unique_by=lambda event: event.at), st.randoms())
def test_order_does_not_matter(events, chance):
    """Whatever the order of the events the answers are the same; a family's spans never overlap, one at most lasts."""
    mixed = list(events)
    chance.shuffle(mixed)
    answer = spans(events, hour(51))
    assert spans(mixed, hour(51)) == answer
    assert outages(mixed, hour(51)) == outages(events, hour(51))
    for family in Family:
        own = [span for span in answer if span.family is family]
        assert all(a.until is not None and a.until <= b.since for a, b in pairwise(own))
        assert all(span.duration >= timedelta(0) for span in own)
