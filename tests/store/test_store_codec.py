"""Values <-> JSON and rows: everything State may hold comes back, everything else is the one named error."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipwatch.core.address import Address, Family
from ipwatch.core.event import Event, Topic
from ipwatch.core.state import Delivery, RecordKey, Standing, State
from ipwatch.store.codec import Image, event_of, key_of, key_text, read_rows
from ipwatch.store.plain import Unreadable, from_json, to_json
from tests.fakes.states import NOON, delivery, states

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["published", "latch", "attempts", "event", "id", "at", "x"]), inner, max_size=4
        )
    ),
    max_leaves=8,
)


@given(anything.map(json.dumps) | st.text(max_size=40), st.sampled_from([Standing, Delivery, int, datetime, Address]))
def test_any_text_is_a_value_or_unreadable(text, kind):
    """Whatever text is read, there comes a value of the type asked for, or Unreadable."""
    try:
        value = from_json(text, kind)
    except Unreadable:
        return
    assert isinstance(value, kind)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("[" * 100_000, Standing),
        ("true", int),
        ('"2026-11-23T12:00:00"', datetime),
        ('"1.2.3"', Address),
        ('"of-tomorrow"', Topic),
        ('{"id": "1"}', Delivery),
        ('[["a"]]', tuple[tuple[str, str], ...]),
        ('{"a": 1}', Mapping[str, str]),
    ],
)
def test_unreadable(text, kind):
    """What does not fit its type is told as Unreadable."""
    with pytest.raises(Unreadable):
        from_json(text, kind)


@given(states)
def test_rows_are_read_as_they_were_written(state):
    """The difference from nothing to any state, read in order of rank, is that state; a second one is empty."""
    image, difference = Image().towards(state)
    rows = sorted(difference.put, key=lambda row: (row[0], row[2]))
    read, strays = read_rows(rows)
    assert (read.state, strays, read.ranks) == (state, [], image.ranks)
    assert not read.towards(state)[1]


def test_times_of_other_zones():
    """A time of another zone is kept as the same moment, in UTC."""
    at = NOON.astimezone(timezone(timedelta(hours=5)))
    assert to_json(at) == '"2026-11-23T12:00:00.000000+00:00"'
    assert from_json(to_json(at), datetime) == at


@pytest.mark.parametrize("account", ["home", "with|bar", "||", ""])
def test_record_keys(account):
    """A record's key survives as text, bars in the account's name included."""
    key = RecordKey(account, "h.example.org", Family.IPV6)
    assert key_text(key) == f"{account}|h.example.org|ipv6"
    assert key_of(key_text(key), RecordKey) == key


@pytest.mark.parametrize("text", ["", "a|b", "a|b|ipv5"])
def test_bad_record_keys(text):
    """A text that is no record's key is Unreadable."""
    with pytest.raises(Unreadable):
        key_of(text, RecordKey)


def test_outbox_rewrites_little():
    """New entries at the end and delivered ones at the front cost one row each, however long the outbox is."""
    before, _ = Image().towards(State(outbox=tuple(delivery(str(n)) for n in range(100))))
    _, difference = before.towards(State(outbox=tuple(delivery(str(n)) for n in range(1, 101))))
    assert [row[1] for row in difference.put] == ["100"]
    assert difference.drop == (("outbox", "0"),)


def test_events_of_columns():
    """An event is read from its columns; a topic, a time or details that are none are Unreadable."""
    assert event_of(NOON.isoformat(), "test", '{"a":"b"}') == Event(Topic.TEST, NOON, {"a": "b"})
    for columns in (("x", "test", "{}"), (NOON.isoformat(), "x", "{}"), (NOON.isoformat(), "test", "[]")):
        with pytest.raises(Unreadable):
            event_of(*columns)
