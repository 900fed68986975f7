"""The local listeners of one tunnel. They stay open through every loss of the link.

A connection that comes while there is no link is held, for a while and up to a number, and served when the link is
back; one whose link dies before its channel was open is held again: none of its bytes were touched. Everything else
that breaks is reset, so that clients try again at once instead of waiting.
"""

import selectors
import socket
import struct
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import NamedTuple

from ipwatch.core.forward import Forward, Sort, Target
from ipwatch.core.trouble import Kind, Trouble
from ipwatch.laptop import socks
from ipwatch.net import listen
from ipwatch.ports import Refused, Unreachable
from ipwatch.ports.remote import Link

HOLD = timedelta(seconds=20)  # a browser has given up by then
HELD_MOST = 32
KNOCK = timedelta(seconds=4)  # between two knocks while somebody is held; as Rules.wake_look
OPEN_WITHIN = timedelta(seconds=30)  # for the far end's own connect (OpenSSH's server waits for its kernel's)


class Waiting(NamedTuple):
    """A connection without a channel. until: by the monotonic clock."""

    client: socket.socket
    target: Target
    socks: bool
    until: timedelta


class Events(NamedTuple):
    """What the forwarder tells. knocked: somebody waits for a link. said: a sentence for the user."""

    knocked: Callable[[], None]
    said: Callable[[str], None]


