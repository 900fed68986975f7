"""protocols.stun, with the test vectors of RFC 5769."""

from binascii import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipwatch.protocols.stun import BadStun, answers, read, request

ID = bytes(range(12))
COOKIE = 0x2112A442.to_bytes(4)
# RFC 5769 2.2 and 2.3: 192.0.2.1 and 2001:db8:1234:5678:11:2233:4455:6677, port 32853.
ID_5769 = bytes.fromhex("b7e7a701bc34d686fa87dfae")
HEAD4 = "0101003c2112a442b7e7a701bc34d686fa87dfae"
VECTOR4 = bytes.fromhex(
    HEAD4 + "8022000b7465737420766563746f7220" + "002000080001a147e112a643"
    "000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96"
)
VECTOR6 = bytes.fromhex(
    "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220"
    "002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9"
    "00080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c"
)


def message(*attributes: tuple[int, bytes], kind: int = 0x0101, transaction: bytes = ID) -> bytes:
    body = b"".join(
        number.to_bytes(2) + len(value).to_bytes(2) + value + bytes(-len(value) % 4) for number, value in attributes
    )
    return kind.to_bytes(2) + len(body).to_bytes(2) + COOKIE + transaction + body


def plain(ip: str = "25.1.2.3", port: int = 99) -> bytes:
    return b"\0\1" + port.to_bytes(2) + bytes(int(n) for n in ip.split("."))


def masked(ip: str = "25.1.2.3", port: int = 99) -> bytes:
    value = plain(ip, port)
    return value[:2] + bytes(a ^ b for a, b in zip(value[2:], COOKIE[:2] + COOKIE, strict=True))


def test_request_is_a_binding_request() -> None:
    """The request is the 20 octets of RFC 8489 6.1, and an id of another length is a mistake of ours."""
    assert request(ID) == b"\x00\x01\x00\x00" + COOKIE + ID
    with pytest.raises(ValueError, match="12 octets"):
        request(b"")


@pytest.mark.parametrize(
    ("vector", "ip"), [(VECTOR4, "192.0.2.1"), (VECTOR6, "2001:db8:1234:5678:11:2233:4455:6677")], ids=["ipv4", "ipv6"]
)
def test_vectors_of_the_rfc(vector: bytes, ip: str) -> None:
    """The sample responses of RFC 5769 give their addresses and port, fingerprint checked."""
    mapped = read(vector, ID_5769)
    assert (str(mapped.address), mapped.port) == (ip, 32853)


def test_fingerprint_that_is_wrong_is_bad() -> None:
    """A flipped bit under a fingerprint is noticed; a right fingerprint passes."""
    with pytest.raises(BadStun, match="fingerprint"):
        read(VECTOR4[:30] + bytes([VECTOR4[30] ^ 1]) + VECTOR4[31:], ID_5769)
    whole = message((0x20, masked()), (0x8028, bytes(4)))
    good = whole[:-4] + (crc32(whole[:-8]) ^ 0x5354554E).to_bytes(4)
    assert str(read(good, ID).address) == "25.1.2.3"


@pytest.mark.parametrize(
    "attributes",
    [
        [(0x0001, plain())],
        [(0x0020, masked())],
        [(0x8020, masked())],
        [(0x0001, plain("25.9.9.9")), (0x0020, masked())],
        [(0x0020, masked()), (0x8020, masked()), (0x8022, b"odd"), (0x0004, plain("25.8.8.8")), (0x8000, b"")],
    ],
)
def test_masked_address_goes_first(attributes: list[tuple[int, bytes]]) -> None:
    """Each spelling of the address is read, and the masked one counts where a router rewrote the plain one."""
    assert str(read(message(*attributes), ID).address) == "25.1.2.3"


@pytest.mark.parametrize(
    ("datagram", "why"),
    [
        (message(), "no address"),
        (message((0x20, masked()), (0x8020, masked("25.1.2.4"))), "several"),
        (message((0x20, b"\0\3" + bytes(6))), "no known family"),
        (message((0x20, b"\0\1" + bytes(18))), "wrong length"),
        (message((0x20, b"")), "no known family"),
        (message((0x7FFF, b""), (0x20, masked())), "0x7fff"),
        (message((0x20, masked()))[:-4], "length"),
        (message((0x20, masked())) + b"\0\0\0\0", "length"),
        (b"\1\1\0\4" + COOKIE + ID + b"\0\x20\0\x09", "longer than the message"),
        (b"\1\1\0\2" + COOKIE + ID + b"\0\x20", "length"),
        (message((0x09, b"\0\0\x04\x14Unauthorised\n"), kind=0x0111), "error 420 Unauthorised"),
        (message(kind=0x0111), "no code"),
        (message((0x8022, b"old"), (0x09, b""), kind=0x0111), "no code"),
        (message((0x20, masked()), transaction=bytes(12)), "no response to our"),
        (request(ID), "no response to our"),
        (b"", "no response to our"),
    ],
)
def test_bad_responses(datagram: bytes, why: str) -> None:
    """Each malformed, foreign or refusing response is BadStun and says why."""
    with pytest.raises(BadStun, match=why):
        read(datagram, ID)


def test_only_responses_to_our_id_answer() -> None:
    """Other ids, other cookies, requests and noise are no answers; error responses are."""
    assert answers(message(kind=0x0111), ID)
    assert not answers(message(transaction=bytes(12)), ID)
    assert not answers(message().replace(COOKIE, b"abcd"), ID)
    assert not answers(request(ID), ID)
    assert not answers(b"\1\1", ID)


@given(st.binary(max_size=120), st.booleans())
def test_any_bytes_give_an_address_or_bad_stun(data: bytes, framed: bool) -> None:
    """Any datagram, also one with a right header, gives a value or BadStun."""
    datagram = b"\1\1" + len(data).to_bytes(2) + COOKIE + ID + data if framed else data
    try:
        mapped = read(datagram, ID)
    except BadStun:
        return
    assert 0 <= mapped.port <= 65535


@given(st.ip_addresses(v=4), st.integers(0, 65535))
def test_what_was_masked_comes_back(ip: object, port: int) -> None:
    """Masking and reading give back address and port."""
    mapped = read(message((0x20, masked(str(ip), port))), ID)
    assert (str(mapped.address), mapped.port) == (str(ip), port)
