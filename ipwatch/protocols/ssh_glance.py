"""The beginning of SSH's key exchange, as far as a look at the server's host key needs it (RFC 4253, without I/O).

We say who we are, offer algorithms, send a public value and read the host key out of the answer. The value is random
bytes and its secret is nobody's: nothing can follow on such a connection, and the signature in the answer is not
verified. So a key seen here proves nothing; it tells which machine is worth a real proof.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from ipwatch.core.host import KINDS, HostKey

IDENTIFICATION = b"SSH-2.0-ipwatch\r\n"  # RFC 4253 4.2
CHANCE = 16 + 255  # random octets a glance needs: the cookie (RFC 4253 7.1) and the public value

_LONGEST_IDENTIFICATION = 255  # octets with CR LF (RFC 4253 4.2)
_LONGEST_PREFACE = 32768  # octets of lines before it; RFC 4253 4.2 names no limit
_LONGEST_PACKET = 35000  # octets of a whole packet (RFC 4253 6.1)
_SHORTEST_PACKET = 16  # octets (RFC 4253 6)
_BLOCK = 8  # a packet's length is a multiple of that while no cipher is agreed on (RFC 4253 6)
_MOST_PACKETS = 16  # read before the answer; the answer is the second, debug messages and the like may come between

# Message numbers: RFC 4253 12, RFC 5656 7.1 (an ECDH exchange has the numbers of the DH exchange, RFC 4253 8).
_DISCONNECT, _KEXINIT, _KEX_INIT, _KEX_REPLY = 1, 20, 30, 31
_GEX_GROUP, _GEX_INIT, _GEX_REPLY, _GEX_REQUEST = 31, 32, 33, 34  # RFC 4419 5
_GEX = "diffie-hellman-group-exchange-sha256"  # the server chooses the group
_GEX_SIZES = b"".join(bits.to_bytes(4) for bits in (2048, 3072, 8192))  # of it: least, best, most (RFC 4419 3)

# RFC 4253 7.1: cipher, MAC and compression are offered, for both directions, since the lists must agree. Never used.
_CIPHERS = ("aes128-ctr", "aes256-ctr", "chacha20-poly1305@openssh.com", "aes128-gcm@openssh.com",
            "aes256-gcm@openssh.com", "aes128-cbc", "aes256-cbc")  # fmt: skip
_MACS = ("hmac-sha2-256", "hmac-sha2-512", "hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com",
         "umac-128-etm@openssh.com", "umac-128@openssh.com", "hmac-sha1")  # fmt: skip
_COMPRESSIONS = ("none", "zlib@openssh.com", "zlib")

SK_KINDS = ("sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com")  # OpenSSH's PROTOCOL.u2f (2026-11)
ALL_KINDS = (*KINDS, *SK_KINDS)


class NoGlance(ValueError):
    """The other side does not show a host key; str() is a clause ("it speaks HTTP")."""


def packet(payload: bytes) -> bytes:
    """One packet of the binary protocol before any cipher: length, padding length, payload, padding (RFC 4253 6)."""
    padding = _BLOCK - (len(payload) + 5) % _BLOCK
    padding += _BLOCK if padding < 4 else 0  # at least four octets
    return (len(payload) + padding + 1).to_bytes(4) + bytes([padding]) + payload + bytes(padding)


def _string(value: bytes) -> bytes:
    """RFC 4251 5."""
    return len(value).to_bytes(4) + value


def _names(names: Sequence[str]) -> bytes:
    """A name-list (RFC 4251 5)."""
    return _string(",".join(names).encode("ascii", "replace"))


# The base points of NIST P-256, P-384 and P-521, uncompressed (SEC 2 version 2.0, 2.4.2, 2.5.1 and 2.6.1): points of
# the curve, which random bytes are not, and the server checks.
_P256_POINT = bytes.fromhex(
    "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
)
_P384_POINT = bytes.fromhex(
    "04aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab7"
    "3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5f"
)
_P521_POINT = bytes.fromhex(
    "0400c6858e06b70404e9cd9e3ecb662395b4429c648139053fb521f828af606b4d3dbaa14b5e77efe75928fe1dc127a2ffa8de3348b3"
    "c1856a429bf97e7e31c2e5bd66011839296a789a3bc0045c8a5fb42c7d1bd998f54449579b446817afbd17273e662c97ee72995ef426"
    "40c550b9013fad0761353c7086a272c24088be94769fd16650"
)
_ML_KEM_768 = 1184  # octets of its public value (FIPS 203, table 3)
_SNTRUP761 = 1158  # the same (draft-ietf-sshm-ntruprime-ssh)


def _x25519_value(chance: bytes) -> bytes:
    return _string(chance[:32])  # any 32 octets are a public key (RFC 7748 5); as Q_C: RFC 8731 3


def _point(point: bytes) -> Callable[[bytes], bytes]:
    return lambda _chance: _string(point)  # as Q_C: RFC 5656 4


def _hybrid(octets: int) -> Callable[[bytes], bytes]:
    # As C_INIT: a lattice's public value, for which nought will do and random bytes will not, then one of X25519
    # (draft-ietf-sshm-mlkem-hybrid-kex-03, draft-ietf-sshm-ntruprime-ssh).
    return lambda chance: _string(bytes(octets) + chance[:32])


def _group_value(chance: bytes) -> bytes:
    # As e, an mpint (RFC 4253 8): positive, and below p of groups 14, 16 and 18, which have 256 octets and more.
    return _string(b"\x01" + chance[:254])


# In the order of our choice. RFC 8731, its name before the RFC, RFC 5656 10.1, RFC 8268, and the two drafts (the second
# under OpenSSH's name, too).
_EXCHANGES: dict[str, Callable[[bytes], bytes]] = {
    "curve25519-sha256": _x25519_value,
    "curve25519-sha256@libssh.org": _x25519_value,
    "ecdh-sha2-nistp256": _point(_P256_POINT),
    "ecdh-sha2-nistp384": _point(_P384_POINT),
    "ecdh-sha2-nistp521": _point(_P521_POINT),
    "diffie-hellman-group14-sha256": _group_value,
    "diffie-hellman-group16-sha512": _group_value,
    "diffie-hellman-group18-sha512": _group_value,
    "mlkem768x25519-sha256": _hybrid(_ML_KEM_768),
    "sntrup761x25519-sha512": _hybrid(_SNTRUP761),
    "sntrup761x25519-sha512@openssh.com": _hybrid(_SNTRUP761),
    _GEX: lambda _chance: _GEX_SIZES,
}


def algorithms(kind: str) -> tuple[str, ...]:
    """The host key algorithms under which a key of that type is asked for: for RSA those with SHA-2 (RFC 8332 3)."""
    return ("rsa-sha2-512", "rsa-sha2-256") if kind == "ssh-rsa" else (kind,)


def kexinit(cookie: bytes, kinds: Sequence[str]) -> bytes:
    """Our side of the negotiation (RFC 4253 7.1). cookie: 16 random octets; kinds: key types, best first."""
    host_keys = [name for kind in kinds for name in algorithms(kind)]
    lists = (tuple(_EXCHANGES), host_keys, _CIPHERS, _CIPHERS, _MACS, _MACS, _COMPRESSIONS, _COMPRESSIONS, (), ())
    follows_and_reserved = bytes(1 + 4)
    return bytes([_KEXINIT]) + cookie + b"".join(_names(names) for names in lists) + follows_and_reserved


class Offer(NamedTuple):
    """The server's side of the negotiation."""

    exchanges: tuple[str, ...]
    host_keys: tuple[str, ...]

    @property
    def kinds(self) -> tuple[str, ...]:
        """The key types it has and we can ask for, best first."""
        return tuple(kind for kind in ALL_KINDS if any(name in self.host_keys for name in algorithms(kind)))


