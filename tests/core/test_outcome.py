"""Outcomes: which of them mean that the provider holds the address."""

import pytest

from ipwatch.core.outcome import Kind, Outcome, Scope


@pytest.mark.parametrize("kind", Kind)
def test_only_changed_and_unchanged_mean_held(kind: Kind) -> None:
    """Unsure, busy and refused never count as published; a refusal concerns the record unless said otherwise."""
    outcome = Outcome(kind, "code", "text")
    assert outcome.held is (kind in {Kind.CHANGED, Kind.UNCHANGED})
    assert (outcome.after, outcome.scope) == (None, Scope.RECORD)
