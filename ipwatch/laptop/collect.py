"""Collect the host keys that a host's machine shows, and have it prove that it holds them."""

import socket
from collections.abc import Callable, Sequence
from datetime import timedelta
from ipaddress import ip_address
from typing import NamedTuple

from ipwatch.core.candidate import Spot
from ipwatch.core.host import HostKey, Pins
from ipwatch.core.locating import same_network
from ipwatch.core.trouble import Kind, Trouble
from ipwatch.laptop.locate import Around, Locator, Race, Word, is_literal
from ipwatch.laptop.say import Tone
from ipwatch.laptop.world import World
from ipwatch.net.dial import Dialler, reason_of
from ipwatch.net.glance import shown_keys
from ipwatch.ports import Unreachable
from ipwatch.ports.remote import NotSsh, Stranger
from ipwatch.protocols import hostport
from ipwatch.settings.laptop_model import Host

_CONNECT = timedelta(seconds=5)
_LOOK = timedelta(seconds=6)  # one key exchange; a small NAS takes a second for it
_PROVE = timedelta(seconds=12)
_LOOKUP = timedelta(seconds=6)
_ASK = timedelta(seconds=9)  # for the host's addresses
_PATIENCE = timedelta(seconds=1)  # with further voices, once there is an address


class Place(NamedTuple):
    """Where keys are looked for. who: whence the address is known, as a clause."""

    spot: Spot
    who: str


class Seen(NamedTuple):
    """The keys of one place."""

    place: Place
    keys: tuple[HostKey, ...]


def collect(world: World, host: Host, at: str | None, around: Around | None = None) -> tuple[Seen, ...]:
    """The keys of all types, at each place where an SSH server answers: in the house alone if it answers there.

    at: ADDRESS[:PORT] and nowhere else. around: the network's surroundings. Raises Trouble.
    """
    if at is not None:
        return _looked(world, host, _given(world, host, at))
    if host.lan is None:
        return _looked(world, host, _outside(world, host, around or Around()))
    try:
        return _looked(world, host, (Place(host.lan, _of_lan(world, host.lan)),))
    except Trouble as inside:
        if inside.kind is Kind.INTERRUPTED or not host.names:
            raise
        try:
            return _looked(world, host, _outside(world, host, around or Around()))
        except Trouble as outside:
            raise Trouble(outside.kind, f"in the house, {inside}; outside, {outside}") from None


def prove(world: World, host: Host, seen: Seen) -> HostKey:
    """Have the machine prove that it holds the best of its keys; gives that key. Raises Trouble."""
    key, spot = seen.keys[0], seen.place.spot
    fault = f"the machine at {spot} did not prove that it holds the key it shows"
    try:
        world.provers("paramiko").prove(_connected(spot), spot, Pins((key,)), _PROVE).close()
    except Stranger as stranger:
        raise Trouble(Kind.STRANGER, f"{fault}: {stranger}; nothing was pinned for {host.name}") from None
    except NotSsh as error:
        raise Trouble(Kind.NOT_SSH, f"{fault}: {error}; nothing was pinned for {host.name}") from None
    except (Unreachable, OSError) as error:
        why = error if isinstance(error, Unreachable) else reason_of(error)
        raise Trouble(Kind.UNREACHABLE, f"{fault}: {why}; nothing was pinned for {host.name}") from None
    return key


def _of_lan(world: World, lan: Spot) -> str:
    try:
        ours = [(str(one.address), one.prefix) for one in world.interfaces.addresses()]
    except Unreachable:
        ours = []
    if same_network(lan.ip, ours):
        return "its address in the house, from a machine in the same network: the safest way"
    return "its address in the house, but this machine is in another network"


