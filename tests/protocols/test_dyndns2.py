"""The dyndns2 codec: tables of answers, and what holds for every answer."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipwatch.core.address import Address, Family
from ipwatch.core.outcome import Kind, Outcome, Scope
from ipwatch.protocols.dyndns2 import LONGEST, Dialect, Habit, queries, read

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
V4, V6 = Address.parse("203.0.113.7"), Address.parse("2001:db8::7")
A, B, C = "a.example.org", "b.example.org", "c.example.org"
F4, F6 = Family.IPV4, Family.IPV6
CHANGED, UNCHANGED, UNSURE, BUSY, REFUSED = Kind.CHANGED, Kind.UNCHANGED, Kind.UNSURE, Kind.BUSY, Kind.REFUSED


def one(body: str, status: int = 200, headers: dict[str, str] | None = None, dialect: Dialect | None = None) -> Outcome:
    """The outcome for one name and one IPv4 address."""
    return read(status, headers or {}, body, [A], [V4], NOW, dialect or Dialect())[A, F4]


@pytest.mark.parametrize(("body", "kind"), [
    ("good", CHANGED), ("good 203.0.113.7", CHANGED), ("good 203.0.113.7\r\n", CHANGED), ("\ufeffgood\n", CHANGED),
    ("nochg", UNCHANGED), ("nochg 203.0.113.7", UNCHANGED), ("good 203.0.113.7,2001:db8::7", CHANGED),
    ("good 203.0.113.7, 2001:0DB8:0:0::7", CHANGED), ("good 203.0.113.7 2001:db8::99", CHANGED),
    ("GOOD", UNSURE), ("goodbye", UNSURE), ("notgood", UNSURE), ("good morning", UNSURE), ("<b>good</b>", UNSURE),
    ("OK good", UNSURE), ("good.", UNSURE), ("good 203.0.113", UNSURE), ("good 203.0.113.7 now", UNSURE),
    ("", UNSURE), ("\n \n", UNSURE), ("<html>\ngood\n</html>", UNSURE), ("200", UNSURE), ("OK", UNSURE),
    ("911x", UNSURE),
])  # fmt: skip
def test_only_the_exact_words_are_success(body: str, kind: Kind) -> None:
    """Success is the exact first word with nothing but addresses after it; never a part of a text."""
    assert one(body).kind is kind


@pytest.mark.parametrize(("code", "kind", "scope", "says"), [
    ("badauth", REFUSED, Scope.ACCOUNT, "password"), ("badagent", REFUSED, Scope.PROVIDER, "program"),
    ("abuse", REFUSED, Scope.RECORD, "support"), ("nohost", REFUSED, Scope.RECORD, "create it"),
    ("notfqdn", REFUSED, Scope.RECORD, "full host name"), ("!yours", REFUSED, Scope.RECORD, "another account"),
    ("!donator", REFUSED, Scope.RECORD, "paid"), ("!active", REFUSED, Scope.RECORD, "activated"),
    ("numhost", REFUSED, Scope.RECORD, "too many"), ("badsys", REFUSED, Scope.ACCOUNT, "system"),
    ("badparam", REFUSED, Scope.ACCOUNT, "parameter"), ("dnserr", BUSY, Scope.RECORD, "DNS"),
    ("911", BUSY, Scope.RECORD, "maintenance"), ("w10m", BUSY, Scope.RECORD, "10 minutes"),
])  # fmt: skip
@pytest.mark.parametrize("status", [200, 400, 401, 404, 429, 500])
def test_each_code_has_its_own_sentence(code: str, kind: Kind, scope: Scope, says: str, status: int) -> None:
    """Every code is read whatever the HTTP status, reaches as far as it should, and has its own sentence."""
    outcome = one(code, status)
    assert (outcome.kind, outcome.scope, outcome.code) == (kind, scope, code)
    assert says in outcome.text


@pytest.mark.parametrize(("body", "status", "retry", "after"), [
    ("911", 200, None, timedelta(minutes=30)), ("dnserr", 200, None, timedelta(minutes=30)),
    ("w30s", 200, None, timedelta(seconds=30)), ("w5m", 200, None, timedelta(minutes=5)),
    ("w2h", 200, None, timedelta(hours=2)), ("w999999h", 200, None, LONGEST),
    ("TOOSOON", 200, None, timedelta(minutes=10)),
    ("TOO_FREQ", 200, None, timedelta(minutes=10)), ("busy", 429, "77", timedelta(seconds=77)),
    ("", 503, "5", timedelta(seconds=5)),
    ("slow", 429, "Mon, 23 Nov 2026 12:01:00 GMT", timedelta(minutes=1)), ("slow", 429, None, None),
    ("911", 503, "10", timedelta(minutes=30)), ("911", 503, "7200", timedelta(hours=2)),
])  # fmt: skip
def test_waits_are_kept_exactly(body: str, status: int, retry: str | None, after: timedelta | None) -> None:
    """911 waits half an hour, wNN and Retry-After exactly what they say, and both the longer."""
    outcome = one(body, status, {"retry-after": retry} if retry else {})
    assert (outcome.kind, outcome.after) == (BUSY, after)


def test_status_without_a_word() -> None:
    """401 is badauth; other statuses tell nothing of the update, but say where to look."""
    assert (one("<html>", 401).code, one("", 401).scope) == ("badauth", Scope.ACCOUNT)
    assert (one("<html>", 404).kind, one("<html>", 500).kind) == (UNSURE, UNSURE)
    assert "`server`" in one("", 404).text
    moved = one("", 301, {"location": "https://u:p@else.example/x?k=v"})
    assert "else.example/x" in moved.text
    assert "u:p" not in moved.text
    assert "k=v" not in moved.text
    assert one("", 302).kind is UNSURE


@pytest.mark.parametrize("status", [302, 404, 500])
def test_good_under_an_error_status_is_not_success(status: int) -> None:
    """`good` together with an HTTP error contradicts itself: nothing is known."""
    assert one("good 203.0.113.7", status).kind is UNSURE


@pytest.mark.parametrize("body", ["good 127.0.0.1", "good 203.0.113.8", "nochg 203.0.113.8", "good 2001:db8::7"])
def test_another_address_is_an_alarm(body: str) -> None:
    """`good` with an address that was not sent stops the record and names both addresses."""
    outcome = one(body)
    assert (outcome.kind, outcome.scope, outcome.code) == (REFUSED, Scope.RECORD, "mismatch")
    assert "203.0.113.7" in outcome.text
    assert body.split()[1] in outcome.text
    assert ("ignores" in outcome.text) is ("127." in body)


def test_surplus_lines_are_ignored_and_told() -> None:
    """More lines than names change nothing but the text."""
    outcome = one("good 203.0.113.7\nnohost\n<br>")
    assert outcome.kind is CHANGED
    assert "2 more line(s)" in outcome.text


@pytest.mark.parametrize(("body", "kinds"), [
    ("good\nnochg\nnohost", (CHANGED, UNCHANGED, REFUSED)),
    ("good 203.0.113.7\ngood 203.0.113.7\ngood 203.0.113.7", (CHANGED,) * 3),
    ("good", (CHANGED, UNSURE, UNSURE)), ("good\nnochg", (CHANGED, UNCHANGED, UNSURE)), ("badauth", (REFUSED,) * 3),
    ("911", (BUSY,) * 3), ("TOOSOON", (BUSY,) * 3), ("abuse", (REFUSED, UNSURE, UNSURE)),
    ("good\n<html>\ngood", (CHANGED, UNSURE, UNSURE)), ("<html>\ngood\ngood", (UNSURE,) * 3),
    ("numhost", (REFUSED,) * 3),
    ("badauth\nPlease check your password", (REFUSED,) * 3),
    ("good\n\n\nnochg\ngood\ngood", (CHANGED, UNCHANGED, CHANGED)),
])  # fmt: skip
def test_lines_go_by_the_order_of_names(body: str, kinds: tuple[Kind, ...]) -> None:
    """Line n is name n; account and system words stand for all; a name without a line is unsure, as is the order
    after a line that is none of the protocol's."""
    outcomes = read(200, {}, body, [A, B, C], [V4], NOW)
    assert tuple(outcomes[name, F4].kind for name in (A, B, C)) == kinds


