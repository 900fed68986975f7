"""Echo pages: the address out of a page that says nothing else. Strict, because anything looser has published junk:
a cookie's date, a script's version, the first of two addresses (see the peers' defects in the field notes).
"""

import json
import re
from enum import StrEnum
from typing import Any

from ipwatch.core.address import Address, BadAddress, Family, public


class BadAnswer(ValueError):
    """The answer is not one public address in the expected form; str() is a clause that says why."""


class Form(StrEnum):
    """How a page writes the address."""

    PLAIN = "plain"  # the address alone
    JSON = "json"  # an object with the address under a named key
    TRACE = "trace"  # Cloudflare's /cdn-cgi/trace: lines of key=value


_SPACE = " \t\r\n"
_HOST = re.compile(r"\[?[0-9A-Za-z:.-]{1,255}\]?(:[0-9]{1,5})?\Z")
_QUIET = frozenset({"off"})  # of warp= and gateway=: anything else sent the request through Cloudflare's own network


def read(body: bytes, status: int, family: Family, form: Form = Form.PLAIN, key: str = "ip") -> Address:
    """The one public address the page shows; raises BadAnswer.

    body: the whole page, as bytes. status: of HTTP, 200 expected. key: with Form.JSON, the member that holds it.
    """
    if status != 200:
        raise BadAnswer(f"it answered with HTTP status {status}")
    try:
        text = body.decode("ascii" if form is not Form.JSON else "utf-8")
    except UnicodeDecodeError:
        raise BadAnswer("the page is not plain text") from None
    match form:
        case Form.PLAIN:
            return _public(text.strip(_SPACE), family)
        case Form.JSON:
            return _json(text, family, key)
        case _:
            return _trace(text, family)


def _public(text: str, family: Family) -> Address:
    try:
        return public(text, family)
    except BadAddress as error:
        raise BadAnswer(str(error)) from None


def _is_address(text: str) -> bool:
    try:
        Address.parse(text.strip(_SPACE))
    except BadAddress:
        return False
    return True


def _json(text: str, family: Family, key: str) -> Address:
    try:
        page = json.loads(text, object_pairs_hook=_members)
    except BadAnswer:
        raise
    except (ValueError, RecursionError):
        raise BadAnswer("the page is not JSON") from None
    if not isinstance(page, dict) or not isinstance(page.get(key), str):
        raise BadAnswer(f"the page is not a JSON object with a text under {key!r}")
    address = _public(page[key].strip(_SPACE), family)
    for other in _texts(page):
        if _is_address(other) and Address.parse(other.strip(_SPACE)) != address:
            raise BadAnswer(f"the page holds a second address, {other.strip(_SPACE)}, beside {address}")
    return address


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object, refused where a name stands twice (RFC 8259 4: what it means then is unpredictable)."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise BadAnswer("a name stands twice in the JSON page")
    return members


def _texts(page: Any) -> list[str]:
    """Every text in a JSON value."""
    found: list[str] = []
    waiting = [page]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            found.append(value)
        elif isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
    return found


def _trace(text: str, family: Family) -> Address:
    """Cloudflare's trace page (https://developers.cloudflare.com/fundamentals/reference/cdn-cgi-endpoint/, 2026-11)."""
    fields: dict[str, str] = {}
    for line in text.strip(_SPACE).split("\n"):
        name, equals, value = line.strip(_SPACE).partition("=")
        if not equals:
            raise BadAnswer("a line of the trace page has no '='")
        if name in fields:
            raise BadAnswer(f"{name[:40]!r} stands twice in the trace page")
        fields[name] = value
    if "ip" not in fields:
        raise BadAnswer("the trace page has no line ip=")
    if not _HOST.match(fields.get("h", "")):
        raise BadAnswer("the trace page does not name its host in a line h=")
    for tunnel in ("warp", "gateway"):
        if fields.get(tunnel, "off") not in _QUIET:
            raise BadAnswer(f"the request went through Cloudflare's own network ({tunnel}={fields[tunnel][:20]})")
    address = _public(fields["ip"], family)
    for name, value in fields.items():
        if name not in {"h", "ip"} and _is_address(value):
            raise BadAnswer(f"the trace page holds a second address under {name[:40]!r}")
    return address
