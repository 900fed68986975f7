"""What a publish call is known to have done. Values only; `record` decides what follows from them."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class Kind(StrEnum):
    """The five things that can be known after asking a provider to change a record."""

    CHANGED = "changed"  # the provider says it now holds the address
    UNCHANGED = "unchanged"  # the provider says it held it already
    UNSURE = "unsure"  # something may have been sent and no trustworthy answer came
    BUSY = "busy"  # not now; nothing was changed
    REFUSED = "refused"  # asking again can not help: this latches


class Scope(StrEnum):
    """How far a refusal reaches."""

    RECORD = "record"
    ACCOUNT = "account"
    PROVIDER = "provider"  # every account at the same server: it refuses the program itself


@dataclass(frozen=True, slots=True)
class Outcome:
    """One record's outcome.

    code: the provider's own word ("good", "badauth", "911", "REFUSED"), secrets removed.
    text: one sentence for the user that says what the code means and what to do.
    after: with BUSY and UNSURE, the least wait the provider demands; None leaves it to the back-off.
    scope: with REFUSED, what is latched.
    """

    kind: Kind
    code: str
    text: str
    after: timedelta | None = None
    scope: Scope = Scope.RECORD

    @property
    def held(self) -> bool:
        """Whether the provider is known to hold the address now."""
        return self.kind in {Kind.CHANGED, Kind.UNCHANGED}
