"""What `ipwatch doctor` makes of what it saw on this machine and on the way to a host: facts in, findings out.

doctor_there judges what was seen on the host itself. Nothing here asks anybody; nothing is ever changed.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from typing import NamedTuple

from ipwatch.core.address import Address, confined, proxied
from ipwatch.core.candidate import Candidate, Spot, Way
from ipwatch.core.host import HostKey
from ipwatch.core.trouble import Kind

LAPTOP = "laptop"  # the host of findings about this machine
LONG_TTL = 300  # seconds: a change is noticed within minutes, so a longer one is what would hold everybody up
_CARRIER = "When nothing at home answers: does the router's own page show the address tried? Another one is carrier NAT"
_PROXY_OFF = "proxied = false in its [[record]] of ipwatch.toml, or DNS only at Cloudflare"
_PUBLIC = "let the record show the public address (a router's own DynDNS may publish this one), or join that network"
_ASLEEP = frozenset({Kind.UNREACHABLE, Kind.NOT_SSH})  # a router's port forward may answer for a machine that sleeps


class Verdict(StrEnum):
    """How well it is."""

    OK = "ok"
    WARN = "warn"  # works, but will not always
    BAD = "bad"
    UNKNOWN = "unknown"  # can not be seen from here


class Finding(NamedTuple):
    """One line. host: a [[host]], or "laptop". check: what was looked at. mend: the command or setting that mends it,
    "" where nothing is to be done."""

    host: str
    check: str
    verdict: Verdict
    text: str
    mend: str = ""


def worst(findings: Iterable[Finding]) -> Verdict:
    """Bad when anything is, else warn, else unknown, else ok."""
    there = {one.verdict for one in findings}
    return next((one for one in (Verdict.BAD, Verdict.WARN, Verdict.UNKNOWN) if one in there), Verdict.OK)


# This machine.


def settings(path: str, warnings: Sequence[str]) -> Iterator[Finding]:
    """laptop.toml, which loads: else there is no doctor."""
    for one in warnings:
        yield Finding(LAPTOP, "laptop.toml", Verdict.WARN, one)
    if not warnings:
        yield Finding(LAPTOP, "laptop.toml", Verdict.OK, f"{path} is in order")


def ssh(version: str | None, fault: str, needed: Sequence[str]) -> Finding:
    """The system's ssh. version: what `ssh -V` says, None when it can not be run. needed: hosts of engine openssh."""
    if version is not None:
        found = re.search(r"OpenSSH[\w.]*", version)
        return Finding(LAPTOP, "ssh", Verdict.OK, found[0] if found else version[:80])
    who = f"{', '.join(needed)} can not be reached" if needed else "`ipwatch ssh`, scp and VS Code do not work"
    mend = "install OpenSSH's client (Debian: apt install openssh-client; Windows: Settings, Optional features)"
    return Finding(LAPTOP, "ssh", Verdict.BAD if needed else Verdict.WARN, f"{fault}: {who}", mend)


def network(notes: Sequence[str]) -> Iterator[Finding]:
    """What the searches noticed of the network this machine is in."""
    for note in notes:
        yield Finding(LAPTOP, "network", Verdict.WARN, note, "use DNS over HTTPS (`doh` in laptop.toml), or a VPN")


# The way to a host.


def pins(host: str, keys: Sequence[HostKey]) -> Finding:
    """Whether anything can be proved."""
    if not keys:
        text = "no host key is pinned, so nothing can be proved"
        return Finding(host, "host keys", Verdict.BAD, text, f"ipwatch trust {host}")
    kinds = ", ".join(dict.fromkeys(key.kind for key in keys))
    return Finding(host, "host keys", Verdict.OK, f"{len(keys)} pinned ({kinds})")


class KeyFile(NamedTuple):
    """A private key of the user's. open_to: others who may read it, as a clause, "" for nobody."""

    path: str
    open_to: str = ""


class Means(NamedTuple):
    """What there is to log in with. agent: it is configured. held: how many keys it holds, None when it does not say.

    fault: why the means can not be known.
    """

    user: str = ""
    files: tuple[KeyFile, ...] = ()
    agent: bool = False
    held: int | None = None
    fault: str = ""


def means(host: str, has: Means) -> Iterator[Finding]:
    """Keys in files and in the agent."""
    check = "your keys"
    if has.fault:
        yield Finding(host, check, Verdict.BAD, has.fault)
        return
    for one in (file for file in has.files if file.open_to):
        text = f"{one.path} can be read by {one.open_to}, and ssh refuses such a key"
        yield Finding(host, check, Verdict.BAD, text, f"chmod 600 {one.path}")
    if has.agent and has.held is None:
        text, mend = "the agent SSH_AUTH_SOCK names does not answer", 'start one: eval "$(ssh-agent)" && ssh-add'
        yield Finding(host, check, Verdict.WARN, text, mend)
    parts = [one.path for one in has.files] + ([f"{has.held} in the agent"] if has.held else [])
    if parts:
        yield Finding(host, check, Verdict.OK, f"{has.user} logs in with {', '.join(parts)}")
        return
    text = f"{has.user} has neither a key file nor one in an agent: only a password is left"
    mend = f"ssh-keygen -t ed25519, then add ~/.ssh/id_ed25519.pub to ~/.ssh/authorized_keys on {host}"
    yield Finding(host, check, Verdict.WARN, text, mend)


