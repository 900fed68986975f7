"""known_hosts files (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT", OpenSSH 9.2): reading any, changing our own.

Nothing in such a file is a fault: what can not be read pins nothing and is left where it stands.
"""

import base64
import binascii
import hmac
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ipwatch.core.host import BadKey, HostKey, Pins

REVOKED = "@revoked"
AUTHORITY = "@cert-authority"

_SSH = 22  # the port that is not written
_BLANKS = re.compile(r"[ \t]+")
_LONGEST_PATTERN = 1023  # characters; longer than any host name (RFC 1035 2.3.4: 255 octets), bounds the matching


class Line(NamedTuple):
    """One line that could be read. marker: "", "@revoked" or "@cert-authority"; patterns: as written."""

    marker: str
    patterns: str
    key: HostKey


def lines(text: str) -> Iterator[Line]:
    """Every line that can be read; comments, blank lines and lines of other forms are passed over."""
    for row in text.split("\n"):
        line = _line(row)
        if line is not None:
            yield line


def matching(text: str, name: str, port: int = _SSH) -> Iterator[Line]:
    """The lines that are for that host at that port, whatever their marker."""
    wanted = spelled(name, port)
    return (line for line in lines(text) if _matches(line.patterns, wanted))


def pins(text: str, host: str) -> Pins:
    """What a file of ours pins under a host's own name; ssh, which reads it too, reads it the same way."""
    mine = tuple(matching(text, host))
    return Pins(
        tuple(dict.fromkeys(line.key for line in mine if not line.marker)),
        tuple(dict.fromkeys(line.key for line in mine if line.marker == REVOKED)),
    )


def with_pins(text: str, host: str, keys: Sequence[HostKey]) -> str:
    """The text with these keys, and no others, under the host's name. Lines of other hosts, with markers and with
    wildcards stay, and so does what can not be read."""
    kept = [left for row in _rows(text) if (left := _without(row, host)) is not None]
    return _text([*kept, *(f"{host} {key.text}" for key in keys)])


def with_revoked(text: str, host: str, keys: Sequence[HostKey]) -> str:
    """The text with these keys marked as revoked under the host's name, in addition to what it says."""
    known = pins(text, host).revoked
    return _text([*_rows(text), *(f"{REVOKED} {host} {key.text}" for key in keys if key not in known)])


def spelled(name: str, port: int = _SSH) -> str:
    """A host as its line begins: the name alone for port 22, "[name]:port" for another, lower case."""
    return name.lower() if port == _SSH else f"[{name.lower()}]:{port}"


def _rows(text: str) -> list[str]:
    return text.removesuffix("\n").split("\n") if text else []


def _text(rows: Sequence[str]) -> str:
    return "".join(f"{row}\n" for row in rows)


def _line(row: str) -> Line | None:
    words = _BLANKS.split(row.strip(" \t\r"), 4)
    if words[0].startswith("#"):
        return None
    marker = words.pop(0) if words[0].startswith("@") else ""
    if len(words) < 3 or marker not in {"", REVOKED, AUTHORITY}:
        return None
    try:
        return Line(marker, words[0], HostKey.parse(f"{words[1]} {words[2]}"))
    except BadKey:
        return None


def _without(row: str, host: str) -> str | None:
    """The row without the host's own name; None when nothing is left of it."""
    line = _line(row)
    if line is None or line.marker:
        return row
    wanted = host.lower()
    if line.patterns.startswith("|"):
        return None if _hash_fits(line.patterns, wanted) else row
    names = line.patterns.split(",")
    others = [name for name in names if name.lower() != wanted]
    if len(others) == len(names):
        return row
    return row.replace(line.patterns, ",".join(others), 1) if any(others) else None


def _matches(patterns: str, wanted: str) -> bool:
    """Whether a line's first field is for the host: a hash, or names and wildcards of which none says no ("!")."""
    if patterns.startswith("|"):
        return _hash_fits(patterns, wanted)
    found = False
    for pattern in patterns.lower().split(","):
        if _glob(pattern.removeprefix("!"), wanted):
            if pattern.startswith("!"):
                return False
            found = True
    return found


def _hash_fits(field: str, wanted: str) -> bool:
    """Whether "|1|salt|hash" hides that name: HMAC-SHA1 of the name with the salt as its key (ssh-keygen -H)."""
    parts = field.split("|")
    if len(parts) != 4 or parts[1] != "1":
        return False
    try:
        salt, digest = (base64.b64decode(part, validate=True) for part in parts[2:])
    except (binascii.Error, ValueError):
        return False
    return hmac.digest(salt, wanted.encode("utf-8", "replace"), "sha1") == digest


def _glob(pattern: str, name: str) -> bool:
    """Whether "*" and "?" make the pattern fit. In steps at most the product of both lengths, however many stars."""
    if len(pattern) > _LONGEST_PATTERN:
        return False
    at = here = 0
    star, retry = -1, 0
    while here < len(name):
        if at < len(pattern) and pattern[at] == "*":
            star, retry = at, here
            at += 1
        elif at < len(pattern) and pattern[at] in {"?", name[here]}:
            at, here = at + 1, here + 1
        elif star >= 0:
            retry += 1
            at, here = star + 1, retry
        else:
            return False
    return not pattern[at:].strip("*")
