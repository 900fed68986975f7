"""What is kept between commands, in one folder: pinned keys (known_hosts), proved addresses and boot times.

Standard library only. Written by several processes at once: each change reads the file anew under a lock and replaces
it atomically. A damaged memory.json is only a memory: it is put aside and begun anew. Pins are never dropped so.
"""

import json
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from ipwatch.core.host import HostKey, Pins
from ipwatch.core.trouble import Kind, Trouble
from ipwatch.protocols import known_hosts

PROVED_KEPT = 8  # addresses a host: an ISP gives them out of few networks, so old ones come back
BOOTS_KEPT = 10


class Proved(NamedTuple):
    """Where the host proved itself. way: how the address was learnt (core.candidate.Way)."""

    ip: str
    port: int
    at: datetime
    way: str = ""


class Memory:
    """The folder. Nothing is read or made before it is needed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

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
        with self._lock():
            kept = [row for row in self._read(self.known_hosts).splitlines() if not _plain_line_of(row, host)]
            rows = [*kept, *(f"{host} {key.text}" for key in keys)]
            self._replace(self.known_hosts, "".join(f"{row}\n" for row in rows))

    def proved(self, host: str) -> tuple[Proved, ...]:
        """Where it proved itself, latest first."""
        return tuple(_proved(self._load().get("proved", {}).get(host, [])))

    def note_proved(self, host: str, ip: str, port: int, way: str, at: datetime | None = None) -> None:
        """It proved itself there."""
        new = {"ip": ip, "port": port, "at": (at or datetime.now(UTC)).isoformat(timespec="seconds"), "way": way}

        def change(memory: dict[str, Any]) -> None:
            held = memory.setdefault("proved", {}).get(host, [])
            others = [p for p in held if (p.get("ip"), p.get("port")) != (ip, port)]
            memory["proved"][host] = [new, *others][:PROVED_KEPT]

        self._change(change)

    def boots(self, host: str) -> tuple[float, ...]:
        """How many seconds the last boots took from the wake to the proof, latest first."""
        held = self._load().get("boots", {}).get(host, [])
        return tuple(float(s) for s in held if isinstance(s, int | float))

    def note_boot(self, host: str, seconds: float) -> None:
        """It took so long from the wake to the proof."""

        def change(memory: dict[str, Any]) -> None:
            held = memory.setdefault("boots", {}).get(host, [])
            memory["boots"][host] = [round(seconds, 1), *held][:BOOTS_KEPT]

        self._change(change)

    def _load(self) -> dict[str, Any]:
        try:
            found = json.loads(self._read(self.folder / "memory.json") or "{}")
            if not isinstance(found, dict) or not all(isinstance(v, dict) for v in found.values()):
                raise ValueError("not a table of tables")
        except ValueError:
            with suppress(OSError):
                (self.folder / "memory.json").replace(self.folder / "memory.json.damaged")
            return {}
        return found

    def _change(self, change: Callable[[dict[str, Any]], None]) -> None:
        with self._lock():
            memory = self._load()
            change(memory)
            self._replace(self.folder / "memory.json", json.dumps(memory, indent=1) + "\n")

    def _read(self, path: Path) -> str:
        try:
            return path.read_text("utf-8", "replace")
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise Trouble(Kind.NOT_WELL, f"{path} can not be read: {(error.strerror or 'error').lower()}") from None

    def _replace(self, path: Path, text: str) -> None:
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
        try:
            with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise Trouble(Kind.NOT_WELL, f"{path} can not be written: {(error.strerror or 'error').lower()}") from None

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """One writer at a time, among all processes."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            why = (error.strerror or "error").lower()
            raise Trouble(Kind.NOT_WELL, f"the folder {self.folder} can not be used: {why}") from None
        try:
            if os.name == "posix":
                import fcntl  # noqa: PLC0415 - not on Windows

                fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _plain_line_of(row: str, host: str) -> bool:
    words = row.split()
    return len(words) > 2 and words[0] == host


def _proved(held: object) -> Iterator[Proved]:
    for one in held if isinstance(held, list) else []:
        try:
            at = datetime.fromisoformat(one["at"])
            yield Proved(str(one["ip"]), int(one["port"]), at, str(one.get("way", "")))
        except (KeyError, TypeError, ValueError):
            continue
