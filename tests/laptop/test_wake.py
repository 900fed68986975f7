"""Waking a host and watching it boot; putting it to sleep."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from ipwatch.core.candidate import Spot
from ipwatch.core.trouble import Kind, Trouble
from ipwatch.laptop.find import Finding, Sight
from ipwatch.laptop.wake import Boot, send_to_sleep, send_wake, wake_and_wait, wake_unless_up
from ipwatch.laptop.world import World
from ipwatch.ports import InterfaceAddress, Unreachable
from ipwatch.protocols.magic_packet import is_for
from ipwatch.settings.laptop_model import Host, Wake
from tests.fakes.http_server import FakeHttpServer, Reply, Seen
from tests.fakes.laptop_world import laptop_world, said
from tests.fakes.links import KEY, SPOT, PlainLink, PlainSession, candidate
from tests.fakes.sleeper import DIRECT, MAC, LoopbackWaker, NoInterfaces, desktop, trouble_of


class OneInterface:
    """A machine in one network."""

    def addresses(self) -> tuple[InterfaceAddress, ...]:
        return (InterfaceAddress("eth0", ip_address("10.77.1.5"), 24),)


class Script:
    """A Finder whose searches go as written: each step tells its sights and ends as it says; the last one repeats."""

    def __init__(self, *steps: tuple[list[Sight], Trouble | None], finding: Finding | None = None) -> None:
        self.steps, self.shunned = list(steps), list[Any]()
        self.finding = finding or Finding(candidate(), PlainSession(PlainLink()), timedelta(0))

    def __call__(self, _world: World) -> "Script":
        return self

    def find(self, host: Host, within: timedelta, tell: Callable[[Sight], None] = lambda _: None, *,
             shun: Any = (), cancel: threading.Event | None = None) -> Finding:  # fmt: skip
        self.shunned.append(tuple(shun))
        sights, trouble = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        for sight in sights:
            tell(sight)
        if trouble is SILENCE and cancel:
            assert cancel.wait(15)
        if trouble:
            raise trouble
        return self.finding


CLOSED = ([Sight("dialling", SPOT), Sight("closed", SPOT, text="refused")], Trouble(Kind.UNREACHABLE, "closed"))
SILENCE = Trouble(Kind.INTERRUPTED, "the search was interrupted")  # nothing answers, until it is cancelled
OLD = Spot("127.0.0.8", 22)
FOUND = ([Sight("connected", SPOT), Sight("proved", SPOT)], None)


@pytest.fixture
def waker() -> Iterator[LoopbackWaker]:
    """A waker whose packets stay here."""
    with LoopbackWaker() as made:
        yield made


def test_direct(tmp_path: Path, waker: LoopbackWaker) -> None:
    """The packet goes three times to each place, half a second long in all, and the clause says how many."""
    world = laptop_world(tmp_path, waker=waker, interfaces=NoInterfaces())
    host = desktop(secureon=b"\x01\x02\x03\x04")
    began = world.now()
    assert send_wake(world, host) == "18 magic packets sent to 3 places"
    assert world.now() - began >= timedelta(seconds=0.5)
    assert {to.ip for to in waker.asked} == {"255.255.255.255", "127.0.0.255", "127.0.0.9"}
    assert all(is_for(waker.sock.recv(2000), MAC, b"\x01\x02\x03\x04") for _ in range(18))


def test_some_fail(tmp_path: Path, waker: LoopbackWaker) -> None:
    """Places that fail are told beside those that did not; when all fail, the wake failed."""
    world = laptop_world(tmp_path, waker=waker, interfaces=NoInterfaces())
    waker.fails = lambda to: "network is unreachable" if to.ip.endswith("255") else ""
    assert send_wake(world, desktop()) == (
        "6 magic packets sent to 1 place (network is unreachable at 255.255.255.255, "
        "network is unreachable at 127.0.0.255)"
    )
    waker.fails = lambda to: "network is down"
    wake = DIRECT._replace(broadcast=("10.1.0.255",))
    kind, text = trouble_of(lambda: send_wake(world, desktop(wake)))
    assert kind is Kind.WAKE_FAILED
    assert text.startswith("no magic packet could be sent for desktop: network is down at 255.255.255.255, ")
    assert text.endswith(" and 1 more")


@pytest.mark.parametrize(
    ("host", "said"),
    [
        (desktop(None), 'no wake is configured for desktop: add mac = "aa:bb:cc:dd:ee:ff" and wake = { via = "nas" }'),
        (desktop(mac=""), 'desktop can not be woken without its mac = "aa:bb:cc:dd:ee:ff"'),
        (desktop(mac="aa:bb:cc:dd:ee:0f; reboot"), "the mac of desktop can not be used: a MAC address is twelve"),
        (desktop(Wake("nas"), mac=""), "desktop can not be woken without its mac"),
        (desktop(Wake("nas"), name="a;reboot"), "the host's name 'a;reboot' can not stand in a command"),
        (desktop(Wake("nas", broadcast=("$(reboot)",))), "the broadcast address '$(reboot)' of desktop is none"),
        (desktop(Wake("attic")), "no host is called attic"),
    ],
)
def test_configuration(tmp_path: Path, waker: LoopbackWaker, host: Host, said: str) -> None:
    """What is missing or could smuggle something into a command is named, and nothing is sent."""
    world = laptop_world(tmp_path, Host("nas"), waker=waker)
    kind, text = trouble_of(lambda: send_wake(world, host))
    assert (kind, text[: len(said)], waker.asked) == (Kind.CONFIGURATION, said, [])


class Hook(FakeHttpServer):
    """Wakes whoever is named."""

    def answer(self, seen: Seen) -> Reply:
        return Reply(204)


def test_url(tmp_path: Path) -> None:
    """A URL is sent an empty POST, with the host's name and MAC address filled in."""
    with Hook() as hook:
        host = desktop(Wake(url=hook.url + "/wake/{host}?mac={mac}&plain={mac_plain}&token=xyz"))
        assert send_wake(laptop_world(tmp_path), host) == "wake asked of 127.0.0.1"
        [seen] = hook.seen
        assert (seen.method, seen.path, seen.body) == ("POST", "/wake/desktop", b"")
        assert (seen.param("mac"), seen.param("plain"), seen.param("token")) == (MAC, "aabbccddee0f", "xyz")


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(403, "no such\nhost\x1b[2J"), "127.0.0.1 did not wake desktop: status 403: no such host [2J"),
        (Reply(500), "127.0.0.1 did not wake desktop: status 500"),
        (Reply(302, headers={"Location": "http://127.0.0.1:1/"}), "127.0.0.1 did not wake desktop: status 302"),
    ],
)  # fmt: skip
def test_url_refuses(tmp_path: Path, reply: Reply, said: str) -> None:
    """Any other answer, a redirect among them, is a failed wake; its text is shown, the URL's token is not."""
    with Hook() as hook:
        hook.scripted.append(reply)
        host = desktop(Wake(url=hook.url + "/wake?token=xyz"))
        assert trouble_of(lambda: send_wake(laptop_world(tmp_path), host)) == (Kind.WAKE_FAILED, said)
        assert len(hook.seen) == 1


