"""SSH's binary packets (RFC 4253 6) over a socket that is never waited for, in the place of paramiko's Packetizer.

paramiko's own makes two system calls a packet to read, waits for the network with its lock held to write, and wakes up
ten times a second. Here reads take what has come, writes never block (what the kernel does not take waits)
and whoever reads runs `turn` in between, so that one thread serves a whole connection.
"""

import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from paramiko.message import Message
from paramiko.packet import NeedRekeyException
from paramiko.ssh_exception import SSHException

from ipwatch.net.ssh_cipher import Cipher, Clear, Forged, cipher

_BUFFER = 512 * 1024  # bytes
_READ = 256 * 1024  # bytes read at once
_TIGHT = 64 * 1024  # bytes: with less left at its end the buffer's content moves to its front
_LONGEST = 256 * 1024  # bytes of one packet (OpenSSH 9.2, packet.c, PACKET_MAX_SIZE)
_DATA = 94  # SSH_MSG_CHANNEL_DATA, RFC 4254 5.2
HEAD = 10  # bytes of a data packet before its data: padding length, type, channel, length
LOAD = 32768  # bytes of data in one packet (RFC 4253 6.1)


def data_packet() -> bytearray:
    """Room for one packet of data; the data itself belongs at HEAD."""
    return bytearray(HEAD + LOAD + 64)


