"""The ways to wake a host: directly, through another host, or by a URL.

Nothing is forwarded through the host that wakes: DSM's sshd forbids that, but runs commands.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from ipaddress import ip_address, ip_interface
from typing import Protocol
from urllib.parse import quote, urlsplit

from ipwatch.core import waking
from ipwatch.core.trouble import Kind, Trouble
from ipwatch.laptop.world import World
from ipwatch.ports import HttpRequest, InterfaceAddress, PortError, Unreachable
from ipwatch.ports.remote import Destination, Link, LoginRefused, Sent
from ipwatch.protocols.magic_packet import BadMac, parse_mac
from ipwatch.settings.laptop_model import WAKE_COMMAND, Host, Wake

_FIND = timedelta(seconds=20)  # the host that wakes
_LOGIN = timedelta(seconds=20)
_RUN = timedelta(seconds=20)
_POST = timedelta(seconds=15)
_NEIGHBOUR = timedelta(seconds=5)


class Way(Protocol):
    """A way to wake one host. name: "direct", "url", or the host that wakes. again: how often while one waits."""

    name: str
    again: timedelta | None

    def send(self) -> str:
        """Send, and say what was done in a clause; raises Trouble WAKE_FAILED."""
        ...

    def on_lan(self) -> bool:
        """Whether it is known to answer in its own network."""
        ...


@contextmanager
def way_of(world: World, host: Host) -> Iterator[Way]:
    """The configured way. Nothing is sent before `send`; raises Trouble CONFIGURATION."""
    wake = host.wake
    if wake is None:
        raise Trouble(Kind.CONFIGURATION, _unconfigured(world, host))
    if wake.url:
        yield _Hook(world, host, wake)
    elif wake.via in {"", "direct"}:
        yield _Direct(world, host, wake)
    else:
        through = _Through(world, host, wake)
        try:
            yield through
        finally:
            through.close()


def _unconfigured(world: World, host: Host) -> str:
    other = next((name for name in world.settings.hosts if name != host.name), "nas")
    return f'no wake is configured for {host.name}: add mac = "aa:bb:cc:dd:ee:ff" and wake = {{ via = "{other}" }}'


def _mac(host: Host) -> str:
    """Its MAC address and nothing else, fit for a command line."""
    if not host.mac:
        raise Trouble(Kind.CONFIGURATION, f'{host.name} can not be woken without its mac = "aa:bb:cc:dd:ee:ff"')
    try:
        return parse_mac(host.mac)
    except BadMac as error:
        raise Trouble(Kind.CONFIGURATION, f"the mac of {host.name} can not be used: {error}") from None


def _values(host: Host, wake: Wake, template: str) -> dict[str, str]:
    """What a command or a URL may name. Each is checked: a shell at the other end reads it."""
    if not re.fullmatch(r"[\w][\w.-]*", host.name, re.ASCII):
        raise Trouble(Kind.CONFIGURATION, f"the host's name {host.name!r} can not stand in a command")
    broadcast = wake.broadcast[0] if wake.broadcast else waking.EVERYBODY
    try:
        broadcast = str(ip_address(broadcast))
    except ValueError:
        raise Trouble(Kind.CONFIGURATION, f"the broadcast address {broadcast!r} of {host.name} is none") from None
    values = {"host": host.name, "broadcast": broadcast}
    if host.mac or "{mac" in template:
        mac = _mac(host)
        values |= {"mac": mac, "mac_plain": mac.replace(":", "")}
    return values


def own_addresses(world: World) -> tuple[InterfaceAddress, ...]:
    """This machine's addresses; none where the system does not tell."""
    try:
        return world.interfaces.addresses()
    except Unreachable:
        return ()


class _Direct:
    """Magic packets from this machine."""

    name = "direct"
    again: timedelta | None = timedelta(seconds=5)

    def __init__(self, world: World, host: Host, wake: Wake) -> None:
        self._world, self._host, self._wake, self._mac = world, host, wake, _mac(host)

    def send(self) -> str:
        usable = [one for one in own_addresses(self._world) if not one.tentative]
        own = [(one.interface, ip_interface((one.address, one.prefix))) for one in usable]
        lan = self._host.lan.ip if self._host.lan else ""
        plan = [Destination(*place) for place in waking.places(own, lan, self._wake.broadcast)]
        sent: list[Sent] = []
        began = self._world.now()
        for offset in waking.BURST:
            self._world.clock.sleep(began + offset - self._world.now())
            sent += self._world.waker.wake(self._mac, self._host.secureon, plan)
        return self._told(sent)

    def _told(self, sent: list[Sent]) -> str:
        taken = [one for one in sent if not one.fault]
        faults = list(dict.fromkeys(f"{one.fault} at {one.destination.ip}" for one in sent if one.fault))
        if not taken:
            raise Trouble(Kind.WAKE_FAILED, f"no magic packet could be sent for {self._host.name}: {_few(faults)}")
        places = len({(one.destination.ip, one.destination.source) for one in taken})
        text = f"{len(taken)} magic packets sent to {places} place{'s' if places > 1 else ''}"
        return f"{text} ({_few(faults)})" if faults else text

    def on_lan(self) -> bool:
        return False


