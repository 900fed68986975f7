"""What the HTTP providers share."""

from datetime import timedelta

import pytest

from ipwatch.core.address import Family
from ipwatch.core.outcome import Kind, Outcome, Scope
from ipwatch.net.clock import SystemClock
from ipwatch.ports import Busy, Garbled, PortError, Refused, Secret, Unreachable, outcome_of
from ipwatch.providers._common import Deadline, base_url, hidden, hide, stopping

SECRET = Secret("p%ss/word")


@pytest.mark.parametrize("error", [
    Unreachable("at p%ss/word", sent=True), Unreachable("at p%25ss%2Fword"),
    Busy("p%25ss/word", after=timedelta(1), code="c"),
    Refused("p%ss/word", code="x", scope=Scope.PROVIDER),
    Garbled("p%ss/word", excerpt="a p%ss/word"), PortError("p%ss/word"),
])  # fmt: skip
def test_hidden_errors_stay_the_same(error: PortError) -> None:
    """An error keeps its class and meaning, and loses the secret in any of its spellings."""
    told = hidden(error, SECRET, None)
    before, after = outcome_of(error), outcome_of(told)
    assert type(told) is type(error)
    assert (before.kind, before.code, before.after, before.scope) == (after.kind, after.code, after.after, after.scope)
    assert "word" not in after.text
    assert "***" in after.text


def test_no_time_sends_nothing() -> None:
    """With no time left nothing is sent."""
    with pytest.raises(Unreachable) as caught:
        Deadline(SystemClock(), timedelta(0)).left()
    assert not caught.value.sent


@pytest.mark.parametrize(("text", "origin", "path"), [
    ("dyn.example.net", "https://dyn.example.net", ""),
    ("https://dyn.example.net:8443/a/b/", "https://dyn.example.net:8443", "/a/b"),
    ("http://[::1]:80", "http://[::1]:80", ""), ("DYN.example.net/x", "https://dyn.example.net", "/x"),
])  # fmt: skip
def test_places_as_users_write_them(text: str, origin: str, path: str) -> None:
    """A server can be written with or without scheme, port and path."""
    assert base_url(text, allow_insecure=True) == (origin, path)


@pytest.mark.parametrize(("kind", "scope", "stops"), [
    (Kind.REFUSED, Scope.ACCOUNT, Kind.REFUSED), (Kind.REFUSED, Scope.PROVIDER, Kind.REFUSED),
    (Kind.BUSY, Scope.RECORD, Kind.BUSY), (Kind.UNSURE, Scope.RECORD, Kind.BUSY), (Kind.CHANGED, Scope.RECORD, None),
    (Kind.REFUSED, Scope.RECORD, None),
])  # fmt: skip
def test_what_ends_a_row_of_requests(kind: Kind, scope: Scope, stops: Kind | None) -> None:
    """After an account's refusal, a busy or a silent server, nothing more is sent in the same call."""
    said = stopping({("a.example.org", Family.IPV4): Outcome(kind, "x", "y", scope=scope)})
    assert (said.kind if said else None) is stops


def test_nothing_to_hide() -> None:
    """An empty secret leaves the text alone."""
    assert hide("text", Secret(""), None) == "text"
