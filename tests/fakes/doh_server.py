"""A DNS over HTTPS server on loopback (RFC 8484): POST alone, plain or with TLS, strict about its headers."""

import base64

import dns.message

from tests.fakes.ca import Certificate
from tests.fakes.dns_server import Answer
from tests.fakes.http_server import FakeHttpServer, Reply, Seen

TYPE = "application/dns-message"


class DohServer(FakeHttpServer):
    """Answers what `reply` makes of a question. doh: its URL. headers: sent with each answer."""

    def __init__(self, reply: Answer, certificate: Certificate | None = None, **headers: str) -> None:
        super().__init__()
        self._reply, self._headers = reply, headers
        self.questions: list[dns.message.Message] = []
        if certificate is not None:
            context = certificate.server_context()
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
            self.url = self.url.replace("http://", "https://")
        self.doh = f"{self.url}/dns-query"

    def answer(self, seen: Seen) -> Reply:
        if seen.method != "POST" or seen.headers.get("content-type") != TYPE or seen.headers.get("accept") != TYPE:
            self.fault(f"{seen.method} with {dict(seen.headers)}")
            return Reply(415)
        query = dns.message.from_wire(seen.body)
        if query.id != 0:
            self.fault(f"the number is {query.id}: {base64.b64encode(seen.body).decode()}")
        self.questions.append(query)
        made = self._reply(query, "https")
        wire = made.to_wire() if isinstance(made, dns.message.Message) else b"".join(made or ())
        return Reply(200, wire, {"Content-Type": TYPE, **self._headers})
