"""What is kept between commands, in one folder: pinned keys (known_hosts), proved addresses and boot times.

Standard library only. Written by several processes at once: each change reads the file anew under a lock and replaces
it atomically. A damaged memory.json is only a memory: it is put aside at the next change and begun anew. Pins are never
dropped so.
"""

import importlib
import json
import math
import os
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any, NamedTuple

from ipwatch.core.host import HostKey, Pins
from ipwatch.core.trouble import Kind, Trouble
from ipwatch.protocols import known_hosts

PROVED_KEPT = 8  # addresses a host: an ISP gives them out of few networks, so old ones come back
BOOTS_KEPT = 10
_BUSY_WITHIN = 1.0  # seconds a file may be open elsewhere, which on Windows keeps it from being replaced


class Proved(NamedTuple):
    """Where the host proved itself. way: how the address was learnt (core.candidate.Way)."""

    ip: str
    port: int
    at: datetime
    way: str = ""


class Memory:
    """The folder. Nothing is read or made before it is needed. patience: seconds a change waits for other processes,
    each of which holds the lock for milliseconds."""

    def __init__(self, folder: Path, patience: float = 10.0) -> None:
        self.folder = folder
        self._patience = patience

    @property
    def known_hosts(self) -> Path:
        """For ssh's UserKnownHostsFile: the keys pinned by `ipwatch trust`."""
        return self.folder / "known_hosts"

    def pins(self, host: str, configured: Sequence[HostKey] = ()) -> Pins:
        """The keys pinned under the host's name, those of laptop.toml included."""
        held = known_hosts.pins(self._read(self.known_hosts), host)
        extra = tuple(key for key in configured if key not in held.keys)
        return Pins((*held.keys, *extra), held.revoked)

    def pin(self, host: str, keys: Sequence[HostKey]) -> None:
        """Pin these keys and no others under the host's name; lines of other hosts and @revoked ones stay."""
        self._change_pins(lambda text: known_hosts.with_pins(text, host, keys))

    def revoke(self, host: str, keys: Sequence[HostKey]) -> None:
        """Mark these keys as revoked under the host's name: they never prove anything again."""
        self._change_pins(lambda text: known_hosts.with_revoked(text, host, keys))

    def proved(self, host: str) -> tuple[Proved, ...]:
        """Where it proved itself, latest first."""
        return tuple(_proved(self._load().get("proved", {}).get(host)))

    def note_proved(self, host: str, ip: str, port: int, way: str, at: datetime | None = None) -> None:
        """It proved itself there."""
        new = {"ip": ip, "port": port, "at": (at or datetime.now(UTC)).isoformat(timespec="seconds"), "way": way}

        def change(memory: dict[str, Any]) -> None:
            held = _proved(memory.setdefault("proved", {}).get(host))
            others = [p._asdict() | {"at": p.at.isoformat()} for p in held if (p.ip, p.port) != (ip, port)]
            memory["proved"][host] = [new, *others][:PROVED_KEPT]

        self._change(change)

    def boots(self, host: str) -> tuple[float, ...]:
        """How many seconds the last boots took from the wake to the proof, latest first."""
        return tuple(_boots(self._load().get("boots", {}).get(host)))

    def note_boot(self, host: str, seconds: float) -> None:
        """It took so long from the wake to the proof."""

        def change(memory: dict[str, Any]) -> None:
            held = _boots(memory.setdefault("boots", {}).get(host))
            memory["boots"][host] = [round(seconds, 1), *held][:BOOTS_KEPT]

        self._change(change)

    def _load(self) -> dict[str, Any]:
        """What is remembered; {} when the file is damaged."""
        return self._parsed() or {}

    def _parsed(self) -> dict[str, Any] | None:
        """None: damaged."""
        try:
            found = json.loads(self._read(self.folder / "memory.json") or "{}")
        except (ValueError, RecursionError):
            return None
        whole = isinstance(found, dict) and all(isinstance(part, dict) for part in found.values())
        return found if whole else None

    def _change(self, change: Callable[[dict[str, Any]], None]) -> None:
        path = self.folder / "memory.json"
        with self._lock():
            memory = self._parsed()
            if memory is None:
                with suppress(OSError):
                    path.replace(path.with_name("memory.json.damaged"))
                memory = {}
            change(memory)
            self.write(path, json.dumps(memory, indent=1) + "\n")

    def _change_pins(self, change: Callable[[str], str]) -> None:
        with self._lock():
            self.write(self.known_hosts, change(self._read(self.known_hosts)))

    def _read(self, path: Path) -> str:
        """The text as it stands; bytes that are no UTF-8 come through (PEP 383)."""
        try:
            return path.read_bytes().decode("utf-8", "surrogateescape")
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise Trouble(Kind.NOT_WELL, f"{path} can not be read: {_why(error)}") from None

    def write(self, path: Path, text: str) -> None:
        """Replace a file of the folder atomically; raises Trouble, and then nothing is left behind."""
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(text.encode("utf-8", "surrogateescape"))
                file.flush()
                os.fsync(file.fileno())
            replace(temporary, path)
        except OSError as error:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise Trouble(Kind.NOT_WELL, f"{path} can not be written: {_why(error)}") from None

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """One writer at a time, among all processes."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise Trouble(Kind.NOT_WELL, f"the folder {self.folder} can not be used: {_why(error)}") from None
        try:
            with locked(descriptor, self._patience):
                yield
        except TimeoutError:
            sentence = f"another ipwatch has held {self.folder / 'lock'} for {self._patience:g} s"
            raise Trouble(Kind.NOT_WELL, sentence) from None
        except OSError as error:  # a network file system without locks
            sentence = f"{self.folder / 'lock'} can not be locked: {_why(error)}"
            raise Trouble(Kind.NOT_WELL, sentence) from None
        finally:
            os.close(descriptor)


@contextmanager
def locked(descriptor: int, within: float, system: str = os.name,
           load: Callable[[str], Any] = importlib.import_module) -> Iterator[None]:  # fmt: skip
    """Hold the file's lock, which ends with the process at the latest; raises TimeoutError after `within` seconds.

    system: "posix" (flock(2)) or "nt" (msvcrt.locking: the first byte). load: gives the module of that name.
    """
    take, give = _posix(descriptor, load) if system == "posix" else _windows(descriptor, load)
    _until_free(take, within)
    try:
        yield
    finally:
        give()


def _posix(descriptor: int, load: Callable[[str], Any]) -> tuple[Callable[[], object], Callable[[], object]]:
    fcntl = load("fcntl")
    return (lambda: fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB),
            lambda: fcntl.flock(descriptor, fcntl.LOCK_UN))  # fmt: skip


def _windows(descriptor: int, load: Callable[[str], Any]) -> tuple[Callable[[], object], Callable[[], object]]:
    msvcrt = load("msvcrt")
    return (lambda: msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1),
            lambda: msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1))  # fmt: skip


def replace(source: Path, target: Path, move: Callable[[Path, Path], object] = os.replace) -> None:
    """Put the source in the target's place. Windows refuses that while somebody has the target open: tried again."""
    try:
        _until_free(lambda: move(source, target), _BUSY_WITHIN)
    except TimeoutError:
        raise PermissionError(13, "another program has it open") from None


def _until_free(take: Callable[[], object], within: float) -> None:
    """Try until nobody else is in the way: EWOULDBLOCK says so on POSIX, EACCES on Windows."""
    deadline = time.monotonic() + within
    while True:
        try:
            take()
            return
        except (BlockingIOError, PermissionError):
            if time.monotonic() >= deadline:
                raise TimeoutError from None
            time.sleep(0.01)


def _why(error: OSError) -> str:
    return (error.strerror or "error").lower()


def _proved(held: object) -> Iterator[Proved]:
    """What can be read of a list in the file."""
    for one in held if isinstance(held, list) else []:
        try:
            ip, port, at = str(one["ip"]), int(one["port"]), datetime.fromisoformat(one["at"])
            ip_address(ip.partition("%")[0])
            if 0 < port < 65536:
                yield Proved(ip, port, at if at.tzinfo else at.replace(tzinfo=UTC), str(one.get("way", "")))
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
            continue


def _boots(held: object) -> Iterator[float]:
    for one in held if isinstance(held, list) else []:
        if isinstance(one, float | int) and not isinstance(one, bool) and math.isfinite(one) and one >= 0:
            yield float(one)
