"""Bad days, with everything real: sshd, BIND, `ipwatch up` as a process of its own, packets that vanish.

Each test says after how long a byte was carried again (`-s` shows it); that it is at all is what is asserted.
"""

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from ipwatch.core.trouble import Kind
from tests.fakes.away import NEW, OLD, Away, Up, away
from tests.fakes.named import needs
from tests.fakes.netns import needs_namespaces
from tests.fakes.ports import free_port
from tests.fakes.waiting import wait
from tests.laptop.test_forwarder import Echo

pytestmark = [pytest.mark.real, pytest.mark.slow]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Away]:
    needs("sshd")
    needs("named")
    needs_namespaces()
    with away(tmp_path) as it:
        it.name_server()
        yield it


@pytest.fixture
def echo(house: Away) -> Iterator[Echo]:
    with closing(Echo()) as it:
        yield it


@pytest.fixture(params=["paramiko", "openssh"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class Work:
    """A forward to the echo server and a client that keeps a conversation going."""

    def __init__(self, house: Away, echo: Echo, engine: str = "paramiko") -> None:
        self.port = free_port()
        self.config = house.config(f'work = "{self.port}:127.0.0.1:{echo.port}"', engine)

    def answers(self, within: float = 1.0) -> bool:
        """Whether a byte comes back through a new connection."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), within) as sock:
                sock.settimeout(within)
                sock.sendall(b"x")
                return sock.recv(1) == b"x"
        except OSError:
            return False

    def again(self, since: float, what: str, within: float = 60.0) -> None:
        """Wait until a byte is carried again and say how long it took."""
        assert wait(self.answers, within), what
        print(f"{what}: a byte again after {time.monotonic() - since:.1f} s")

    def talk(self) -> socket.socket:
        """A connection that has just carried something."""
        sock = socket.create_connection(("127.0.0.1", self.port), 5)
        sock.settimeout(20)
        sock.sendall(b"hello")
        assert sock.recv(5) == b"hello"
        return sock


def broken(sock: socket.socket) -> bool:
    """Whether a conversation is ended for its client, within the socket's time."""
    try:
        return sock.recv(1) == b""
    except ConnectionError:
        return True


def test_silent_cut(house: Away, echo: Echo, engine: str) -> None:
    """A link that is cut without a word is noticed, its clients are reset, and it is back once packets pass again."""
    work = Work(house, echo, engine)
    with house.up(work.config) as up, work.talk() as old:
        at = time.monotonic()
        house.drop(OLD)
        assert wait(lambda: up.when("desktop: lost", at), 30), up.text
        noticed = up.when("desktop: lost", at) or 0
        assert broken(old)
        house.restore()
        back = time.monotonic()
        work.again(back, f"{engine}: silent cut, noticed after {noticed - at:.1f} s")


def test_session_killed(house: Away, echo: Echo, engine: str) -> None:
    """A session killed at the far end: the link is back at once, while the port never closed."""
    work = Work(house, echo, engine)
    with house.up(work.config), work.talk() as old:
        at = time.monotonic()
        house.desktop.end_sessions()
        assert broken(old)
        work.again(at, f"{engine}: session killed")


def test_sshd_restarted(house: Away, echo: Echo, engine: str) -> None:
    """sshd away for three seconds: who connects meanwhile waits and is served; nobody is refused."""
    work = Work(house, echo, engine)
    with house.up(work.config):
        house.desktop.stop()
        results: list[bool] = []
        waiting = threading.Thread(target=lambda: results.append(work.answers(20)))
        waiting.start()
        time.sleep(3)
        house.desktop.start()
        at = time.monotonic()
        waiting.join(25)
        assert results == [True]
        work.again(at, f"{engine}: sshd restarted")


def test_moved_with_a_late_record_and_a_stranger(house: Away, echo: Echo, engine: str) -> None:
    """The address moves, the record follows three seconds later, and a stranger's sshd sits at the old one: no user
    name reaches it, it is told once, and the port works again."""
    work = Work(house, echo, engine)
    with house.up(work.config) as up:
        at = time.monotonic()
        stranger = house.move(stranger=True)
        assert stranger is not None
        time.sleep(3)
        house.publish(NEW)
        work.again(at, f"{engine}: address moved, record 3 s late, stranger at the old one")
        assert wait(lambda: up.when(f"up at {NEW}"), 10), up.text
        assert "another machine is at" in up.text
        log = stranger.said()
    assert "Connection from" in log
    assert not any(word in log for word in (house.desktop.user + " ", "userauth", "Authenticating")), log


def test_moved_silently(house: Away, echo: Echo, engine: str) -> None:
    """The address moves and the old one swallows everything; the record is right at once."""
    work = Work(house, echo, engine)
    with house.up(work.config):
        at = time.monotonic()
        house.move()
        house.publish(NEW)
        work.again(at, f"{engine}: address moved silently")


def test_moved_silently_with_a_late_record(house: Away, echo: Echo) -> None:
    """The old address swallows everything and the record follows eight seconds later: the zone is asked again while
    the old address is still being dialled."""
    work = Work(house, echo)
    with house.up(work.config):
        house.move()
        time.sleep(8)
        house.publish(NEW)
        work.again(time.monotonic(), "address moved silently, after its record followed 8 s later")


def test_lan_that_swallows(house: Away, echo: Echo) -> None:
    """The host's address at home, dialled from elsewhere, swallows everything: a search for a host that is away ends
    without waiting for it."""
    work = Work(house, echo)
    house.config(f'work = "{work.port}:127.0.0.1:{echo.port}"', more='lan = "25.0.9.9:22"')
    house.ns.ip("route", "add", "25.0.9.9/32", "dev", "lo")
    hook = "type filter hook output priority 0; policy accept;"
    house.ns.nft(f"table ip lan {{\nchain out {{\n{hook}\nip daddr 25.0.9.9 drop\n}}\n}}\n")
    house.desktop.stop()
    at = time.monotonic()
    up = Up(work.config, "desktop")
    assert up.process.wait(30) == int(Kind.UNREACHABLE), up.text
    up.end()
    print(f"a host that is away, its LAN address silent: told after {time.monotonic() - at:.1f} s")


def test_sleep(house: Away, echo: Echo, engine: str) -> None:
    """A process that was stopped for 30 seconds while the far end gave it up notices at once and is back."""
    work = Work(house, echo, engine)
    with house.up(work.config) as up:
        os.kill(up.process.pid, signal.SIGSTOP)
        time.sleep(15)
        house.desktop.end_sessions()
        time.sleep(15)
        at = time.monotonic()
        os.kill(up.process.pid, signal.SIGCONT)
        work.again(at, f"{engine}: resumed")
        assert wait(lambda: up.when("this machine slept for", at) or up.when("desktop: lost", at), 5), up.text


def test_sleep_that_nobody_minded(house: Away, echo: Echo) -> None:
    """A link that survives the sleep is kept: its conversation goes on."""
    work = Work(house, echo)
    with house.up(work.config) as up, work.talk() as old:
        os.kill(up.process.pid, signal.SIGSTOP)
        time.sleep(6)
        os.kill(up.process.pid, signal.SIGCONT)
        time.sleep(3)
        old.sendall(b"still")
        assert old.recv(5) == b"still"
        assert up.when("desktop: lost") is None


def test_name_server_dead(house: Away, echo: Echo) -> None:
    """With the name server dead the last proved address serves."""
    work = Work(house, echo)
    with house.up(work.config):
        house.name_server_dies()
        at = time.monotonic()
        house.desktop.end_sessions()
        work.again(at, "name server dead, session killed")


def test_soak(house: Away, echo: Echo) -> None:
    """500 connections through one forward during 20 losses: whatever was answered is right, what broke is reset, and
    no thread and no descriptor is left over."""
    work = Work(house, echo)
    with house.up(work.config) as up:
        assert work.answers(5)
        before = _settled(up)
        done, wrong = _storm(house, work, connections=500, losses=20)
        work.again(time.monotonic(), "soak")
        print(f"soak: {done} of 500 conversations to their end, {wrong} wrong")
        assert wrong == 0
        assert done > 100
        assert wait(lambda: _left(up, before), 20), (before, up.threads(), up.descriptors())


def _settled(up: Up) -> tuple[int, int]:
    time.sleep(1)
    return up.threads(), up.descriptors()


def _left(up: Up, before: tuple[int, int]) -> bool:
    return up.threads() <= before[0] + 1 and up.descriptors() <= before[1] + 1


def _storm(house: Away, work: Work, connections: int, losses: int) -> tuple[int, int]:
    """Conversations of 10 kB each, 16 at a time, while sessions are killed: how many ended well, how many wrongly.

    One that ends without a reset before its goodbye was cut short and its client could not tell: that is wrong, too.
    """
    results: list[int] = []
    wrong: list[int] = []
    left = iter(range(connections))
    lock = threading.Lock()

    def talk() -> None:
        while True:
            with lock:
                number = next(left, None)
            if number is None:
                return
            text = f"{number:06d} ".encode() * 1400
            with suppress(OSError), socket.create_connection(("127.0.0.1", work.port), 25) as sock:
                sock.settimeout(25)
                sock.sendall(text)
                sock.shutdown(socket.SHUT_WR)
                got = b""
                while part := sock.recv(65536):
                    got += part
                    if not (text + b"goodbye").startswith(got):
                        break
                well = got == text + b"goodbye"
                (results if well else wrong).append(number)
            time.sleep(0.05)

    threads = [threading.Thread(target=talk) for _ in range(16)]
    for thread in threads:
        thread.start()
    for number in range(losses):
        time.sleep(0.15 + 0.05 * (number * 7 % 5))
        house.desktop.end_sessions()
    for thread in threads:
        thread.join(120)
    return len(results), len(wrong)
