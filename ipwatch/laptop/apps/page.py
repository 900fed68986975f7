"""Asks an app for its page: through the link itself, or through the local port as a browser would."""

import socket
from datetime import timedelta

from ipwatch.core import app
from ipwatch.core.app import Answer, Place
from ipwatch.core.forward import Forward, Target
from ipwatch.net import loopback
from ipwatch.ports import Unreachable
from ipwatch.ports.remote import Link
from ipwatch.protocols import http_head

OPEN_WITHIN = timedelta(seconds=8)
ANSWER_WITHIN = timedelta(seconds=10)


class Opener:
    """Makes connections to the app, through the link or through a forward here."""

    def __init__(self, *, link: Link | None = None, forward: Forward | None = None, target: Target) -> None:
        self._link, self._forward, self._target = link, forward, target

    @property
    def name(self) -> str:
        """What a browser would call it: the port here, where there is one."""
        if self._forward is not None and self._forward.port:
            return f"localhost:{self._forward.port}"
        return "localhost" if self._target.is_path else f"localhost:{self._target.port}"

    def connection(self) -> socket.socket:
        """A new one. Raises Refused (nothing listens there) and Unreachable."""
        if self._forward is not None:
            return loopback.connect(self._forward.bind, self._forward.port, OPEN_WITHIN)
        if self._link is None:
            raise Unreachable("there is no link")
        here, there = socket.socketpair()
        try:
            self._link.carry(there, self._target, OPEN_WITHIN)
        except BaseException:
            here.close()
            there.close()
            raise
        return here


def status(opener: Opener, place: Place, page: str) -> int:
    """The page's HTTP status, redirects within the app followed; 0: what answers is no HTTP. Raises Refused and
    Unreachable."""
    path, found = app.path_of(place, page), 0
    for _ in range(1 + app.REDIRECTS):
        asked = http_head.request(path, opener.name, place.token)
        answer = loopback.question(opener.connection(), asked, ANSWER_WITHIN, tls=place.secure)
        head = http_head.parse(answer)
        if head is None:
            return 0
        found = head.status
        onwards = app.redirected(opener.name, path, head.location) if 300 <= found < 400 else None
        if onwards is None:
            break
        path = onwards
    return found


def best(opener: Opener, place: Place, pages: tuple[str, ...]) -> tuple[str, int]:
    """The first page that is ready, else the first one, and its status. Raises Refused and Unreachable."""
    seen = []
    for page in pages:
        found = status(opener, place, page)
        if app.judge(found) is Answer.READY:
            return page, found
        seen.append(found)
    return pages[0], seen[0]
