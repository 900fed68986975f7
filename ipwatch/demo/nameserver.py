"""Two authoritative name servers of one zone: the first takes signed updates, the second lags behind it.

RFC 1035 over UDP and TCP, RFC 2136 updates, RFC 8945 signatures. dnspython does the codec here, against the rule that
it lives in net alone: this is the other end of the wire, and sharing the adapter would test it against itself.
"""

import socket
import socketserver
from collections.abc import Iterable

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import dns.tsig
import dns.update

from ipwatch.demo.journal import Journal
from ipwatch.demo.line import LOOPBACK, Line, TcpServer, UdpServer
from ipwatch.demo.zone import Key, Version, Zone, plain

_HEADER = 12  # bytes (RFC 1035 4.1.1)
_UDP = 512  # bytes of an answer over UDP to who does not say more (RFC 1035 4.2.1)
_IDLE = 10.0  # seconds
_BADKEY, _BADSIG, _BADTIME = 17, 16, 18  # RFC 8945 section 3
Sets = dict[Key, tuple[int, frozenset[dns.rdata.Rdata]]]


class NameServer:
    """One server of the zone, on the same ephemeral port over UDP and TCP.

    lag: seconds it is behind the zone, settable. key: who signs with it may update; None: nobody may.
    """

    def __init__(
        self, name: str, zone: Zone, line: Line, journal: Journal, *, lag: float = 0.0, key: dns.tsig.Key | None = None
    ) -> None:
        self.name = name
        self.zone = zone
        self.journal = journal
        self.lag = lag
        self._keys = {key.name: key} if key is not None else {}
        self._tcp = _Tcp(line, self)
        try:
            self._udp = _Udp(line, self, self._tcp.port)
        except OSError:  # somebody has that UDP port: any other pair will do
            self._tcp.server_close()
            self._tcp = _Tcp(line, self)
            self._udp = _Udp(line, self, self._tcp.port)

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._tcp.port

    @property
    def endpoint(self) -> str:
        """Address and port, as the configuration writes them."""
        return f"{LOOPBACK}:{self.port}"

    def start(self) -> None:
        """Answer until `close`."""
        self._tcp.start()
        self._udp.start()

    def close(self) -> None:
        """End both."""
        self._tcp.close()
        self._udp.close()

    def respond(self, wire: bytes, *, udp: bool) -> bytes | None:
        """The answer to one message; None where none is due."""
        if len(wire) < _HEADER or wire[2] & 0x80:  # too short to answer, or itself an answer
            return None
        try:
            query = dns.message.from_wire(wire, keyring=self._keys)
        except (dns.message.UnknownTSIGKey, dns.tsig.BadKey, dns.tsig.BadAlgorithm):
            return _unsigned(wire, _BADKEY)
        except dns.tsig.BadSignature:
            return _unsigned(wire, _BADSIG)
        except dns.tsig.BadTime:
            return _unsigned(wire, _BADTIME)
        except dns.exception.DNSException:
            return wire[:2] + bytes((0x80 | wire[2] & 0x79, dns.rcode.FORMERR)) + bytes(8)
        answer = dns.message.make_response(query)
        match query.opcode():
            case dns.opcode.QUERY:
                self._question(query, answer)
            case dns.opcode.UPDATE if isinstance(query, dns.update.UpdateMessage):
                answer.set_rcode(self._update(query))
            case _:
                answer.set_rcode(dns.rcode.NOTIMP)
        limit = max(query.payload, _UDP) if udp else 65535
        return answer.to_wire(max_size=limit, prefer_truncation=True)

    def _question(self, query: dns.message.Message, answer: dns.message.Message) -> None:
        if len(query.question) != 1:
            answer.set_rcode(dns.rcode.FORMERR)
            return
        asked = query.question[0]
        if not asked.name.is_subdomain(self.zone.origin) or asked.rdclass != dns.rdataclass.IN:
            answer.set_rcode(dns.rcode.REFUSED)
            return
        answer.flags |= dns.flags.AA
        version = self.zone.view(self.lag)
        found = version.sets.get((asked.name, asked.rdtype))
        shown = ""
        if found is not None:
            answer.answer.append(_rrset(asked.name, asked.rdtype, *found))
            shown = " ".join(sorted(record.to_text() for record in found[1]))
        else:
            soa = version.sets[(self.zone.origin, dns.rdatatype.SOA)]
            answer.authority.append(_rrset(self.zone.origin, dns.rdatatype.SOA, *soa))
            if not any(name.is_subdomain(asked.name) for name, _ in version.sets):
                answer.set_rcode(dns.rcode.NXDOMAIN)
        text = dns.rdatatype.to_text(asked.rdtype)
        self.journal.note("dns", "answered", plain(asked.name), about=self.name, address=shown, text=text)

    def _update(self, query: dns.update.UpdateMessage) -> dns.rcode.Rcode:
        if not query.had_tsig or not self._keys:
            rcode = dns.rcode.REFUSED  # RFC 2136 3.3
        elif not query.zone or query.zone[0].name != self.zone.origin:
            rcode = dns.rcode.NOTAUTH  # RFC 2136 3.1.1
        elif not all(rrset.name.is_subdomain(self.zone.origin) for rrset in (*query.prerequisite, *query.update)):
            rcode = dns.rcode.NOTZONE  # RFC 2136 3.2, 3.4.1.3
        else:
            rcode = _prerequisites(query.prerequisite, self.zone.view())
        who = plain(query.keyname) if query.had_tsig and query.keyname is not None else ""
        if rcode == dns.rcode.NOERROR:
            self.zone.change(lambda sets: _apply(query.update, sets, self.zone.origin), by=who)
        self.journal.note("dns", "update", self.name, about=who, text=dns.rcode.to_text(rcode))
        return rcode


