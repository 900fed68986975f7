"""Locating: what the ways' answers are worth, in which order candidates are dialled, and what a failed search means.

Pure. Nothing here makes an address the house's: only a pinned host key does (core.host).
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import NamedTuple

from ipwatch.core.address import Address, confined
from ipwatch.core.candidate import Claim, Spot, Way
from ipwatch.core.host import HostKey
from ipwatch.core.trouble import Kind


def dialable(text: str) -> str | None:
    """The address in the form in which it is dialled; None for what no single machine has."""
    try:
        ip: IPv4Address | IPv6Address = ip_address(text)
    except ValueError:
        return None
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    broadcast = ip.version == 4 and int(ip) == 0xFFFFFFFF
    return None if ip.is_unspecified or ip.is_multicast or broadcast else str(ip)


def newer(one: int, other: int) -> bool:
    """Whether the first SOA serial is newer than the second, in the arithmetic of a circle (RFC 1982 3.2)."""
    return 0 < (one - other) % 2**32 < 2**31


class View(NamedTuple):
    """What one authoritative server shows of a name.

    ips: its addresses of both families. missing: it says that the name does not exist. alias: where the name leads
    when it is an alias for one in another zone.
    """

    server: str
    ips: tuple[str, ...] = ()
    serial: int | None = None
    ttl: timedelta | None = None
    missing: bool = False
    alias: str = ""

    @property
    def detail(self) -> str:
        """What else it said, for the user: "serial 7, TTL 60 s"."""
        said = [f"serial {self.serial}"] if self.serial is not None else []
        said += [f"TTL {seconds(self.ttl)}"] if self.ttl is not None else []
        return ", ".join(said)


def seconds(time: timedelta) -> str:
    """ "60 s"."""
    return f"{max(0, round(time.total_seconds()))} s"


def freshest(views: Sequence[View]) -> tuple[tuple[View, ...], tuple[View, ...]]:
    """The views that count, and those whose server lags behind: where two serials differ, the newer wins.

    A server that told no serial is believed: there is nothing to hold against it.
    """
    serials = [view.serial for view in views if view.serial is not None]
    behind = {a for a in serials if any(newer(b, a) for b in serials)}
    current = tuple(view for view in views if view.serial is None or view.serial not in behind)
    return current, tuple(view for view in views if view not in current)


_ORDER = (Way.PROVED, Way.GIVEN, Way.ZONE, Way.DOH, Way.SYSTEM)


def rank(way: Way, *, at_home: bool, hijacked: bool = False) -> int:
    """In which order candidates are dialled, lowest first. at_home: we are in the network of the host's own address.
    hijacked: somebody answers DNS in everybody's place here, so that the zone's servers may not have spoken."""
    if way is Way.LAN:
        return 0 if at_home else len(_ORDER) + 1
    return len(_ORDER) + 2 if hijacked and way is Way.ZONE else 1 + _ORDER.index(way)


def marked(claims: Sequence[Claim]) -> tuple[Claim, ...]:
    """The claims as they are told where DNS is hijacked: those of the zone's servers are not trusted."""
    doubt = "not trusted: this network answers DNS"
    return tuple(
        claim._replace(detail=f"{claim.detail}, {doubt}" if claim.detail else doubt) if claim.way is Way.ZONE else claim
        for claim in claims
    )


def same_network(ip: str, ours: Iterable[tuple[str, int]]) -> bool:
    """Whether an address lies in a network one of our interfaces is in. ours: (address, length of prefix).

    A prefix as short as a default route, or one that holds a single address, says nothing.
    """
    address = ip_address(ip.partition("%")[0])
    networks = (ip_network(f"{own.partition('%')[0]}/{length}", strict=False) for own, length in ours if length > 0)
    return any(address.version == net.version and net.num_addresses > 1 and address in net for net in networks)


class Fate(StrEnum):
    """What became of a candidate."""

    PROVED = "proved"
    STRANGER = "stranger"
    NOT_SSH = "not ssh"
    CLOSED = "closed"
    OPEN = "no answer yet"  # the search ended before it did


class End(NamedTuple):
    """A candidate's end. text: why, as a clause. key: the key it showed. current: somebody says now that it is the
    house's; a remembered address, or the house's private one seen from elsewhere, may be anybody's by now."""

    spot: Spot
    fate: Fate
    text: str = ""
    key: HostKey | None = None
    current: bool = True


