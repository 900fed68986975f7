"""A host that sleeps, and a waker whose packets stay on loopback."""

import socket
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Self

import pytest

from ipwatch.core.candidate import Spot
from ipwatch.core.trouble import Kind, Trouble
from ipwatch.net.wol import WakeonlanWaker
from ipwatch.ports import InterfaceAddress, Unreachable
from ipwatch.ports.remote import Destination, Sent
from ipwatch.settings.laptop_model import Host, Wake

MAC = "aa:bb:cc:dd:ee:0f"
DIRECT = Wake(via="direct", takes=timedelta(seconds=30))


class LoopbackWaker:
    """Sends every packet to one port of loopback, wherever it was to go; `fails` says why one can not be sent."""

    def __init__(self, fails: Callable[[Destination], str] = lambda _: "") -> None:
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.sock.settimeout(5)
        self.fails = fails
        self.asked: list[Destination] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def wake(self, mac: str, secureon: bytes, destinations: Sequence[Destination]) -> Sequence[Sent]:
        self.asked += destinations
        good = [to for to in destinations if not self.fails(to)]
        port = self.sock.getsockname()[1]
        WakeonlanWaker().wake(mac, secureon, [Destination("127.0.0.1", port) for _ in good])
        return [Sent(to, self.fails(to)) for to in destinations]


class NoInterfaces:
    """A system that does not tell its interfaces."""

    def addresses(self) -> tuple[InterfaceAddress, ...]:
        raise Unreachable("the interfaces can be read on Linux only")


def desktop(wake: Wake | None = DIRECT, **more: Any) -> Host:
    """The host that sleeps."""
    return Host("desktop", mac=MAC, lan=Spot("127.0.0.9", 22), wake=wake)._replace(**more)


def trouble_of(act: Callable[[], object]) -> tuple[Kind, str]:
    """How it ends."""
    with pytest.raises(Trouble) as caught:
        act()
    return caught.value.kind, str(caught.value)
