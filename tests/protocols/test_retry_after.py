"""The Retry-After header."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipwatch.protocols.retry_after import LONGEST, retry_after

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(("text", "seconds"), [
    ("0", 0), (" 120 ", 120), ("999999999", LONGEST.total_seconds()),
    ("Mon, 23 Nov 2026 12:01:00 GMT", 60), ("Mon, 23 Nov 2026 12:01:00 -0000", 60),
    ("Mon, 23 Nov 2026 11:00:00 GMT", 0),
    ("Mon, 23 Nov 9999 12:01:00 GMT", LONGEST.total_seconds()),
])  # fmt: skip
def test_both_forms_are_read(text: str, seconds: float) -> None:
    """Seconds and dates are read, never below zero nor above thirty days."""
    assert retry_after({"retry-after": text}, NOW) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "soon", "-5", "1.5", "٣", "99999999999", "Mon, 99 Nov 2026 12:01:00 GMT"])
def test_other_texts_are_none(text: str) -> None:
    """What is neither form names no time."""
    assert retry_after({"retry-after": text}, NOW) is None
    assert retry_after({}, NOW) is None


@given(st.text(max_size=60))
def test_any_text_is_bounded(text: str) -> None:
    """Any text gives a bounded time or None."""
    wait = retry_after({"retry-after": text}, NOW)
    assert wait is None or timedelta(0) <= wait <= LONGEST
