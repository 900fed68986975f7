"""The dialler, against listeners on loopback that answer, refuse or hang."""

import ctypes
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ipwatch.core.candidate import Spot
from ipwatch.net.dial import NO_ANSWER, NO_NETWORK, REFUSED, Dialled, Dialler, reason_of, routed, source_of
from tests.fakes.ports import free_port


@contextmanager
def listener(host: str = "127.0.0.1") -> Iterator[Spot]:
    with socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET) as server:
        yield Spot(host, server.getsockname()[1])


@contextmanager
def hanging(ip: str = "127.0.0.1") -> Iterator[Spot]:
    """A listener whose queue is full: the kernel drops further SYNs, as a host that is not there does."""
    with socket.socket() as server:
        server.bind((ip, 0))
        server.listen(0)
        spot = Spot(ip, server.getsockname()[1])
        fillers = []
        for _ in range(3):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(spot)
            fillers.append(filler)
        time.sleep(0.05)
        try:
            yield spot
        finally:
            for filler in fillers:
                filler.close()


def ends(dialler: Dialler, count: int, within: float = 8.0) -> list[Dialled]:
    found: list[Dialled] = []
    end = time.monotonic() + within
    while len(found) < count and time.monotonic() < end:
        one = dialler.next(0.2)
        if one is not None:
            found.append(one)
            if one.sock is not None:
                one.sock.close()
    return found


def test_a_port_that_answers_gives_a_connected_blocking_socket() -> None:
    """A port that answers gives a connected socket that blocks and does not wait for more bytes before it sends."""
    with listener() as spot, Dialler() as dialler:
        dialler.add(spot)
        found = dialler.next(5)
        assert found is not None
        assert found.sock is not None
        with found.sock as sock:
            assert (found.spot, found.reason, sock.getpeername()) == (spot, "", ("127.0.0.1", spot.port))
            assert sock.gettimeout() is None
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert dialler.left == 0


def test_a_closed_port_is_told_as_refused_and_the_next_follows_at_once() -> None:
    """After an attempt that failed the next one begins at once, however long the stagger."""
    with listener() as spot, Dialler(stagger=60) as dialler:
        dialler.add(Spot("127.0.0.1", free_port()))
        dialler.add(spot)
        first, second = ends(dialler, 2)
        assert first.reason == REFUSED
        assert second.spot == spot
        assert second.sock is not None


def test_one_that_hangs_does_not_hold_up_the_next() -> None:
    """While one address hangs, the next is dialled; the one that hangs is told in the end."""
    with listener() as spot, hanging() as dead, Dialler(stagger=0.05, timeout=1.0) as dialler:
        dialler.add(dead)
        dialler.add(spot)
        first, second = ends(dialler, 2)
        assert first.spot == spot
        assert (second.spot, second.reason) == (dead, NO_ANSWER)


def test_a_late_address_is_dialled_although_as_many_as_allowed_hang() -> None:
    """Attempts that hang for longer than 2 s keep nobody waiting."""
    slow = Dialler(stagger=0.0, most=2, timeout=30)
    with hanging("127.0.0.1") as a, hanging("127.0.0.2") as b, listener() as spot, slow as dialler:
        dialler.add(a)
        dialler.add(b)
        assert dialler.next(0.3) is None
        dialler.add(spot)
        assert dialler.next(0.3) is None, "two are under way"
        assert [one.spot for one in ends(dialler, 1)] == [spot]
        assert dialler.left == 2


def calling(port: int) -> set[int]:
    """The local ports from which somebody calls that one and was not answered yet (proc(5): state 02, SYN_SENT)."""
    rows = [row.split() for row in Path("/proc/net/tcp").read_text("ascii").splitlines()[1:]]
    return {int(row[1][9:], 16) for row in rows if row[3] == "02" and int(row[2][9:], 16) == port}


def pass_over(server: socket.socket, port: int | None) -> None:
    """Have the kernel drop what comes to a listener from that port; None: whatever comes. A classic BPF program, which
    begins at the TCP header: load the source port, compare it, drop or keep (<linux/filter.h>)."""
    rows = [(0x28, 0, 0, 0), (0x15, 0, 1, port), (0x06, 0, 0, 0), (0x06, 0, 0, 0xFFFF)] if port else [(0x06, 0, 0, 0)]
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *row) for row in rows))
    filtering = struct.pack("HxxxxxxP" if ctypes.sizeof(ctypes.c_void_p) == 8 else "HxxP", len(rows),
                            ctypes.addressof(program))  # fmt: skip
    try:
        server.setsockopt(socket.SOL_SOCKET, 26, filtering)  # SO_ATTACH_FILTER
    except PermissionError:
        pytest.skip("the kernel lets this user filter nothing")


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's packet filter")
def test_a_path_that_swallows_everything_is_left() -> None:
    """Where one connection's packets vanish on the way, a second one from another port is made beside it."""
    with socket.create_server(("127.0.0.1", 0)) as server, Dialler(timeout=60) as dialler:
        pass_over(server, None)
        spot = Spot(*server.getsockname())
        dialler.add(spot)
        assert dialler.next(0.1) is None
        (first,) = calling(spot.port)
        pass_over(server, first)
        found = dialler.next(30)
        assert found is not None
        assert found.sock is not None
        with found.sock as sock:
            assert sock.getsockname()[1] != first
        assert (calling(spot.port), dialler.left) == (set(), 0)


