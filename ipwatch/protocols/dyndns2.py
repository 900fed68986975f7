"""The dyndns2 update protocol: what is asked, and what the lines of an answer mean for each name and family.

Sources (2026-11): https://help.dyn.com/perform-update.html and .../return-codes.html; www.noip.com/integrate/request
and .../response; https://desec.readthedocs.io/en/latest/dyndns/update-api.html; the answers of nsupdate 0.13.0
(measured).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import takewhile

from ipwatch.core.address import Address, BadAddress, Family
from ipwatch.core.outcome import Kind, Outcome, Scope
from ipwatch.protocols.retry_after import LONGEST, retry_after

MOST_NAMES = 20  # in one request; beyond it is `numhost`: https://help.dyn.com/perform-update.html
DOWN = timedelta(minutes=30)  # least wait after 911: https://www.noip.com/integrate/response
TOO_SOON = timedelta(minutes=10)  # easyDNS and ZoneEdit ask for ten minutes between updates

Key = tuple[str, Family]


class Habit(StrEnum):
    """How a server takes two families."""

    COMMA = "comma"  # one parameter: myip=v4,v6
    PARAMS = "params"  # two parameters: myip=v4 and myipv6=v6
    SEPARATE = "separate"  # one request per family


@dataclass(frozen=True, slots=True)
class Dialect:
    """What one server wants of its clients.

    habit, v4, v6: see Habit, and the parameters' names. hostname: the names' parameter; None where the login tells it.
    keep: the value that leaves a family alone where leaving it out deletes it. repeat: the other family's published
    address goes along, for the same reason. extra: constant parameters. codes: the server's own words -> dyndns2's.
    statuses: HTTP statuses that with an empty body mean a code. one_line_for_all: one line settles every name.
    too_soon: the wait after TOOSOON and TOO_FREQ.
    """

    habit: Habit = Habit.COMMA
    v4: str = "myip"
    v6: str = "myip"
    hostname: str | None = "hostname"
    keep: str | None = None
    repeat: bool = False
    extra: Mapping[str, str] = field(default_factory=dict)
    codes: Mapping[str, str] = field(default_factory=dict)
    statuses: Mapping[int, str] = field(default_factory=dict)
    one_line_for_all: bool = False
    too_soon: timedelta = TOO_SOON


@dataclass(frozen=True, slots=True)
class Query:
    """One request's parameters, and the addresses its answer speaks of."""

    params: Mapping[str, str]
    addresses: tuple[Address, ...]


def queries(
    names: Sequence[str], addresses: Sequence[Address], held: Sequence[Address], dialect: Dialect
) -> tuple[Query, ...]:
    """The requests that set these addresses at these names. An address is always named, never left to the server."""
    fixed = dict(dialect.extra)
    if dialect.hostname is not None:
        fixed[dialect.hostname] = ",".join(names)
    ordered = sorted(addresses)  # IPv4 first
    parts = [[address] for address in ordered] if dialect.habit is Habit.SEPARATE else [ordered]
    others = {a.family: a for a in held} if dialect.repeat else {}
    return tuple(Query(fixed | _parameters(part, others, dialect), tuple(part)) for part in parts if part)


def _parameters(addresses: Sequence[Address], others: Mapping[Family, Address], dialect: Dialect) -> dict[str, str]:
    """The address parameters of one request."""
    values = {a.family: str(a) for a in addresses}
    names = {Family.IPV4: dialect.v4, Family.IPV6: dialect.v6}
    if dialect.habit is not Habit.SEPARATE:
        values = {family: str(other) for family, other in others.items()} | values
        if dialect.keep is not None:
            values = dict.fromkeys(names, dialect.keep) | {a.family: str(a) for a in addresses}
    params: dict[str, str] = {}
    for family in Family:
        if family in values:
            name = names[family] if dialect.habit is not Habit.COMMA else dialect.v4
            params[name] = f"{params[name]},{values[family]}" if name in params else values[family]
    return params


@dataclass(frozen=True, slots=True)
class _Meaning:
    kind: Kind
    text: str
    scope: Scope = Scope.RECORD
    after: timedelta | None = None
    whole: bool = False  # given once for the whole request


