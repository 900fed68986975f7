"""protocols.ssh_glance: a look at a host key, octet by octet. Beside real servers: tests/net/test_glance.py."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipwatch.core.host import KINDS, HostKey
from ipwatch.protocols.ssh_glance import (
    ALL_KINDS,
    CHANCE,
    Glance,
    NoGlance,
    algorithms,
    kexinit,
    packet,
    read_kexinit,
    read_reply,
)
from tests.fakes.ssh_shows import frame, frame_number, reply, string
from tests.fakes.ssh_shows import kexinit as offer

IDENT = b"SSH-2.0-OpenSSH_9.2\r\n"
NOISE = bytes(range(16)) + bytes(range(255))


def key(kind: str = "ssh-ed25519") -> HostKey:
    more = 1 if kind == "ssh-ed25519" else 2
    return HostKey(kind, string(kind.encode()) + string(bytes(32)) * more)


def look(*pieces: bytes, kinds: tuple[str, ...] = ()) -> tuple[Glance, bytes]:
    """A glance that was told these pieces, and all that it answered."""
    glance = Glance(kinds, NOISE)
    return glance, b"".join([glance.receive(piece) for piece in pieces])


def test_what_is_said_first() -> None:
    """The identification (RFC 4253 4.2) goes out with the algorithms, without waiting for the server's."""
    head, _, rest = Glance(("ssh-rsa",), NOISE).hello.partition(b"\r\n")
    assert head == b"SSH-2.0-ipwatch"
    assert len(rest) % 8 == 0
    assert int.from_bytes(rest[:4]) == len(rest) - 4
    assert rest[6:22] == NOISE[:16]
    mine = read_kexinit(rest[5:])
    assert mine.exchanges[0] == "curve25519-sha256"
    assert mine.host_keys[:3] == ("rsa-sha2-512", "rsa-sha2-256", "ssh-ed25519")
    assert "ssh-rsa" not in mine.host_keys


@given(st.binary(max_size=300))
def test_packets_are_padded(payload: bytes) -> None:
    """A packet is a multiple of eight octets with at least four of padding (RFC 4253 6)."""
    made = packet(payload)
    assert len(made) % 8 == 0
    assert int.from_bytes(made[:4]) == len(made) - 4
    assert 4 <= made[4] < 16
    assert made[5 : len(made) - made[4]] == payload


def test_a_glance_needs_its_noise() -> None:
    """Too little randomness is a mistake of ours."""
    with pytest.raises(ValueError, match=str(CHANCE)):
        Glance((), b"")


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_a_key_of_every_type_is_seen(kind: str) -> None:
    """The key the server shows is read from its answer, for RSA under the names of RFC 8332."""
    glance, _ = look(IDENT, frame(offer(algorithms(kind)[-1:])), frame(reply(key(kind))))
    assert glance.key == key(kind)
    assert glance.offer is not None
    assert glance.offer.kinds == (kind,)


def test_a_key_is_seen_in_any_pieces() -> None:
    """Octet by octet or all at once, with lines before the identification and messages between: the key is seen."""
    said = (
        b"hello\r\nSSH is this\n" + IDENT + frame(bytes([2]) + string(b"x")) + frame(offer(["ssh-ed25519"]))
        + frame(bytes([4, 1])) + frame(reply(key())) + b"more"
    )  # fmt: skip
    whole, answer = look(said)
    slowly, same = look(*(bytes([octet]) for octet in said))
    assert whole.key == slowly.key == key()
    assert answer == same