class Search(NamedTuple):
    """A search that ended without the host.

    silent: who gave no address and why, one clause each. missing: the clause of a server that says with authority
    that there is no address. answered: somebody answered, whatever it was. routed: the system knows a way out.
    portal: what the captive portal is called. named: the host has names to ask for.
    """

    host: str
    ends: tuple[End, ...] = ()
    silent: tuple[str, ...] = ()
    missing: str = ""
    hijacked: bool = False
    answered: bool = False
    routed: bool = True
    at_home: bool = False
    portal: str = ""
    named: bool = True
    pinned: tuple[HostKey, ...] = ()


HIJACKED = (
    "this network answers DNS in everybody's place: what is said for the zone's own name servers may come from "
    "somebody else"
)


def judge(search: Search) -> tuple[Kind, str]:
    """Why the search failed: the exit status and one sentence."""
    heard = search.answered or any(end.fate in {Fate.STRANGER, Fate.NOT_SSH} for end in search.ends)
    if search.portal:
        return Kind.PORTAL, f"{search.portal}: open any web page and log in to this network first"
    if not (search.routed or heard or search.at_home):
        return Kind.OFFLINE, "this machine is offline: it has no way out to the internet"
    current = [end for end in search.ends if end.current]
    if search.named and not current:
        return _no_address(search)
    kind, sentence = _failed(search, current or list(search.ends))
    wrong = "" if search.at_home or not search.named else "".join(f"; {why}" for why in _no_house(current))
    return kind, sentence + wrong


def _no_address(search: Search) -> tuple[Kind, str]:
    why = [search.missing] if search.missing and not search.hijacked else list(search.silent)
    why += ["this network answers DNS in everybody's place"] if search.hijacked else []
    sentence = f"no address is known for {search.host}: {'; '.join(why) or 'nobody answered'}"
    strangers = [end for end in search.ends if end.fate is Fate.STRANGER]
    if strangers:
        sentence += f"; another machine is at {_spots(strangers)} now"
    others = [end for end in search.ends if end.fate is not Fate.STRANGER]
    return Kind.NO_ADDRESS, sentence + (f"; {_unanswered(others)}" if others else "")


def _failed(search: Search, ends: Sequence[End]) -> tuple[Kind, str]:
    """Candidates there were, none of them the host."""
    strangers = [end for end in ends if end.fate is Fate.STRANGER]
    if strangers:
        return Kind.STRANGER, _strange(search, strangers)
    other = [end for end in ends if end.fate is Fate.NOT_SSH]
    if other:
        return Kind.NOT_SSH, f"what answers at {_each(other)} does not prove to be {search.host}"
    if not ends:
        return Kind.NO_ADDRESS, f"no address is known for {search.host}: it has neither a name nor an address"
    return Kind.UNREACHABLE, _unanswered(ends)


def _no_house(ends: Iterable[End]) -> list[str]:
    """Those of the addresses that not everybody can reach, a clause each."""
    ips = dict.fromkeys(end.spot.ip.partition("%")[0] for end in ends)
    return [f"{ip} {why}" for ip in ips if (why := confined(Address.parse(ip)))]


def _strange(search: Search, strangers: Sequence[End]) -> str:
    shown = ", ".join(dict.fromkeys(f"{e.key.kind} {e.key.fingerprint}" for e in strangers if e.key is not None))
    pinned = ", ".join(f"{key.kind} {key.fingerprint}" for key in search.pinned)
    what = f"shows the host key {shown}" if shown else "showed another host key a moment ago"
    return (
        f"{_spots(strangers)} {what}, but the pinned key of {search.host} is {pinned}: another machine answers, and no "
        f"user name was sent to it; if {search.host} was set up anew, run `ipwatch trust {search.host}`"
    )


def _unanswered(ends: Sequence[End]) -> str:
    by_reason: dict[str, list[End]] = {}
    for end in ends:
        by_reason.setdefault(end.text or "no answer", []).append(end)
    if len(by_reason) == 1:
        return f"nothing answers at {_spots(ends)}: {next(iter(by_reason))}"
    return "nothing answers at " + ", ".join(f"{_spots(group)} ({reason})" for reason, group in by_reason.items())


def _spots(ends: Iterable[End]) -> str:
    return ", ".join(str(end.spot) for end in ends)


def _each(ends: Iterable[End]) -> str:
    return ", ".join(f"{end.spot} ({end.text})" if end.text else str(end.spot) for end in ends)
