"""DuckDNS as https://www.duckdns.org/spec.jsp describes it."""

from ipaddress import ip_address

from tests.fakes.http_server import FakeHttpServer, Reply, Seen


class DuckDnsServer(FakeHttpServer):
    """`hosts`: sub-name -> family number -> address."""

    def __init__(self, token: str = "a7c4d0ad-114e-40ef-ba1d-d217904a50f2") -> None:
        super().__init__()
        self.token = token
        self.hosts: dict[str, dict[int, str]] = {}

    def answer(self, seen: Seen) -> Reply:
        if seen.method != "GET" or seen.path != "/update":
            self.fault(f"{seen.method} {seen.path}")
            return Reply(404, "")
        if {n for n, _ in seen.params} - {"domains", "token", "ip", "ipv6", "verbose"}:
            self.fault(f"parameters {seen.params}")
        names = (seen.param("domains") or "").split(",")
        if any("." in name or not name for name in names):
            self.fault(f"domains {names}")
        if not seen.param("ip"):
            self.fault("no ip: the server would take the connection's")
        if seen.param("token") != self.token or any(name not in self.hosts for name in names):
            return Reply(200, "KO")
        given = [ip_address(v) for v in (seen.param("ip"), seen.param("ipv6")) if v]
        before = {name: dict(self.hosts[name]) for name in names}
        for name in names:
            self.hosts[name].update({ip.version: str(ip) for ip in given})
        if seen.param("verbose") != "true":
            return Reply(200, "OK")
        shown = self.hosts[names[0]]
        changed = "UPDATED" if any(self.hosts[n] != before[n] for n in names) else "NOCHANGE"
        return Reply(200, f"OK\n{shown.get(4, '')}\n{shown.get(6, '')}\n{changed}")
