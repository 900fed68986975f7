"""What the lines mean that ssh writes, above all at its end (OpenSSH 9.2). Pure.

Asked by LogVerbose, one of its files also tells how the login went, where each line begins with its place:
"debug1: sshconnect2.c:userauth_pubkey():2066 (pid=1): Offering public key: ...".
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from ipwatch.ports import Unreachable
from ipwatch.ports.remote import LoginRefused

LOGIN = "sshconnect2.c:*"  # for LogVerbose

_PLACE = re.compile(r"^(debug\d: )?[\w.-]+\.c:\w+\(\):\d+ \(pid=\d+\): ")
_NOISE = re.compile(r"^(\s*$|@+$|Warning: Permanently|Authenticated to |debug\d: )")
_DENIED = re.compile(r"Permission denied \(([^)]*)\)")
_TOO_MANY = re.compile(r"Too many authentication failures", re.IGNORECASE)
_UNUSABLE = re.compile(r"bad configuration option|Bad owner or permissions|Unable to negotiate", re.IGNORECASE)
_IN_FILE = re.compile(r" line \d+: ")
_OTHER_KEY = re.compile(r"Host key verification failed|REVOKED HOST KEY|HOST IDENTIFICATION HAS CHANGED")
_REVOKED = re.compile(r"revoked by file |in revoked keys file ")
_HINT = re.compile(
    r"^(Load key|no such identity|sign_and_send_pubkey|.*UNPROTECTED PRIVATE KEY|Permissions .* are too open|"
    r".*invalid format)"
)
_KEY = re.compile(r"Offering public key: (.+) [A-Z0-9-]+ (?:SHA256|MD5):\S+(.*)|Trying private key: (.+)")
_MISSING = re.compile(r"no such identity: (.+?): ")
_LOCKED = {"no passphrase given": "no passphrase was given for", "bad passphrase given": "wrong passphrases for"}
_SENT = re.compile(r"we sent a (?!publickey )([\w-]+) packet")
_LEFT = re.compile(r"Authentications that can continue: (\S+)")


class OtherKey(Unreachable):
    """ssh was shown a host key that is not pinned."""


def why_it_ended(said: Sequence[str]) -> LoginRefused | Unreachable:
    """What the end of ssh before the login was complete means, from the lines it wrote."""
    lines = _lines(said)
    for line in lines:
        if _REVOKED.search(line):
            return LoginRefused(f"ssh does not take its host key: {line}")
        if _OTHER_KEY.search(line):
            return OtherKey("it shows another host key than a moment ago")
    for line in lines:
        if _DENIED.search(line) or _TOO_MANY.search(line):
            return _refused(line, lines, said)
        if _UNUSABLE.search(line):
            return LoginRefused(next((one for one in lines if _IN_FILE.search(one)), line))
    if lines and _IN_FILE.search(lines[-1]):
        return LoginRefused(lines[-1])
    return Unreachable(f"ssh ended: {lines[-1]}" if lines else "ssh ended without a word")


def unanswered(question: str, said: Sequence[str]) -> LoginRefused:
    """Nobody answered that; what ssh wrote until then."""
    ways, takes, _ = tried(said)
    words = [f"nobody answered its question: {question}"]
    words += [f"tried {', '.join(ways)}"] if ways else []
    words += [f"it would take {', '.join(takes)}"] if takes else []
    return LoginRefused("; ".join(words))


def _refused(named: str, lines: Sequence[str], said: Sequence[str]) -> LoginRefused:
    ways, takes, notes = tried(said)
    if not (denied := _DENIED.search(named)):
        count = f" after {len(ways)} tries" if ways else ""
        return LoginRefused(
            f"too many authentication failures: it allows no more{count}; name the key that fits as `identity`"
        )
    user = named.partition(": Permission denied")[0].rpartition("@")[0]
    words = f"tried {', '.join(ways) or 'nothing'}" + (f" for user {user}" if user else "")
    if not takes:  # programs before 8.5 do not tell
        words, takes = "permission denied", tuple(denied[1].split(","))
    hints = dict.fromkeys(line for line in lines if _HINT.match(line))
    return LoginRefused("; ".join((words, f"it would take {', '.join(takes)}", *notes, *hints)))


class Tries(NamedTuple):
    """A login. ways: keys and other ways, in order; takes: what the host would take at last; notes: clauses."""

    ways: tuple[str, ...]
    takes: tuple[str, ...]
    notes: tuple[str, ...]


def tried(said: Sequence[str]) -> Tries:
    """What was tried, as far as ssh tells."""
    ways: dict[str, None] = {}
    notes: dict[str, str] = {}
    takes: tuple[str, ...] = ()
    key = ""
    for line in said:
        if found := _KEY.search(line):
            key = clean(found[1] or found[3])
            held = " of the agent" if found[2] and "agent" in found[2] and "explicit" not in found[2] else ""
            ways[key + held] = None
        elif sent := _SENT.search(line):
            ways[sent[1]] = None
        elif left := _LEFT.search(line):
            takes = tuple(clean(left[1]).split(","))
        elif missing := _MISSING.search(line):
            ways.pop(clean(missing[1]), None)
        elif locked := next((words for mark, words in _LOCKED.items() if mark in line), ""):
            notes[key] = f"{locked} {key}"
    return Tries(tuple(ways), takes, tuple(notes.values()))


def why_it_was_lost(said: Sequence[str]) -> str:
    """The clause for the end of a link, from the last lines ssh wrote."""
    lines = [line for line in _lines(said) if not line.startswith("channel ")]
    if not lines:
        return "ssh has ended"
    if "not responding" in lines[-1]:
        return "no sign of life"
    if "closed by remote host" in lines[-1]:
        return "the other side closed the connection"
    return f"ssh ended: {lines[-1]}"


def _lines(said: Sequence[str]) -> list[str]:
    """Those for a person."""
    places = (_PLACE.sub(r"\1", line) for line in said)
    return [clean(line) for line in places if not _NOISE.match(line)]


def clean(line: str) -> str:
    """A line of ssh's for a sentence: without control characters and final stop."""
    return "".join(c for c in line if c.isprintable()).strip().rstrip(".")[:200]
