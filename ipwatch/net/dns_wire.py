"""DNS messages by dnspython: which answer fits a question, what it says, updates and their TSIG, and its errors.

Like net.dns, it imports dnspython only when a message is first at hand.
"""
# ruff: noqa: PLC0415 - see above

import base64
import errno
import struct
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING

from ipwatch.core.outcome import Scope
from ipwatch.ports import Busy, DnsAnswer, DnsChange, Garbled, Refused, TsigKey, Unreachable

if TYPE_CHECKING:
    import dns.message
    import dns.name
    import dns.rdata
    import dns.update

_ALGORITHMS = {"hmac-md5", "hmac-sha1", "hmac-sha224", "hmac-sha256", "hmac-sha384", "hmac-sha512"}  # RFC 8945 6
_UNSENT = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.ECONNREFUSED,
           errno.EACCES, errno.EPERM}  # fmt: skip


def plain(name: "dns.name.Name") -> str:
    """Lower case, without the final dot."""
    return name.to_text(omit_final_dot=True).lower()


class Misfit(Exception):
    """A datagram came from the place asked that is no answer to what was asked."""


def fitting(query: "dns.message.Message", wire: bytes) -> "dns.message.Message":
    """The answer to this query in the octets; raises Misfit, Truncated, or what the server says of our TSIG."""
    import dns.exception
    import dns.message
    import dns.tsig

    try:
        cut = isinstance(query, dns.message.QueryMessage)
        answer = dns.message.from_wire(wire, query.keyring, query.mac, raise_on_truncation=cut)
    except dns.tsig.PeerError:
        raise
    except dns.message.Truncated as short:
        if query.is_response(short.message()):  # type: ignore[no-untyped-call]
            raise
        raise Misfit("another question or number") from None
    except (dns.exception.DNSException, ValueError, struct.error) as error:
        raise Misfit(type(error).__name__) from None
    if not query.is_response(answer):
        raise Misfit("another question or number")
    return answer


def unsigned_error(query: "dns.message.Message", wire: bytes) -> "dns.message.Message | None":
    """The unsigned answer in the octets, where a signed one is due and it names an error; else None."""
    import dns.exception
    import dns.message
    import dns.rcode

    if query.keyring is None:
        return None
    try:
        answer = dns.message.from_wire(wire)
    except (dns.exception.DNSException, ValueError, struct.error):
        return None
    fits = query.is_response(answer) and answer.rcode() != dns.rcode.NOERROR
    return answer if fits else None


def read_answer(message: "dns.message.Message") -> DnsAnswer:
    """The answer at the end of the CNAME chain inside this message."""
    import dns.flags
    import dns.message
    import dns.rcode
    import dns.rdatatype

    rcode, authoritative = dns.rcode.to_text(message.rcode()), bool(message.flags & dns.flags.AA)
    recursion = bool(message.flags & dns.flags.RA)
    if not isinstance(message, dns.message.QueryMessage) or not message.question:
        return DnsAnswer(rcode, authoritative, (), recursion=recursion)
    chain = message.resolve_chaining()
    cname = plain(chain.canonical_name) if chain.cnames else None
    if chain.answer is None:
        serial = _serial(rd for rrset in message.authority for rd in rrset) if authoritative else None
        return DnsAnswer(rcode, authoritative, (), serial, cname, recursion=recursion)
    ttl = timedelta(seconds=chain.answer.ttl)
    texts = tuple(rdata_text(rd) for rd in chain.answer)
    return DnsAnswer(rcode, authoritative, texts, _serial(chain.answer), cname, ttl, recursion)


def _serial(rdatas: "Iterable[dns.rdata.Rdata]") -> int | None:
    import dns.rdatatype

    return next((rd.serial for rd in rdatas if rd.rdtype == dns.rdatatype.SOA), None)  # type: ignore[attr-defined]


def recursive_query(name: str, rdtype: str) -> "dns.message.Message":
    """A question for a resolver, with the number 0 (RFC 8484 4.1: so that HTTP caches can serve it)."""
    import dns.flags
    import dns.message

    query = dns.message.make_query(name, rdtype, use_edns=False, id=0)
    query.flags = dns.flags.Flag.RD
    return query


