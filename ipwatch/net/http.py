"""HTTP by requests, with what it lacks: a total deadline, a size limit and certainty about what was sent.

requests' timeouts are per read: a server that drips a byte now and then holds it for ever, and nothing bounds a name's
look-up. So each request runs in a short-lived thread of its own; the caller waits until the deadline and not longer,
then cuts the connection, and the thread ends by itself. Sessions are lent to one thread at a time.

Connections are kept, and a change of our address breaks them all: what comes back is a reset, or nothing at all. Of a
question that may be put again this says nothing (RFC 9110 9.2.2): it is put once more on a connection of its own.
"""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from functools import cache, partial
from http.client import HTTPException, IncompleteRead
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ipwatch import __version__
from ipwatch.core.address import Family
from ipwatch.net import http_faults, urls
from ipwatch.ports import Garbled, HttpRequest, HttpResponse, PortError, Refused, Unreachable

_IDLE = 30.0  # seconds a connection is kept for another request: longer, and a router may have forgotten it meanwhile
_REDIRECTS = 3
_Place = tuple[Family | None, str, str]  # what connections are kept by: family, scheme, host and port
_ANY = {None: None, Family.IPV4: ("0.0.0.0", 0), Family.IPV6: ("::", 0)}  # noqa: S104 - a source address, no listener


class RequestsHttp:
    """ports.Http by requests. user_agent: sent unless the request has its own. cafile: trusted instead of the common
    certificate authorities. May be used from several threads."""

    def __init__(self, user_agent: str = f"ipwatch/{__version__} Linux/Python", cafile: Path | None = None) -> None:
        self._user_agent = user_agent
        self._cafile = cafile
        self._context: ssl.SSLContext | None = None
        self._lock = threading.Lock()
        self._idle: dict[_Place, list[tuple[Any, float]]] = {}

    def send(self, request: HttpRequest, within: timedelta) -> HttpResponse:
        """Send it; raises Unreachable, Refused (TLS not verifiable, plain http not allowed) or Garbled."""
        url = urls.checked(request)
        call = _Call(time.monotonic() + within.total_seconds())
        place = urls.place(url)
        run = partial(call.run, partial(self._perform, request, call), place)
        threading.Thread(target=run, name=f"http {place}", daemon=True).start()
        return call.wait(place, within)

    def close(self) -> None:
        """Close the connections kept for further requests."""
        with self._lock:
            idle, self._idle = self._idle, {}
        for sessions in idle.values():
            for session, _ in sessions:
                session.close()

    def _perform(self, request: HttpRequest, call: "_Call") -> HttpResponse:
        parts = urlsplit(request.url)
        place = (request.family, parts.scheme, parts.netloc)
        session = self._borrow(place)
        if session is not None and request.repeatable:
            with suppress(*_library().errors, OSError):
                return self._ask(session, place, request, (time.monotonic() + call.deadline) / 2)
            session = None
        session = session or _library().session(_ANY[place[0]], self._context, self._user_agent)
        return self._ask(session, place, request, call.deadline)

    def _ask(self, session: Any, place: _Place, request: HttpRequest, deadline: float) -> HttpResponse:
        """Send, and keep the connection when that went well."""
        try:
            response = _follow(session, request, deadline)
        except BaseException:
            session.close()
            raise
        with self._lock:
            self._idle.setdefault(place, []).append((session, time.monotonic()))
        return response

    def _borrow(self, place: _Place) -> Any:
        """A session nobody else uses, with a fresh connection to that place; None if there is none."""
        with self._lock:
            stale = self._stale(time.monotonic() - _IDLE)
            idle = self._idle.get(place, [])
            session = idle.pop()[0] if idle else None
            if self._context is None and place[1] == "https":
                self._context = _trust(self._cafile)
        for old in stale:
            old.close()
        return session

    def _stale(self, before: float) -> list[Any]:
        """Take out the sessions that were idle for too long."""
        stale = [session for kept in self._idle.values() for session, used in kept if used < before]
        kept = {place: [(s, used) for s, used in sessions if used >= before] for place, sessions in self._idle.items()}
        self._idle = {place: sessions for place, sessions in kept.items() if sessions}
        return stale


class _Call:
    """One request under way, shared by its thread and the caller."""

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._abandoned = False
        self._sent = False
        self._socket: socket.socket | None = None
        self._outcome: HttpResponse | PortError | None = None

    def run(self, perform: Callable[[], HttpResponse], place: str) -> None:
        """The thread's work."""
        _here.call = self
        faults: tuple[type[Exception], ...] = (*_library().errors, OSError, HTTPException, ValueError)
        try:
            self._outcome = perform()
        except PortError as error:
            self._outcome = error
        except faults as error:
            self._outcome = http_faults.translated(error, place, sent=self._sent)
        finally:
            self._done.set()

    def begin(self, sock: Any) -> None:
        """Called in the thread before the request's first byte is sent; raises TimeoutError when it is too late."""
        with self._lock:
            if self._abandoned:
                raise TimeoutError
            self._sent = True
            self._socket = sock

    def wait(self, place: str, within: timedelta) -> HttpResponse:
        """The outcome, or Unreachable at the deadline."""
        self._done.wait(max(0.0, self.deadline - time.monotonic()))
        with self._lock:
            outcome, sent = self._outcome, self._sent
            self._abandoned = True
            if outcome is None and self._socket is not None:
                _cut(self._socket)
        if outcome is None:
            raise Unreachable(f"{place} did not answer within {within.total_seconds():g} s", sent=sent)
        if isinstance(outcome, PortError):
            raise outcome
        return outcome


