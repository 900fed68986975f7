"""Host keys and the one question asked of them: is this the host, or a stranger?"""

import base64
import binascii
import hashlib
from enum import StrEnum
from typing import NamedTuple

# RFC 4253 6.6, RFC 8709 4, RFC 5656 3.1, and OpenSSH's PROTOCOL.u2f (2026-11). Order: which one is asked for first.
KINDS = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "ssh-rsa",
)


class BadKey(ValueError):
    """The text is no public key; str() is a clause."""


class HostKey(NamedTuple):
    """One public host key. kind: its type as in known_hosts; blob: its wire form (RFC 4253 6.6)."""

    kind: str
    blob: bytes

    @classmethod
    def parse(cls, text: str) -> "HostKey":
        """Read "ssh-ed25519 AAAA... [comment]"; raises BadKey."""
        words = text.split()
        if len(words) < 2:
            raise BadKey('a key is written "ssh-ed25519 AAAA..."')
        try:
            blob = base64.b64decode(words[1], validate=True)
        except (binascii.Error, ValueError):
            raise BadKey("its second word is not base64") from None
        name = words[0].encode("ascii", "replace")
        if blob[: 4 + len(name)] != len(name).to_bytes(4, "big") + name:
            raise BadKey("its base64 part is not a key of the type its first word names")
        return cls(words[0], blob)

    @property
    def text(self) -> str:
        """As it stands in known_hosts: "ssh-ed25519 AAAA..."."""
        return f"{self.kind} {base64.b64encode(self.blob).decode()}"

    @property
    def fingerprint(self) -> str:
        """As ssh-keygen -l shows it: "SHA256:..." without padding."""
        return "SHA256:" + base64.b64encode(hashlib.sha256(self.blob).digest()).decode().rstrip("=")


class Verdict(StrEnum):
    """What a shown key means."""

    PINNED = "pinned"
    STRANGER = "stranger"  # another key of a pinned host: some other machine, or the host was set up anew
    REVOKED = "revoked"
    UNPINNED = "unpinned"  # nothing is pinned for that host yet


class Pins(NamedTuple):
    """What is pinned under one host's name. revoked: keys marked @revoked, which never prove anything."""

    keys: tuple[HostKey, ...] = ()
    revoked: tuple[HostKey, ...] = ()

    def judge(self, shown: HostKey) -> Verdict:
        """Whether the machine that showed this key is the host."""
        if any(shown.blob == key.blob for key in self.revoked):
            return Verdict.REVOKED
        if not self.keys:
            return Verdict.UNPINNED
        return Verdict.PINNED if any(shown.blob == key.blob for key in self.keys) else Verdict.STRANGER

    @property
    def kinds(self) -> tuple[str, ...]:
        """The types of the pinned keys, best first: only these are worth asking a machine for."""
        held = {key.kind for key in self.keys}
        return (*(k for k in KINDS if k in held), *sorted(held - set(KINDS)))
