"""Host keys and the one question asked of them: is this the host, or a stranger?"""

import base64
import binascii
import hashlib
from enum import StrEnum
from typing import NamedTuple

# RFC 8709 4, RFC 5656 3.1, RFC 4253 6.6. Order: which one is asked for first.
KINDS = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "ssh-rsa",
)


# How many strings (RFC 4251 5) a key of that type is made of, its name included; the same sources.
_FIELDS = {KINDS[0]: 2, KINDS[1]: 3, KINDS[2]: 3, KINDS[3]: 3, KINDS[4]: 3}


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
        fields = _strings(blob)
        if not words[0].isascii() or not words[0].isprintable() or fields[:1] != [words[0].encode()]:
            raise BadKey("its base64 part is not a key of the type its first word names")
        if words[0] in _FIELDS and (len(fields), sum(4 + len(f) for f in fields)) != (_FIELDS[words[0]], len(blob)):
            raise BadKey("its base64 part is not complete")
        return cls(words[0], blob)

    @property
    def text(self) -> str:
        """As it stands in known_hosts: "ssh-ed25519 AAAA..."."""
        return f"{self.kind} {base64.b64encode(self.blob).decode()}"

    @property
    def fingerprint(self) -> str:
        """As ssh-keygen -l shows it: "SHA256:..." without padding."""
        return "SHA256:" + base64.b64encode(hashlib.sha256(self.blob).digest()).decode().rstrip("=")


def _strings(blob: bytes) -> list[bytes]:
    """The complete strings a key begins with (RFC 4251 5)."""
    found, at = [], 0
    while at + 4 <= len(blob) and at + 4 + (length := int.from_bytes(blob[at : at + 4])) <= len(blob):
        found.append(blob[at + 4 : at + 4 + length])
        at += 4 + length
    return found


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