def _unsigned(wire: bytes, error: int) -> bytes:
    """NOTAUTH with the reason in an unsigned TSIG record (RFC 8945 5.2 and 5.3.2)."""
    query = dns.message.from_wire(wire, keyring=False, continue_on_error=True)
    answer = dns.message.make_response(query)
    answer.set_rcode(dns.rcode.NOTAUTH)
    if query.tsig is not None:
        answer.tsig = dns.rrset.from_rdata(query.tsig.name, 0, query.tsig[0].replace(mac=b"", error=error, other=b""))
        answer.want_tsig_sign = False
    return answer.to_wire()


def _rrset(
    name: dns.name.Name, rdtype: dns.rdatatype.RdataType, ttl: int, records: Iterable[dns.rdata.Rdata]
) -> dns.rrset.RRset:
    rrset = dns.rrset.RRset(name, dns.rdataclass.IN, rdtype)
    for record in records:
        rrset.add(record, ttl)
    return rrset


def _prerequisites(wanted: Iterable[dns.rrset.RRset], version: Version) -> dns.rcode.Rcode:
    """Whether the zone is as the update wants it (RFC 2136 3.2)."""
    whole: dict[Key, set[dns.rdata.Rdata]] = {}
    for rrset in wanted:
        key = (rrset.name, rrset.rdtype)
        in_use = any(name == rrset.name for name, _ in version.sets)
        anything = rrset.rdtype == dns.rdatatype.ANY
        match rrset.deleting:
            case dns.rdataclass.ANY if anything and not in_use:
                return dns.rcode.NXDOMAIN
            case dns.rdataclass.NONE if anything and in_use:
                return dns.rcode.YXDOMAIN
            case dns.rdataclass.ANY if not anything and key not in version.sets:
                return dns.rcode.NXRRSET
            case dns.rdataclass.NONE if not anything and key in version.sets:
                return dns.rcode.YXRRSET
            case None:
                whole.setdefault(key, set()).update(rrset)
    for key, records in whole.items():
        if version.sets.get(key, (0, frozenset()))[1] != records:
            return dns.rcode.NXRRSET
    return dns.rcode.NOERROR


def _apply(changes: Iterable[dns.rrset.RRset], sets: Sets, origin: dns.name.Name) -> None:
    """Change the sets in order (RFC 2136 3.4.2). The apex keeps its SOA and NS records."""
    for rrset in changes:
        key = (rrset.name, rrset.rdtype)
        if rrset.name == origin and rrset.rdtype in {dns.rdatatype.SOA, dns.rdatatype.NS}:
            continue
        if rrset.deleting is None:
            sets[key] = (rrset.ttl, sets.get(key, (0, frozenset()))[1] | frozenset(rrset))
        elif rrset.deleting == dns.rdataclass.NONE:
            ttl, records = sets.pop(key, (0, frozenset()))
            if left := records - frozenset(rrset):
                sets[key] = (ttl, left)
        elif rrset.rdtype == dns.rdatatype.ANY:
            for other in [k for k in sets if k[0] == rrset.name and k[0] != origin]:
                del sets[other]
        else:
            sets.pop(key, None)


class _Tcp(TcpServer):
    def __init__(self, line: Line, server: NameServer) -> None:
        self.names = server
        super().__init__(line, _TcpHandler)


class _Udp(UdpServer):
    def __init__(self, line: Line, server: NameServer, port: int) -> None:
        self.names = server
        super().__init__(line, _UdpHandler, port)


class _TcpHandler(socketserver.StreamRequestHandler):
    """Two bytes of length before each message (RFC 1035 4.2.2)."""

    server: _Tcp
    timeout = _IDLE

    def handle(self) -> None:
        while len(length := self.rfile.read(2)) == 2:
            wire = self.rfile.read(int.from_bytes(length))
            answer = self.server.names.respond(wire, udp=False)
            if len(wire) < int.from_bytes(length) or answer is None:
                return
            self.wfile.write(len(answer).to_bytes(2) + answer)


class _UdpHandler(socketserver.BaseRequestHandler):
    server: _Udp
    request: tuple[bytes, socket.socket]

    def handle(self) -> None:
        wire, reply = self.request
        if (answer := self.server.names.respond(wire, udp=True)) is not None:
            reply.sendto(answer, self.client_address)