def rdata_text(rdata: "dns.rdata.Rdata") -> str:
    """An address in its canonical form, TXT strings joined without quotes, else the presentation format."""
    import dns.rdatatype

    if rdata.rdtype in {dns.rdatatype.A, dns.rdatatype.AAAA}:
        return str(ip_address(rdata.to_text()))
    if rdata.rdtype == dns.rdatatype.TXT:
        return b"".join(rdata.strings).decode("utf-8", "replace")  # type: ignore[attr-defined]
    return rdata.to_text()


def update_message(zone: str, changes: Sequence[DnsChange], key: TsigKey | None) -> "dns.update.UpdateMessage":
    """Each change as "delete the RRset, add one RR" (RFC 2136 2.5.2, 2.5.1), signed; raises Refused for a bad key."""
    import dns.name
    import dns.tsig
    import dns.update

    message = dns.update.UpdateMessage(zone)
    for change in changes:
        name, rdtype = dns.name.from_text(change.name), change.address.family.rdtype
        message.replace(name, int(change.ttl.total_seconds()), rdtype, str(change.address))
    if key is not None:
        if key.algorithm.lower() not in _ALGORITHMS:
            raise Refused(f"{key.algorithm!r} is not a TSIG algorithm", code="key", scope=Scope.ACCOUNT)
        try:
            secret = base64.b64decode(key.secret.reveal(), validate=True)
        except ValueError:
            raise Refused("the secret of the TSIG key is not base64", code="key", scope=Scope.ACCOUNT) from None
        message.use_tsig(dns.tsig.Key(key.name, secret, _algorithm(key.algorithm)))
    return message


def _algorithm(text: str) -> str:
    """The registered name: hmac-md5 has a longer one (RFC 8945 6)."""
    return "hmac-md5.sig-alg.reg.int" if text.lower() == "hmac-md5" else text.lower()


@contextmanager
def translated(where: object, *, sent: bool) -> Iterator[None]:
    """Everything dnspython and the sockets raise, as one of the four errors."""
    import dns.exception
    import dns.resolver
    import dns.tsig

    try:
        yield
    except dns.tsig.PeerBadTime:
        raise Busy(f"the clocks of {where} and of this machine differ by more than 5 minutes", code="BADTIME") from None
    except dns.tsig.PeerError as error:
        raise _tsig_refusal(where, error) from None
    except (dns.exception.Timeout, TimeoutError):
        raise Unreachable(f"{where} did not answer in time", sent=sent) from None
    except (dns.resolver.NoNameservers, dns.resolver.NoResolverConfiguration, dns.resolver.NoRootSOA):
        raise Unreachable(f"{where} could not answer") from None
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        raise Unreachable(f"{where} has no such record") from None
    except (OSError, EOFError) as error:
        unsent = isinstance(error, OSError) and error.errno in _UNSENT
        why = getattr(error, "strerror", None) or "the connection was closed"
        raise Unreachable(f"{where} can not be reached ({why})", sent=sent and not unsent) from None
    except (dns.exception.DNSException, ValueError, struct.error) as error:
        raise Garbled(f"what {where} answered is no DNS answer ({type(error).__name__})") from None


def _tsig_refusal(where: object, error: Exception) -> Refused:
    """What the server says of our signature (RFC 8945 5.2)."""
    import dns.tsig

    sentences: dict[type[Exception], tuple[str, str]] = {
        dns.tsig.PeerBadKey: ("BADKEY", f"{where} does not know this TSIG key: check key_name and key_algorithm"),
        dns.tsig.PeerBadSignature: ("BADSIG", f"the TSIG signature is wrong for {where}: check key_secret"),
        dns.tsig.PeerBadTruncation: ("BADTRUNC", f"{where} wants a longer TSIG signature: check key_algorithm"),
    }
    code, text = sentences.get(type(error), ("TSIG", f"{where} refuses the TSIG signature"))
    return Refused(text, code=code, scope=Scope.ACCOUNT)
