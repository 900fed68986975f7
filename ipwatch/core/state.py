"""The state: everything the service must know again after a restart. Frozen values, replaced whole.

The store writes these down as they are, field by field: a field added here needs a default, so that an older state
can still be read. Times are aware datetimes in UTC.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from ipwatch.core.address import Address, Family
from ipwatch.core.event import Event
from ipwatch.core.outcome import Kind


class RecordKey(NamedTuple):
    """One record: one (name, type) at one account."""

    account: str
    name: str  # canonical, see core.dnsname
    family: Family

    def __str__(self) -> str:
        return f"{self.name} {self.family.rdtype}"


class Finding(StrEnum):
    """What a round's observations of one family came to."""

    UNKNOWN = "unknown"  # nobody was asked yet
    AGREED = "agreed"
    DISPUTED = "disputed"
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class Belief:
    """What we hold to be the house's address in one family. Only agreement moves it.

    address, since: the address believed and when that belief began; None before the first agreement.
    confirmed: the last time it was agreed on.
    finding, finding_since: how the last round ended, and since when rounds have ended so.
    previous, previous_until: the address before, and when it was last confirmed.
    recent: the addresses left within the last hour, and when. returns: when one of them was agreed on again, oldest
    first, believed or not; what flapping is measured by.
    held_back, held_back_since: an address that is agreed on but waits, because the line is flapping.
    dissent: who disagreed in the last round, as (source, what it said).
    streak: rounds in a row that ended as `finding` does.
    told, told_trouble: the address and the trouble ("", "dispute", "flapping") that events have been made of.
    behind, behind_by: why the line is behind another NAT, as a clause, and the source that said so; told_behind: an
    event was made of it.
    """

    address: Address | None = None
    since: datetime | None = None
    confirmed: datetime | None = None
    finding: Finding = Finding.UNKNOWN
    finding_since: datetime | None = None
    previous: Address | None = None
    previous_until: datetime | None = None
    recent: tuple[tuple[Address, datetime], ...] = ()
    returns: tuple[datetime, ...] = ()
    held_back: Address | None = None
    held_back_since: datetime | None = None
    dissent: tuple[tuple[str, str], ...] = ()
    streak: int = 0
    told: Address | None = None
    told_trouble: str = ""
    trouble_since: datetime | None = None
    behind: str = ""
    behind_by: str = ""
    told_behind: bool = False


@dataclass(frozen=True, slots=True)
class SourceHealth:
    """How one source has behaved, per family.

    asked, count: when last, and how often in all. said: its last answer, an address or the reason there was none.
    well: whether that answer stood in the agreement. failures: bad answers in a row. demoted_until: asked only when
    nobody better is left, until then.
    """

    asked: datetime | None = None
    said: str = ""
    well: bool = True
    failures: int = 0
    demoted_until: datetime | None = None
    count: int = 0


@dataclass(frozen=True, slots=True)
class Latch:
    """A refusal that asking again can not cure.

    fingerprint: of the configuration that was refused; another fingerprint opens the latch.
    """

    code: str
    text: str
    since: datetime
    fingerprint: str


class Shown(StrEnum):
    """What the zone's own name servers show, see core.verification."""

    UNKNOWN = "unknown"  # not asked, or no server answered
    SEEN = "seen"
    LATE = "late"
    WRONG = "wrong"
    HIDDEN = "hidden"


@dataclass(frozen=True, slots=True)
class Standing:
    """How one record stands.

    published, published_at: the address the provider is known to hold, and since when.
    ordered: times in a row that the provider itself asked for a long wait (911).
    sending: written down before a request leaves; still set after a crash, it means "unsure".
    attempts: requests in a row that did not end well. not_before: nothing is sent earlier.
    last, last_code, last_text, last_at: the newest outcome.
    latch: see Latch. unsure: the address an unanswered request may have published.
    shown: the last verification; shown_detail: which server showed what; shown_at: when asked;
    verify_at: when it is due again; verify_until: after this, "late" and "wrong" are told;
    verified_at: when the published address was first seen at every server;
    drifts: checks in a row in which a record once seen showed something else.
    fingerprint: of the record's configuration when it was last published.
    told, told_trouble: the address and the trouble ("", "refused", "failing", "not-shown", "drifted") told last.
    """

    published: Address | None = None
    published_at: datetime | None = None
    sending: Address | None = None
    unsure: Address | None = None
    attempts: int = 0
    ordered: int = 0
    failing_since: datetime | None = None
    not_before: datetime | None = None
    last: Kind | None = None
    last_code: str = ""
    last_text: str = ""
    last_at: datetime | None = None
    latch: Latch | None = None
    shown: Shown = Shown.UNKNOWN
    shown_detail: str = ""
    shown_at: datetime | None = None
    verify_at: datetime | None = None
    verify_until: datetime | None = None
    verified_at: datetime | None = None
    drifts: int = 0
    fingerprint: str = ""
    told: Address | None = None
    told_trouble: str = ""
    trouble_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class AccountStanding:
    """What concerns a whole account: a latch, and the earliest time of the next request."""

    latch: Latch | None = None
    not_before: datetime | None = None
    last_request: datetime | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way to one notifier: an entry of the outbox.

    id: unique and stable across retries; a mail's Message-ID is made from it.
    batch: set once a try may have been delivered: from then on the same events travel under the same id.
    """

    id: str
    notifier: str
    event: Event
    attempts: int = 0
    not_before: datetime | None = None
    last_error: str = ""
    batch: str = ""


@dataclass(frozen=True, slots=True)
class NotifierHealth:
    """Whether a notifier delivers: failures in a row, since when, and the reason."""

    failures: int = 0
    failing_since: datetime | None = None
    reason: str = ""
    delivered_at: datetime | None = None
    told: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """Everything that is kept.

    rounds: observing rounds ever; round_at: the start of the newest. next_at: when work is due next; alive_at: when
    the loop last went round.
    offline_since: the first round in which no source of any family answered; offline_told: OFFLINE was stored.
    store_fault, store_fault_since: why the state could not be written, while that is so.
    """

    beliefs: Mapping[Family, Belief] = field(default_factory=dict)
    sources: Mapping[str, SourceHealth] = field(default_factory=dict)  # key: "<source id>/<family>"
    records: Mapping[RecordKey, Standing] = field(default_factory=dict)
    accounts: Mapping[str, AccountStanding] = field(default_factory=dict)
    notifiers: Mapping[str, NotifierHealth] = field(default_factory=dict)
    outbox: tuple[Delivery, ...] = ()
    rounds: int = 0
    round_at: datetime | None = None
    next_at: datetime | None = None
    alive_at: datetime | None = None
    offline_since: datetime | None = None
    offline_told: bool = False
    store_fault: str = ""
    store_fault_since: datetime | None = None