_R, _B = Kind.REFUSED, Kind.BUSY
_MEANINGS: Mapping[str, _Meaning] = {
    "good": _Meaning(Kind.CHANGED, "the provider holds the new address"),
    "nochg": _Meaning(Kind.UNCHANGED, "the provider held this address already"),
    "badauth": _Meaning(
        _R, "the provider does not accept user name and password (or the key): correct them in the configuration",
        Scope.ACCOUNT, whole=True),
    "badagent": _Meaning(
        _R, "the provider has blocked this program (its User-Agent) or the form of its request: ask the provider",
        Scope.PROVIDER, whole=True),
    "!donator": _Meaning(_R, "this needs a paid account at the provider", whole=True),
    "!active": _Meaning(_R, "the host is not activated at the provider: activate it there, then unlock"),
    "!yours": _Meaning(_R, "the host belongs to another account: correct the record's name or account"),
    "nohost": _Meaning(_R, "the provider knows no such host in this account: create it there or correct the name"),
    "notfqdn": _Meaning(_R, "the provider says this is not a full host name: write it with its domain"),
    "numhost": _Meaning(_R, "the provider says one request names too many hosts: lower `batch`", whole=True),
    "abuse": _Meaning(
        _R, "the provider has blocked this host for abuse: only its support can open it again, unlock afterwards"),
    "badsys": _Meaning(_R, "the provider does not know the `system` parameter: correct the account", Scope.ACCOUNT,
                       whole=True),
    "badparam": _Meaning(_R, "the provider does not accept a parameter: correct the account", Scope.ACCOUNT,
                         whole=True),
    "dnserr": _Meaning(_B, "the provider could not write its own DNS", after=DOWN, whole=True),
    "911": _Meaning(_B, "the provider's server is out of order or in maintenance", after=DOWN, whole=True),
    "TOOSOON": _Meaning(_B, "the provider says the last update was too short a time ago", whole=True),
    "TOO_FREQ": _Meaning(_B, "the provider says updates come too often", whole=True),
}  # fmt: skip
_WAIT = re.compile(r"w([0-9]{1,6})([smh])\Z", re.ASCII)  # https://help.dyn.com/return-codes.html, historic
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours"}


@dataclass(frozen=True, slots=True)
class _Line:
    """One line of an answer. code: "" when it is none of the protocol's; echo: the addresses it names."""

    code: str
    meaning: _Meaning
    echo: tuple[Address, ...]

    @property
    def well(self) -> bool:
        return self.meaning.kind in {Kind.CHANGED, Kind.UNCHANGED}


_GARBLED = _Line("", _Meaning(Kind.UNSURE, ""), ())


def read(
    status: int, headers: Mapping[str, str], body: str, names: Sequence[str], addresses: Sequence[Address],
    now: datetime, dialect: Dialect = Dialect(),
) -> dict[Key, Outcome]:  # fmt: skip
    """What an answer means for each (name, family): never a success without a good or nochg of that name's own.

    status, headers (lower-case names), body: the answer. names, addresses: as they were sent. now: aware.
    Raises nothing, whatever the bytes were.
    """
    texts = [line.strip() for line in re.split(r"\r\n|\r|\n", body.removeprefix("\ufeff")) if line.strip()]
    if not texts and status in dialect.statuses:
        texts = [dialect.statuses[status]] * len(names)
    # the order of names is lost at the first line that is none of the protocol's
    lines = list(takewhile(lambda line: line.code, (_line(text, dialect) for text in texts)))
    asked = retry_after(headers, now)
    if not lines:
        return dict.fromkeys(_keys(names, addresses), _wordless(status, headers, texts, asked))
    groups = _deal(lines, names, addresses, dialect)
    stray = texts[len(lines)] if len(lines) < len(texts) else ""
    surplus = len(texts) - max(len(names), sum(map(len, groups)))
    note = f" (the answer has {surplus} more line(s) than expected; they were ignored)" if surplus > 0 else ""
    result: dict[Key, Outcome] = {}
    for name, group in zip(names, groups, strict=True):
        for address in addresses:
            said = _settle(group, address, addresses) if group else _unmentioned(stray)
            outcome = _sober(said, status, asked)
            result[name, address.family] = replace(outcome, text=outcome.text + note)
    return result


def _keys(names: Sequence[str], addresses: Sequence[Address]) -> Iterator[Key]:
    return ((name, address.family) for name in names for address in addresses)


def _line(text: str, dialect: Dialect) -> _Line:
    """Read one line; its first word has to be a code exactly, and after a success only addresses may follow."""
    word, *rest = text.split()
    code = dialect.codes.get(word, word)
    meaning = _MEANINGS.get(code) or _waiting(code)
    if meaning is None:
        return _GARBLED
    if code in {"TOOSOON", "TOO_FREQ"}:
        meaning = replace(meaning, after=dialect.too_soon)
    if meaning.kind in {Kind.CHANGED, Kind.UNCHANGED}:
        try:
            echo = tuple(Address.parse(a) for a in " ".join(rest).replace(",", " ").split())
        except BadAddress:
            return _GARBLED
        return _Line(code, meaning, echo)
    said = f"; it says {_excerpt(text)}" if rest else ""
    return _Line(code, replace(meaning, text=meaning.text + said), ())


def _waiting(code: str) -> _Meaning | None:
    """wNNs, wNNm, wNNh: wait that long."""
    if (match := _WAIT.match(code)) is None:
        return None
    after = min(timedelta(**{_UNITS[match[2]]: int(match[1])}), LONGEST)
    return _Meaning(_B, f"the provider asks to wait {int(match[1])} {_UNITS[match[2]]}", after=after, whole=True)


