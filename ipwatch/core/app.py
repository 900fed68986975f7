"""Remote apps: how one is started, which running one is taken, what its answer means, where the browser goes."""

import hashlib
import re
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple
from urllib.parse import quote, urljoin, urlsplit

from ipwatch.core.forward import Target

PORT = "{port}"  # in a recipe's own words and in a command of the user's
LINES_SHOWN = 8  # of a dead app's log
REDIRECTS = 3


class Recipe(NamedTuple):
    """How an app is found and started. name: as the user typed it.

    program: looked for there, then run with `words` ({port} is filled in) and `more` (the user's, never touched).
    command: instead of a program, a line for the user's own shell. port: the only one it may have, 0 for any from
    `first` on. pages: paths below its base, in order; the first that answers 200 is opened; none: it is no web page.
    token_in: the environment variable through which it is told its token. finds: how a running one that somebody else
    started is found ("jupyter", or "socket" for a container engine's). folder: where it is started ("": the home).
    """

    name: str
    program: str = ""
    words: tuple[str, ...] = ()
    more: tuple[str, ...] = ()
    command: str = ""
    port: int = 0
    first: int = 8000
    pages: tuple[str, ...] = ("/",)
    token_in: str = ""
    finds: str = ""
    folder: str = ""

    @property
    def title(self) -> str:
        """What is started, for people: its name and the user's words."""
        return "".join(c if c.isprintable() else " " for c in " ".join((self.name, *self.more)))

    @property
    def key(self) -> str:
        """The name of its log and of its memory there: the same for the same words in the same folder."""
        said = "\0".join((self.program, self.command, self.folder, *self.more))
        return f"{stem(self.name)}-{_digest(said)}"


def stem(name: str) -> str:
    """What the keys of all apps of that name begin with; fit for a file's name and for a shell's pattern."""
    plain = re.sub(r"[^A-Za-z0-9_]", "_", name)[:40]
    return plain if plain == name else f"{plain}_{_digest(name)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:8]


class Running(NamedTuple):
    """An app that `ipwatch open` started there, and that runs. log: its path there."""

    pid: int
    port: int
    log: str = ""


class Server(NamedTuple):
    """A running Jupyter server, as it describes itself. sock: the path of its Unix socket, "" with a port."""

    pid: int
    host: str
    port: int
    base: str = "/"
    token: str = ""
    root: str = ""
    secure: bool = False
    sock: str = ""


class Place(NamedTuple):
    """Where an app is to be reached, seen from there. ours: `ipwatch open` started it (then or earlier)."""

    target: Target
    base: str = "/"
    token: str = ""
    secure: bool = False
    pid: int = 0
    ours: bool = False
    log: str = ""


_ANY = frozenset({"", "*", "0.0.0.0", "::"})  # noqa: S104 - what a server that listens everywhere calls its address


def place_of(server: Server, running: Running | None) -> Place:
    """Where that server is. One that listens everywhere is reached at the loopback."""
    target = Target(server.sock, 0) if server.sock else Target(
        "localhost" if server.host in _ANY else server.host, server.port)  # fmt: skip
    ours = running is not None and running.pid == server.pid
    log = running.log if running is not None and ours else ""
    return Place(target, server.base, server.token, server.secure, server.pid, ours, log)


def fitting(servers: Sequence[Server], running: Running | None, folder: str) -> tuple[Server, ...]:
    """The servers that may be taken: the one started by us first, then those that serve `folder` (all, if "")."""
    ours = [server for server in servers if running is not None and server.pid == running.pid]
    theirs = [server for server in servers if not folder or server.root.rstrip("/") == folder.rstrip("/")]
    return (*ours, *(server for server in theirs if server not in ours))


class Answer(StrEnum):
    """What a page's status says about the app."""

    READY = "ready"  # 200
    STARTING = "starting"  # 5xx: it may still load
    ELSEWHERE = "elsewhere"  # it runs, but this page is not one to open: no such page, not allowed, another status


def judge(status: int) -> Answer:
    """Read an HTTP status (RFC 9110 15)."""
    if status == 200:
        return Answer.READY
    return Answer.STARTING if status >= 500 else Answer.ELSEWHERE


_IN_PATH = "/?#%:@!$&'()*+,;=~[]"  # what stands in a path, a query or a fragment as it is (RFC 3986 3.3 to 3.5)


def redirected(place: str, path: str, location: str) -> str | None:
    """The path a redirect leads to, or None when it leads away from the app. place: "localhost:8888"."""
    try:
        url = urlsplit(urljoin(f"http://{place}{path}", location))
    except ValueError:  # no address at all
        return None
    if url.netloc != place:
        return None
    return quote((url.path or "/") + (f"?{url.query}" if url.query else ""), safe=_IN_PATH)


def path_of(place: Place, page: str) -> str:
    """The page's path, below the app's base."""
    return quote(f"{place.base.rstrip('/')}/{page.lstrip('/')}", safe=_IN_PATH)


def address(place: Place, page: str, port: int, token: str = "") -> str:
    """What the browser opens here, at local port `port`."""
    scheme = "https" if place.secure else "http"
    return f"{scheme}://localhost:{port}{path_of(place, page)}" + (f"?token={quote(token, safe='')}" if token else "")


_TOKEN = re.compile(r"(token=)[^&\s\"']+", re.IGNORECASE)
_IN_USE = re.compile(r"address (is )?already in use|port \S+ is (already|not available)|EADDRINUSE", re.IGNORECASE)


def last_words(lines: Sequence[str], token: str = "") -> tuple[str, ...]:
    """The lines of a dead app's log worth showing, without tokens. Lines without a word ("^~~~") are none."""
    worth = [line for line in lines if any(letter.isalnum() for letter in line)]
    plain = [line.replace(token, "...") if token else line for line in worth]
    return tuple(_TOKEN.sub(r"\1...", line) for line in plain[-LINES_SHOWN:])


def port_was_taken(lines: Sequence[str]) -> bool:
    """Whether it died because somebody else took its port in between."""
    return any(_IN_USE.search(line) for line in lines)
