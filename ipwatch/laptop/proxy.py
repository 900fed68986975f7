"""For ssh's ProxyCommand: a connection to the host at its current address, however that is found.

Standard library only until the first packet is under way; the full search, with everything it imports, begins when
what is known by heart (where it was last, its address at home, this machine's resolver) has not answered soon.

ssh proves the host's key by itself, before it sends a user name. It can not go on to another address, though, so the
proxy looks at the key a machine shows before it lets ssh near it. That costs a connection of its own; where the host
was seen a moment ago it is left out, so that a burst of ssh neither waits for it nor earns penalties of sshd's.
"""

import os
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from ipwatch.core.trouble import Kind, Trouble
from ipwatch.laptop.proxy_flight import Flight
from ipwatch.laptop.proxy_memory import Glances
from ipwatch.laptop.proxy_quest import Quest, dialled
from ipwatch.settings import laptop_place
from ipwatch.settings.laptop_quick import Quick, quick

# How long a look is good for. A stranger who gets the house's old address within it costs one failed ssh: the key is
# wrong, nothing was sent, and the next one looks again.
_FRESH = 20.0
_FRESH_DIAL = 2.0
_HELD = 3700.0  # how long to wait for another's search: the longest boot there may be (1 h) and a little


class Errand(NamedTuple):
    """What the command line says. port: 0 for that of laptop.toml."""

    host: str
    port: int = 0
    pass_fd: bool = False
    config: str | None = None
    quiet: bool = False

    def say(self, text: str) -> None:
        """A sentence for the person behind ssh; standard output is ssh's."""
        if not self.quiet:
            warn(text)


def warn(text: str) -> None:
    """The same, however quiet."""
    with suppress(OSError, ValueError, AttributeError):  # nobody reads it, or there is no standard error
        sys.stderr.write(f"ipwatch: {text}\n")
        sys.stderr.flush()


def run(errand: Errand, source: int = 0, sink: int = 1) -> int:
    """Connect and hand over to whoever is at these descriptors; raises Trouble, and OSError when nobody is."""
    sock = connected(errand)
    if errand.pass_fd:
        from ipwatch.net.handover import pass_socket, takes_sockets  # noqa: PLC0415 - see above

        if takes_sockets(sink):
            pass_socket(sock, sink)
            return 0
    from ipwatch.net.pump import pump  # noqa: PLC0415

    return 0 if pump(sock, source, sink) else int(Kind.NOT_WELL)


def connected(errand: Errand) -> socket.socket:
    """A connection to the host on which nothing was said yet; raises Trouble."""
    began = time.time()
    host, configured = _settings(errand)
    name = host.name if host.port == configured else f"{host.name}.{host.port}"
    glances = Glances(host.state, host.name, name)
    flight = Flight(host.state, f"proxy-{name}")
    try:
        while True:
            if (sock := _where_it_just_was(glances)) is not None:
                return sock
            if flight.take():
                break
            _wait(errand, flight, began)
        return _search(errand, host, glances, flight)
    finally:
        flight.leave()


def _settings(errand: Errand) -> tuple[Quick, int]:
    """What is known of the host, and the port laptop.toml gives it."""
    file = laptop_place.configuration(errand.config, os.environ, Path.cwd())
    found = quick(file, errand.host, os.environ, Path.cwd())
    if found is None:
        from ipwatch.laptop.proxy_find import quick_of, settings_of  # noqa: PLC0415 - see above

        found = quick_of(settings_of(errand.config), errand.host)
    return (found._replace(port=errand.port) if errand.port else found), found.port


def _where_it_just_was(glances: Glances) -> socket.socket | None:
    now = time.time()
    for spot, at in glances.seen()[:1]:
        if 0 <= now - at <= _FRESH:
            with suppress(OSError):
                return dialled(spot, _FRESH_DIAL)
    return None


def _wait(errand: Errand, flight: Flight, began: float) -> None:
    """Until the lock is free; raises the Trouble of whoever holds it."""
    said, end = "", time.monotonic() + _HELD
    while time.monotonic() < end:
        if (trouble := flight.trouble(began)) is not None:
            raise trouble
        if flight.take():
            return
        word = flight.word(began - _HELD)
        if word is not None and word.kind == 0 and word.text not in {said, "-"}:
            said = word.text
            errand.say(said)
        time.sleep(0.05)


def _search(errand: Errand, host: Quick, glances: Glances, flight: Flight) -> socket.socket:
    flight.say("-")

    def tell(text: str) -> None:
        flight.say(text)
        errand.say(text)

    try:
        quest = Quest(host, errand.config, glances, tell)
        try:
            spot, sock = quest.found()
        finally:
            quest.close()
    except Trouble as trouble:
        flight.say(str(trouble), int(trouble.kind))
        raise
    glances.note(spot)
    return sock