_here = threading.local()  # .call: the call this thread works for


def _cut(sock: socket.socket) -> None:
    """End the reading that another thread is busy with; closing alone would not wake it."""
    try:
        # An SSLSocket's own shutdown() would touch the TLS state under that thread.
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
    except OSError:
        return


class _Library:
    """requests and our classes upon it, made at first use: importing it takes longer than the whole of `--help`."""

    def __init__(self) -> None:
        import requests  # noqa: PLC0415
        import urllib3  # noqa: PLC0415

        self.errors: tuple[type[Exception], ...] = (requests.RequestException, urllib3.exceptions.HTTPError)

        class Session(requests.Session):
            def get_redirect_target(self, _: Any) -> None:
                return None  # redirects are judged in _follow; requests would read even those it does not follow

        self._session = Session
        self._adapter = _adapter_class()

    def session(self, source: tuple[str, int] | None, context: ssl.SSLContext | None, user_agent: str) -> Any:
        """A session that talks over one family and heeds neither environment nor cookies."""
        session = self._session()
        session.trust_env = False
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        # No compression: a small answer must not become a large one here.
        session.headers.update({"User-Agent": user_agent, "Accept-Encoding": "identity", "Accept": "*/*"})
        for scheme in ("http://", "https://"):
            session.mount(scheme, self._adapter(source, context))
        return session


_library = cache(_Library)


def _adapter_class() -> Any:
    """requests' adapter with a forced family, one shared TLS context, and connections that tell when they send."""
    from requests.adapters import HTTPAdapter  # noqa: PLC0415
    from urllib3 import HTTPConnectionPool, HTTPSConnectionPool  # noqa: PLC0415
    from urllib3.connection import HTTPConnection, HTTPSConnection  # noqa: PLC0415

    class Telling(HTTPConnection):
        def request(self, *args: Any, **kwargs: Any) -> None:
            if self.sock is None:
                self.connect()
            _here.call.begin(self.sock)
            super().request(*args, **kwargs)

    class TellingTls(Telling, HTTPSConnection):
        pass

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Telling

    class TlsPool(HTTPSConnectionPool):
        ConnectionCls = TellingTls

    class Adapter(HTTPAdapter):
        def __init__(self, source: tuple[str, int] | None, context: ssl.SSLContext | None) -> None:
            self._kept: dict[str, Any] = {"source_address": source, "ssl_context": context}
            super().__init__(pool_connections=16, pool_maxsize=1, max_retries=0)

        def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
            kwargs.update(self._kept)
            super().init_poolmanager(*args, **kwargs)
            self.poolmanager.pool_classes_by_scheme = {"http": PlainPool, "https": TlsPool}

        def cert_verify(self, conn: Any, *_: Any) -> None:
            conn.cert_reqs = "CERT_REQUIRED"  # the shared context holds the authorities already

    return Adapter


def _trust(cafile: Path | None) -> ssl.SSLContext:
    import certifi  # noqa: PLC0415

    try:
        return ssl.create_default_context(cafile=cafile or certifi.where())
    except OSError as error:
        reason = error.strerror or "no certificates in it"
        raise Refused(f"the certificate authorities in {cafile} can not be loaded: {reason}", code="tls") from None


def _follow(session: Any, request: HttpRequest, deadline: float) -> HttpResponse:
    """Send, and go where a redirect points as long as that is the same place and nothing secret goes along."""
    plain = request.method == "GET" and not request.auth and not request.params and request.body is None
    plain = plain and "authorization" not in {name.lower() for name in request.headers}
    url = request.url
    response = _send(session, request, request.url, deadline)
    for _ in range(_REDIRECTS if plain else 0):
        if (target := urls.redirect(url, response)) is None:
            break
        url, response = target, _send(session, request, target, deadline)
    return response


def _send(session: Any, request: HttpRequest, url: str, deadline: float) -> HttpResponse:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    user = None
    if request.auth:
        name, secret = request.auth
        user = (name.encode(), secret.reveal().encode())  # UTF-8, RFC 7617 2.1
    response = session.request(
        request.method,
        url,
        params=dict(request.params) or None,
        data=request.body,
        auth=user,
        headers=dict(request.headers),
        timeout=left,
        stream=True,
        allow_redirects=False,
    )
    try:
        headers = {name.lower(): value for name, value in response.headers.items()}
        return HttpResponse(response.status_code, headers, _body(response, headers, request.limit))
    finally:
        response.close()


def _body(response: Any, headers: Mapping[str, str], limit: int) -> bytes:
    if headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise Garbled("the answer is compressed, which was not asked for")
    if headers.get("content-length", "").isdigit() and int(headers["content-length"][:20]) > limit:
        raise Garbled(f"the answer is larger than {limit} bytes")
    body = b""
    try:
        # A short read is no end: only the empty one after it tells whether the announced length was reached.
        while len(body) <= limit and (part := response.raw.read(limit + 1 - len(body), decode_content=False)):
            body += part
    except _library().errors as error:
        if any(isinstance(cause, IncompleteRead) for cause in http_faults.causes(error)):
            raise Garbled("the answer breaks off before its end") from None
        raise
    if len(body) > limit:
        raise Garbled(f"the answer is larger than {limit} bytes")
    return body