@pytest.mark.parametrize(
    ("exchange", "value"),
    [
        ("curve25519-sha256", string(NOISE[16:48])),
        ("curve25519-sha256@libssh.org", string(NOISE[16:48])),
        ("ecdh-sha2-nistp256", None),
        ("mlkem768x25519-sha256", string(bytes(1184) + NOISE[16:48])),
        ("sntrup761x25519-sha512", string(bytes(1158) + NOISE[16:48])),
        ("sntrup761x25519-sha512@openssh.com", string(bytes(1158) + NOISE[16:48])),
        ("diffie-hellman-group14-sha256", string(b"\1" + NOISE[16:270])),
        ("diffie-hellman-group16-sha512", string(b"\1" + NOISE[16:270])),
        ("diffie-hellman-group18-sha512", string(b"\1" + NOISE[16:270])),
    ],
)
def test_the_public_value_fits_the_exchange(exchange: str, value: bytes | None) -> None:
    """The server gets a value of the exchange both have: an X25519 key, a point of P-256, a number below the prime."""
    _, answer = look(IDENT, frame(offer(["ssh-ed25519"], ["other", exchange])))
    assert frame_number(b"\n" + answer) == 30
    payload = answer[6 : len(answer) - answer[4]]
    if value is None:
        p = 2**256 - 2**224 + 2**192 + 2**96 - 1  # FIPS 186-4 D.1.2.3
        b = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
        x, y = int.from_bytes(payload[5:37]), int.from_bytes(payload[37:])
        assert payload[:5] == string(bytes([4]) + bytes(64))[:5]
        assert (y * y - (x**3 - 3 * x + b)) % p == 0
    else:
        assert payload == value


def test_a_group_of_the_server_s_choice() -> None:
    """Where the server chooses the group it is asked for one, and gets a number below any prime it may choose."""
    agreed = frame(offer(["ssh-ed25519"], ["diffie-hellman-group-exchange-sha256"]))
    glance, asked = look(IDENT, agreed)
    assert asked == packet(bytes([34]) + bytes.fromhex("00000800 00000c00 00002000"))
    answer = glance.receive(frame(bytes([31]) + string(b"\x7f" * 256) + string(b"\x02")))
    assert answer == packet(bytes([32]) + string(b"\1" + NOISE[16:270]))
    glance.receive(frame(bytes([33]) + reply(key())[1:]))
    assert glance.key == key()


def test_the_first_type_of_ours_that_it_has_is_shown() -> None:
    """Of the types wanted the best that the server has is asked for; a server with none of them shows another."""
    have = frame(offer(["ssh-ed25519", "rsa-sha2-256"]))
    for kinds, shown in ((("ssh-rsa", "ssh-ed25519"), "ssh-rsa"), (("ecdsa-sha2-nistp256",), "ssh-ed25519")):
        glance, _ = look(IDENT, have, frame(reply(key(shown))), kinds=kinds)
        assert glance.key == key(shown)


@pytest.mark.parametrize(
    ("pieces", "clause"),
    [
        ([b"HTTP/1.1 400 Bad Request\r\n"], "it speaks HTTP"),
        ([b"\x15\x03\x01\x00\x02\x02\x28"], "it speaks TLS"),
        ([b"SSH-1.5-old\r\n"], 'another SSH than version 2: "SSH-1.5-old"'),
        ([b"SSH-2.0-" + b"x" * 300 + b"\n"], "identification is too long"),
        ([b"x" * 40000], "talks and talks"),
        ([b"x\n" * 20000], "talks and talks"),
        ([IDENT, b"\0\0\0\0\0"], "something else than SSH's packets"),
        ([IDENT, b"\xff\xff\xff\xff\x04"], "something else than SSH's packets"),
        ([IDENT, (35008 - 4).to_bytes(4) + b"\4"], "something else than SSH's packets"),
        ([IDENT, b"\0\0\0\x0d\x04" + bytes(20)], "something else than SSH's packets"),
        ([IDENT, b"\0\0\0\x0c\x03" + bytes(20)], "something else than SSH's packets"),
        ([IDENT, b"\0\0\0\x0c\x0b" + bytes(20)], "something else than SSH's packets"),
        ([IDENT, frame(bytes([20]) + bytes(16) + b"\0\0")], "a broken message"),
        ([IDENT, frame(bytes([20]) + bytes(16) + b"\xff\xff\xff\xff")], "a broken message"),
        ([IDENT, frame(offer(["ssh-ed25519"], ["sntrup\33[2J"]))], r"none of our key exchanges, only sntrup\?\[2J"),
        ([IDENT, frame(offer(["ssh-rsa", "ssh-dss"]))], "no host key of a type we accept, only ssh-rsa, ssh-dss"),
        ([IDENT, frame(offer([]))], "only none"),
        ([IDENT, frame(offer(["ssh-ed25519"])), frame(reply(key("ssh-rsa")))], "another type than it agreed to"),
        ([IDENT, frame(offer(["ssh-ed25519"])), frame(bytes([31]) + string(b"\0\0"))], "a broken message"),
        ([IDENT, frame(bytes([1, 0, 0, 0, 2]) + string(b"go\r\naway"))], 'it refuses: "away"'),
        ([IDENT, *[frame(bytes([2]))] * 17], "does not come to the point"),
    ],
)
def test_what_shows_no_key_is_named(pieces: list[bytes], clause: str) -> None:
    """Another protocol, another version, garbage, too much and a refusal are each told in a clause."""
    with pytest.raises(NoGlance, match=clause):
        look(*pieces)


