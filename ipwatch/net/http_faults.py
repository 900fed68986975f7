"""What went wrong in a request, in our words: the library's own texts hold the URL, which may hold a token."""

import socket
import ssl
from collections.abc import Iterator
from typing import Any

from ipwatch.ports import PortError, Refused, Unreachable


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error and all that led to it; requests and urllib3 put causes in arguments, too."""
    waiting: list[Any] = [error]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop(0)
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [*one.args, getattr(one, "reason", None), one.__cause__, one.__context__]


def translated(error: BaseException, place: str, *, sent: bool) -> PortError:
    """The port error for whatever a request raised. place: host and port; sent: whether a byte of it went out."""
    chain = list(causes(error))
    for cause in chain:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Refused(f"{place} could not prove who it is: {cause.verify_message}", code="tls")
    if not sent and any(isinstance(cause, ValueError) and not isinstance(cause, OSError) for cause in chain):
        return Refused(f"the request to {place} can not be written down: a faulty URL or header", code="url")
    return Unreachable(f"{place} {_clause(chain)}", sent=sent)


def _clause(chain: list[BaseException]) -> str:
    for cause in chain:
        if isinstance(cause, ssl.SSLError):
            return f"does not speak TLS with us: {cause.reason or 'no reason given'}"
        if isinstance(cause, socket.gaierror):
            return f"could not be looked up: {(cause.strerror or 'error').lower()}"
    if any("timeout" in type(cause).__name__.lower() for cause in chain):
        return "did not answer in time"
    for cause in chain:
        if isinstance(cause, OSError) and cause.errno and cause.strerror:
            return f"can not be reached: {cause.strerror.lower()}"
    return "hung up or did not answer in HTTP"
