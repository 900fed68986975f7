"""dyndns2: the update protocol most DNS services speak, for the services of a table and for any other server."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from difflib import get_close_matches
from typing import Any, ClassVar, Literal

from ipwatch.core.address import Address, BadAddress, Family
from ipwatch.core.outcome import Outcome
from ipwatch.ports import AccountOptions, HttpRequest, Plugin, PortError, Provider, Secret, Tools, Update, outcome_of
from ipwatch.protocols import dyndns2
from ipwatch.protocols.dyndns2 import MOST_NAMES, Habit
from ipwatch.providers._common import Deadline, base_url, hidden, hide, stopping
from ipwatch.providers._dyndns2_services import SERVICES, Service

MANUAL = "https://help.dyn.com/perform-update.html"
_SHORT = 8  # characters: what is no longer could be a code of the protocol
_WORD = 3  # characters: a parameter no longer ("ON", "1") keeps no secret, and stars for it would spoil every sentence


class Settings(AccountOptions, frozen=True, kw_only=True):
    """`[account.NAME]` with kind = "dyndns2". `service` or `server` is needed; both: another server of that kind."""

    DOC: ClassVar[Mapping[str, str]] = {
        "service": "a service of the table: " + ", ".join(n for n, s in SERVICES.items() if not s.closed),
        "server": 'any other server, such as "https://dyn.example.net"',
        "path": 'where on the server; default: of the service, else "/nic/update"',
        "username": "the login; default where the service has a login per host: the record's name",
        "password": "password, key or token",
        "allow_insecure": "allow plain http, which shows the password on the way",
        "dual_stack": 'how two families are sent: "comma" myip=v4,v6; "params" myip= and myipv6=; "separate" requests',
        "repeat_held": "send the other family's published address along, where leaving it out deletes it",
        "batch": "most names in one request, 1 to 20",
        "pause": "least time between two requests",
        "refresh": "publish again after this long though nothing changed; only where the provider asks for it",
        "parameters": 'further constant parameters of the request, such as { key = { env = "DYN_KEY" } }; never shown',
    }

    service: str | None = None
    server: str | None = None
    path: str | None = None
    username: str | None = None
    password: Secret
    allow_insecure: bool = False
    dual_stack: Literal["comma", "params", "separate"] | None = None
    repeat_held: bool | None = None
    batch: int | None = None
    pause: timedelta | None = None
    refresh: timedelta | None = None
    parameters: dict[str, Secret] | None = None

    def __post_init__(self) -> None:
        service = self._known()
        if self.server is not None:
            base_url(self.server, allow_insecure=self.allow_insecure)
        if self.username is None and not (service and service.user_is_name):
            raise ValueError("username is missing")
        if self.username and ":" in self.username:
            raise ValueError("username must not hold a colon (RFC 7617 2)")
        if not self.password:
            raise ValueError("password is empty")
        if self.batch is not None and not 1 <= self.batch <= MOST_NAMES:
            raise ValueError(f"batch is outside 1 to {MOST_NAMES}")
        if self.path is not None and not self.path.startswith("/"):
            raise ValueError('path has to begin with "/"')

    def _known(self) -> Service | None:
        """The service of the table; raises ValueError."""
        if self.service is None:
            if self.server is None:
                raise ValueError(
                    'service or server is missing: service = "noip", or server = "https://dyn.example.net"'
                )
            return None
        if (known := SERVICES.get(self.service)) is None:
            near = get_close_matches(self.service, SERVICES, n=3, cutoff=0.4) or sorted(SERVICES)
            raise ValueError(f"service {self.service!r} is not in the table; nearest: {', '.join(near)} "
                             "(or give server = ...)")  # fmt: skip
        if known.closed:
            raise ValueError(f"service {self.service!r} can not be used: {known.closed}")
        return known


class Dyndns2:
    """One account at one dyndns2 server (see ports.Provider)."""

    repairs = False  # sending the same address again is what these services call abuse

    def __init__(self, settings: Settings, tools: Tools) -> None:
        known = SERVICES[settings.service] if settings.service else None
        origin, path = base_url(settings.server or (known.server if known else ""),
                                allow_insecure=settings.allow_insecure)  # fmt: skip
        default = known or Service(origin, MANUAL, batch=MOST_NAMES)
        self._url = origin + (settings.path or path or default.path)
        self._dialect = _dialect(settings, default)
        self._settings = settings
        self._parameters = settings.parameters or {}
        self._secrets = _secrets(settings)
        self._tools = tools
        single = self._dialect.hostname is None or (default.user_is_name and settings.username is None)
        self.batch = 1 if single else settings.batch or default.batch
        self.pause = default.pause if settings.pause is None else settings.pause
        self.refresh = default.refresh if settings.refresh is None else settings.refresh
        self.service = origin.partition("://")[2]

    def publish(self, updates: Sequence[Update], within: timedelta) -> Mapping[tuple[str, Family], Outcome]:
        """See ports.Provider. Where each family takes a request of its own, a failure ends the row."""
        names = [update.name for update in updates]
        deadline = Deadline(self._tools.clock, within)
        outcomes: dict[tuple[str, Family], Outcome] = {}
        stop: Outcome | None = None
        for query in dyndns2.queries(names, updates[0].addresses, updates[0].held, self._dialect):
            try:
                said = self._ask(names, query, deadline) if stop is None else _all(names, query, stop)
            except PortError as error:
                said = _all(names, query, outcome_of(hidden(error, *self._secrets)))
            outcomes |= said
            stop = stop or stopping(said)
        return outcomes

    def _ask(self, names: Sequence[str], query: dyndns2.Query, deadline: Deadline) -> dict[dyndns2.Key, Outcome]:
        """One request and what its answer means."""
        user, secret = self._settings.username or names[0], self._settings.password
        sent = Secret(b64encode(f"{user}:{secret.reveal()}".encode()).decode())  # some error pages repeat the request
        request = HttpRequest(
            self._url,
            params={name: value.reveal() for name, value in self._parameters.items()} | dict(query.params),
            auth=(user, secret),
            insecure=self._settings.allow_insecure,
        )
        answer = self._tools.http.send(request, deadline.left())
        # before the reader cuts an excerpt, so that no half of a secret is left
        body = hide(answer.text(), sent, *(known for known in self._secrets if len(known.reveal()) > _SHORT))
        now = self._tools.clock.now()
        said = dyndns2.read(answer.status, answer.headers, body, names, query.addresses, now, self._dialect)
        return {key: replace(outcome, text=hide(outcome.text, *self._secrets)) for key, outcome in said.items()}


def _secrets(settings: Settings) -> tuple[Secret, ...]:
    """The password, and the parameters that may be keys; the longest first, as one may be part of another."""
    keys = [value for value in (settings.parameters or {}).values() if _may_be_key(value.reveal())]
    return tuple(sorted((settings.password, *keys), key=lambda secret: -len(secret.reveal())))


def _may_be_key(text: str) -> bool:
    """Whether a parameter's value has to be hidden: an address is none, and an answer has to keep those it names."""
    try:
        Address.parse(text)
    except BadAddress:
        return len(text) > _WORD
    return False


def _dialect(settings: Settings, service: Service) -> dyndns2.Dialect:
    """The service's dialect with what the configuration overrides."""
    own = settings.parameters or {}
    dialect = replace(service.dialect, extra={k: v for k, v in service.dialect.extra.items() if k not in own})
    if settings.dual_stack is not None and (habit := Habit(settings.dual_stack)) is not dialect.habit:
        v6 = "myipv6" if habit is Habit.PARAMS else dialect.v4
        dialect = replace(dialect, habit=habit, v6=v6, keep=None)
    return dialect if settings.repeat_held is None else replace(dialect, repeat=settings.repeat_held)


def _all(names: Sequence[str], query: dyndns2.Query, outcome: Outcome) -> dict[dyndns2.Key, Outcome]:
    return {(name, address.family): outcome for name in names for address in query.addresses}


def build(settings: Settings, tools: Tools) -> Provider:
    """The provider for one account."""
    return Dyndns2(settings, tools)


PLUGIN: Plugin[Any, Provider] = Plugin(
    title=f"dyndns2: {len([s for s in SERVICES.values() if not s.closed])} known services, or any server by name",
    manual=MANUAL,
    settings=Settings,
    build=build,
)
