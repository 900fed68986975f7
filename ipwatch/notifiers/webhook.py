"""webhook: an HTTP request for each message."""

import json
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import ClassVar, Literal
from urllib.parse import urlsplit

import msgspec

from ipwatch.core.address import Family
from ipwatch.notifiers._document import document
from ipwatch.ports import (
    Busy,
    Clock,
    Garbled,
    Http,
    HttpRequest,
    HttpResponse,
    Message,
    Notifier,
    NotifierOptions,
    Plugin,
    PortError,
    Refused,
    Secret,
    Tools,
    Unreachable,
)
from ipwatch.protocols.retry_after import retry_after

_FIELD = re.compile(r"\{(subject|text|ipv4|ipv6|json)\}")
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+\Z")  # RFC 9110 5.6.2


class Settings(NotifierOptions, frozen=True, kw_only=True):
    """`[[notify]]` with kind = "webhook"."""

    DOC: ClassVar[Mapping[str, str]] = {
        "url": "where to; a key in it is never shown",
        "method": '"POST" or "PUT"',
        "headers": 'further headers, such as { Authorization = { env = "HOOK_TOKEN" } }',
        "template": "the body, with {subject} {text} {ipv4} {ipv6} {json} filled in (escaped when the content type is "
        "JSON); default: a JSON document with id, topic, at, data, subject, text, events, addresses",
        "allow_insecure": "allow plain http",
    }

    url: Secret
    method: Literal["POST", "PUT"] = "POST"
    headers: dict[str, Secret] = msgspec.field(default_factory=dict)
    template: str | None = None
    allow_insecure: bool = False

    def __post_init__(self) -> None:
        _check_url(self.url.reveal(), allow_insecure=self.allow_insecure)
        for name, value in self.headers.items():
            if not _TOKEN.match(name):
                raise ValueError(f"headers: {name[:40]!r} is not a header's name")
            if not value.reveal().isascii() or not value.reveal().isprintable():
                raise ValueError(f"headers: the value of {name} holds characters a header can not carry")
        if self.template is not None and _is_json(content_type(self)) and not _reads_as_json(self.template):
            raise ValueError("template is not JSON, though the content type says so")


def _check_url(url: str, *, allow_insecure: bool) -> None:
    try:
        parts = urlsplit(url)
        port_ok = parts.port is None or parts.port > 0
    except ValueError:
        port_ok, parts = False, urlsplit("")
    if (
        parts.scheme not in {"http", "https"}
        or not parts.hostname
        or not port_ok
        or not url.isprintable()
        or " " in url
    ):
        raise ValueError('url is not an address such as "https://hooks.example.net/notify"')
    if "@" in parts.netloc:
        raise ValueError("url must not hold user name or password: use an Authorization header")
    if parts.scheme == "http" and not allow_insecure:
        raise ValueError("url is plain http: use https, or set allow_insecure = true")


def content_type(settings: Settings) -> str:
    """The body's type: the header given, else JSON where the body is JSON, else plain text."""
    for name, value in settings.headers.items():
        if name.lower() == "content-type":
            return value.reveal()
    if settings.template is None or _reads_as_json(settings.template):
        return "application/json"
    return "text/plain; charset=utf-8"


def _is_json(type_: str) -> bool:
    essence = type_.partition(";")[0].strip().lower()
    return essence == "application/json" or essence.endswith("+json")


def _reads_as_json(template: str) -> bool:
    try:
        json.loads(_FIELD.sub(lambda m: "{}" if m[1] == "json" else "", template))
    except ValueError:
        return False
    return True


class Webhook:
    """Tells an HTTP server; a 2xx status means delivered."""

    reflects = False

    def __init__(self, settings: Settings, http: Http, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._http = http
        parts = urlsplit(settings.url.reveal())
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._type = content_type(settings)

    def send(self, message: Message, within: timedelta) -> None:
        """Send it; raises Busy for 429 and 5xx, Refused for any other answer but 2xx, and what ports.Http raises."""
        own = {name: value.reveal() for name, value in self._settings.headers.items()}
        own = {name: value for name, value in own.items() if name.lower() != "content-type"}
        request = HttpRequest(
            url=self._settings.url.reveal(),
            method=self._settings.method,
            headers={**own, "Content-Type": self._type},
            body=self.body(message).encode(),
            insecure=self._settings.allow_insecure,
        )
        try:
            response = self._http.send(request, within)
        except PortError as error:
            raise self._without_key(error) from None
        self._judge(response)

    def body(self, message: Message) -> str:
        """The request's body. Values are filled in once: braces in them stay as they are."""
        if self._settings.template is None:
            return document(message)
        address = {family.value: str(message.addresses.get(family, "")) for family in Family}
        values = {"subject": message.subject, "text": message.text, **address}
        if _is_json(self._type):
            values = {name: json.dumps(value, ensure_ascii=False)[1:-1] for name, value in values.items()}
        values["json"] = document(message)
        return _FIELD.sub(lambda m: values[m[1]], self._settings.template)

    def _judge(self, response: HttpResponse) -> None:
        status = response.status
        if 200 <= status < 300:
            return
        if status == 429 or status >= 500:
            after = retry_after(response.headers, self._clock.now())
            raise Busy(f"{self._origin} answered {status}", after=after, code=str(status))
        raise Refused(f"{self._origin} answered {status}", code=str(status))

    def _without_key(self, error: PortError) -> PortError:
        """The same error, should its text name the whole address or a header's secret."""
        parts = urlsplit(self._settings.url.reveal())
        secrets = [f"{parts.path}?{parts.query}", parts.path if len(parts.path) > 1 else "", parts.query]
        secrets += [value.reveal() for value in self._settings.headers.values()]
        text, excerpt = str(error), error.excerpt if isinstance(error, Garbled) else ""
        for secret in filter(None, secrets):
            text, excerpt = text.replace(secret, "/***"), excerpt.replace(secret, "/***")
        match error:
            case Unreachable():
                return Unreachable(text, sent=error.sent)
            case Busy():
                return Busy(text, after=error.after, code=error.code)
            case Garbled():
                return Garbled(text, excerpt=excerpt)
            case _:
                return Refused(text, code=getattr(error, "code", ""))


def _build(settings: Settings, tools: Tools) -> Notifier:
    return Webhook(settings, tools.http, tools.clock)


PLUGIN: Plugin[Settings, Notifier] = Plugin(
    title="an HTTP POST of JSON or of a template of yours",
    manual="https://www.rfc-editor.org/rfc/rfc9110",
    settings=Settings,
    build=_build,
)
