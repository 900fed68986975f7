"""What every channel does (RFC 4254 5): it opens, counts windows both ways and closes. ssh_stream and ssh_exec are the
two sorts there are. Every method but `ask` and `wait` runs in the connection's one thread (ssh_transport).
"""

import threading
import time
from typing import NamedTuple

from paramiko.message import Message

from ipwatch.core.window import Window
from ipwatch.net.ssh_connection import Connection, add_fields
from ipwatch.net.ssh_packets import LOAD

RTT = 0.05  # seconds: what a round trip is taken for before one was measured


class Failure(NamedTuple):
    """Why the far end did not open it: the reason of RFC 4254 5.1 (0: the link is gone) and its words."""

    code: int
    text: str


class Channel:
    """A channel of one connection."""

    def __init__(self, link: Connection) -> None:
        self.link = link
        self.peer = -1  # the other side's number
        self.room = 0  # bytes the other side still takes
        self.largest = LOAD
        self.failure: Failure | None = None
        self.window = Window()
        self.granted = self.window.size  # bytes the other side may still send
        self.waiting = 0  # bytes received that went nowhere yet
        self.number = link.add(self)
        self.settled = threading.Event()
        self._lock = threading.Lock()
        self._given_up = False
        self._sent_eof = self.sent_close = False
        self._asked = time.monotonic()

    def message(self, number: int) -> Message:
        """The begin of a message to the other side's end of it."""
        message = Message()
        message.add_byte(bytes((number,)))
        message.add_int(self.peer)
        return message

    # Opening.

    def ask(self, kind: str, *fields: str | int) -> None:
        """Ask the far end to open it. Raises EOFError."""
        message = Message()
        message.add_byte(b"\x5a")
        message.add_string(kind)
        for value in (self.number, self.granted, LOAD):
            message.add_int(value)
        add_fields(message, fields)
        self.link.send(message)

    def accept(self, peer: int, room: int, largest: int) -> None:
        """Open the one the far end asked for."""
        self.peer, self.room, self.largest = peer, room, min(largest, LOAD)
        message = self.message(91)
        for value in (self.number, self.granted, LOAD):
            message.add_int(value)
        self.link.say(message)
        self.begin()

    def wait(self, within: float) -> bool:
        """Whether it opened or failed in time; when not it is given up."""
        if self.settled.wait(max(0.0, within)):
            return True
        with self._lock:
            if self.settled.is_set():
                return True
            self._given_up = True
            return False

    def opened(self, peer: int, room: int, largest: int) -> None:
        """The far end opened it."""
        self.link.took(time.monotonic() - self._asked)
        self.peer, self.room, self.largest = peer, room, min(largest, LOAD)
        with self._lock:
            if not self._given_up:
                self.begin()
                self.settled.set()
                return
        self.close()

    def failed(self, code: int, text: str) -> None:
        """The far end did not open it."""
        self.failure = Failure(code, text)
        self.link.drop(self.number)
        self.settled.set()

    def begin(self) -> None:
        """It is open."""

    # Windows.

    def credit(self, count: int) -> None:
        """So many bytes went where they belong: let the other side send more."""
        self.waiting -= count
        size = self.window.delivered(time.monotonic(), count, self.link.rtt or RTT)
        more = size - self.granted - self.waiting
        if more >= size // 8 and not self.sent_close:
            self.granted += more
            message = self.message(93)
            message.add_int(more)
            self.link.say(message)

    def grew(self, count: int) -> None:
        """The other side takes so many more."""
        self.room += count

    def data(self, view: memoryview) -> None:
        """Bytes came."""

    def extended(self, _kind: int, content: bytes) -> None:
        """Bytes of another stream came; a carried connection has none."""
        self.granted -= len(content)
        self.waiting += len(content)
        self.credit(len(content))

    # Ending.

    def send_eof(self) -> None:
        """Nothing more will be sent."""
        if not (self._sent_eof or self.sent_close):
            self._sent_eof = True
            self.link.say(self.message(96))

    def close(self) -> None:
        """Close our side; it is over when the other side has closed, too."""
        if not self.sent_close:
            self.sent_close = True
            self.link.say(self.message(97))

    def eof(self) -> None:
        """The other side sends nothing more."""

    def closed(self) -> None:
        """The other side closed it."""
        self.close()
        self.link.drop(self.number)

    def lost(self) -> None:
        """The connection is gone."""
        self.failure = self.failure or Failure(0, self.link.reason())
        self.settled.set()

    def request(self, _kind: str, want: bool, _m: Message) -> None:
        """The other side asks something of it."""
        if want:
            self.link.say(self.message(100))

    def reply(self, ok: bool) -> None:
        """The answer to a request of ours."""
