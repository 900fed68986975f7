"""Whoami questions: name servers that answer with the address a question came from, and how to read their answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ipwatch.core.address import Address, BadAddress, Family, public


class BadWhoami(ValueError):
    """The answer is not one public address; str() is a clause that says why."""


@dataclass(frozen=True, slots=True)
class Question:
    """What to ask whom.

    servers: host names or addresses, any of them will do. recurse: set the RD bit (RFC 1035 4.1.1), for services that
    live on a resolver.
    """

    name: str
    rdtype: str
    servers: tuple[str, ...]
    rdclass: str = "IN"
    recurse: bool = False


@dataclass(frozen=True, slots=True)
class Service:
    """One operator's service."""

    operator: str
    manual: str
    questions: Mapping[Family, Question]


_OPENDNS = tuple(f"resolver{n}.opendns.com" for n in (1, 2, 3, 4))
_GOOGLE = Question("o-o.myaddr.l.google.com", "TXT", tuple(f"ns{n}.google.com" for n in (1, 2, 3, 4)))


def _cloudflare(*addresses: str) -> Question:
    return Question("whoami.cloudflare", "TXT", addresses, rdclass="CH", recurse=True)


# The manuals as of 2026-11. Resolvers are asked at the addresses their operator publishes where it publishes addresses.
SERVICES: Mapping[str, Service] = {
    "opendns": Service(
        "opendns.com",
        "https://support.opendns.com",
        {
            Family.IPV4: Question("myip.opendns.com", "A", _OPENDNS, recurse=True),
            Family.IPV6: Question("myip.opendns.com", "AAAA", _OPENDNS, recurse=True),
        },
    ),
    "cloudflare": Service(
        "cloudflare.com",
        "https://developers.cloudflare.com/1.1.1.1/ip-addresses/",
        {
            Family.IPV4: _cloudflare("1.1.1.1", "1.0.0.1", "one.one.one.one"),
            Family.IPV6: _cloudflare("2606:4700:4700::1111", "2606:4700:4700::1001", "one.one.one.one"),
        },
    ),
    "google": Service(
        "google.com",
        "https://developers.google.com/speed/public-dns/docs/using",
        {Family.IPV4: _GOOGLE, Family.IPV6: _GOOGLE},
    ),
    # The newer whoami.ds.akahelp.net is left out: it is read through a resolver, and which servers of its zone can be
    # asked directly is not documented.
    "akamai": Service(
        "akamai.com",
        "https://www.akamai.com/blog/developers/introducing-new-whoami-tool-dns-resolver-information",
        {Family.IPV4: Question("whoami.akamai.net", "A", ("ns1-1.akamaitech.net",))},
    ),
}


def read(rcode: str, texts: Sequence[str], family: Family) -> Address:
    """The one public address in an answer; raises BadWhoami. rcode as in "NOERROR"; texts: the rdata of the type asked
    (addresses, or the joined strings of a TXT record)."""
    if rcode != "NOERROR":
        raise BadWhoami(f"it answered {rcode[:20]}")
    if len(texts) != 1:
        raise BadWhoami("it answered with no record" if not texts else f"it answered with {len(texts)} records")
    try:
        return public(texts[0], family)
    except BadAddress as error:
        raise BadWhoami(str(error)) from None
