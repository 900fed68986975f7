"""Where the proxy saw a pinned key last: a line a spot in a file a host, latest first. Standard library only.

Not among the proofs of memory.json. What the proxy sees is a claim: it does not verify the server's signature, so that
anybody who knows the host's public key could show it. ssh proves the key afterwards, out of our sight. So such a spot
is only a place where the proxy looks first, and no other command is told that the host proved itself there.
"""

import json
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from ipwatch.core.candidate import Spot

_KEPT = 4
_LATEST = 3  # remembered spots that are worth the first packets


class Seen(NamedTuple):
    """at: seconds since the epoch."""

    spot: Spot
    at: float


class Glances:
    """The file of one host (`name`: the host's, with a port if it is not the configured one)."""

    def __init__(self, folder: Path, host: str, name: str) -> None:
        self._folder, self._host = folder, host
        self._path = folder / f"seen-{name}"

    def seen(self) -> list[Seen]:
        """Latest first; none when the file is not there or damaged."""
        found = []
        with suppress(OSError, ValueError):
            for line in self._path.read_text("ascii").splitlines():
                at, ip, port = line.split()
                found.append(Seen(_spot(ip, int(port)), float(at)))
        return found

    def note(self, spot: Spot) -> None:
        """The host's key was shown there. A memory that can not be written is none; nothing is raised."""
        others = [one for one in self.seen() if one.spot != spot]
        rows = [f"{one.at:.1f} {one.spot.ip} {one.spot.port}\n" for one in [Seen(spot, time.time()), *others][:_KEPT]]
        temporary = self._path.with_name(f".{self._path.name}.{os.getpid()}.tmp")
        with suppress(OSError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            temporary.write_text("".join(rows), "ascii")
            temporary.replace(self._path)

    def spots(self) -> list[Spot]:
        """Where it was seen or proved, the latest of each first."""
        found = [one.spot for one in self.seen()]
        with suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
            held = json.loads((self._folder / "memory.json").read_bytes())["proved"][self._host]
            found[1:1] = [_spot(one["ip"], int(one["port"])) for one in held[:_LATEST]]
        return list(dict.fromkeys(found))[:_LATEST]


def _spot(ip: str, port: int) -> Spot:
    """Raises ValueError for what is no address and port."""
    spot = Spot(ip, port)
    if spot.version not in {4, 6} or not 0 < port < 65536:
        raise ValueError("no port")
    return spot
