"""Whoami questions to name servers: one service, or all of the table in protocols.whoami."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address

from ipwatch.core.address import Address, Family
from ipwatch.ports import Clock, Endpoint, Garbled, Plugin, Resolver, SourceOptions, Tools, Unreachable
from ipwatch.protocols import whoami
from ipwatch.protocols.hostport import BadHostPort, split
from ipwatch.protocols.whoami import Question

_PORT = 53  # RFC 1035 4.2
_SERVERS = 2  # asked at most in one observation; the round has other voices


class DnsOptions(SourceOptions, frozen=True, kw_only=True):
    """`[[source]]` of kind "dns". Without `service` it stands for the whole table."""

    service: str | None = None
    server: str | None = None

    def __post_init__(self) -> None:
        if self.service is not None and self.service not in whoami.SERVICES:
            raise ValueError(f"service must be one of {', '.join(sorted(whoami.SERVICES))}")
        if self.service is None and self.operator is not None:
            raise ValueError("operator needs a service: the table's services have operators of their own")
        if self.server is not None:
            if self.service is None:
                raise ValueError("server needs a service: which question is it to be asked?")
            _server(self.server)


DOC = {
    "service": "which whoami service: opendns, cloudflare, google or akamai; none: all of them",
    "server": 'ask this server ("host:port") instead of the service\'s own',
}


@dataclass(frozen=True, slots=True)
class DnsSource:
    """One whoami service."""

    id: str
    operator: str
    families: frozenset[Family]
    min_interval: timedelta
    questions: Mapping[Family, Question]
    server: tuple[str, int] | None
    timeout: timedelta
    resolver: Resolver
    clock: Clock

    def observe(self, family: Family, within: timedelta) -> Address:
        """Ask one server of the service, and another where it can not be reached; raises PortError."""
        question = self.questions[family]
        deadline = self.clock.monotonic() + min(within, self.timeout)
        places = [self.server] if self.server else [(host, _PORT) for host in question.servers[:_SERVERS]]
        fault = Unreachable("no time was left to ask")
        for number, (host, port) in enumerate(places):
            share = (deadline - self.clock.monotonic()) / (len(places) - number)
            if share <= timedelta(0):
                break
            try:
                return self._ask(question, host, port, family, self.clock.monotonic() + share)
            except Unreachable as error:
                fault = error
        raise fault

    def _ask(self, question: Question, host: str, port: int, family: Family, until: timedelta) -> Address:
        endpoint = next(self._endpoints(host, port, family, until - self.clock.monotonic()), None)
        if endpoint is None:
            raise Unreachable(f"{host} has no {family.label} address")
        answer = self.resolver.ask(
            question.name,
            question.rdtype,
            endpoint,
            max(timedelta(0), until - self.clock.monotonic()),
            rdclass=question.rdclass,
            recurse=question.recurse,
        )
        try:
            return whoami.read(answer.rcode, answer.texts, family)
        except whoami.BadWhoami as error:
            raise Garbled(f"{host}: {error}", excerpt=" ".join(answer.texts)) from None

    def _endpoints(self, host: str, port: int, family: Family, within: timedelta) -> Iterator[Endpoint]:
        try:
            texts: tuple[str, ...] = (str(ip_address(host)),)
        except ValueError:
            texts = self.resolver.lookup(host, within, family)
        for text in texts:
            if Address.parse(text).family is family:
                yield Endpoint(text, port)


def _server(text: str) -> tuple[str, int]:
    try:
        return split(text, _PORT)
    except BadHostPort as error:
        raise ValueError(f"server {error}") from None


def _build(options: DnsOptions, tools: Tools) -> list[DnsSource]:
    names = [options.service] if options.service else list(whoami.SERVICES)
    wanted = frozenset(Family if options.families is None else options.families)
    sources = [_source(name, wanted, options, tools) for name in names]
    return [source for source in sources if source.families]


def _source(name: str, wanted: frozenset[Family], options: DnsOptions, tools: Tools) -> DnsSource:
    service = whoami.SERVICES[name]
    return DnsSource(
        id=f"dns:{name}",
        operator=options.operator or service.operator,
        families=frozenset(service.questions) & wanted,
        min_interval=timedelta(0),
        questions=service.questions,
        server=_server(options.server) if options.server else None,
        timeout=options.timeout,
        resolver=tools.resolver,
        clock=tools.clock,
    )


PLUGIN = Plugin(
    title="a name server that answers with the asker's address (OpenDNS, Cloudflare, Google, Akamai)",
    manual="https://developers.cloudflare.com/1.1.1.1/ip-addresses/",
    settings=DnsOptions,
    build=_build,
)
