"""Sealing and opening packets: AES-GCM (RFC 5647 as OpenSSH has it, PROTOCOL 1.6), AES-CTR with HMAC before or after
(RFC 4344, PROTOCOL 1.5), and none before the first keys. Pure: bytes and keys in, bytes out."""

import hmac
from collections.abc import Callable
from typing import Any, Protocol

_LONGEST = 256 * 1024  # bytes of one packet (OpenSSH 9.2, packet.c, PACKET_MAX_SIZE)


class Forged(Exception):
    """The packet was not sealed with our keys, or is no packet."""


class Cipher(Protocol):
    """One direction's protection."""

    def seal(self, packet: bytearray, size: int, number: int, out: list[bytes]) -> int:
        """Append the packet on the wire to `out`; how many bytes it takes. packet: a free byte, then the payload of
        `size` bytes, then room for 64 more."""
        ...

    def open(self, view: memoryview, number: int) -> tuple[int, bytes | None]:
        """The packet at the begin of `view` (padding length, payload, padding) and how many bytes it took; None when
        it is not complete. Raises Forged."""
        ...


def _pad(packet: bytearray, size: int, outside: int, block: int) -> int:
    """Write the padding; gives the length of the padded packet. outside: bytes of the length field that are encrypted
    along and count (RFC 4253 6)."""
    padding = 4 + -(outside + 5 + size) % block
    end = 1 + size
    packet[0] = padding
    packet[end : end + padding] = bytes(padding)
    return end + padding


def _length(view: memoryview) -> int:
    length = int.from_bytes(view[:4], "big")
    if not 5 <= length <= _LONGEST:
        raise Forged(f"a packet of {length} bytes")
    return length


class Clear:
    """No protection, before the first keys."""

    def seal(self, packet: bytearray, size: int, number: int, out: list[bytes]) -> int:  # noqa: ARG002
        """See Cipher."""
        length = _pad(packet, size, 4, 8)
        out.append(length.to_bytes(4, "big") + packet[:length])
        return 4 + length

    def open(self, view: memoryview, number: int) -> tuple[int, bytes | None]:  # noqa: ARG002
        """See Cipher."""
        if len(view) < 4 or len(view) < 4 + _length(view):
            return 0, None
        end = 4 + _length(view)
        return end, bytes(view[4:end])


class Gcm:
    """AES-GCM: the length is authenticated, not hidden; the nonce's last eight bytes count the packets."""

    def __init__(self, engine: Any, nonce: bytes) -> None:
        self._engine = engine
        self._fixed = nonce[:4]
        self._count = int.from_bytes(nonce[4:], "big")

    def _nonce(self) -> bytes:
        nonce = self._fixed + self._count.to_bytes(8, "big")
        self._count = (self._count + 1) & 0xFFFFFFFFFFFFFFFF
        return nonce

    def seal(self, packet: bytearray, size: int, number: int, out: list[bytes]) -> int:  # noqa: ARG002
        """See Cipher."""
        length = _pad(packet, size, 0, 16)
        head = length.to_bytes(4, "big")
        out += (head, self._engine.encrypt(self._nonce(), memoryview(packet)[:length], head))
        return length + 20

    def open(self, view: memoryview, number: int) -> tuple[int, bytes | None]:  # noqa: ARG002
        """See Cipher."""
        if len(view) < 4:
            return 0, None
        end = 20 + _length(view)
        if len(view) < end:
            return 0, None
        try:
            return end, self._engine.decrypt(self._nonce(), view[4:end], view[:4])
        except Exception as error:  # cryptography's InvalidTag and ValueError, which only net.ssh's parts would know
            raise Forged("a packet that was not sealed with our keys") from error


class Ctr:
    """AES-CTR with an HMAC over the sealed packet (etm) or over the packet itself."""

    def __init__(self, engine: Any, digest: Callable[..., Any], size: int, key: bytes, *, etm: bool) -> None:
        self._engine = engine
        self._digest, self._size, self._key = digest, size, key
        self._etm = etm
        self._first = b""  # the first block of a packet that is not complete, decrypted

    def _mac(self, number: int, content: bytes) -> bytes:
        return hmac.digest(self._key, number.to_bytes(4, "big") + content, self._digest)[: self._size]

    def seal(self, packet: bytearray, size: int, number: int, out: list[bytes]) -> int:
        """See Cipher."""
        length = _pad(packet, size, 0 if self._etm else 4, 16)
        head, body = length.to_bytes(4, "big"), bytes(packet[:length])
        if self._etm:
            sealed = head + self._engine.update(body)
            mac = self._mac(number, sealed)
        else:
            sealed = self._engine.update(head + body)
            mac = self._mac(number, head + body)
        out += (sealed, mac)
        return len(sealed) + len(mac)

    def open(self, view: memoryview, number: int) -> tuple[int, bytes | None]:
        """See Cipher."""
        return self._open_etm(view, number) if self._etm else self._open_plain(view, number)

    def _open_etm(self, view: memoryview, number: int) -> tuple[int, bytes | None]:
        if len(view) < 4:
            return 0, None
        end = 4 + _length(view)
        if len(view) < end + self._size:
            return 0, None
        self._check(number, bytes(view[:end]), view[end : end + self._size])
        return end + self._size, self._engine.update(view[4:end])

    def _open_plain(self, view: memoryview, number: int) -> tuple[int, bytes | None]:
        if len(view) < 16:
            return 0, None
        if not self._first:
            self._first = self._engine.update(view[:16])
        end = 4 + _length(memoryview(self._first))
        if len(view) < end + self._size:
            return 0, None
        packet = self._first + self._engine.update(view[16:end])
        self._first = b""
        self._check(number, packet, view[end : end + self._size])
        return end + self._size, packet[4:]

    def _check(self, number: int, content: bytes, mac: memoryview) -> None:
        if not hmac.compare_digest(self._mac(number, content), mac):
            raise Forged("a packet that was not sealed with our keys")


def cipher(*, block_engine: Any, mac_engine: Any, mac_size: int, mac_key: bytes, iv: bytes | None, etm: bool = False,
           **_rest: Any) -> Cipher:  # fmt: skip
    """The protection paramiko has agreed on, in its words. iv: the first nonce, for AES-GCM only."""
    return Gcm(block_engine, iv) if iv is not None else Ctr(block_engine, mac_engine, mac_size, mac_key, etm=etm)
