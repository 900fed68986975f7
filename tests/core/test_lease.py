"""When a host is to be kept awake, and what is said when it is not."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipwatch.core.lease import EVERY, HOLD, NO_SHELL, Lease, command_fault, fault, look, renewed

MINUTE = timedelta(minutes=1)


def takes(counts: dict[int, tuple[int, int]], until: int) -> list[int]:
    """The minutes at which a hold is taken, when the counts are looked at every minute. counts: those that change."""
    lease, carried, taken = Lease(), (0, 0), []
    for minute in range(until):
        carried = counts.get(minute, carried)
        lease, due = look(lease, minute * MINUTE, *carried)
        if due:
            taken.append(minute)
    return taken


@pytest.mark.parametrize(
    ("counts", "want"),
    [
        ({}, []),
        ({3: (1, 1)}, [3, 8, 13, 18, 23, 28]),
        ({3: (1, 1), 4: (0, 1)}, [3]),
        ({3: (1, 1), 6: (0, 1)}, [3, 8]),
        ({3: (0, 1)}, [3]),
        ({3: (0, 1), 5: (0, 2)}, [3, 8]),
        ({3: (0, 1), 20: (1, 2), 21: (0, 2)}, [3, 20]),
    ],
    ids=["unused", "for ever", "a minute", "three minutes", "between two looks", "twice", "once more"],
)
def test_when(counts: dict[int, tuple[int, int]], want: list[int]) -> None:
    """A hold is taken at the first connection, every five minutes while there is one, and not after that."""
    assert takes(counts, 30) == want


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=60))
def test_held_for_ten_minutes_after_the_last(story: list[tuple[int, bool]]) -> None:
    """Whatever comes and goes: from the first connection until ten minutes after the last one a hold runs, and no
    hold runs longer than fifteen."""
    lease, held_until, served, last = Lease(), timedelta(-1), 0, None
    for minute in range(len(story) + 20):
        now = minute * MINUTE
        carried, more = story[minute] if minute < len(story) else (0, False)
        served += more
        if carried or more:
            last = now
        lease, due = look(lease, now, carried, served)
        held_until = now + HOLD if due else held_until
        if last is not None:
            assert held_until >= min(now, last + HOLD)
            assert held_until <= last + HOLD + EVERY


def test_another_link_takes_a_hold_at_once() -> None:
    """The host may have been started anew: what was held there is gone."""
    lease, _ = look(Lease(), timedelta(), 1, 1)
    assert look(lease, MINUTE, 1, 1)[1] is False
    assert look(renewed(lease), MINUTE, 1, 1)[1] is True
    assert look(renewed(lease), HOLD, 0, 1)[1] is False


@pytest.mark.parametrize(
    ("answer", "want"),
    [
        ((0, "Welcome!\nheld\n", "nohup: x"), ""),
        ((0, "none\n", ""), "it has neither systemd-inhibit (Linux with systemd) nor caffeinate (macOS)"),
        ((1, "refused\n", "bash: warning: setlocale\nFailed to inhibit: Access denied\n"),
         "the system there refuses it: Failed to inhibit: Access denied"),
        ((1, "refused\n", ""), "the system there refuses it"),
        ((1, "", "'sh' is not recognized as a command\r\n"), f"{NO_SHELL} ('sh' is not recognized as a command)"),
        ((127, "", ""), f"{NO_SHELL} (exit status 127)"),
    ],
)  # fmt: skip
def test_why_not(answer: tuple[int, str, str], want: str) -> None:
    """What the host says becomes a clause that names the reason."""
    assert fault(*answer) == want


def test_why_not_by_a_command() -> None:
    """A command of the user's is judged by its exit status."""
    assert command_fault(0, "a warning") == ""
    assert command_fault(3, "") == "its command ends with status 3"
    assert command_fault(1, "\n no bus\n") == "its command fails: no bus"