def addresses(host: str, names: Sequence[str], candidates: Sequence[Candidate], silent: Sequence[str]) -> Finding:
    """Who says which address, and whether they agree. silent: why ways gave none, a clause each."""
    check, name = "address", ", ".join(names)
    said = _said(candidates)
    if not names:
        return Finding(host, check, Verdict.OK, "it has no names: it is looked for at its lan address only")
    if not said:
        if any(claim.way is Way.GIVEN for one in candidates for claim in one.claims):
            return Finding(host, check, Verdict.OK, f"laptop.toml gives the address itself: {name}")
        why = "; ".join(dict.fromkeys(silent)) or "nobody answered"
        mend = "at home: `ipwatch status` tells whether the record is published; here: is the name spelt right?"
        return Finding(host, check, Verdict.BAD, f"nobody knows an address for {name}: {why}", mend)
    by_ip: dict[str, list[str]] = {}
    for who, ips in said.items():
        for ip in sorted(ips):
            by_ip.setdefault(ip, []).append(who)
    told = "; ".join(f"{ip} say {', '.join(whos)}" for ip, whos in by_ip.items())
    if _agree(said):
        return Finding(host, check, Verdict.OK, f"{name}: {told}")
    mend = "wait for the record's TTL if it has just changed; the zone's own servers count, not this network's"
    return Finding(host, check, Verdict.WARN, f"they disagree on {name}: {told}", mend)


def outside(host: str, candidates: Sequence[Candidate], *, found: bool) -> Iterator[Finding]:
    """Addresses that are said and that not everybody can reach. found: the host is proved, so this one does."""
    said = {ip for ips in _said(candidates).values() for ip in ips} if not found else set()
    for address in sorted(Address.parse(ip) for ip in said):
        if (why := confined(address)) is not None:
            mend = _PROXY_OFF if proxied(address) else _PUBLIC
            yield Finding(host, "address", Verdict.BAD, f"{address} {why}", mend)


def _said(candidates: Sequence[Candidate]) -> dict[str, set[str]]:
    """What each voice says now; memories and fixed addresses are none."""
    said: dict[str, set[str]] = {}
    for candidate in candidates:
        for claim in candidate.claims:
            if claim.way in {Way.ZONE, Way.DOH, Way.SYSTEM}:
                who = claim.who if claim.way is Way.ZONE else f"{claim.who} ({claim.way})"
                said.setdefault(who, set()).add(candidate.spot.ip)
    return said


def _agree(said: Mapping[str, set[str]]) -> bool:
    """Whether all voices that name addresses of one family name the same."""
    for ipv6 in (False, True):
        sets = [{ip for ip in ips if (":" in ip) is ipv6} for ips in said.values()]
        named = [one for one in sets if one]
        if any(one != named[0] for one in named):
            return False
    return True


def ttl(host: str, candidates: Sequence[Candidate]) -> Iterator[Finding]:
    """How long others go on telling an old address, where somebody said."""
    details = (claim.detail for one in candidates for claim in one.claims if claim.way is Way.ZONE)
    seconds = [int(found[1]) for detail in details if (found := re.search(r"TTL (\d+) s", detail))]
    if not seconds:
        return
    longest = max(seconds)
    if longest <= LONG_TTL:
        yield Finding(host, "ttl", Verdict.OK, f"the record's TTL is {longest} s")
        return
    text = f"the record's TTL is {longest} s: for so long others may tell the old address after a change"
    yield Finding(host, "ttl", Verdict.WARN, text, 'ttl = "60s" in the [[record]] of ipwatch.toml')


class Search(NamedTuple):
    """What came of looking for a host. spot: where it is proved; trouble: why it is not. port: as forwarded."""

    host: str
    spot: Spot | None
    took: timedelta = timedelta()
    trouble: tuple[Kind, str] | None = None
    wakes: bool = False
    port: int = 22


def asleep(search: Search) -> bool:
    """Whether it looks as a sleeping host does that can be woken."""
    return search.spot is None and search.wakes and search.trouble is not None and search.trouble[0] in _ASLEEP


def proof(search: Search) -> Iterator[Finding]:
    """Whether it is proved somewhere, and why not."""
    host, check = search.host, "proof"
    if search.spot is not None:
        took = f"{search.took.total_seconds():.1f} s"
        yield Finding(host, check, Verdict.OK, f"it is at {search.spot}, proved by its key within {took}")
        return
    kind, sentence = search.trouble or (Kind.UNREACHABLE, f"{host} was not found")
    if kind is Kind.NOT_PINNED:  # `pins` tells
        return
    if asleep(search):
        text = f"it seems to be asleep, so the rest of it is not known ({sentence})"
        yield Finding(host, check, Verdict.UNKNOWN, text, f"ipwatch doctor {host} --wake")
        return
    yield Finding(host, check, Verdict.BAD, sentence, _way_out(search, kind))


def _way_out(search: Search, kind: Kind) -> str:
    port, host = search.port, search.host
    forwarded = f"is {host} on, and does the router forward port {port} to its sshd?"
    return {
        Kind.UNREACHABLE: f"{forwarded} {_CARRIER}",
        Kind.NOT_SSH: f"let the router forward port {port} to the sshd of {host}",
        Kind.STRANGER: f"if {host} was set up anew: ipwatch trust {host}",
        Kind.NO_ADDRESS: "at home: ipwatch status",
        Kind.OFFLINE: "connect this machine to a network",
        Kind.PORTAL: "open any web page and log in to this network",
    }.get(kind, "")


def login(host: str, user: str, fault: tuple[Kind, str] | None) -> Finding:
    """Whether one gets in."""
    if fault is None:
        return Finding(host, "login", Verdict.OK, f"{user} gets in")
    kind, sentence = fault
    mend = ""
    if kind is Kind.LOGIN_REFUSED:
        mend = (
            "is your public key in ~/.ssh/authorized_keys there? Modes there: chmod go-w ~ && chmod 700 ~/.ssh && "
            "chmod 600 ~/.ssh/authorized_keys (Synology: its homes are 0777; log in as an administrator)"
        )
    return Finding(host, "login", Verdict.BAD, sentence, mend)
