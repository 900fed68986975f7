"""What the HTTP providers share: base addresses, secrets kept out of texts, and one deadline for several requests."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from urllib.parse import quote, quote_plus, urlsplit

from ipwatch.core.address import Family
from ipwatch.core.outcome import Kind, Outcome, Scope
from ipwatch.ports import Busy, Clock, Garbled, PortError, Refused, Secret, Unreachable, Update

Key = tuple[str, Family]

_LATER = Outcome(Kind.BUSY, "not sent", "this was not sent: the request before it did not go well")


def base_url(text: str, *, allow_insecure: bool, what: str = "server") -> tuple[str, str]:
    """A server as users write it ("dyn.example.net", "https://dyn.example.net:8443/update") -> (origin, path or "").

    Raises ValueError with a clause for what can not be meant.
    """
    parts = urlsplit(text if "://" in text else f"https://{text}")
    try:
        port = parts.port
    except ValueError:
        raise ValueError(f"{what} has no valid port") from None
    if "@" in parts.netloc:
        raise ValueError(f"{what} must not hold user name or password: they have their own keys")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f'{what} is not an address such as "https://dyn.example.net"')
    if parts.query or parts.fragment:
        raise ValueError(f"{what} must end before ? and #")
    if parts.scheme == "http" and not allow_insecure:
        raise ValueError(f"{what} is plain http, which shows the password to everyone on the way: use https, or set "
                         "allow_insecure = true")  # fmt: skip
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{port}" if port else ""), parts.path.rstrip("/")


def hide(text: str, *secrets: Secret | None) -> str:
    """The text with each secret, plain or percent-encoded, replaced by stars."""
    for secret in secrets:
        if secret:
            plain = secret.reveal()
            for form in (plain, quote(plain, safe=""), quote(plain), quote_plus(plain)):
                text = text.replace(form, "***")
    return text


def hidden(error: PortError, *secrets: Secret | None) -> PortError:
    """The same error with its texts fit to be shown."""
    said = hide(str(error), *secrets)
    match error:
        case Unreachable():
            return Unreachable(said, sent=error.sent)
        case Busy():
            return Busy(said, after=error.after, code=error.code)
        case Refused():
            return Refused(said, code=error.code, scope=error.scope)
        case Garbled():
            return Garbled(said, excerpt=hide(error.excerpt, *secrets))
        case _:
            return PortError(said)


class Deadline:
    """What is left of the time for a call that sends more than one request."""

    def __init__(self, clock: Clock, within: timedelta) -> None:
        self._clock = clock
        self._end = clock.monotonic() + within

    def left(self) -> timedelta:
        """The time left; raises Unreachable (nothing sent) when there is none."""
        left = self._end - self._clock.monotonic()
        if left <= timedelta(0):
            raise Unreachable("no time was left for the request")
        return left


def everyone(updates: Sequence[Update], outcome: Outcome) -> dict[Key, Outcome]:
    """The same outcome for each name and family of the updates."""
    return {(update.name, address.family): outcome for update in updates for address in update.addresses}


def stopping(said: Mapping[Key, Outcome]) -> Outcome | None:
    """What the call's further requests come to without being sent, after these outcomes; None: they can be sent."""
    for outcome in said.values():
        if outcome.kind is Kind.REFUSED and outcome.scope is not Scope.RECORD:
            return outcome
        if outcome.kind in {Kind.BUSY, Kind.UNSURE} or outcome.code == "abuse":
            return replace(_LATER, after=outcome.after)
    return None