def test_one_line_for_all() -> None:
    """Where a service settles all names with one word, it counts for all."""
    outcomes = read(200, {}, "good", [A, B], [V4], NOW, Dialect(one_line_for_all=True))
    assert {o.kind for o in outcomes.values()} == {CHANGED}


@pytest.mark.parametrize(("body", "kind4", "kind6"), [
    ("good 203.0.113.7,2001:db8::7", CHANGED, CHANGED), ("good", CHANGED, CHANGED),
    ("good 2001:db8::7\nnochg 203.0.113.7", UNCHANGED, CHANGED),
    ("nochg 203.0.113.7\ngood 2001:db8::7", UNCHANGED, CHANGED),
    ("good 203.0.113.7", CHANGED, UNSURE), ("good 203.0.113.7,2001:db8::8", CHANGED, REFUSED),
    ("good\nnohost", REFUSED, REFUSED), ("good 203.0.113.7\nnohost", CHANGED, REFUSED),
    ("badauth\ngood", REFUSED, REFUSED),
    ("good\nnochg", CHANGED, CHANGED), ("good 203.0.113.7\ngood 203.0.113.7", CHANGED, UNSURE), ("dnserr", BUSY, BUSY),
    ("good 203.0.113.7\ndeleted AAAA", CHANGED, UNSURE),
])  # fmt: skip
def test_two_families_of_one_name(body: str, kind4: Kind, kind6: Kind) -> None:
    """One line with both addresses, or a line per family in either order, as nsupdate answers."""
    outcomes = read(200, {}, body, [A], [V4, V6], NOW)
    assert (outcomes[A, F4].kind, outcomes[A, F6].kind) == (kind4, kind6)