@pytest.mark.parametrize(
    ("said", "closed", "waits"),
    [
        (b"", "it closes the connection at once", "it says nothing"),
        (b"Exceeded MaxStartups\r\n", 'it says "Exceeded MaxStartups" and closes', 'MaxStartups" and waits'),
        (b"220 \x1b[31mmail\r\n", 'it says "220 ?[31mmail" and closes', 'and waits'),
        (IDENT, "it breaks off the key exchange", "it stops in the middle of the key exchange"),
        (IDENT + b"\0\0", "it breaks off the key exchange", "it stops in the middle of the key exchange"),
    ],
)  # fmt: skip
def test_an_early_end_is_named(said: bytes, closed: str, waits: str) -> None:
    """Silence, a closed connection and whatever was said before are told in a clause that moves no cursor."""
    glance, _ = look(said)
    assert closed in glance.ended(closed=True)
    assert waits in glance.ended(closed=False)


def test_an_answer_before_its_time_is_passed_over() -> None:
    """A key that comes before the algorithms are agreed on is not taken, and a second list of them changes nothing."""
    glance, _ = look(IDENT, frame(reply(key())))
    assert glance.key is None
    assert glance.receive(frame(offer(["ssh-ed25519"])))
    assert glance.receive(frame(offer(["rsa-sha2-512"]))) == b""
    assert glance.receive(frame(reply(key()))) == b""
    assert glance.key == key()


def clause_of(glance: Glance, pieces: list[bytes]) -> str:
    """The fault the pieces end in, "" for none."""
    try:
        for piece in pieces:
            glance.receive(piece)
    except NoGlance as fault:
        return str(fault)
    return ""


@given(st.lists(st.binary(max_size=100)), st.booleans())
def test_any_octets_give_a_key_or_a_clause(pieces: list[bytes], ident: bool) -> None:
    """Whatever comes, the one fault is raised or nothing happens."""
    glance = Glance((), NOISE)
    assert clause_of(glance, [IDENT] * ident + pieces).isprintable()
    assert glance.ended(closed=True).isprintable()


@given(st.binary(), st.sampled_from([20, 31, 1]))
def test_any_message_gives_a_key_or_a_clause(body: bytes, number: int) -> None:
    """No message of the numbers that are read does anything but give a value or the one fault."""
    glance = Glance((), NOISE)
    glance.receive(IDENT + (frame(offer(KINDS)) if number == 31 else b""))
    assert clause_of(glance, [frame(bytes([number]) + body)]).isprintable()


def test_readers_alone() -> None:
    """The readers of single messages give what was written."""
    assert read_kexinit(kexinit(bytes(16), ("ssh-rsa",))).host_keys == ("rsa-sha2-512", "rsa-sha2-256")
    assert read_reply(reply(key())) == key()
