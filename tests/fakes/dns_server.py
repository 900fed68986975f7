"""A name server on loopback, UDP and TCP at one port, whose answer is whatever its `answer` function makes."""

import contextlib
import select
import socket
import struct
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

import dns.flags
import dns.message
import dns.rrset
import dns.update

from ipwatch.ports import Endpoint

Answer = Callable[[dns.message.Message, str], dns.message.Message | bytes | list[bytes] | None]


def answer(query: dns.message.Message, *rrs: str, rcode: int = 0, aa: bool = True) -> dns.message.Message:
    """An answer whose answer section holds the RRs ("home.example.org. 60 IN A 192.0.2.1")."""
    response = dns.message.make_response(query)
    response.flags |= dns.flags.AA if aa else 0
    response.set_rcode(dns.rcode.Rcode.make(rcode))
    for text in rrs:
        name, ttl, rdclass, rdtype, rdata = text.split(None, 4)
        found = next(
            (r for r in response.answer if r.name.to_text() == name and r.rdtype == dns.rdatatype.from_text(rdtype)),
            None,
        )
        rrset = dns.rrset.from_text(name, int(ttl), rdclass, rdtype, rdata)
        if found is None:
            response.answer.append(rrset)
        else:
            found.update(rrset)
    return response


def zone(records: dict[tuple[str, str], list[str]]) -> Answer:
    """Answers with authority from {(name, type): [rdata]}; NXDOMAIN for names not in it."""

    def reply(query: dns.message.Message, _transport: str) -> dns.message.Message:
        name, rdtype = query.question[0].name.to_text().lower(), dns.rdatatype.to_text(query.question[0].rdtype)
        rrs = [f"{name} 60 IN {rdtype} {rdata}" for rdata in records.get((name, rdtype), [])]
        return answer(query, *rrs, rcode=0 if any(n == name for n, _ in records) else 3)

    return reply


class DnsServer:
    """Runs `reply(query, "udp" | "tcp")`: a message, octets to send as they are (or several), or None for silence."""

    def __init__(self, reply: Answer, host: str = "127.0.0.1", keyring: object = None) -> None:
        self.queries: list[tuple[str, dns.message.Message]] = []
        self._reply, self._keyring = reply, keyring
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._tcp = socket.create_server((host, 0), family=family)
        self.endpoint = Endpoint(host, self._tcp.getsockname()[1])
        self._udp = socket.socket(family, socket.SOCK_DGRAM)
        self._udp.bind((host, self.endpoint.port))
        self._stop_read, self._stop_write = socket.socketpair()
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _value: BaseException | None, _tb: TracebackType | None
    ) -> None:
        self._stop_write.send(b"x")
        self._thread.join(10)
        for sock in (self._tcp, self._udp, self._stop_read, self._stop_write):
            sock.close()

    def _serve(self) -> None:
        while True:
            ready, _, _ = select.select([self._udp, self._tcp, self._stop_read], [], [], 30)
            if self._stop_read in ready or not ready:
                return
            if self._udp in ready:
                wire, peer = self._udp.recvfrom(65535)
                for part in self._answers(wire, "udp"):
                    self._udp.sendto(part, peer)
            if self._tcp in ready:
                self._serve_tcp()

    def _serve_tcp(self) -> None:
        connection, _ = self._tcp.accept()
        with connection, contextlib.suppress(OSError):
            connection.settimeout(5)
            stream = connection.makefile("rb")
            with stream:
                head = stream.read(2)
                if len(head) == 2:
                    for part in self._answers(stream.read(struct.unpack("!H", head)[0]), "tcp"):
                        connection.sendall(struct.pack("!H", len(part)) + part)

    def _answers(self, wire: bytes, transport: str) -> list[bytes]:
        query = dns.message.from_wire(wire, keyring=self._keyring)
        self.queries.append((transport, query))
        reply = self._reply(query, transport)
        if reply is None:
            return []
        if isinstance(reply, dns.message.Message):
            return [reply.to_wire()]
        return [reply] if isinstance(reply, bytes) else reply