def _given(world: World, host: Host, at: str) -> tuple[Place, ...]:
    """ADDRESS, ADDRESS:PORT, [IPV6]:PORT; a name is looked up."""
    at_lan = host.lan is not None and at.strip("[]") == host.lan.ip
    try:
        name, port = hostport.split(at, host.lan.port if at_lan and host.lan else host.port)
    except hostport.BadHostPort as error:
        raise Trouble(Kind.CONFIGURATION, f"--at is ADDRESS or ADDRESS:PORT: {error}") from None
    try:
        ips: Sequence[str] = (str(ip_address(name)),)
    except ValueError:
        ips = _lookup(world, name)
        if not ips:
            raise Trouble(Kind.NO_ADDRESS, f"{name} has no address here") from None
    return tuple(Place(Spot(ip, port), "given by --at") for ip in ips)


def _outside(world: World, host: Host, around: Around) -> tuple[Place, ...]:
    """Where the host's names lead now, and who says so."""
    who: dict[str, list[str]] = {name: ["laptop.toml"] for name in host.names if is_literal(name)}
    race = Locator(world, around).race(host.names)
    for word in _heard(world, race):
        if word.claim is not None and word.ip:
            who.setdefault(word.ip, []).append(word.claim.who)
        elif word.claim is None:
            world.say.line(word.text, Tone.WARN)
    if not who:
        names = ", ".join(host.names) or "it has no names in laptop.toml"
        why = race.missing or f"there is no address for {host.name} ({names})"
        raise Trouble(Kind.NO_ADDRESS, f"{why}; say where with --at ADDRESS")
    return tuple(
        Place(Spot(ip, host.port), f"named by {', '.join(dict.fromkeys(voices))}") for ip, voices in who.items()
    )


def _heard(world: World, race: Race) -> list[Word]:
    """What the ways say until all have ended, or for a while after the first address."""
    world.say.status(f"asking for {', '.join(race.names)}" if race.names else "")
    end = world.now() + _ASK
    while not race.done and world.now() < end:
        if world.ending.wait(0.05):
            raise Trouble(Kind.INTERRUPTED, "interrupted")
        if any(word.ip for word in race.words(0)):
            end = min(end, world.now() + _PATIENCE)
    return race.words(0)


def _lookup(world: World, name: str) -> tuple[str, ...]:
    try:
        return world.resolver.lookup(name, _LOOKUP)
    except Unreachable:
        return ()


def _looked(world: World, host: Host, places: Sequence[Place]) -> tuple[Seen, ...]:
    """Connect to all places, then look at those that answer, one after the other. Raises Trouble when none has keys."""
    by_spot = {place.spot: place for place in places}
    seen: list[Seen] = []
    faults: list[tuple[Kind, str]] = []
    with Dialler(timeout=_CONNECT.total_seconds()) as dialler:
        for spot in by_spot:
            dialler.add(spot)
        while dialler.left:
            if world.ending.is_set():
                raise Trouble(Kind.INTERRUPTED, "interrupted")
            ended = dialler.next(0.5)
            if ended is None:
                continue
            if ended.sock is None:
                faults.append((Kind.UNREACHABLE, f"{ended.spot}: {ended.reason}"))
                continue
            world.say.status(f"looking at {ended.spot}")
            try:
                seen.append(Seen(by_spot[ended.spot], shown_keys(_connector(ended.sock, ended.spot), _LOOK)))
            except NotSsh as error:
                faults.append((Kind.NOT_SSH, f"{ended.spot}: {error}"))
            except OSError as error:
                faults.append((Kind.UNREACHABLE, f"{ended.spot}: {reason_of(error)}"))
    world.say.status("")
    if not seen:
        kind = max(kind for kind, _ in faults)  # NOT_SSH says more than UNREACHABLE
        hint = f"; if it sleeps: ipwatch wake {host.name}" if host.wake is not None else ""
        raise Trouble(kind, f"no SSH server of {host.name} was found ({'; '.join(text for _, text in faults)}){hint}")
    return tuple(seen)


def _connector(first: socket.socket, spot: Spot) -> Callable[[], socket.socket]:
    """Gives the connection there is, then new ones."""
    ready = [first]
    return lambda: ready.pop() if ready else _connected(spot)


def _connected(spot: Spot) -> socket.socket:
    return socket.create_connection((spot.ip, spot.port), _CONNECT.total_seconds())
