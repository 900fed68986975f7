"""One HTTP request and the head of its answer (RFC 9112), for a question through a socket one holds already."""

import re
from typing import NamedTuple

_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?: [^\r\n]*)?\r?\n")  # RFC 9112 4


class Head(NamedTuple):
    """The status and where a redirect leads ("" nowhere)."""

    status: int
    location: str = ""


def request(path: str, host: str, token: str = "") -> bytes:
    """A GET, after which the server is to close. token: sent as Jupyter takes it, in a header: it stands in no log."""
    lines = [
        f"GET {path.partition('#')[0]} HTTP/1.1",
        f"Host: {host}",
        "Accept: */*",
        "User-Agent: ipwatch",
        "Connection: close",
    ]
    if token:
        lines.append(f"Authorization: token {token}")
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "replace")


def parse(answer: bytes) -> Head | None:
    """The head of an answer of which at least the first line is there; None: it is no HTTP."""
    found = _STATUS.match(answer)
    if found is None:
        return None
    head = re.split(rb"\r?\n\r?\n", answer[found.end() :], maxsplit=1)[0]
    location = re.search(rb"(?im)^location:[ \t]*([^\r\n]*)", head)
    return Head(int(found[1]), location[1].decode("latin-1").strip() if location else "")