class Forwarder:
    """Listens for one host. now: the monotonic clock."""

    def __init__(self, now: Callable[[], timedelta], events: Events) -> None:
        self._now = now
        self._events = events
        self._lock = threading.Lock()
        self._link: Link | None = None
        self._held: list[Waiting] = []
        self._open = 0
        self._served = 0
        self._full_told = False
        self._knocked = timedelta()
        self._closed = False
        self._listening: list[tuple[Forward, list[socket.socket]]] = []
        self._selector = selectors.DefaultSelector()
        self._poke_in, self._poke_out = socket.socketpair()
        self._poke_in.setblocking(False)
        self._selector.register(self._poke_in, selectors.EVENT_READ)
        self._acceptor = threading.Thread(target=self._accept, name="listeners", daemon=True)
        self._opening: set[threading.Thread] = set()

    @property
    def counts(self) -> tuple[int, int, int]:
        """Connections carried now, held now, and carried since the start."""
        with self._lock:
            return self._open, len(self._held), self._served

    @property
    def forwards(self) -> Sequence[Forward]:
        """What is listened for."""
        return tuple(forward for forward, _ in self._listening)

    def start(self) -> None:
        """Begin to accept."""
        self._acceptor.start()

    def add(self, forward: Forward) -> None:
        """Open a forward's listeners; raises Trouble."""
        try:
            sockets = listen.listen(forward.bind, forward.port)
        except OSError as error:
            twin = next((held.name for held, _ in self._listening if held.port == forward.port != 0), "")
            why = f"port {forward.port} is that of {twin}" if twin else str(error)
            raise Trouble(Kind.PORT_TAKEN, f"{forward.name}: {why}") from None
        with self._lock:
            self._listening.append((forward, sockets))
            for sock in sockets:
                self._selector.register(sock, selectors.EVENT_READ, forward)
        self._poke()

    def up(self, link: Link) -> None:
        """There is a link: serve what was held."""
        with self._lock:
            self._link, held, self._held = link, self._held, []
            self._full_told = False
        for one in held:
            if hung_up(one.client):
                one.client.close()
            else:
                self._begin(partial(self._serve, one))

    def down(self) -> None:
        """There is no link."""
        with self._lock:
            self._link = None

    def tick(self) -> None:
        """Give up on what was held too long, and knock again for the others; called a few times a second."""
        now = self._now()
        with self._lock:
            late = [one for one in self._held if one.until <= now]
            again = [one for one in self._held if one.until > now] if self._link is not None else []
            self._held = [] if again else [one for one in self._held if one.until > now]
            knock = bool(self._held) and now - self._knocked >= KNOCK
        if knock:  # the pauses between two searches grow; nobody who is held waits for one in vain
            self._knock()
        for one in late:
            self._turn_away(one, socks.Reply.HOST_UNREACHABLE)
        for one in again:  # the link was lost and found between two looks of theirs
            self._begin(partial(self._serve, one))

    def close(self, within: float = 5.0) -> None:
        """Stop listening, reset what is held; what is carried is the link's. Waits for its threads."""
        with self._lock:
            self._closed, self._link, held, self._held = True, None, self._held, []
        self._poke()
        if self._acceptor.is_alive():
            self._acceptor.join(within)
        for one in held:
            self._turn_away(one, socks.Reply.FAILURE)
        for _, sockets in self._listening:
            listen.close(sockets)
        for thread in list(self._opening):
            thread.join(within)
        self._selector.close()
        self._poke_in.close()
        self._poke_out.close()

    def _poke(self) -> None:
        with suppress(OSError):
            self._poke_out.send(b"!")

    def _accept(self) -> None:
        while not self._closed:
            for key, _ in self._selector.select():
                if key.data is None:
                    with suppress(OSError):
                        self._poke_in.recv(4096)
                elif not self._closed:
                    self._take(key.fileobj, key.data)  # type: ignore[arg-type]

    def _take(self, listener: socket.socket, forward: Forward) -> None:
        try:
            client, _ = listener.accept()
        except OSError:  # it went away again, or no file descriptor is left: the backlog keeps the others
            threading.Event().wait(0.02)
            return
        client.setblocking(True)
        if client.family != getattr(socket, "AF_UNIX", None):
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._begin(partial(self._welcome, client, forward))

    def _begin(self, act: Callable[[], None]) -> None:
        def run() -> None:
            try:
                act()
            finally:
                with self._lock:
                    self._opening.discard(thread)

        thread = threading.Thread(target=run, name="connection", daemon=True)
        with self._lock:
            self._opening.add(thread)
        thread.start()

    def _welcome(self, client: socket.socket, forward: Forward) -> None:
        until = self._now() + HOLD
        if forward.sort is Sort.SOCKS:
            target = socks.welcome(client, lambda why: self._events.said(f"{forward.name}: {why}"))
            if target is None:
                return
            self._serve(Waiting(client, target, socks=True, until=until))
        elif forward.target is not None:
            self._serve(Waiting(client, forward.target, socks=False, until=until))

    def _serve(self, one: Waiting) -> None:
        """Carry it, or hold it until there is a link."""
        with self._lock:
            link = self._link
            self._open += link is not None
        if link is None:
            self._hold(one)
            return
        greeting = socks.reply(socks.Reply.SUCCEEDED) if one.socks else b""
        try:
            link.carry(one.client, one.target, OPEN_WITHIN, greeting=greeting, ended=self._ended)
        except Refused as error:
            self._ended()
            text, target = str(error), str(one.target)
            self._events.said(text if target in text else f"{target} can not be reached from there: {text}")
            self._turn_away(one, socks.Reply.REFUSED)
        except Unreachable:
            self._ended()
            self._hold(one)
        else:
            with self._lock:
                self._served += 1

    def _ended(self) -> None:
        with self._lock:
            self._open -= 1

    def _hold(self, one: Waiting) -> None:
        """Put it among the held, or turn it away when there are too many or its time is over."""
        with self._lock:
            full = len(self._held) >= HELD_MOST
            held = not (full or self._closed or one.until <= self._now())
            if held:
                self._held.append(one)
            tell, self._full_told = full and not self._full_told, self._full_told or full
        if held:
            self._knock()
            return
        if tell:
            self._events.said(f"{HELD_MOST} connections wait for the link, further ones are reset")
        self._turn_away(one, socks.Reply.HOST_UNREACHABLE)

    def _knock(self) -> None:
        self._knocked = self._now()
        self._events.knocked()

    def _turn_away(self, one: Waiting, code: socks.Reply) -> None:
        if one.socks:
            socks.turn_away(one.client, code)
        else:
            reset(one.client)


def hung_up(client: socket.socket) -> bool:
    """Whether a client that waited has ended without a word: the far end's program need not hear of it."""
    try:
        client.setblocking(False)
        return client.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        with suppress(OSError):
            client.setblocking(True)


def reset(client: socket.socket) -> None:
    """Close with a TCP RST, so that the client knows at once."""
    with suppress(OSError):
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
