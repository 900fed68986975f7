"""Resolver on dnspython: questions to one server, the zone cut, and RFC 2136 updates.

Only this file and net.dns_wire import dnspython, and only when the first question is asked: the import takes tens of
milliseconds.
"""
# ruff: noqa: PLC0415 - see above

import socket
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING

from ipwatch.core.address import Family
from ipwatch.net.dns_wire import (
    Misfit,
    fitting,
    plain,
    rdata_text,
    read_answer,
    translated,
    unsigned_error,
    update_message,
)
from ipwatch.net.lookup import addresses
from ipwatch.ports import DnsAnswer, DnsChange, Endpoint, Garbled, NameServer, TsigKey, Unreachable, Zone

if TYPE_CHECKING:
    import dns.message
    import dns.name
    import dns.resolver

_UDP_LIMIT = 512  # octets a server must take by UDP without EDNS (RFC 1035 4.2.1); larger requests go by TCP
_RESEND = 1.0  # seconds until a lost datagram is sent again, doubled each time (RFC 1035 4.2.1: 2 to 5 s on the whole)
_LOOKUPS = 8  # name servers looked up at once
_SPARE = 0.2  # seconds for a look-up to notice that its time is over


class DnspythonResolver:
    """ports.Resolver. `system`: the recursive servers to use instead of the machine's own."""

    def __init__(self, system: tuple[Endpoint, ...] | None = None) -> None:
        self._system = system

    def ask(self, name: str, rdtype: str, server: Endpoint, within: timedelta, *, rdclass: str = "IN",
            recurse: bool = False) -> DnsAnswer:  # fmt: skip
        """Ask this server once, resending lost datagrams; see the port."""
        import dns.flags
        import dns.message

        with translated(server, sent=False):
            query = dns.message.make_query(name, rdtype, rdclass, use_edns=False)
            query.flags = dns.flags.Flag.RD if recurse else dns.flags.Flag(0)
            return read_answer(_question(query, server, _Deadline(within)))

    def lookup(self, host: str, within: timedelta, family: Family | None = None) -> tuple[str, ...]:
        """Literal addresses stand for themselves; see the port."""
        try:
            found = [str(ip_address(host))]
        except ValueError:
            by_servers = self._system is not None
            found = self._lookup_at_servers(host, within) if by_servers else _lookup_by_system(host, within)
        wanted = {4: Family.IPV4, 6: Family.IPV6}
        kept = tuple(a for a in found if family in {None, wanted[ip_address(a.partition("%")[0]).version]})
        if not kept:
            raise Unreachable(f"{host} has no {family.label if family else 'IP'} address")
        return kept

    def _lookup_at_servers(self, host: str, within: timedelta) -> list[str]:
        with translated(host, sent=False):
            return _addresses(self._resolver(), host, _Deadline(within))

    def zone(self, name: str, within: timedelta) -> Zone:
        """Ask upward for the SOA, then for NS and every address of theirs; see the port."""
        import dns.name
        import dns.resolver

        deadline = _Deadline(within)
        with translated(f"the resolver, which was asked for the zone of {name},", sent=False):
            resolver = self._resolver()
            cut = dns.resolver.zone_for_name(name, resolver=resolver, lifetime=deadline.left())
            if cut == dns.name.root:
                raise Garbled(f"{name} lies in no known zone")
            answer = resolver.resolve(cut, "NS", lifetime=deadline.left())
            names = sorted(plain(ns.target) for ns in answer)
        found = _addresses_of_all(resolver, names, deadline)
        servers = tuple(NameServer(ns, Endpoint(address, 53)) for ns in names for address in found.get(ns, ()))
        if not servers:
            raise Unreachable(f"no name server of {plain(cut)} has an address ({', '.join(names)})")
        return Zone(plain(cut), servers)

    def _resolver(self) -> "dns.resolver.Resolver":
        """Made anew each time: the machine's servers change with its network."""
        import dns.nameserver
        import dns.resolver

        resolver = dns.resolver.Resolver(configure=self._system is None)
        if self._system is not None:
            resolver.nameservers = [dns.nameserver.Do53Nameserver(s.host, s.port) for s in self._system]
        return resolver

    def update(self, zone: str, changes: Sequence[DnsChange], server: Endpoint, key: TsigKey | None,
               within: timedelta) -> str:  # fmt: skip
        """One message for all changes, each "delete the RRset, add one RR" (RFC 2136 2.5.2, 2.5.1); see the port.

        Raises Busy, too: on BADTIME, which ends when the clocks agree again.
        """
        import dns.rcode

        deadline = _Deadline(within)
        with translated(server, sent=True):
            message = update_message(zone, changes, key)
            big = len(message.to_wire()) > _UDP_LIMIT
            answer = (_tcp if big else _udp)(message, server, deadline)
            return dns.rcode.to_text(answer.rcode())


class _Deadline:
    """A total deadline by the monotonic clock; dnspython takes seconds and times of the wall clock."""

    def __init__(self, within: timedelta) -> None:
        self._end = time.monotonic() + within.total_seconds()

    def left(self) -> float:
        """Seconds left, at least 0."""
        return max(0.0, self._end - time.monotonic())