def test_url_dead(tmp_path: Path) -> None:
    """A URL where nobody listens is a failed wake."""
    with Hook() as hook:
        pass
    kind, text = trouble_of(lambda: send_wake(laptop_world(tmp_path), desktop(Wake(url=hook.url + "/?token=xyz"))))
    assert (kind, text.startswith("desktop can not be woken by URL: 127.0.0.1:"), "xyz" in text) == (
        Kind.WAKE_FAILED, True, False)  # fmt: skip


def test_up_already(tmp_path: Path, waker: LoopbackWaker) -> None:
    """A host that is up is not woken."""
    finding, woken = wake_unless_up(laptop_world(tmp_path, waker=waker, finder=Script(FOUND)), desktop())
    assert (finding.candidate.spot, woken, waker.asked) == (SPOT, False, [])


def test_stages(tmp_path: Path, waker: LoopbackWaker) -> None:
    """Each stage is told once as it is reached, a machine with another key is not dialled again at once, a boot's
    length is remembered, and the next one has an estimate."""
    starting = [Sight("connected", SPOT), Sight("not ssh", SPOT, text="it says nothing")]
    stranger = [Sight("connected", OLD), Sight("stranger", OLD, key=KEY)]
    script = Script(CLOSED, ([*starting, *stranger], Trouble(Kind.NOT_SSH, "")), FOUND)
    world = laptop_world(tmp_path, waker=waker, finder=script)
    assert wake_and_wait(world, desktop()).candidate.spot == SPOT
    text = said(world)
    wanted = ["desktop: port closed, ", "magic packets sent", "desktop's port is open after", "shows its pinned key"]
    assert [part for part in wanted if text.count(part) != 1] == []
    assert script.shunned == [(), (), (OLD,)]
    [seconds] = world.memory.boots("desktop")
    assert 4 <= seconds <= 15  # 4 s after a port that answered
    again = laptop_world(tmp_path, waker=waker, finder=Script(CLOSED, FOUND))
    wake_and_wait(again, desktop())
    assert f" s of about {seconds:.0f} s" in said(again)
    assert len(world.memory.boots("desktop")) == 2


