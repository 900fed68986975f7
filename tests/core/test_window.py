"""core.window: windows follow the line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipwatch.core.window import LARGEST, SMALLEST, Window

KIB = 1024


def carry(window: Window, rate: float, rtt: float, seconds: float, now: float = 0.0, piece: int = 32 * KIB) -> float:
    """A line of that rate whose sender keeps the window full: what is under way is the window, so a round trip takes
    as long as the window takes to pass. Gives the time at the end."""
    end = now + seconds
    while now < end:
        now += max(piece / rate, piece * rtt / window.size)
        window.delivered(now, piece, rtt)
    return now


@pytest.mark.parametrize(("rate", "rtt"), [(2e6, 0.030), (50e6, 0.040), (10e6, 0.005), (100e6, 0.100)])
def test_the_window_settles_at_the_line_and_a_short_queue(rate: float, rtt: float) -> None:
    """On a line of a given rate and delay the window holds the line full and at most one round trip more."""
    window = Window()
    carry(window, rate, rtt, 5)
    line = rate * rtt
    assert window.calm
    assert line < window.size <= 2 * line + 10e-3 * rate + 64 * KIB


def test_a_long_fast_line_gets_the_largest_window_within_a_second() -> None:
    """At 40 ms and no limit in sight the window doubles every round trip, up to 16 MiB."""
    window = Window()
    carry(window, 1e9, 0.040, 1)
    assert window.size == LARGEST


def test_a_line_without_delay_gets_no_longer_queue_than_helps() -> None:
    """On loopback the window is what is under way and 1 MiB, however fast it is."""
    window = Window()
    carry(window, 1e9, 0.0001, 5)
    assert 1024 * KIB < window.size < 1300 * KIB


def test_a_slower_line_shrinks_the_window_slowly() -> None:
    """When the line becomes slower the window follows by at most an eighth at a time."""
    window = Window()
    now = carry(window, 50e6, 0.040, 3)
    before = window.size
    now = carry(window, 5e6, 0.040, 0.45, now)
    assert before / 4 < window.size < before
    carry(window, 5e6, 0.040, 10, now)
    assert window.size < 600 * KIB


def test_a_faster_line_is_noticed_after_calm() -> None:
    """A line that becomes ten times as fast ends the calm, and the window grows like at the begin."""
    window = Window()
    now = carry(window, 2e6, 0.030, 3)
    assert window.calm
    now = carry(window, 20e6, 0.030, 0.2, now)
    carry(window, 20e6, 0.030, 3, now)
    assert window.size > 20e6 * 0.030


def test_a_pause_says_nothing_about_the_line() -> None:
    """After a pause the window is what it was."""
    window = Window()
    now = carry(window, 50e6, 0.040, 3)
    before = window.size
    assert window.delivered(now + 60, 1, 0.040) == before
    assert window.delivered(now + 60.001, 1, 0.040) == before


@given(st.lists(st.tuples(st.floats(0, 2), st.integers(0, 2**20)), max_size=60), st.floats(0.0001, 1.0))
def test_the_window_keeps_its_bounds(steps: list[tuple[float, int]], rtt: float) -> None:
    """Whatever arrives when, the window stays between its bounds."""
    window, now = Window(), 0.0
    for pause, count in steps:
        now += pause
        assert SMALLEST <= window.delivered(now, count, rtt) <= LARGEST
