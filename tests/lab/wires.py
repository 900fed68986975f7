"""Namespaces and the cables between them."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

from tests.fakes import netns
from tests.fakes.netns import Namespace

RESOLVER = "25.53.0.9"
_ETC = Path("/etc/netns")  # ip-netns(8): files that stand in /etc for who runs inside


class Place(Namespace):
    """A machine. Its programs see a resolv.conf of its own."""

    def __init__(self, label: str) -> None:
        super().__init__(f"lab-{label}")
        etc = _ETC / self.name
        etc.mkdir(parents=True, exist_ok=True)
        (etc / "resolv.conf").write_text(f"nameserver {RESOLVER}\noptions timeout:2 attempts:1\n")
        self.sysctl("net.ipv6.conf.all.disable_ipv6=1")

    def sysctl(self, setting: str) -> None:
        """Set it inside; a kernel without it is none the worse."""
        self.run(["sysctl", "-qw", setting])

    def routes(self) -> None:
        """It passes on what is not for itself."""
        self.sysctl("net.ipv4.ip_forward=1")

    def address(self, interface: str, *addresses: str, gateway: str = "") -> None:
        """Give it these addresses, and a way out."""
        for one in addresses:
            self.ip("address", "add", one, "broadcast", "+", "dev", interface)
        if gateway:
            self.ip("route", "replace", "default", "via", gateway)

    def close(self) -> None:
        super().close()
        shutil.rmtree(_ETC / self.name, ignore_errors=True)
        with suppress(OSError):
            _ETC.rmdir()  # only if nobody else has anything there


def cable(one: Place, here: str, other: Place, there: str, *, mac: str = "") -> None:
    """Connect two interfaces, which are made. mac: of the far end."""
    hardware = ("address", mac) if mac else ()
    one.ip("link", "add", here, "type", "veth", "peer", "name", there, *hardware, "netns", other.name)
    one.ip("link", "set", here, "up")
    other.ip("link", "set", there, "up")


def bridge(place: Place, name: str) -> None:
    """A switch inside."""
    place.ip("link", "add", name, "type", "bridge")
    place.ip("link", "set", name, "up")


@contextmanager
def places(*labels: str) -> Iterator[tuple[Place, ...]]:
    """These machines, removed with all that runs in them whatever happens."""
    sweep()
    with ExitStack() as stack:
        yield tuple(stack.enter_context(closing(Place(label))) for label in labels)


def sweep() -> None:
    """Remove the labs of runs that were killed."""
    netns.sweep()
    for folder in _ETC.glob("*"):
        if netns.orphaned(folder.name):
            shutil.rmtree(folder, ignore_errors=True)
