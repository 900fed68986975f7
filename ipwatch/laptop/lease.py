"""Keeps a host awake while its tunnel is used (core/lease.py decides when).

The hold is a program there that ends by itself after ten minutes, and goes on when the connection ends (logind.conf(5),
systemd 252: KillUserProcesses is no by default). On Linux it is a lock of logind's against "idle", not "sleep": a
session without a seat, such as one of ssh, may take the first without a password, the second not
(org.freedesktop.login1.policy, systemd 252: allow_any of inhibit-block-idle is yes, of inhibit-block-sleep no).
GNOME has a judgement of its own and asks its session manager alone (gsd-power-manager.c, 2026-06); of that the same
user may take one against "suspend" ("idle" does not count while the screen is locked), which logind then shows as a
lock against sleep: meanwhile `systemctl suspend` needs its -i there.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from ipwatch.core import lease as table
from ipwatch.core.lease import HOLD
from ipwatch.laptop.say import Tone
from ipwatch.laptop.supervisor import Supervisor
from ipwatch.laptop.world import World
from ipwatch.ports import Refused, Unreachable
from ipwatch.ports.remote import Link
from ipwatch.settings.laptop_model import Host

_LOOK = 1.0  # seconds between two looks at the counts
_WITHIN = timedelta(seconds=20)

# Each first for a moment and in sight, so that a refusal is heard; then for its time and detached: sshd waits for every
# program that holds the channel's pipes.
SCRIPT = f"""\
hold() {{ nohup "$@" sleep {HOLD.total_seconds():.0f} </dev/null >/dev/null 2>&1 & }}
has() {{ command -v "$1" >/dev/null 2>&1; }}
why="a tunnel is in use"
took=none
if has systemd-inhibit; then
    set -- systemd-inhibit --what=idle --who=ipwatch --why="$why" --mode=block
    if "$@" true </dev/null >/dev/null; then hold "$@"; took=held; else took=refused; fi
fi
bus=${{XDG_RUNTIME_DIR:-/run/user/$(id -u)}}/bus
if has gnome-session-inhibit && [ -S "$bus" ]; then
    DBUS_SESSION_BUS_ADDRESS=unix:path=$bus
    export DBUS_SESSION_BUS_ADDRESS
    set -- gnome-session-inhibit --app-id ipwatch --reason "$why" --inhibit suspend
    if "$@" true </dev/null >/dev/null 2>&1; then hold "$@"; took=held; fi
fi
if [ "$took" = none ] && has caffeinate; then
    nohup caffeinate -i -t {HOLD.total_seconds():.0f} </dev/null >/dev/null 2>&1 &
    took=held
fi
echo "$took"
"""


@contextmanager
def kept_awake(world: World, host: Host, supervisor: Supervisor) -> Iterator[None]:
    """As long as this lasts the host is kept awake while connections are carried, if laptop.toml says so."""
    if not host.keep_awake:
        yield
        return
    keeper = Keeper(world, host, lambda: supervisor.counts)
    supervisor.on_up(keeper.came)
    over = threading.Event()

    def run() -> None:
        while not over.wait(_LOOK):
            keeper.look()

    thread = threading.Thread(target=run, name=f"lease {host.name}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(5)  # the link is cut by now, so nothing there is waited for


class Keeper:
    """Takes the holds. counts: connections carried now, held back now, carried since the start."""

    def __init__(self, world: World, host: Host, counts: Callable[[], tuple[int, int, int]]) -> None:
        self._world, self._host, self._counts = world, host, counts
        self._lock = threading.Lock()
        self._lease = table.Lease()
        self._link: Link | None = None
        self._vain = 0  # holds in a row whose command did not end
        self._told = False

    def came(self, link: Link) -> None:
        """There is a new link."""
        with self._lock:
            self._link = link
            self._lease = table.renewed(self._lease)

    def look(self) -> None:
        """Called once in a while: take a hold if it is time."""
        carried, _, served = self._counts()
        with self._lock:
            link = self._link
            if link is None:
                return
            self._lease, due = table.look(self._lease, self._world.now(), carried, served)
        if due:
            self._take(link)

    def _take(self, link: Link) -> None:
        command = self._host.keep_awake
        try:
            if isinstance(command, str):
                status, _, errors = link.run(command, _WITHIN)
                why = table.command_fault(status, errors.decode("utf-8", "replace"))
            else:
                status, output, errors = link.run("sh -s", _WITHIN, stdin=SCRIPT.encode())
                why = table.fault(status, output.decode("utf-8", "replace"), errors.decode("utf-8", "replace"))
        except Refused as error:
            why = f"it runs no commands: {error}"
        except Unreachable as error:  # once: rather a lost line, which is told by itself; the next link takes the hold
            self._vain += 1
            why = f"{error}" if self._vain > 1 else ""
        else:
            self._vain = 0
        if why and not self._told:
            self._told = True
            self._world.say.line(f"{self._host.name} is not kept awake: {why}", Tone.WARN, host=self._host.name)