def test_a_line_of_the_other_family_is_passed_over() -> None:
    """With one family sent, an answer that shows both on two lines is read for the one sent."""
    assert one("good 2001:db8::7\nnochg 203.0.113.7").kind is UNCHANGED


@pytest.mark.parametrize(("body", "kinds"), [
    ("good 203.0.113.7\nnochg 2001:db8::7\nnochg 203.0.113.7\ngood 2001:db8::7",
     (CHANGED, UNCHANGED, UNCHANGED, CHANGED)),
    ("good 203.0.113.7\nnochg 2001:db8::7\nnochg 203.0.113.7", (UNSURE,) * 4),
    ("good 203.0.113.7,2001:db8::7\ngood 203.0.113.7,2001:db8::7", (CHANGED,) * 4),
    ("good\nnochg\nnochg", (CHANGED, CHANGED, UNCHANGED, UNCHANGED)),
    ("good\nnohost\ngood\ngood", (CHANGED, CHANGED, REFUSED, REFUSED)),
])  # fmt: skip
def test_two_families_of_two_names(body: str, kinds: tuple[Kind, ...]) -> None:
    """Pairs of lines are told from one line a name; where that is impossible nothing is known."""
    outcomes = read(200, {}, body, [A, B], [V4, V6], NOW)
    assert tuple(outcomes[key].kind for key in ((A, F4), (A, F6), (B, F4), (B, F6))) == kinds


def test_a_services_own_words() -> None:
    """A service's own words and empty statuses count only in its dialect."""
    dialect = Dialect(codes={"NOERROR": "good", "200": "good"}, statuses={204: "good"}, too_soon=timedelta(hours=1))
    assert [one(b, dialect=dialect).kind for b in ("NOERROR", "200", "good")] == [CHANGED] * 3
    assert one("", 204, dialect=dialect).kind is CHANGED
    assert one("", 204).kind is UNSURE
    assert one("TOOSOON", dialect=dialect).after == timedelta(hours=1)


