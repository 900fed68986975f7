"""One candidate that answers, proved or not."""

from collections.abc import Callable
from datetime import timedelta
from typing import NamedTuple

from ipwatch.core.candidate import Spot
from ipwatch.core.host import HostKey, Pins
from ipwatch.core.locating import Fate
from ipwatch.net.dial import Dialled
from ipwatch.ports import PortError
from ipwatch.ports.remote import NotSsh, Prover, Session, Stranger


class Proof(NamedTuple):
    """What became of it. text: a clause."""

    spot: Spot
    session: Session | None
    fate: Fate
    text: str = ""
    key: HostKey | None = None


def prove(prover: Prover, dialled: Dialled, pins: Pins, within: timedelta, greeted: Callable[[], None]) -> Proof:
    """Whether the machine that answers there is the host. greeted: see ports.remote.Prover."""
    spot, sock, _ = dialled
    assert sock is not None  # noqa: S101 - for the type checker
    try:
        session = prover.prove(sock, spot, pins, within, greeted)
    except Stranger as stranger:
        return Proof(spot, None, Fate.STRANGER, str(stranger), stranger.key)
    except NotSsh as other:
        return Proof(spot, None, Fate.NOT_SSH, str(other))
    except (PortError, OSError) as error:
        return Proof(spot, None, Fate.CLOSED, str(error))
    return Proof(spot, session, Fate.PROVED, key=session.key)