def test_both_calls_of_a_spot_end_together() -> None:
    """A spot that was called twice in vain is told once."""
    with hanging() as dead, Dialler(timeout=2.5) as dialler:
        dialler.add(dead)
        (found,) = ends(dialler, 2, within=4)
        assert (found.spot, found.reason, dialler.left) == (dead, NO_ANSWER, 0)


def test_the_lowest_rank_goes_first_and_the_families_take_turns() -> None:
    """The lowest rank is dialled first, in one rank IPv6 and IPv4 by turns, IPv6 first."""
    four = [Spot("127.0.0.1", free_port()) for _ in range(2)]
    six = [Spot("::1", free_port()) for _ in range(2)]
    best = Spot("127.0.0.1", free_port())
    with Dialler(most=1, stagger=0) as dialler:
        for spot in (*four, *six):
            dialler.add(spot, 2)
        dialler.add(best, 1)
        assert [one.spot for one in ends(dialler, 5)] == [best, six[0], four[0], six[1], four[1]]


def test_the_same_spot_is_dialled_once() -> None:
    """A spot that several voices name is dialled once."""
    with listener() as spot, Dialler() as dialler:
        dialler.add(spot)
        dialler.add(spot)
        assert dialler.left == 1
        assert len(ends(dialler, 2, within=0.6)) == 1


def test_a_spot_added_meanwhile_is_dialled_at_once() -> None:
    """A `next` that waits takes up what another thread adds."""
    with listener() as spot, Dialler() as dialler:
        adder = threading.Timer(0.1, dialler.add, (spot,))
        adder.start()
        found = dialler.next(10)
        adder.join()
        assert found is not None
        assert found.sock is not None
        found.sock.close()


def test_waking_ends_the_waiting_once() -> None:
    """wake() lets one `next` return, even when it comes before it."""
    with Dialler() as dialler:
        dialler.wake()
        assert dialler.next(60) is None
        waker = threading.Timer(0.1, dialler.wake)
        waker.start()
        assert dialler.next(60) is None
        waker.join()


def test_closing_ends_a_next_that_waits_and_takes_nothing_more() -> None:
    """close() from another thread ends `next`; what is added later is not dialled; closing twice does no harm."""
    with hanging() as dead:
        dialler = Dialler()
        dialler.add(dead)
        closer = threading.Timer(0.1, dialler.close)
        closer.start()
        assert dialler.next(60) is None
        closer.join()
        dialler.add(Spot("127.0.0.1", 1))
        dialler.wake()
        assert dialler.next(60) is None
        dialler.close()


def test_sockets_nobody_took_are_closed() -> None:
    """Connections that nobody asked for any more are closed with the dialler."""
    with listener() as one, listener() as other:
        dialler = Dialler(stagger=0)
        dialler.add(one)
        dialler.add(other)
        time.sleep(0.05)
        found = None
        while found is None:
            found = dialler.next(0.2)
        assert found.sock is not None
        found.sock.close()
        dialler.close()  # a ResourceWarning, which is an error here, would tell of a socket left open


def test_an_address_that_can_not_be_dialled_is_told() -> None:
    """What is no address of this machine's network ends with a reason, not with an error."""
    with Dialler() as dialler:
        dialler.add(Spot("255.255.255.255", 9))
        (found,) = ends(dialler, 1)
        assert found.sock is None
        assert found.reason


@pytest.mark.parametrize(
    ("error", "clause"),
    [
        (OSError(101, ""), NO_NETWORK),
        (TimeoutError(), NO_ANSWER),
        (OSError(24, ""), "too many open files"),
        (OSError(), "it can not be dialled"),
        (UnicodeError(), "it can not be dialled"),
    ],
)
def test_reasons_are_clauses(error: OSError | UnicodeError, clause: str) -> None:
    """Every fault of the system's is a clause in plain words."""
    assert reason_of(error) == clause


def test_it_needs_nothing_but_the_standard_library() -> None:
    """Importing the dialler loads no third-party package and none of the ports."""
    code = (
        "import sys, ipwatch.net.dial\n"
        "print([m for m in sys.modules if m.split('.')[0] in {'dns', 'requests', 'paramiko', 'msgspec'}"
        " or m.startswith('ipwatch.ports')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_without_a_route_there_is_no_way_out() -> None:
    """In a network namespace of its own, with nothing but a loopback, the system knows no way out."""
    command = ["unshare", "-rn", sys.executable, "-c", "from ipwatch.net.dial import routed; print(routed())"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no network namespaces here: {done.stderr.strip()[-100:]}")
    assert done.stdout.strip() == "False"


def test_the_own_address_on_the_way_to_another() -> None:
    """The system names the address it would send from; an address it can not reach has none."""
    assert source_of("127.0.0.1") == "127.0.0.1"
    assert source_of("::1") == "::1"
    assert source_of("255.255.255.255") == ""
    assert routed() in {True, False}
