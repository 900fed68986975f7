"""The calls of Cloudflare's API that are needed, each answer checked and each error one of the ports' four.

https://developers.cloudflare.com/api/resources/dns/subresources/records/ and .../resources/zones/ (2026-11).
"""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, TypeVar

import msgspec

from ipwatch.core.outcome import Scope
from ipwatch.ports import Busy, Garbled, HttpRequest, HttpResponse, PortError, Refused, Secret, Tools, Unreachable
from ipwatch.protocols.retry_after import retry_after
from ipwatch.providers._common import Deadline, hidden, hide

PER_PAGE = 50  # the most that /zones gives; /dns_records gives more
_PAGES = 200  # an end, should the page count lie
_LIMIT = 1 << 20  # octets of one answer; a page of 50 records takes about 30,000

# The token is wrong, ended or lacks a right: no list is published; codes as seen by users of the API
_ACCOUNT_CODES = frozenset({1000, 1001, 6003, 6103, 6111, 9103, 9106, 9107, 9109, 10000, 10001})
_IDENTIFIER = r"^[0-9A-Za-z]{1,64}$"
_Id = Annotated[str, msgspec.Meta(pattern=_IDENTIFIER)]  # it becomes part of an address


class Record(msgspec.Struct, frozen=True):
    """One DNS record. ttl: seconds, 1 is "automatic"."""

    id: _Id
    name: str
    type: str
    content: str = ""
    ttl: int = 1
    proxied: bool = False


class Zone(msgspec.Struct, frozen=True):
    """One zone the token may see."""

    id: _Id
    name: str
    status: str = "active"


class Batch(msgspec.Struct, frozen=True):
    """What a batch call did."""

    patches: list[Record] | None = None
    posts: list[Record] | None = None


class _Error(msgspec.Struct, frozen=True):
    code: int = 0
    message: str = ""


class _Info(msgspec.Struct, frozen=True):
    total_pages: int = 1


class _Answer(msgspec.Struct, frozen=True):
    success: bool = False
    errors: list[_Error] | None = None
    result: msgspec.Raw = msgspec.Raw(b"null")
    result_info: _Info | None = None


T = TypeVar("T")


class Api:
    """One token's view of the API."""

    def __init__(self, base: str, token: Secret, tools: Tools, *, insecure: bool) -> None:
        self._base = base
        self._token = token
        self._tools = tools
        self._insecure = insecure

    def pages(self, path: str, params: Mapping[str, str], kind: type[T], deadline: Deadline) -> list[T]:
        """All entries of a list; raises PortError."""
        found: list[T] = []
        for page in range(1, _PAGES + 1):
            asked = {**params, "page": str(page), "per_page": str(PER_PAGE)}
            answer = self._send("GET", path, deadline, params=asked)
            found += self._decode(bytes(answer.result), list[kind])  # type: ignore[valid-type]
            if page >= (answer.result_info.total_pages if answer.result_info else 1):
                return found
        raise Garbled("the list does not end")

    def change(self, method: str, path: str, body: Mapping[str, Any], kind: type[T], deadline: Deadline) -> T:
        """One call that changes something; raises PortError, Unreachable with `sent` where it may have been done."""
        answer = self._send(method, path, deadline, body=msgspec.json.encode(body))
        return self._decode(bytes(answer.result), kind)

    def _send(self, method: str, path: str, deadline: Deadline, *, params: Mapping[str, str] | None = None,
              body: bytes | None = None) -> _Answer:  # fmt: skip
        headers = {"Authorization": f"Bearer {self._token.reveal()}", "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        request = HttpRequest(self._base + path, method, headers, params or {}, body, insecure=self._insecure,
                              limit=_LIMIT, repeatable=method == "GET")  # fmt: skip
        try:
            response = self._tools.http.send(request, deadline.left())
        except PortError as error:
            raise hidden(error, self._token) from None
        wait = retry_after(response.headers, self._tools.clock.now())
        self._check_status(response, wait, changing=body is not None)
        answer = self._decode(response.body, _Answer)
        if not answer.success or not 200 <= response.status < 300:
            raise self._refusal(answer, response.status)
        return answer

    def _check_status(self, response: HttpResponse, wait: timedelta | None, *, changing: bool) -> None:
        """Raise what the status alone decides."""
        status = response.status
        if status == 429:
            raise Busy("Cloudflare says there were too many requests (HTTP 429)", after=wait, code="http 429")
        if status >= 500:
            if wait is not None and not changing:
                raise Busy(f"Cloudflare is out of order (HTTP {status})", after=wait, code=f"http {status}")
            raise Unreachable(f"Cloudflare is out of order (HTTP {status})", sent=changing)
        if 300 <= status < 400:
            raise Garbled(f"the server redirects (HTTP {status}), and a token does not follow")

    def _refusal(self, answer: _Answer, status: int) -> PortError:
        """The error that an answer without success stands for."""
        errors = answer.errors or []
        told = "; ".join(f"{e.message} ({e.code})" for e in errors)[:200] or f"HTTP {status}"
        said = "".join(c if c.isprintable() else " " for c in hide(told, self._token))
        code = str(errors[0].code) if errors else f"http {status}"
        if status in {401, 403} or any(e.code in _ACCOUNT_CODES for e in errors):
            text = f"Cloudflare does not accept the token, or it lacks Zone:Read or DNS:Edit for this zone: {said}"
            return Refused(text, code=code, scope=Scope.ACCOUNT)
        if status == 404:
            return Busy(f"the zone or the record is not there any more and is looked up again: {said}", code=code)
        return Refused(f"Cloudflare refuses this record: {said}", code=code, scope=Scope.RECORD)

    def _decode(self, body: bytes, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(body, type=kind)
        except (msgspec.MsgspecError, RecursionError):
            said = hide(body.decode("utf-8", "replace"), self._token)
            raise Garbled("the answer does not fit Cloudflare's API", excerpt=said) from None


def identifier(text: str) -> bool:
    """Whether the text can be a zone's or record's identifier."""
    return re.match(_IDENTIFIER, text) is not None
