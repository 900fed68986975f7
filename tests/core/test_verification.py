from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipwatch.core.address import Address
from ipwatch.core.state import Shown
from ipwatch.core.verification import DEADLINE, DRIFT_CHECK, Sighting, compare, schedule

NEW, OLD, PROXY = Address.parse("198.41.0.4"), Address.parse("192.5.5.241"), Address.parse("104.16.1.1")
PROXY6 = Address.parse("2606:4700::1")
WANTED = Address.parse("193.0.14.129")


def seen(server: str, *addresses: Address, note: str = "") -> Sighting:
    return Sighting(server, "192.0.2.1:53", addresses, note)


def silent(server: str, note: str = "timed out", address: str = "192.0.2.1:53") -> Sighting:
    return Sighting(server, address, None, note)


@pytest.mark.parametrize(
    ("sightings", "shown", "detail"),
    [
        ([], Shown.UNKNOWN, "no name server is known"),
        ([silent("a"), silent("b", "REFUSED")], Shown.UNKNOWN,
         "a did not answer (timed out); b did not answer (REFUSED)"),
        ([silent("a", "")], Shown.UNKNOWN, "a did not answer (no answer)"),
        ([seen("a", WANTED)], Shown.SEEN, "a shows 193.0.14.129"),
        ([seen("a", WANTED), seen("b", WANTED), seen("c", WANTED)], Shown.SEEN, "a, b and c show 193.0.14.129"),
        ([seen("a", WANTED), silent("b")], Shown.SEEN, "a shows 193.0.14.129; b did not answer (timed out)"),
        ([seen("a", WANTED), seen("b", OLD)], Shown.LATE, "a shows 193.0.14.129; b shows 192.5.5.241"),
        ([seen("a", WANTED, OLD)], Shown.LATE, "a shows 192.5.5.241, 193.0.14.129"),
        ([seen("a", OLD), seen("b")], Shown.WRONG, "a shows 192.5.5.241; b shows no address"),
        ([seen("a", note="NXDOMAIN")], Shown.WRONG, "a shows no address (NXDOMAIN)"),
        ([seen("a", PROXY), seen("b", PROXY)], Shown.HIDDEN,
         "a content network's proxy hides the record; a and b show 104.16.1.1"),
        ([seen("a", PROXY), seen("b", OLD)], Shown.WRONG, "a shows 104.16.1.1; b shows 192.5.5.241"),
        ([seen("a", PROXY, OLD)], Shown.WRONG, "a shows 104.16.1.1, 192.5.5.241"),
        ([seen("a", PROXY), seen("b")], Shown.WRONG, "a shows 104.16.1.1; b shows no address"),
        ([seen("a", WANTED), silent("a", "unreachable", "[2001:db8::1]:53")], Shown.SEEN, "a shows 193.0.14.129"),
        ([silent("a", "x", "1"), silent("a", "x", "2"), silent("a", "y", "3")], Shown.UNKNOWN,
         "a did not answer (x, y)"),
    ],
)  # fmt: skip
def test_judges(sightings: list[Sighting], shown: Shown, detail: str) -> None:
    """Each combination of answers has its one judgement and a clause that names the servers."""
    found = compare(WANTED, sightings)
    assert (found.shown, found.detail) == (shown, detail)


def test_hidden_by_design() -> None:
    """A record proxied on purpose is told in other words than one that is not."""
    found = compare(WANTED, [seen("a", PROXY, PROXY6)], proxied_by_design=True)
    assert found.shown is Shown.HIDDEN
    assert found.detail.startswith("the record is proxied as configured")


def test_a_wanted_proxy_is_not_hidden() -> None:
    """Where the wanted address itself is a content network's, another one of theirs is simply wrong."""
    assert compare(PROXY, [seen("a", Address.parse("104.16.1.2"))]).shown is Shown.WRONG


_addresses = st.sampled_from([WANTED, OLD, NEW, PROXY])
_sightings = st.lists(
    st.builds(
        Sighting,
        server=st.sampled_from(["a", "b", "c"]),
        address=st.sampled_from(["1", "2"]),
        shows=st.none() | st.lists(_addresses, max_size=3).map(tuple),
        note=st.sampled_from(["", "timed out"]),
    ),
    max_size=6,
)


@given(_sightings, st.randoms(use_true_random=False))
def test_order_blind(sightings: list[Sighting], random: object) -> None:
    """The order of the answers changes neither judgement nor words, and a repeated answer adds nothing."""
    mixed = sightings + sightings[:2]
    random.shuffle(mixed)  # type: ignore[attr-defined]
    assert compare(WANTED, mixed) == compare(WANTED, sightings)


@given(_sightings, st.lists(st.sampled_from([OLD, NEW, PROXY]), max_size=2))
def test_one_dissenter_prevents_seen(sightings: list[Sighting], other: list[Address]) -> None:
    """However many servers show the address, one that answers something else keeps it from being seen."""
    assert compare(WANTED, [*sightings, seen("d", *other)]).shown is not Shown.SEEN


@given(_sightings)
def test_one_liar_does_not_make_it_seen(sightings: list[Sighting]) -> None:
    """One more server that shows the address turns wrong and hidden into late, and never into seen."""
    before = compare(WANTED, sightings).shown
    after = compare(WANTED, [*sightings, seen("d", WANTED)]).shown
    assert after is {Shown.UNKNOWN: Shown.SEEN, Shown.SEEN: Shown.SEEN}.get(before, Shown.LATE)


@given(_sightings)
def test_silence_changes_no_judgement(sightings: list[Sighting]) -> None:
    """A silent server is named and decides nothing."""
    found = compare(WANTED, [*sightings, silent("d", "SERVFAIL")])
    assert found.shown is compare(WANTED, sightings).shown
    assert "d did not answer (SERVFAIL)" in found.detail


def test_schedule_moments() -> None:
    """Looks fall at 0, 1, 2, 4, 8, 15, 30 and 60 s after the publication and then every 5 min."""
    at, looks = timedelta(0), [0.0]
    for _ in range(9):
        at += schedule(at)
        looks.append(at.total_seconds())
    assert looks == [0, 1, 2, 4, 8, 15, 30, 60, 360, 660]


@given(st.timedeltas())
def test_schedule_is_bounded(since: timedelta) -> None:
    """Whatever the clock did, the next look is between half a second and five minutes away."""
    assert timedelta(seconds=0.5) <= schedule(since) <= timedelta(minutes=5)


def test_constants() -> None:
    """A drift is looked for less often than a fresh change, whose looks end in the deadline."""
    assert timedelta(seconds=60) < DEADLINE < DRIFT_CHECK
