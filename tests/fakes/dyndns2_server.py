"""A dyndns2 server that holds clients to the rules of the protocol's manual and keeps records."""

import base64
from ipaddress import ip_address

from tests.fakes.http_server import FakeHttpServer, Reply, Seen

_LIBRARIES = ("python-requests", "Python-urllib", "curl", "Wget", "Mozilla")


class Dyndns2Server(FakeHttpServer):
    """Knows `hosts` (name -> family number -> address) of one account. `dialect`: how it wants two families:
    "comma", "params" or "separate" (both at once: abuse). `erases`: a family left out is deleted, "preserve" keeps it.
    """

    def __init__(self, user: str = "me", password: str = "s3cret-pass", *, path: str = "/nic/update",
                 dialect: str = "comma", erases: bool = False) -> None:  # fmt: skip
        super().__init__()
        self.user, self.password, self.path = user, password, path
        self.dialect, self.erases = dialect, erases
        self.hosts: dict[str, dict[int, str]] = {}
        self.echo = True

    def answer(self, seen: Seen) -> Reply:
        if seen.method != "GET" or seen.path != self.path or seen.body:
            self.fault(f"{seen.method} {seen.path}")
            return Reply(404, "<html><title>404 Not Found</title></html>")
        agent = seen.headers.get("user-agent", "")
        if not agent or agent.startswith(_LIBRARIES) or "/" not in agent:
            self.fault(f"User-Agent {agent!r}")
            return Reply(200, "badagent\n")
        good = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        if seen.headers.get("authorization") != f"Basic {good}":
            return Reply(401, "badauth\n", {"WWW-Authenticate": 'Basic realm="dyn"'})
        return self._update(seen)

    def _update(self, seen: Seen) -> Reply:
        names = (seen.param("hostname") or "").split(",")
        if len(names) > 20:
            self.fault("more than 20 names")
            return Reply(200, "numhost\n")
        wanted = self._addresses(seen)
        if wanted is None:
            return Reply(200, "badparam\n")
        if self.dialect == "separate" and len(wanted) > 1:
            self.fault("both families at once")
            return Reply(200, "abuse\n" * len(names))
        return Reply(200, "".join(self._host(name, wanted) + "\n" for name in names), {"Content-Type": "text/plain"})

    def _addresses(self, seen: Seen) -> dict[int, str] | None:
        values = [*(seen.param("myip") or seen.param("myipv4") or "").split(","), seen.param("myipv6") or ""]
        if self.dialect != "params" and seen.param("myipv6") is not None:
            self.fault("myipv6 is no parameter here")
            return None
        found: dict[int, str] = {}
        for value in filter(None, values):
            if value != "preserve":
                ip = ip_address(value)
                found[ip.version] = str(ip)
        if not found:
            self.fault("no address: the server would take the connection's")
            return None
        if self.erases:
            for version, name in ((4, "myipv4"), (6, "myipv6")):
                if version not in found and seen.param(name) != "preserve":
                    found[version] = ""
        return found

    def _host(self, name: str, wanted: dict[int, str]) -> str:
        if "." not in name:
            return "notfqdn"
        if name not in self.hosts:
            return "nohost"
        before = dict(self.hosts[name])
        self.hosts[name] = {v: a for v, a in {**before, **wanted}.items() if a}
        code = "nochg" if self.hosts[name] == before else "good"
        return code + (" " + ",".join(a for _, a in sorted(wanted.items()) if a) if self.echo else "")