def _question(query: "dns.message.Message", server: Endpoint, deadline: _Deadline) -> "dns.message.Message":
    """By UDP, and by TCP where the answer is cut off (RFC 7766 5)."""
    import dns.message

    try:
        return _udp(query, server, deadline)
    except dns.message.Truncated:
        return _tcp(query, server, deadline)


def _tcp(query: "dns.message.Message", server: Endpoint, deadline: _Deadline) -> "dns.message.Message":
    import dns.query

    with socket.socket(_family(server), socket.SOCK_STREAM) as sock:
        sock.settimeout(max(deadline.left(), 0.001))
        try:
            sock.connect((server.host, server.port))
        except OSError as error:
            raise Unreachable(f"{server} can not be reached ({error.strerror or 'timed out'})") from None
        sock.setblocking(False)
        return dns.query.tcp(query, server.host, deadline.left(), server.port, sock=sock)


def _udp(query: "dns.message.Message", server: Endpoint, deadline: _Deadline) -> "dns.message.Message":
    """Send, and again at growing intervals, the very same octets: an answer to any of them is an answer.

    The socket is connected, so that the kernel drops what comes from elsewhere and tells of a closed port.
    """
    wire, wait = query.to_wire(), _RESEND
    misfit = ""
    with socket.socket(_family(server), socket.SOCK_DGRAM) as sock:
        sock.connect((server.host, server.port))
        while deadline.left() > 0:
            try:
                sock.send(wire)
                return _await(query, sock, _Deadline(timedelta(seconds=min(wait, deadline.left()))))
            except Misfit as why:  # a forgery, or a broken server: the true answer may still come
                misfit = str(why)
            except ConnectionRefusedError:
                if wait > _RESEND:  # an earlier copy may have got through
                    raise TimeoutError from None
                raise
            except TimeoutError:
                pass
            wait *= 2
    if misfit:
        raise Garbled(f"{server} gave no answer that fits the question ({misfit})")
    raise TimeoutError


def _family(server: Endpoint) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in server.host else socket.AF_INET


def _await(query: "dns.message.Message", sock: socket.socket, deadline: _Deadline) -> "dns.message.Message":
    """The first answer that fits; raises Misfit at the deadline when there were only others, else TimeoutError.

    An unsigned error where a signed answer is due counts only when nothing better came meanwhile (RFC 8945 5.3): some
    servers sign no refusal.
    """
    misfit, unsigned = "", None
    while (left := deadline.left()) > 0:
        sock.settimeout(left)
        try:
            wire = sock.recv(65535)
        except TimeoutError:
            break
        try:
            return fitting(query, wire)
        except Misfit as why:
            misfit, unsigned = str(why), unsigned or unsigned_error(query, wire)
    if unsigned is not None:
        return unsigned
    if misfit:
        raise Misfit(misfit)
    raise TimeoutError


def _addresses(resolver: "dns.resolver.Resolver", host: str, deadline: _Deadline) -> list[str]:
    """Both families' addresses; raises only when neither question was answered."""
    import dns.exception
    import dns.resolver

    found: list[str] = []
    fault: dns.exception.DNSException | None = None
    for rdtype in ("A", "AAAA"):
        try:
            found += [rdata_text(rd) for rd in resolver.resolve(host, rdtype, lifetime=deadline.left(), search=False)]
        except dns.resolver.NoAnswer:
            continue
        except dns.exception.DNSException as error:
            fault = error
    if fault is not None and not found:
        raise fault
    return found


def _addresses_of_all(
    resolver: "dns.resolver.Resolver", names: Sequence[str], deadline: _Deadline
) -> dict[str, list[str]]:
    """The addresses of name servers, several looked up at once by threads that hold up no program's exit."""
    found: dict[str, list[str]] = {}
    waiting = list(reversed(names))

    def work() -> None:
        with suppress(IndexError):
            while True:
                name = waiting.pop()
                found[name] = _addresses_or_none(resolver, name, deadline)

    workers = [threading.Thread(target=work, name="nameservers", daemon=True) for _ in names[:_LOOKUPS]]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(deadline.left() + _SPARE)
    return found.copy()


def _addresses_or_none(resolver: "dns.resolver.Resolver", host: str, deadline: _Deadline) -> list[str]:
    """A name server that can not be found leaves the others."""
    import dns.exception

    try:
        return _addresses(resolver, host, deadline)
    except (dns.exception.DNSException, OSError, ValueError):
        return []


def _lookup_by_system(host: str, within: timedelta) -> list[str]:
    """Both families, IPv4 first; one that is missing is passed over."""
    deadline, found, fault = _Deadline(within), list[str](), Unreachable(f"{host} has no address")
    for family in Family:
        try:
            found += [str(place[0]) for place in addresses(host, 53, family, timedelta(seconds=deadline.left()))]
        except Unreachable as error:
            fault = error
    if not found:  # neither family is there
        raise Unreachable(str(fault).replace(f"no {Family.IPV6.label} address", "no address"))
    return list(dict.fromkeys(found))