class _Reader:
    """Takes the fields of a message; what is not there is a NoGlance."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def take(self, count: int) -> bytes:
        if count > len(self._data):
            raise NoGlance("it sends a broken message in the key exchange")
        taken, self._data = self._data[:count], self._data[count:]
        return taken

    def string(self) -> bytes:
        return self.take(int.from_bytes(self.take(4)))

    def names(self) -> tuple[str, ...]:
        return tuple(self.string().decode("ascii", "replace").split(","))


def read_kexinit(payload: bytes) -> Offer:
    """Read SSH_MSG_KEXINIT (RFC 4253 7.1); raises NoGlance."""
    reader = _Reader(payload)
    reader.take(1 + 16)  # the number and the cookie
    return Offer(reader.names(), reader.names())


def read_reply(payload: bytes) -> HostKey:
    """The host key K_S of SSH_MSG_KEX_ECDH_REPLY or SSH_MSG_KEXDH_REPLY (RFC 5656 4, RFC 4253 8); raises NoGlance."""
    reader = _Reader(payload)
    reader.take(1)
    blob = reader.string()
    return HostKey(_Reader(blob).string().decode("ascii", "replace"), blob)  # the type stands in it (RFC 4253 6.6)


class Glance:
    """One look: send `hello`, give `receive` whatever comes and send what it returns, until `key` is there.

    kinds: the types wanted, best first, () for all. A server that has none of them shows one of another type: that is
    a machine with another key, not one without. identified: whether it has said that it speaks SSH 2. offer: what the
    server can, once it has said so.
    """

    def __init__(self, kinds: Sequence[str], chance: bytes) -> None:
        if len(chance) != CHANCE:
            raise ValueError(f"a glance needs {CHANCE} random octets")
        self._kinds = (*kinds, *(kind for kind in ALL_KINDS if kind not in kinds))
        self._value = chance[16:]
        self._buffer = bytearray()
        self.identified = False
        self._packets = 0
        self._expected = ""
        self._asks, self._shows = _KEX_INIT, _KEX_REPLY  # the messages of the exchange
        self.hello = IDENTIFICATION + packet(kexinit(chance[:16], self._kinds))
        self.offer: Offer | None = None
        self.key: HostKey | None = None

    def receive(self, data: bytes) -> bytes:
        """Take what came; gives what is to be sent, b"" for nothing. Raises NoGlance."""
        self._buffer += data
        if not self.identified:
            self._identify()
        answer = b""
        while self.key is None and self.identified and (payload := self._packet()):
            answer += self._message(payload)
        return answer

    def ended(self, *, closed: bool) -> str:
        """The clause for a connection that ends before there is a key: closed by the other side, or out of time."""
        said = _printable(bytes(self._buffer)) if not self.identified else ""
        if said:
            return f'it says "{said}"' + (" and closes the connection" if closed else " and waits")
        if self.identified:
            return "it breaks off the key exchange" if closed else "it stops in the middle of the key exchange"
        return "it closes the connection at once" if closed else "it says nothing"

    def _identify(self) -> None:
        """Pass over the lines before the identification string (RFC 4253 4.2), keeping the last for `ended`."""
        if self._buffer.startswith(b"HTTP/"):
            raise NoGlance("it speaks HTTP")
        if self._buffer.startswith((b"\x15\x03", b"\x16\x03")):  # alert and handshake (RFC 8446 5.1)
            raise NoGlance("it speaks TLS")
        start = 0
        while not self.identified and (end := self._buffer.find(b"\n", start)) >= 0:
            if self._buffer.startswith(b"SSH-", start):
                _check_identification(bytes(self._buffer[start : end + 1]))
                self.identified = True
                del self._buffer[: end + 1]
            start = end + 1
        if not self.identified and len(self._buffer) > _LONGEST_PREFACE:
            raise NoGlance("it talks and talks, but not SSH")

    def _packet(self) -> bytes:
        """The payload of the next packet, b"" while it is not complete. Bounded before it is waited for."""
        if len(self._buffer) < 5:
            return b""
        whole, padding = 4 + int.from_bytes(self._buffer[:4]), self._buffer[4]
        if not _SHORTEST_PACKET <= whole <= _LONGEST_PACKET or whole % _BLOCK or not 4 <= padding < whole - 5:
            raise NoGlance("it sends something else than SSH's packets")
        if len(self._buffer) < whole:
            return b""
        payload = bytes(self._buffer[5 : whole - padding])
        del self._buffer[:whole]
        self._packets += 1
        if self._packets > _MOST_PACKETS:
            raise NoGlance("it does not come to the point in the key exchange")
        return payload

    def _message(self, payload: bytes) -> bytes:
        match payload[0]:
            case number if number == _KEXINIT and self.offer is None:
                self.offer = read_kexinit(payload)
                return self._choose(self.offer)
            case number if number == _GEX_GROUP != self._shows:
                return packet(bytes([_GEX_INIT]) + _group_value(self._value))
            case number if number == self._shows and self.offer is not None:
                self.key = read_reply(payload)
                if self.key.kind != self._expected:
                    self.key = None
                    raise NoGlance("it shows a key of another type than it agreed to")
            case number if number == _DISCONNECT:
                reader = _Reader(payload)
                reader.take(1 + 4)  # the number and the reason's (RFC 4253 11.1)
                raise NoGlance(f'it refuses: "{_printable(reader.string())}"')
            case _:  # ignore, debug, extension info (RFC 4253 11, RFC 8308 2.3)
                pass
        return b""

    def _choose(self, offer: Offer) -> bytes:
        """The first of ours that it has, too, is what both must use (RFC 4253 7.1); then our public value."""
        exchange = next((name for name in _EXCHANGES if name in offer.exchanges), None)
        if exchange is None:
            raise NoGlance(f"it knows none of our key exchanges, only {_few(offer.exchanges)}")
        kind = next((k for k in self._kinds if any(name in offer.host_keys for name in algorithms(k))), None)
        if kind is None:
            raise NoGlance(f"it has no host key of a type we accept, only {_few(offer.host_keys)}")
        self._expected = kind
        if exchange == _GEX:
            self._asks, self._shows = _GEX_REQUEST, _GEX_REPLY
        return packet(bytes([self._asks]) + _EXCHANGES[exchange](self._value))


def _check_identification(line: bytes) -> None:
    if len(line) > _LONGEST_IDENTIFICATION:
        raise NoGlance("its identification is too long for SSH")
    if not line.startswith((b"SSH-2.0-", b"SSH-1.99-")):  # RFC 4253 4.2 and 5.1
        raise NoGlance(f'it speaks another SSH than version 2: "{_printable(line)}"')


def _printable(said: bytes) -> str:
    """The last line of what was said, at most 80 characters, nothing in it that moves a cursor."""
    lines = said.decode("utf-8", "replace").splitlines()
    return "".join(c if c.isprintable() else "?" for c in (lines or [""])[-1][:80]).strip()


def _few(names: Sequence[str]) -> str:
    return _printable(", ".join(names[:4]).encode()) or "none"