def test_silent_port(tmp_path: Path, waker: LoopbackWaker) -> None:
    """A look at a port that does not even refuse is ended after 4 s and begun anew, so that no answer is awaited long;
    one in which somebody answered may go on."""
    world = laptop_world(tmp_path, waker=waker, finder=Script(CLOSED, ([], SILENCE), FOUND))
    began = world.now()
    wake_and_wait(world, desktop())
    assert timedelta(seconds=4) <= world.now() - began < timedelta(seconds=14)
    assert "interrupted" not in said(world)


def test_no_boot_to_learn_from(tmp_path: Path, waker: LoopbackWaker) -> None:
    """A host whose port answered before the wake was not asleep: how long it took says nothing about a boot."""
    busy = ([Sight("connected", SPOT), Sight("not ssh", SPOT, text="it says nothing")], Trouble(Kind.NOT_SSH, ""))
    world = laptop_world(tmp_path, waker=waker, finder=Script(busy, FOUND))
    wake_and_wait(world, desktop())
    assert world.memory.boots("desktop") == ()


def test_never_wakes(tmp_path: Path, waker: LoopbackWaker) -> None:
    """A host that stays away ends in one sentence with the last stage and likely causes, in time."""
    wake = DIRECT._replace(takes=timedelta(seconds=1))
    world = laptop_world(tmp_path, waker=waker, finder=Script(CLOSED), interfaces=OneInterface())
    began = world.now()
    kind, text = trouble_of(lambda: wake_and_wait(world, desktop(wake, lan=Spot("10.77.2.20", 22))))
    assert world.now() - began < timedelta(seconds=10)
    assert kind is Kind.WAKE_FAILED
    assert text.startswith("desktop did not wake within 1 s: no answer from it; likely this machine is not in its")
    _, text = trouble_of(lambda: wake_and_wait(world, desktop(wake, lan=Spot("10.77.1.20", 22))))
    assert "no answer from it; likely Wake-on-LAN is off there" in text
    assert world.memory.boots("desktop") == ()


def test_another_key(tmp_path: Path, waker: LoopbackWaker) -> None:
    """Where a machine with another key answered after the wake, the failure names it."""
    stranger = ([Sight("connected", SPOT), Sight("stranger", SPOT, key=KEY)], Trouble(Kind.STRANGER, "another key"))
    wake = DIRECT._replace(takes=timedelta(seconds=1))
    world = laptop_world(tmp_path, waker=waker, finder=Script(CLOSED, stranger))
    kind, text = trouble_of(lambda: wake_and_wait(world, desktop(wake)))
    assert kind is Kind.WAKE_FAILED
    assert f"another key ({KEY.kind} {KEY.fingerprint} at {SPOT}); likely another machine" in text


@pytest.mark.parametrize(
    ("kind", "sent"), [(Kind.OFFLINE, 0), (Kind.PORTAL, 0), (Kind.INTERRUPTED, 0), (Kind.NOT_PINNED, 18)]
)
def test_in_vain(tmp_path: Path, waker: LoopbackWaker, kind: Kind, sent: int) -> None:
    """What waiting can not cure is told at once; without a pinned key the host is at least woken."""
    world = laptop_world(tmp_path, waker=waker, interfaces=NoInterfaces(), finder=Script(([], Trouble(kind, "why"))))
    found, text = trouble_of(lambda: wake_and_wait(world, desktop()))
    assert (found, len(waker.asked), text.endswith("why")) == (kind, sent, True)


