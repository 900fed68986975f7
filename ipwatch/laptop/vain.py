"""Why a search ended without a link, as a kind of trouble and a sentence."""

from ipwatch.core.trouble import Kind, Trouble
from ipwatch.ports import Unreachable
from ipwatch.ports.remote import LoginRefused, NotSsh, Stranger


def reason(error: Exception, host: str) -> tuple[Kind, str]:
    """What the error comes to for a user who wants that host; an unknown one is a fault of our own."""
    match error:
        case Trouble():
            return error.kind, str(error)
        case LoginRefused():
            return Kind.LOGIN_REFUSED, f"{host} does not let you in: {error}"
        case Unreachable():
            return Kind.UNREACHABLE, f"{host} was found but then went away: {error}"
        case Stranger():  # ssh itself proved more strictly than the look before it
            return Kind.STRANGER, f"whoever answers is not {host}: {error}"
        case NotSsh():
            return Kind.NOT_SSH, f"what answers is not {host}: {error}"
        case _:
            return Kind.NOT_WELL, f"a fault of ipwatch's own ({type(error).__name__}: {error})"
