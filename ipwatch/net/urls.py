"""What may be asked of a URL before anything is sent, and where a redirect may lead."""

from ipaddress import ip_address
from urllib.parse import SplitResult, urljoin, urlsplit

from ipwatch.core.address import Family
from ipwatch.ports import HttpRequest, HttpResponse, Refused, Unreachable

_MOVED = frozenset({301, 302, 303, 307, 308})  # RFC 9110 15.4


def checked(request: HttpRequest) -> SplitResult:
    """The URL, taken apart; raises Refused for what must not be sent at all."""
    try:
        url = urlsplit(request.url)
        _ = url.port
    except ValueError:
        raise Refused("the URL can not be read", code="url") from None
    if url.scheme not in {"http", "https"} or not url.hostname:
        raise Refused("the URL is not one of http or https with a host", code="url")
    if url.username is not None:
        raise Refused("the URL holds a user name; those belong into keys of their own", code="url")
    if url.scheme == "http" and not request.insecure:
        raise Refused(f"{place(url)} would be asked over plain http, which is not allowed here", code="insecure")
    _check_family(url.hostname, request.family)
    return url


def _check_family(host: str, family: Family | None) -> None:
    try:
        version = ip_address(host).version
    except ValueError:
        return
    if family is not None and family is not (Family.IPV4 if version == 4 else Family.IPV6):
        raise Unreachable(f"{host} has no {family.label} address")


def place(url: SplitResult) -> str:
    """Host and port for messages; the rest of a URL may hold a token."""
    host = f"[{url.hostname}]" if ":" in (url.hostname or "") else url.hostname
    return f"{host}:{url.port}" if url.port else f"{host}"


def redirect(url: str, response: HttpResponse) -> str | None:
    """Where the answer points, if that is the same scheme, host and port."""
    if response.status not in _MOVED or "location" not in response.headers:
        return None
    try:
        target = urljoin(url, response.headers["location"])
        ours, theirs = urlsplit(url), urlsplit(target)
        same = _origin(ours) == _origin(theirs) and theirs.username is None
    except ValueError:
        return None
    return target if same else None


def _origin(url: SplitResult) -> tuple[str, str | None, int]:
    return url.scheme, url.hostname, url.port or (443 if url.scheme == "https" else 80)