def test_offline_meanwhile(tmp_path: Path, waker: LoopbackWaker) -> None:
    """A laptop that loses its network while it waits says so instead of blaming the host."""
    lost: tuple[list[Sight], Trouble] = ([], Trouble(Kind.OFFLINE, "this machine has no network"))
    wake = DIRECT._replace(takes=timedelta(seconds=1))
    world = laptop_world(tmp_path, waker=waker, finder=Script(CLOSED, lost))
    kind, text = trouble_of(lambda: wake_and_wait(world, desktop(wake)))
    assert kind is Kind.WAKE_FAILED
    assert text == "desktop did not wake within 1 s, as far as one can see from here: this machine has no network"


def test_interrupted(tmp_path: Path, waker: LoopbackWaker) -> None:
    """A wait ends soon after the command is told to end."""
    world = laptop_world(tmp_path, waker=waker, finder=Script(CLOSED))
    timer = threading.Timer(1, world.ending.set)
    timer.start()
    assert trouble_of(lambda: wake_and_wait(world, desktop()))[0] is Kind.INTERRUPTED
    timer.join()


class Nas:
    """A way whose first repetition fails; it sees the host on the LAN."""

    name = "nas"
    again: timedelta | None = timedelta(seconds=0.5)

    def __init__(self) -> None:
        self.sent = self.looks = 0

    def send(self) -> str:
        self.sent += 1
        if self.sent == 2:
            raise Trouble(Kind.WAKE_FAILED, "nas was lost")
        return "magic packet sent through nas"

    def on_lan(self) -> bool:
        self.looks += 1
        return True


def test_repeated_and_seen_on_the_lan(tmp_path: Path) -> None:
    """While one waits the wake is repeated, though a repetition fails, and its answer on the LAN is a stage."""
    world, way = laptop_world(tmp_path, finder=Script(*[CLOSED] * 3, FOUND)), Nas()
    Boot(world, desktop(), way).watched()
    text = said(world)
    assert (way.sent, way.looks) == (4, 1)
    assert "the wake was not repeated: nas was lost" in text
    assert "desktop answers on the LAN after" in text
    way.sent = 1
    wake = DIRECT._replace(takes=timedelta(seconds=1))
    boot = Boot(laptop_world(tmp_path, finder=Script(CLOSED)), desktop(wake), way)
    assert trouble_of(boot.watched) == (Kind.WAKE_FAILED, "nas was lost")


class Hanging(PlainLink):
    """A link over which a command does not end, or ends in a given way."""

    def __init__(self, outcome: tuple[int, bytes, bytes] | None = None) -> None:
        super().__init__()
        self.outcome = outcome

    def run(self, command: str, within: timedelta, **_: Any) -> tuple[int, bytes, bytes]:
        if self.outcome is None:
            raise Unreachable("it did not end in time")
        return self.outcome


@pytest.mark.parametrize(
    ("link", "silent", "said"),
    [
        (Hanging(), True, "goes to sleep"),
        (Hanging(), False, "nas still answers: 'suspend' did not end within 10 s"),
        (Hanging((-1, b"", b"")), False, "nas does not sleep: it ended with status -1 without a word"),
    ],
)
def test_silence_is_sleep(tmp_path: Path, link: Hanging, silent: bool, said: str) -> None:
    """A host that answers nothing any more sleeps; one that answers while its command hangs does not."""
    link.silent = silent
    found = Finding(candidate(), PlainSession(link), timedelta(0))
    host = Host("nas", "anna", sleep="suspend")
    world = laptop_world(tmp_path, host, finder=Script(([], None), finding=found))
    if silent:
        assert send_to_sleep(world, host) == said
    else:
        assert trouble_of(lambda: send_to_sleep(world, host)) == (Kind.NOT_WELL, said)
    assert link.is_cut.is_set()
