"""The values of a search: what is searched for, what is seen meanwhile, what comes of it."""

import threading
from collections.abc import Callable, Collection
from datetime import timedelta
from typing import NamedTuple

from ipwatch.core.candidate import Candidate, Claim, Spot
from ipwatch.core.host import HostKey, Pins
from ipwatch.core.locating import End
from ipwatch.core.trouble import Kind
from ipwatch.ports.remote import Prover, Session
from ipwatch.settings.laptop_model import Host


class Sight(NamedTuple):
    """Something seen while searching, told as it happens (from any thread).

    what: "claim" (somebody named an address), "silent" (a way gave nothing; text says why), "note" (text: the network
    hijacks port 53 ...), "dialling", "connected" (a port answers), "greeted" (it speaks SSH), "closed" (it does not
    answer; text), "stranger" (key; text), "not ssh" (text), "proved" (key).
    """

    what: str
    spot: Spot | None = None
    claim: Claim | None = None
    key: HostKey | None = None
    text: str = ""


class Finding(NamedTuple):
    """The host. took: from the begin of the search."""

    candidate: Candidate
    session: Session
    took: timedelta


class Outcome(NamedTuple):
    """What came of a search: the host, or why not (kind and sentence); and everything that was seen."""

    finding: Finding | None
    trouble: tuple[Kind, str] | None
    candidates: tuple[Candidate, ...]
    ends: tuple[End, ...]


class Hunt(NamedTuple):
    """What is searched for. prover: None only locates. shun: not dialled. grace: how long to go on after the first
    proof, for what the other ways say."""

    host: Host
    pins: Pins
    within: timedelta
    tell: Callable[[Sight], None]
    prover: Prover | None
    shun: Collection[Spot] = ()
    cancel: threading.Event | None = None
    grace: timedelta = timedelta(0)
