"""net.command against real programs."""

import time
from datetime import timedelta
from pathlib import Path

import pytest

from ipwatch.net.command import SubprocessCommands
from ipwatch.ports import Unreachable

LONG = timedelta(seconds=10)
run = SubprocessCommands().run


def test_outputs_status_environment_and_input() -> None:
    """Status, both outputs, the added environment and the input arrive."""
    done = run(["sh", "-c", 'cat; echo "$A" >&2; exit 3'], LONG, env={"A": "b"}, stdin=b"in")
    assert (done.status, done.stdout, done.stderr) == (3, b"in", b"b\n")


def test_no_shell_reads_the_arguments() -> None:
    """Arguments reach the program as they are."""
    assert run(["printf", "%s", "$(id); *"], LONG).stdout == b"$(id); *"


def test_output_is_cut_at_the_limit() -> None:
    """Output beyond the limit is dropped and the program still ends."""
    done = run(["sh", "-c", "head -c 3000000 /dev/zero; head -c 200000 /dev/zero >&2"], LONG, limit=1000)
    assert (len(done.stdout), len(done.stderr), done.status) == (1000, 1000, 0)


def test_large_input_does_not_lock() -> None:
    """Input and output larger than a pipe flow at once; a program that does not read its input is no fault."""
    assert len(run(["cat"], LONG, stdin=b"x" * 500_000, limit=1_000_000).stdout) == 500_000
    assert run(["true"], LONG, stdin=b"x" * 500_000).status == 0


def test_program_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    """At the deadline the program and its children are ended."""
    mark = tmp_path / "mark"
    began = time.monotonic()
    with pytest.raises(Unreachable, match="did not end") as caught:
        run(["sh", "-c", f"(sleep 0.8; touch {mark}) & sleep 30"], timedelta(seconds=0.3))
    assert time.monotonic() - began < 5
    assert caught.value.sent
    time.sleep(0.9)
    assert not mark.exists()


def test_program_that_closes_its_outputs_and_hangs_is_ended() -> None:
    """Closed outputs are no end: the deadline still holds."""
    with pytest.raises(Unreachable, match="did not end"):
        run(["sh", "-c", "exec <&- >&- 2>&-; sleep 30"], timedelta(seconds=0.3))


def test_child_left_behind_is_not_waited_for() -> None:
    """A child that keeps the output open does not hold us."""
    began = time.monotonic()
    assert run(["sh", "-c", "echo done; sleep 30 &"], LONG).stdout == b"done\n"
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("argv", [["/no/such/program", "geheim"], [], ["a\0b"], ["/"]])
def test_program_that_can_not_be_started(argv: list[str]) -> None:
    """What can not be started is Unreachable, not sent, and its arguments are not repeated."""
    with pytest.raises(Unreachable, match="can not be started") as caught:
        run(argv, LONG)
    assert not caught.value.sent
    assert "geheim" not in str(caught.value)
