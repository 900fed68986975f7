"""A place to measure in: a house, pages, and the real service between them; and what the kernel says about it."""

import json
import os
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ipwatch.core.state import State
from ipwatch.demo.house import DYN_NAME, House
from ipwatch.demo.service import Service
from ipwatch.ports import StoreFault
from ipwatch.store import read_state
from tests.bench.figures import NotMeasured
from tests.bench.pages import Page

HOURLY = "1h"  # the service then only works when it is poked
_OVER = time.monotonic() + 135.0  # all waiting of the whole run ends here


def wait(true: Callable[[], object], what: str, within: float = 15.0) -> None:
    """Until it is true; raises NotMeasured when it does not come true."""
    end = min(time.monotonic() + within, _OVER)
    while not true():
        if time.monotonic() > end:
            raise NotMeasured(f"waited in vain for {what}")
        time.sleep(0.005)


def config(house: House, folder: Path, pages: Sequence[Page], *, interval: str = HOURLY, quorum: int = 2,
           **changes: Any) -> Path:  # fmt: skip
    """The house's own configuration with these pages as sources; changes replace whole sections."""
    toml = tomllib.loads(house.toml(folder))
    toml["watch"] |= {"interval": interval, "quorum": quorum}
    toml["source"] = [
        {"kind": "web", "url": p.url, "operator": f"operator {n}", "allow_insecure": True, "timeout": "2s"}
        for n, p in enumerate(pages)
    ]
    path = folder / "ipwatch.toml"
    path.write_text(_toml({**toml, **changes}))
    path.chmod(0o600)
    return path


def _toml(tables: Mapping[str, Any]) -> str:
    """TOML: JSON's values are among its own."""
    lines: list[str] = []

    def section(head: str, values: Mapping[str, Any]) -> None:
        lines.extend([head, *(f"{k} = {json.dumps(v, ensure_ascii=False)}" for k, v in values.items())])

    for name, value in tables.items():
        if isinstance(value, list):
            for one in value:
                section(f"[[{name}]]", one)
        elif name == "account":
            for account, values in value.items():
                section(f"[account.{account}]", values)
        else:
            section(f"[{name}]", value)
    return "\n".join(lines) + "\n"


@contextmanager
def place() -> Iterator[tuple[House, Path]]:
    """A house, and an empty folder for the service's state."""
    with tempfile.TemporaryDirectory(prefix="ipwatch-bench-") as folder, House(lag=0.1) as house:
        yield house, Path(folder)


def published(house: House, address: str, service: Service, name: str = DYN_NAME, within: float = 15.0) -> float:
    """Wait until the name is published with that address; gives when that was (time.monotonic(), seconds)."""
    at = house.journal.until(
        lambda notes: next((n.at for n in notes if (n.what, n.subject, n.address) == ("changed", name, address)), None),
        min(within, max(_OVER - time.monotonic(), 0.1)),
    )
    if at is None:
        raise NotMeasured(f"{name} was not published: {' / '.join(service.said(2))}")
    return at


def state(folder: Path) -> State:
    """The service's state as it last wrote it."""
    for _ in range(5):
        try:
            return read_state(folder / "ipwatch.db") or State()
        except StoreFault:  # a reader that comes while the tables are made may be told so; the next one is not
            time.sleep(0.02)
    return read_state(folder / "ipwatch.db") or State()


def rounds(folder: Path, number: int, within: float = 15.0) -> None:
    """Wait until the service has ended its round of that number."""
    wait(lambda: state(folder).rounds >= number, f"round {number}", within)


def at_rest(house: House, folder: Path) -> None:
    """Wait until the first mail is out and nothing is left to be sent."""
    wait(lambda: house.mail.mails and not state(folder).outbox, "the first mail")


def memory(pid: int, field: str = "VmRSS") -> float:
    """Of /proc/PID/status, in MiB; VmRSS is now, VmHWM the most so far (proc(5) gives KiB)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    raise NotMeasured(f"no {field} in /proc/{pid}/status")


def cpu(pid: int) -> float:
    """User and system time used so far, in ms: fields 14 and 15 of /proc/PID/stat (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")