class Packets:
    """One connection's packets in both directions. Any thread may send; one thread reads."""

    def __init__(self, sock: socket.socket, turn: Callable[[], None], rekey: int) -> None:
        self.closed = False
        self.lock = threading.Lock()
        self.heard = time.monotonic()
        self.reader = 0  # the thread that reads: what it sends is flushed at the end of its turn
        self.nudge: Callable[[], None] = lambda: None  # has the reader flush what another thread could not send
        self.carry: Callable[[bytes], bool] | None = None  # takes a data packet; False leaves it to the caller
        self._initial_kex_done = False  # set by paramiko
        self._sock = sock
        self._turn = turn
        self._rekey = rekey
        self._due = self._asked = False
        self._fresh = 0  # which directions have new keys: 1 out, 2 in
        self._out: list[bytes] = []
        self._rest: memoryview | None = None
        self._in = bytearray(_BUFFER)
        self._view = memoryview(self._in)
        self._start = self._end = 0
        self._sealer: Cipher = Clear()
        self._opener: Cipher = Clear()
        self._sent = self._received = 0  # bytes under the present keys
        self._out_number = self._in_number = 0

    # Reading: one thread.

    def read_message(self) -> tuple[int, Message]:
        """The next message that is not a channel's data; serves everything else in between."""
        while True:
            payload = self._next()
            if payload is None:
                if self._due and not self._asked:
                    self._asked = True
                    raise NeedRekeyException  # Transport.run then begins the exchange
                self._turn()
                continue
            number, self._in_number = self._in_number, (self._in_number + 1) & 0xFFFFFFFF
            if payload[1] == _DATA and self.carry is not None and self.carry(payload):
                continue
            message = Message(payload[2 : len(payload) - payload[0]])
            message.seqno = number
            return payload[1], message

    def _next(self) -> bytes | None:
        """The next packet, decrypted, its padding length first; None if it has not come yet."""
        try:
            took, packet = self._opener.open(self._view[self._start : self._end], self._in_number)
        except Forged as error:
            raise SSHException(str(error)) from None
        if packet is None:
            return None
        if len(packet) < 2 or len(packet) < packet[0] + 2:
            raise SSHException("a packet without content")
        self._start += took
        self._received += took
        self._due = self._due or self._received >= self._rekey
        return packet

    def fill(self) -> int:
        """Read what has come: how many bytes, 0 for none yet. Raises EOFError at the end of the connection."""
        if self._start == self._end:
            self._start = self._end = 0
        elif _BUFFER - self._end < _TIGHT:
            held = self._end - self._start
            self._in[:held] = self._in[self._start : self._end]
            self._start, self._end = 0, held
        try:
            count = self._sock.recv_into(self._view[self._end : self._end + _READ])
        except (BlockingIOError, InterruptedError):
            return 0
        if not count:
            raise EOFError
        self._end += count
        self.heard = time.monotonic()
        return count

    def line(self, longest: int) -> bytes | None:
        """A line of the text before the first packet, with its end; None if it is not complete."""
        held = bytes(self._view[self._start : self._end])
        at = held.find(b"\n")
        if at < 0 and len(held) < longest:
            return None
        got = held[: at + 1] if 0 <= at < longest else held[:longest]
        self._start += len(got)
        return got

    @property
    def peeked(self) -> bytes:
        """What has come and was not used yet."""
        return bytes(self._view[self._start : self._end])

    # Writing: any thread.

    @property
    def stuck(self) -> bool:
        """Whether the kernel does not take more at present."""
        return self._rest is not None

    def send_message(self, message: Message) -> None:
        """Send one message; never blocks. Raises EOFError when the connection has ended."""
        payload = message.asbytes()
        size = len(payload)
        packet = bytearray(1 + size + 64)
        packet[1 : 1 + size] = payload
        self._send(packet, size)

    def send_data(self, packet: bytearray, channel: int, size: int) -> None:
        """Send `size` bytes of a channel's data, which stand at HEAD in `packet` (data_packet)."""
        packet[1] = _DATA
        packet[2:6] = channel.to_bytes(4, "big")
        packet[6:HEAD] = size.to_bytes(4, "big")
        self._send(packet, HEAD - 1 + size)

    def _send(self, packet: bytearray, size: int) -> None:
        """size: of the payload, which begins at packet[1]."""
        with self.lock:
            if self.closed:
                raise EOFError
            took = self._sealer.seal(packet, size, self._out_number, self._out)
            self._out_number = (self._out_number + 1) & 0xFFFFFFFF
            self._sent += took
            self._due = self._due or self._sent >= self._rekey
            if threading.get_ident() == self.reader:
                return
            self._flush()
        if self.stuck:
            self.nudge()

    def write_all(self, data: bytes) -> None:
        """Send the version line."""
        with self.lock:
            self._out.append(data)
            self._flush()

    def flush(self) -> None:
        """Give the kernel what it takes now."""
        with self.lock:
            self._flush()

    def _flush(self) -> None:
        while not self.closed:
            if self._rest is None:
                if not self._out:
                    return
                self._rest = memoryview(self._out[0] if len(self._out) == 1 else b"".join(self._out))
                self._out.clear()
            try:
                count = self._sock.send(self._rest)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                raise EOFError from None
            self._rest = self._rest[count:] if count < len(self._rest) else None

    def close(self) -> None:
        """Close the socket; nobody else uses its descriptor at that moment."""
        with self.lock:
            self.closed = True
            self._sock.close()

    # What paramiko's Transport sets and asks (packet.py of paramiko 5.1).

    def set_outbound_cipher(self, *, iv_out: bytes | None = None, **keys: Any) -> None:
        """New keys for what is sent."""
        with self.lock:
            self._sealer = cipher(**keys, iv=iv_out)
            self._sent = 0
            self._renewed(1)

    def set_inbound_cipher(self, *, iv_in: bytes | None = None, **keys: Any) -> None:
        """New keys for what is read."""
        self._opener = cipher(**keys, iv=iv_in)
        self._received = 0
        self._renewed(2)

    def _renewed(self, direction: int) -> None:
        self._fresh |= direction
        if self._fresh == 3:
            self._fresh, self._due, self._asked = 0, False, False

    def need_rekey(self) -> bool:
        """Whether new keys are due."""
        return self._due

    def reset_seqno_out(self) -> None:
        """Count from 0 again ("strict kex", OpenSSH's PROTOCOL 1.10)."""
        self._out_number = 0

    def reset_seqno_in(self) -> None:
        """As reset_seqno_out."""
        self._in_number = 0

    def start_handshake(self, _within: float) -> None:
        """Deadlines are kept by whoever waits."""

    def complete_handshake(self) -> None:
        """See start_handshake."""

    def set_log(self, _log: Any) -> None:
        """Nothing is logged."""
