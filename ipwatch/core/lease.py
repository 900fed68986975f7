"""The keep-awake lease: when to tell a host not to fall asleep by itself, because somebody uses it.

While connections are carried a hold of `HOLD` is taken there every `EVERY`, so that one always runs; after the last
connection holds are taken for another `EVERY`, so that the last one ends at least `HOLD` and at most `HOLD + EVERY`
after it. Nobody has to end them.

All times are those of the monotonic clock.
"""

from datetime import timedelta
from typing import NamedTuple

EVERY = timedelta(minutes=5)
HOLD = timedelta(minutes=10)


class Lease(NamedTuple):
    """used: when a connection was last seen. taken: when the last hold was asked for. served: connections carried
    since the start, as last seen."""

    used: timedelta | None = None
    taken: timedelta | None = None
    served: int = 0


def look(lease: Lease, now: timedelta, carried: int, served: int) -> tuple[Lease, bool]:
    """The lease after a look at the counts, and whether to take a hold now.

    carried: connections open now; served: since the start, which shows those that came and went between two looks.
    """
    if carried > 0 or served > lease.served:
        lease = lease._replace(used=now)
    lease = lease._replace(served=served)
    wanted = lease.used is not None and now - lease.used < EVERY
    due = wanted and (lease.taken is None or now - lease.taken >= EVERY)
    return (lease._replace(taken=now) if due else lease), due


def renewed(lease: Lease) -> Lease:
    """Another link: the host may have been started anew, and what was held there is gone."""
    return lease._replace(taken=None)


NO_SHELL = "no POSIX shell runs there (Windows?), and keep_awake = true needs one: give a command of yours instead"


def fault(status: int, output: str, errors: str) -> str:
    """Why the host is not kept awake, as a clause; "" when it is.

    output: what the script of laptop/lease.py printed: "held", or "none" where the system has no program for it.
    """
    words = output.split()
    if words[-1:] == ["held"]:
        return ""
    if words[-1:] == ["none"]:
        return "it has neither systemd-inhibit (Linux with systemd) nor caffeinate (macOS)"
    said = [line.strip() for line in errors.splitlines() if line.strip()] or [""]
    if words[-1:] == ["refused"]:  # the last line is of the refusal, what stands before is of the user's own .bashrc
        return f"the system there refuses it: {said[-1][:200]}" if said[-1] else "the system there refuses it"
    return f"{NO_SHELL} ({said[0][:200] or f'exit status {status}'})"


def command_fault(status: int, errors: str) -> str:
    """The same for a command of the user's."""
    if status == 0:
        return ""
    said = next((line.strip() for line in errors.splitlines() if line.strip()), "")
    return f"its command fails: {said[:200]}" if said else f"its command ends with status {status}"
