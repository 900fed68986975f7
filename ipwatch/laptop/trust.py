"""Compare and pin host keys, and import them from a known_hosts file. What a user sees of it: cli/keys.py.

Keys are pinned under the host's own name, never under an address.
"""

import codecs
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from ipwatch.core.host import HostKey, Pins
from ipwatch.core.trouble import Kind, Trouble
from ipwatch.laptop.memory import Memory
from ipwatch.protocols import known_hosts
from ipwatch.protocols.ssh_glance import ALL_KINDS
from ipwatch.settings.laptop_model import Host

_LARGEST = 8 * 1024 * 1024  # octets of a known_hosts file


class Offer(NamedTuple):
    """Keys that could be pinned. whole: they are all the host has, so a pinned type that is missing is gone.

    notes: sentences about what could not be taken.
    """

    keys: tuple[HostKey, ...]
    whole: bool
    revoked: tuple[HostKey, ...] = ()
    notes: tuple[str, ...] = ()


class State(StrEnum):
    """How an offered key stands to what is pinned."""

    SAME = "same"
    NEW = "new"
    CHANGED = "changed"
    REPLACED = "was pinned"  # the old key beside a changed one
    GONE = "gone"
    REVOKED = "revoked"


class Row(NamedTuple):
    """One key and how it stands."""

    state: State
    key: HostKey


def compare(offer: Offer, held: Pins) -> tuple[Row, ...]:
    """Every key of either side, type by type, best first."""
    both = Pins((*offer.keys, *offer.revoked, *held.keys))
    return tuple(row for kind in both.kinds for row in _compared(kind, offer, held))


def _compared(kind: str, offer: Offer, held: Pins) -> Iterator[Row]:
    revoked = {*offer.revoked, *held.revoked}
    shown = [key for key in offer.keys if key.kind == kind]
    pinned = [key for key in held.keys if key.kind == kind]
    for key in dict.fromkeys([*shown, *(k for k in offer.revoked if k.kind == kind)]):
        if key in revoked:
            yield Row(State.REVOKED, key)
        else:
            yield Row(State.SAME if key in pinned else State.CHANGED if pinned else State.NEW, key)
    for key in pinned:
        if key not in shown and key not in offer.revoked:
            if any(key not in pinned for key in shown):
                yield Row(State.REPLACED, key)
            elif offer.whole:
                yield Row(State.GONE, key)


def settle(memory: Memory, host: str, offer: Offer) -> int:
    """Pin what is offered; gives how many keys are pinned by it. Types an incomplete offer says nothing of stay."""
    revoked = {*offer.revoked, *memory.pins(host).revoked}
    keys = tuple(key for key in offer.keys if key not in revoked)
    kinds = {key.kind for key in keys}
    kept = tuple(
        key for key in memory.pins(host).keys
        if not offer.whole and key.kind not in kinds and key not in revoked
    )  # fmt: skip
    if offer.revoked:
        memory.revoke(host, offer.revoked)
    memory.pin(host, (*keys, *kept))
    return len(keys)


def imported(host: Host, text: str, name: str | None) -> Offer:
    """What a known_hosts file has for the host; raises Trouble NOT_PINNED when it has nothing.

    name: what the host is called there; default: its name here, its names outside with its port, its LAN address.
    """
    places = _called(host, name)
    by_place = {place: tuple(known_hosts.matching(text, *place)) for place in places}
    mine = [line for lines in by_place.values() for line in lines]
    revoked = tuple(dict.fromkeys(line.key for line in mine if line.marker == known_hosts.REVOKED))
    plain = tuple(dict.fromkeys(line.key for line in mine if not line.marker and line.key not in revoked))
    keys = tuple(key for key in plain if key.kind in ALL_KINDS)
    notes = [f"passed over a key of type {key.kind}, which is not accepted" for key in plain if key not in keys]
    if any(line.marker == known_hosts.AUTHORITY for line in mine):
        notes.append("passed over a @cert-authority line: host certificates are not supported, keys are pinned")
    if not keys and not revoked:
        looked = ", ".join(known_hosts.spelled(*place) for place in places)
        more = f"; {notes[0]}" if notes else ""
        hint = "" if name else "; --name NAME says what it is called there"
        raise Trouble(Kind.NOT_PINNED, f"no key for {host.name} is in the file (looked for {looked}){hint}{more}")
    _agree(host, by_place, keys)
    return Offer(keys, whole=False, revoked=revoked, notes=tuple(notes))


def _agree(host: Host, by_place: Mapping[tuple[str, int], Sequence[known_hosts.Line]], keys: Sequence[HostKey]) -> None:
    """Two names of one host with different keys of one type are two machines, or one of the lines is old."""
    for kind in dict.fromkeys(key.kind for key in keys):
        shown = {
            known_hosts.spelled(*place): held
            for place, lines in by_place.items()
            if (held := {line.key for line in lines if not line.marker and line.key.kind == kind})
        }
        if any(one != other for one in shown.values() for other in shown.values()):
            sentence = (
                f"the file has different {kind} keys for {' and '.join(shown)}: say with --name which is {host.name}"
            )
            raise Trouble(Kind.CONFIGURATION, sentence)


def _called(host: Host, name: str | None) -> tuple[tuple[str, int], ...]:
    """What the host may be called in the file: (name, port)."""
    if name is not None:
        head, colon, port = name.rpartition(":")
        if head.startswith("[") and head.endswith("]") and colon and port.isascii() and port.isdigit():
            return ((head[1:-1], int(port)),)
        return tuple(dict.fromkeys([(name, 22), (name, host.port)]))
    lan = [(host.lan.ip, host.lan.port)] if host.lan is not None else []
    own = [(host.name, 22), (host.name, host.port)]
    return tuple(dict.fromkeys([*own, *((outside, host.port) for outside in host.names), *lan]))


def file_text(path: Path) -> str:
    """A user's known_hosts file; raises Trouble CONFIGURATION."""
    try:
        with path.open("rb") as file:
            raw = file.read(_LARGEST)
    except OSError as error:
        why = (error.strerror or "error").lower()
        raise Trouble(Kind.CONFIGURATION, f"{path} can not be read: {why}") from None
    wide = raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))  # `ssh-keyscan HOST >FILE` in PowerShell 5
    return raw.decode("utf-16" if wide else "utf-8-sig", "replace")