def _few(faults: list[str]) -> str:
    more = f" and {len(faults) - 3} more" if len(faults) > 3 else ""
    return ", ".join(faults[:3]) + more


class _Hook:
    """A POST to somebody who wakes it. Plain http where the configuration says so; redirects of a POST are answers."""

    name = "url"
    again: timedelta | None = None

    def __init__(self, world: World, host: Host, wake: Wake) -> None:
        values = {name: quote(value, safe="") for name, value in _values(host, wake, wake.url).items()}
        self._url = waking.filled(wake.url, values)
        self._world, self._host = world, host

    def send(self) -> str:
        place = urlsplit(self._url).hostname or "the URL"
        try:
            answer = self._world.http.send(HttpRequest(self._url, "POST", body=b"", insecure=True), _POST)
        except PortError as error:
            raise Trouble(Kind.WAKE_FAILED, f"{self._host.name} can not be woken by URL: {error}") from None
        if not 200 <= answer.status < 300:
            text = " ".join("".join(c if c.isprintable() else " " for c in answer.text()[:200]).split())[:80]
            said = f": {text}" if text else ""
            raise Trouble(Kind.WAKE_FAILED, f"{place} did not wake {self._host.name}: status {answer.status}{said}")
        return f"wake asked of {place}"

    def on_lan(self) -> bool:
        return False


class _Through:
    """A command run by another host of the house, over one SSH connection that is kept while one waits.

    Synology's is the default. Others: `wakeonlan {mac}`, `etherwake {mac}` (as root), and where the service runs in a
    container with the host's network `sudo -n /usr/local/bin/docker exec ipwatch ipwatch wake {host}`.
    """

    again: timedelta | None = timedelta(seconds=30)

    def __init__(self, world: World, host: Host, wake: Wake) -> None:
        self.name = wake.via
        self._world, self._host = world, host
        self._other = world.host(wake.via)
        template = wake.command or WAKE_COMMAND
        self._command = waking.filled(template, _values(host, wake, template))
        self._link: Link | None = None
        self._user = ""

    def send(self) -> str:
        link = self._linked()
        try:
            status, _, stderr = link.run(self._command, _RUN)
        except PortError as error:
            self.close()
            raise self._failed(f"{error}") from None
        if status != 0:
            text = stderr.decode("utf-8", "replace")
            raise self._failed(waking.exec_fault(self._command, status, text, self._user))
        return f"magic packet sent through {self.name}"

    def on_lan(self) -> bool:
        ip = self._host.lan.ip if self._host.lan else ""
        if not ip:
            return False
        look = f"ping -c1 -W1 {ip} >/dev/null 2>&1 && echo answers; ip neigh show {ip} 2>/dev/null"
        try:
            _, output, _ = self._linked().run(look, _NEIGHBOUR)
        except (PortError, Trouble):
            self.close()
            return False
        return waking.answers_on_lan(output.decode("utf-8", "replace"), self._host.mac and _mac(self._host))

    def close(self) -> None:
        """End the connection."""
        if self._link:
            self._link.cut()
            self._link = None

    def _linked(self) -> Link:
        if self._link is None:
            try:
                self._link, self._user = logged_in(self._world, self._other)
            except Trouble as trouble:
                if trouble.kind is Kind.INTERRUPTED:
                    raise
                raise self._failed(str(trouble)) from None
        return self._link

    def _failed(self, why: str) -> Trouble:
        return Trouble(Kind.WAKE_FAILED, f"{self._host.name} can not be woken through {self.name}: {why}")


def logged_in(world: World, host: Host) -> tuple[Link, str]:
    """Find the host, prove it and log in; gives the user's name, too. Raises Trouble."""
    from ipwatch.laptop.login import login_of  # noqa: PLC0415 - runs `ssh -G`

    who = login_of(world, host)
    finding = world.finder(world).find(host, _FIND)
    try:
        return finding.session.login(who, _LOGIN), who.user
    except LoginRefused as refused:
        raise Trouble(Kind.LOGIN_REFUSED, f"{host.name} does not let {who.user} in: {refused}") from None
    except Unreachable as error:
        raise Trouble(Kind.UNREACHABLE, f"{host.name} was lost during the login: {error}") from None
