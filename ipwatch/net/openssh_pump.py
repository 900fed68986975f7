"""Carries, for every connection of one ssh, what comes from the far end: one thread, no copies where splice(2) is.

ssh reads the client's socket itself. It writes into a pipe, so that the far end's end-of-file can be told: ssh closes
its end of the pipe, but its copy of a socket it was passed tells the client nothing.
"""

import os
import select
import selectors
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from ipwatch.net.openssh_mux import MuxConnection
from ipwatch.ports import Unreachable
from ipwatch.protocols import ssh_mux
from ipwatch.protocols.ssh_mux import Done

PIPE = 256 * 1024  # of the 64 MiB all pipes of a user may take (pipe(7)), so that 200 connections fit
_TURNS = 16  # pieces before the others have their turn


class Mover(Protocol):
    """Moves bytes from a pipe to a socket."""

    def move(self) -> int:
        """How many were moved, 0 at the pipe's end; raises BlockingIOError when one of them is not ready."""
        ...

    @property
    def holds(self) -> bool:
        """Whether something waits for the socket."""
        ...


class Spliced:
    """By splice(2)."""

    def __init__(self, pipe: int, client: socket.socket) -> None:
        self._pipe, self._client = pipe, client.fileno()
        self._look = select.poll()
        self._look.register(pipe, select.POLLIN)

    def move(self) -> int:
        return os.splice(self._pipe, self._client, PIPE, flags=os.SPLICE_F_NONBLOCK | os.SPLICE_F_MOVE)

    @property
    def holds(self) -> bool:
        return bool(self._look.poll(0))


class Copied:
    """By read and send, where there is no splice."""

    def __init__(self, pipe: int, client: socket.socket) -> None:
        self._pipe, self._client = pipe, client
        self._held = memoryview(b"")
        os.set_blocking(pipe, False)

    def move(self) -> int:
        if not self._held:
            self._held = memoryview(os.read(self._pipe, PIPE))
        if not self._held:
            return 0
        sent = self._client.send(self._held)
        self._held = self._held[sent:]
        return sent

    @property
    def holds(self) -> bool:
        return bool(self._held)


def best_mover(pipe: int, client: socket.socket) -> Mover:
    """What this system has."""
    return Spliced(pipe, client) if hasattr(os, "splice") else Copied(pipe, client)


class Carried:
    """One connection. All of it runs in the pump's thread."""

    def __init__(self, client: socket.socket, pipe: int, mux: MuxConnection, mover: Mover,
                 ended: Callable[[], None]) -> None:  # fmt: skip
        self.client, self.pipe, self.mux, self.mover, self.ended = client, pipe, mux, mover, ended
        self.shut = False  # the far end's end-of-file was passed on
        self.done = False  # ssh has let go of it

    def reset(self) -> None:
        """End it with a reset."""
        with suppress(OSError):
            self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        """Let go of everything."""
        self.client.close()
        self.mux.close()
        if self.pipe >= 0:
            os.close(self.pipe)
            self.pipe = -1
        self.ended()


class Pump:
    """The thread. control: a connection to ssh's control socket that is this pump's own: when it ends, ssh has."""

    def __init__(self, control: MuxConnection, lost: Callable[[], None]) -> None:
        self._control, self._lost = control, lost
        self._selector = selectors.DefaultSelector()
        self._new: deque[Carried] = deque()
        self._lock = threading.Lock()
        self._over = False
        self._all: set[Carried] = set()
        self._asked: dict[int, Carried] = {}
        self._number = 0
        self._bell, self._ear = socket.socketpair()
        for sock in (self._bell, self._ear, control.sock):
            sock.setblocking(False)
        self._selector.register(self._ear, selectors.EVENT_READ, self._take_new)
        self._selector.register(control.sock, selectors.EVENT_READ, self._hear)
        self._thread = threading.Thread(target=self._run, name="openssh-pump", daemon=True)
        self._thread.start()

    def add(self, carried: Carried) -> None:
        """Carry it from now on; raises Unreachable when ssh has ended (then it is still the caller's)."""
        with self._lock:
            if self._over:
                raise Unreachable("the link is lost")
            self._new.append(carried)
            with suppress(BlockingIOError):  # it has been rung already
                self._bell.send(b"\0")

    def join(self, within: float) -> None:
        """Wait for its end."""
        self._thread.join(within)

    def _run(self) -> None:
        try:
            while not self._over:
                for key, _ in self._selector.select():
                    key.data()
        finally:
            self._finish()
            self._lost()

    def _finish(self) -> None:
        with self._lock:
            self._over = True
            self._all.update(self._new)
        for carried in self._all:
            carried.reset()
        self._selector.close()
        for sock in (self._bell, self._ear):
            sock.close()
        self._control.close()

    def _take_new(self) -> None:
        self._ear.recv(4096)
        while self._new:
            carried = self._new.popleft()
            self._all.add(carried)
            self._watch(carried.pipe, selectors.EVENT_READ, lambda c=carried: self._flow(c))
            self._watch(carried.mux.sock, selectors.EVENT_READ, lambda c=carried: self._let_go(c))

    def _watch(self, what: int | socket.socket, event: int, act: Callable[[], None]) -> None:
        self._selector.register(what, event, act)

    def _unwatch(self, *whats: int | socket.socket) -> None:
        for what in whats:
            with suppress(KeyError, ValueError):
                self._selector.unregister(what)

    def _flow(self, carried: Carried) -> None:
        """Move what there is; then wait for the pipe, or for the client when that is what is full."""
        if carried not in self._all or carried.pipe < 0:
            return
        try:
            for _ in range(_TURNS):
                if not carried.mover.move():
                    self._ask(carried)
                    return
        except BlockingIOError:
            pass
        except OSError:  # the client is gone
            self._drop(carried)
            return
        self._unwatch(carried.pipe, carried.client)
        waits = carried.mover.holds
        self._watch(carried.client if waits else carried.pipe, selectors.EVENT_WRITE if waits else selectors.EVENT_READ,
                    lambda: self._flow(carried))  # fmt: skip

    def _ask(self, carried: Carried) -> None:
        """The pipe has ended: by the far end's end-of-file, or because ssh is gone? Only a living ssh answers."""
        self._unwatch(carried.pipe, carried.client)
        os.close(carried.pipe)
        carried.pipe = -1
        self._number += 1
        self._asked[self._number] = carried
        with suppress(Unreachable):  # then the control connection's end is the answer
            self._control.send(ssh_mux.alive(self._number))

    def _hear(self) -> None:
        try:
            if not self._control.receive(None):
                self._over = True
        except Unreachable:
            self._over = True
        for reply in self._control.taken():
            if isinstance(reply, Done) and (carried := self._asked.pop(reply.request, None)) in self._all:
                assert carried is not None  # noqa: S101 - it is in the set
                self._shut(carried)

    def _shut(self, carried: Carried) -> None:
        carried.shut = True
        with suppress(OSError):
            carried.client.shutdown(socket.SHUT_WR)
        if carried.done:
            self._drop(carried)

    def _let_go(self, carried: Carried) -> None:
        """Something from ssh about this connection: its end, nothing else is ever said."""
        if carried not in self._all:
            return
        self._unwatch(carried.mux.sock)
        carried.done = True
        if carried.shut:
            self._drop(carried)

    def _drop(self, carried: Carried) -> None:
        if carried in self._all:
            self._all.discard(carried)
            self._unwatch(carried.mux.sock, carried.client, *([carried.pipe] if carried.pipe >= 0 else []))
            carried.close()
