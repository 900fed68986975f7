"""The image, run for real: a user without a name, a read-only root, no capability, a network namespace of its own."""

import base64
import os
import signal
from pathlib import Path

import pytest

from ipwatch.demo.house import DYN_NAME
from ipwatch.store import read_state
from tests.fakes import image
from tests.fakes.nas import GID, UID, Nas
from tests.fakes.netns import Namespace
from tests.fakes.udp_server import UdpServer
from tests.fakes.waiting import wait
from tests.sources.test_stun_source import response

pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.timeout(900),  # the first test of all makes the base image, where none is kept
    pytest.mark.skipif(bool(image.missing()), reason=image.missing() or "never"),
]
HEEDS = 1 << signal.SIGTERM - 1  # its bit in the mask of signals that have a handler
MAC = "02:bb:cc:dd:ee:0f"
KEY = "ssh-ed25519 " + base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0 " + bytes(32)).decode()


def rounds(nas: Nas) -> int:
    """How many rounds the state on the volume knows of."""
    state = read_state(nas.data / "ipwatch.db")
    return state.rounds if state else 0


def said_of(process: int, field: str) -> str:
    """A line of /proc/PID/status."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(line.split(":")[1].strip() for line in lines if line.startswith(field))


def test_day(nas: Nas) -> None:
    """It publishes at BIND, sees it there and mails; is healthy; follows a change; is stopped by SIGTERM with 0; and a
    new container on the same volume publishes nothing again and mails nothing again."""
    house = nas.house
    with nas.container(mounts=nas.configured()) as first:
        assert wait(lambda: nas.shown() == house.address), first.log()
        assert wait(lambda: house.address in nas.mails()), first.log()
        assert first.health() == "healthy"
        assert first.execute("ipwatch", "status").returncode == 0
        assert said_of(first.pid, "Uid").split() == [str(UID)] * 4
        assert said_of(first.pid, "Gid").split() == [str(GID)] * 4
        assert int(said_of(first.pid, "CapEff"), 16) == 0
        assert first.execute("touch", "/opt/ipwatch/x").returncode != 0
        house.address = "25.7.77.7"
        first.kill("USR1")
        assert wait(lambda: nas.shown() == "25.7.77.7"), first.log()
        assert wait(lambda: "25.7.77.7" in nas.mails()), first.log()
        while rounds(nas) < 20:
            before = rounds(nas)
            os.kill(first.pid, signal.SIGUSR1)
            assert wait(lambda before=before: rounds(nas) > before), first.log()
        print(f"\nresident memory after {rounds(nas)} rounds: {first.resident() / 2**20:.1f} MiB")
        ended = first.stop()
        print(f"SIGTERM to end: {ended.seconds:.1f} s, most of it podman's")
        assert ended.status == 0
    published, mailed, done = nas.serial(), len(house.mail.mails), rounds(nas)
    with nas.container(mounts=nas.configured()) as second:
        assert wait(lambda: rounds(nas) >= done + 3), second.log()
        assert second.health() == "healthy"
        assert (nas.serial(), len(house.mail.mails)) == (published, mailed)
        assert second.stop().status == 0


def test_variables_alone(nas: Nas) -> None:
    """Without any file but a secret, with the built-in sources: variables make a DynDNS record and a mail."""
    house = nas.house
    for ip in ("25.0.0.53", "25.0.0.54"):
        nas.namespace.ip("addr", "add", f"{ip}/32", "dev", "lo")
    environ = {
        "IPWATCH_RECORD_NAME": DYN_NAME,
        "IPWATCH_ACCOUNT_SERVER": house.dyn.url,
        "IPWATCH_ACCOUNT_ALLOW_INSECURE": "true",
        "IPWATCH_ACCOUNT_USERNAME": "resident",
        "IPWATCH_ACCOUNT_PASSWORD_FILE": "/run/secrets/dyn",
        "IPWATCH_ACCOUNT_NAMESERVERS": f"{house.primary.endpoint},{house.secondary.endpoint}",
        "IPWATCH_MAIL_SERVER": f"127.0.0.1:{house.mail.port}",
        "IPWATCH_MAIL_SECURITY": "none",
        "IPWATCH_MAIL_TO": "anna@example.org",
    }

    def answer(question: bytes, _: int) -> list[bytes]:
        return [response(question, house.address)]

    hosts = ("--add-host=stun.sipgate.net:25.0.0.53", "--add-host=stun.nextcloud.com:25.0.0.54")
    secret = nas.file("dyn", "correct horse\n", "/run/secrets/dyn")
    with (
        nas.namespace.inside(),
        UdpServer(answer, "25.0.0.53", 3478),
        UdpServer(answer, "25.0.0.54", 3478),
        nas.container(environ=environ, mounts=secret, options=hosts) as service,
    ):
        assert wait(lambda: house.zone.shows(DYN_NAME) == (house.address,)), service.log()
        assert wait(lambda: house.address in nas.mails()), service.log()
        assert wait(lambda: service.health() == "healthy"), service.log()
        assert "correct horse" not in service.log()
        assert service.stop().status == 0


def test_stopped_while_it_starts(nas: Nas) -> None:
    """SIGTERM while the service is still being loaded ends it at once, with 0 all the same."""
    with nas.container(mounts=nas.configured()) as service:
        for _ in range(3):
            assert wait(lambda: int(said_of(service.pid, "SigCgt"), 16) & HEEDS)
            ended = service.stop()
            assert ended.status == 0, ended
            service.start()


@pytest.mark.parametrize(
    ("zone", "log", "mail"), [("Asia/Tokyo", "+0900 INFO", " JST"), ("Asia/Tokio", "+0000 INFO", " UTC")]
)
def test_time_zone(nas: Nas, zone: str, log: str, mail: str) -> None:
    """TZ rules the times in the log and in mails; one that is not known is told instead of being UTC without a word."""
    with nas.container(mounts=nas.configured("1h"), environ={"TZ": zone}) as service:
        assert wait(nas.mails), service.log()
        assert log in service.log()
        assert mail in nas.mails()
        warned = "TZ=Asia/Tokio is no time zone known here: times are in UTC" in service.log()
        assert warned is (zone == "Asia/Tokio")


def test_wakes(nas: Nas) -> None:
    """`ipwatch wake` sends the magic packet into the LAN; what needs paramiko says that it is not installed."""
    lan = Namespace("lan")
    try:
        nas.namespace.ip("link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", lan.name)
        for place, ip in ((nas.namespace, "10.77.1.10/24"), (lan, "10.77.1.20/24")):
            place.ip("addr", "add", ip, "broadcast", "+", "dev", "eth0")
            place.ip("link", "set", "eth0", "up")
        with lan.inside():
            card = UdpServer(lambda _data, _number: [], "0.0.0.0", 9)
        host = f'[[host]]\nname = "desktop"\nmac = "{MAC}"\naddress = "10.77.1.20"\n'
        with card:
            waking = nas.container("wake", "desktop", mounts=nas.file("i", host, "/config/ipwatch.toml")).run()
            assert waking.status == 0, waking.log
            assert wait(lambda: b"\xff" * 6 + bytes.fromhex(MAC.replace(":", "")) * 16 in card.received)
        host = f'[[host]]\nname = "desktop"\nlan = "10.77.1.20:22"\nkeys = ["{KEY}"]\n'
        environ = {"IPWATCH_LAPTOP_CONFIG": "/config/laptop.toml"}
        mounts = nas.file("l", host, "/config/laptop.toml")
        ended = nas.container("up", "desktop", environ=environ, mounts=mounts).run()
        assert (ended.status != 0, "Traceback" in ended.log) == (True, False), ended.log
        assert "is not installed here" in ended.log
    finally:
        lan.close()


def test_volume_that_docker_makes(nas: Nas) -> None:
    """A volume that docker makes may be written by whatever user the container has."""
    volume = f"ipw{os.getpid()}"
    try:
        with nas.container(mounts=nas.configured() | {volume: "/data"}, data="/elsewhere") as service:
            assert wait(lambda: nas.shown() == nas.house.address), service.log()
            assert service.execute("ipwatch", "health").returncode == 0
    finally:
        nas.built.storage.run("podman", "volume", "rm", "--force", volume)
