"""known_hosts lines (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT", OpenSSH 9.2)."""

from collections.abc import Iterator
from typing import NamedTuple

from ipwatch.core.host import BadKey, HostKey, Pins


class Line(NamedTuple):
    """One line that could be read. marker: "", "@revoked" or "@cert-authority"; patterns: as written."""

    marker: str
    patterns: str
    key: HostKey


def lines(text: str) -> Iterator[Line]:
    """Every line that can be read; comments, blank lines and lines of other forms are passed over."""
    for row in text.splitlines():
        words = row.split()
        if not words or words[0].startswith("#"):
            continue
        marker = words.pop(0) if words[0].startswith("@") else ""
        if len(words) < 3:
            continue
        try:
            yield Line(marker, words[0], HostKey.parse(f"{words[1]} {words[2]}"))
        except BadKey:
            continue


def pins(text: str, host: str) -> Pins:
    """What a file of ours pins under a host's own name."""
    mine = [line for line in lines(text) if host in line.patterns.split(",")]
    return Pins(
        tuple(line.key for line in mine if not line.marker),
        tuple(line.key for line in mine if line.marker == "@revoked"),
    )