def test_the_providers_own_text_is_shown() -> None:
    """What follows a failure's word is shown, printable and cut to 80 characters."""
    outcome = one("dnserr zone\x1b[31m locked " + "x" * 200)
    assert "zone [31m locked" in outcome.text
    assert len(outcome.text) < 220


@pytest.mark.parametrize(("dialect", "held", "params"), [
    (Dialect(), (), [{"myip": "203.0.113.7,2001:db8::7"}]),
    (Dialect(Habit.PARAMS, v6="myipv6"), (), [{"myip": "203.0.113.7", "myipv6": "2001:db8::7"}]),
    (Dialect(Habit.SEPARATE), (), [{"myip": "203.0.113.7"}, {"myip": "2001:db8::7"}]),
])  # fmt: skip
def test_two_families_are_asked_for(dialect: Dialect, held: tuple[Address, ...], params: list[dict[str, str]]) -> None:
    """Each habit has its parameters, IPv4 first, the names joined by commas."""
    asked = queries([A, B], [V6, V4], held, dialect)
    assert [dict(q.params) for q in asked] == [{"hostname": f"{A},{B}"} | p for p in params]
    assert [a for q in asked for a in q.addresses] == [V4, V6]


def test_a_login_that_tells_the_host() -> None:
    """Where the login tells the host, no name is sent."""
    assert [dict(q.params) for q in queries([A], [V4], [], Dialect(hostname=None))] == [{"myip": str(V4)}]


@given(habit=st.sampled_from(Habit), keep=st.sampled_from([None, "preserve"]), repeat=st.booleans(), v4=st.booleans(),
       v6=st.booleans(), holds=st.booleans())  # fmt: skip
def test_no_parameter_is_empty(habit: Habit, keep: str | None, repeat: bool, v4: bool, v6: bool, holds: bool) -> None:
    """No dialect ever sends an empty address, and each address sent is in exactly one query."""
    sent = [a for a, wanted in ((V4, v4), (V6, v6)) if wanted]
    held = [a for a in (V4, V6) if a not in sent] if holds else []
    dialect = Dialect(habit, v6="myipv6" if habit is Habit.PARAMS else "myip", keep=keep, repeat=repeat)
    asked = queries([A], sent, held, dialect)
    assert sorted(a for q in asked for a in q.addresses) == sorted(sent)
    for query in asked:
        assert all(part for value in query.params.values() for part in value.split(","))
        assert all(str(a) in ",".join(query.params.values()) for a in query.addresses)


WORDS = st.sampled_from(["good", "nochg", "badauth", "abuse", "911", "w9m", "203.0.113.7", "2001:db8::7", "127.0.0.1",
    ",",
                         " ", "\n", "\r\n", "<html>", "goodbye", "OK", "\x00", "\u2028"])  # fmt: skip
_BYTES = st.binary(max_size=200).map(lambda b: b.decode("utf-8", "replace"))
BODIES = st.one_of(_BYTES, st.lists(WORDS, max_size=12).map("".join))


@given(body=BODIES, status=st.integers(100, 599), retry=st.text(max_size=12), count=st.integers(1, 4),
       families=st.sampled_from([[V4], [V6], [V4, V6]]), one_line=st.booleans())  # fmt: skip
def test_any_answer_is_read(
    body: str, status: int, retry: str, count: int, families: list[Address], one_line: bool
) -> None:
    """Any bytes give one outcome for each name and family; success only under 2xx and never for more names than
    there are lines that begin with good or nochg."""
    names = [A, B, C, "d.example.org"][:count]
    outcomes = read(status, {"retry-after": retry}, body, names, families, NOW, Dialect(one_line_for_all=one_line))
    assert set(outcomes) == {(name, a.family) for name in names for a in families}
    well = {name for (name, _), outcome in outcomes.items() if outcome.held}
    lines = [line.split() for line in re.split("[\r\n]", body.removeprefix("\ufeff"))]
    successes = sum(1 for words in lines if words and words[0] in {"good", "nochg"})
    assert not well or 200 <= status < 300
    assert len(well) <= (count * successes if one_line else successes)
    assert all(o.text.isprintable() and o.code.isprintable() for o in outcomes.values())
