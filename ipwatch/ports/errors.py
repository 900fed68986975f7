"""The four errors at the ports, sorted by what the caller does next.

PortError
|-- Unreachable     nothing came back in time    -> unsure if something may have been sent, else try again
|-- Busy(after)     not now                      -> wait at least `after`
|-- Refused         asking again will not help   -> latch, tell once
`-- Garbled         the answer does not fit      -> unsure; the first 80 characters are kept, secrets removed
"""

from datetime import timedelta

from ipwatch.core.outcome import Kind, Outcome, Scope


class PortError(Exception):
    """Base of the four. str() is one clause without secrets, fit for "could not ...: {error}"."""


class Unreachable(PortError):
    """Nothing (complete) came back in time. `sent`: the request may have reached the other side."""

    def __init__(self, message: str, *, sent: bool = False) -> None:
        super().__init__(message)
        self.sent = sent


class Busy(PortError):
    """Not now. `after`: wait at least that long; None if the other side named no time."""

    def __init__(self, message: str, *, after: timedelta | None = None, code: str = "") -> None:
        super().__init__(message)
        self.after = after
        self.code = code


class Refused(PortError):
    """Asking again will not help. `code`: the other side's word; `scope`: what it concerns."""

    def __init__(self, message: str, *, code: str = "", scope: Scope = Scope.ACCOUNT) -> None:
        super().__init__(message)
        self.code = code
        self.scope = scope


class Garbled(PortError):
    """The answer does not fit the protocol. `excerpt`: its first 80 characters, printable. `behind`: the clause of a
    router whose outside is another NAT's inside; "" for all else."""

    def __init__(self, message: str, *, excerpt: str = "", behind: str = "") -> None:
        super().__init__(message)
        self.behind = behind
        self.excerpt = "".join(c if c.isprintable() else " " for c in excerpt[:80])


def outcome_of(error: PortError) -> Outcome:
    """The one translation of a port error into a record's outcome."""
    match error:
        case Unreachable(sent=False):
            return Outcome(Kind.BUSY, "unreachable", str(error))
        case Unreachable():
            return Outcome(Kind.UNSURE, "no answer", f"could not confirm the change: {error}")
        case Busy():
            return Outcome(Kind.BUSY, error.code or "busy", str(error), after=error.after)
        case Refused():
            return Outcome(Kind.REFUSED, error.code or "refused", str(error), scope=error.scope)
        case Garbled():
            said = f": {error.excerpt!r}" if error.excerpt else ""
            return Outcome(Kind.UNSURE, "garbled", f"could not confirm the change: {error}{said}")
        case _:
            return Outcome(Kind.UNSURE, "error", str(error))