def _deal(
    lines: list[_Line], names: Sequence[str], addresses: Sequence[Address], dialect: Dialect
) -> list[list[_Line]]:
    """Each name's lines, in the order of names; none for a name the answer leaves out."""
    count, families = len(names), len(addresses)
    if len(lines) == 1 and (lines[0].meaning.whole or dialect.one_line_for_all):
        return [lines] * count
    if count == 1:
        # nsupdate answers a dual-stack update of one host with a line per family
        first = lines[:2]
        told = [line.echo[0].family for line in first if len(line.echo) == 1]
        pair = set(told) == set(Family) or (families > 1 and not all(line.echo for line in first))
        return [first if pair else first[:1]]
    if families > 1 and len(lines) > count:
        pairs = [lines[i : i + families] for i in range(0, len(lines), families)]
        if len(pairs) == count and all({a.family for x in pair for a in x.echo} == set(Family) for pair in pairs):
            return pairs
        if any(0 < len({a.family for a in line.echo}) < families for line in lines):
            return [[] for _ in names]  # whose line is whose can not be told
    return [lines[i : i + 1] for i in range(count)]


def _settle(group: list[_Line], address: Address, sent: Sequence[Address]) -> Outcome:
    """What a name's lines say about one of the addresses sent."""
    line = group[0]
    if line.well:
        own = next((x for x in group if any(a.family is address.family for a in x.echo)), None)
        line = own or next((x for x in group if not x.well), line)
    if line.well and line.echo and address not in line.echo:
        other = [a for a in line.echo if a.family is address.family]
        if not other and len(sent) > 1:
            return Outcome(Kind.UNSURE, "no line", f"the provider's answer does not mention {address.family.label}")
        return _ignored(address, other or list(line.echo))
    meaning = line.meaning
    return Outcome(meaning.kind, line.code, meaning.text, after=meaning.after, scope=meaning.scope)


def _unmentioned(stray: str) -> Outcome:
    """A name without a line of its own."""
    why = f"; it goes on with {_excerpt(stray)}" if stray else ""
    return Outcome(Kind.UNSURE, "no line", f"the provider's answer has no line for this name, so nothing is known{why}")


def _ignored(address: Address, other: Sequence[Address]) -> Outcome:
    """`good` with an address that was not sent: https://help.dyn.com/remote-access-api/policies.html, stop and tell."""
    told = ", ".join(str(a) for a in other)
    why = "it ignores this program's updates" if any(a.ip.is_loopback for a in other) else "the record may be wrong"
    text = f"the provider was sent {address} and answers that it holds {told}: {why}; look there, then unlock"
    return Outcome(Kind.REFUSED, "mismatch", text)


def _sober(outcome: Outcome, status: int, asked: timedelta | None) -> Outcome:
    """No success under an HTTP error, and never a shorter wait than the header's."""
    if outcome.held and not 200 <= status < 300:
        text = f"the provider answers {outcome.code} together with HTTP {status}, so nothing is known"
        return Outcome(Kind.UNSURE, f"http {status}", text, after=asked)
    if asked is not None and outcome.kind in {Kind.BUSY, Kind.UNSURE}:
        return replace(outcome, after=max(asked, outcome.after or asked))
    return outcome


def _wordless(status: int, headers: Mapping[str, str], texts: Sequence[str], asked: timedelta | None) -> Outcome:
    """An answer without any of the protocol's words: the HTTP status is all there is."""
    said = f"; it says {_excerpt(texts[0])}" if texts else "; its answer is empty"
    code = f"http {status}"
    if status == 401:
        return Outcome(_R, "badauth", _MEANINGS["badauth"].text + " (HTTP 401)", scope=Scope.ACCOUNT)
    if status in {429, 503}:
        return Outcome(_B, code, f"the provider says it is too busy now (HTTP {status}){said}", after=asked)
    if 300 <= status < 400:
        target = re.sub(r"[^!-~]", "", headers.get("location", "")).partition("?")[0].rpartition("@")[2][:80]
        where = f" to {target}" if target else ""
        return Outcome(Kind.UNSURE, code, f"the server redirects{where} (HTTP {status}), and a password does not "
                       "follow: check `server` and `path`", after=asked)  # fmt: skip
    hint = ": check `server` and `path`" if status in {404, 405, 410} else ""
    known = "" if 200 <= status < 300 else f" (HTTP {status}){hint}"
    return Outcome(Kind.UNSURE, "unknown" if 200 <= status < 300 else code,
                   f"the answer is none of the protocol's, so nothing is known{known}{said}", after=asked)  # fmt: skip


def _excerpt(text: str) -> str:
    """The first 80 characters, printable, in quotes."""
    return repr("".join(c if c.isprintable() else " " for c in text[:80]))
