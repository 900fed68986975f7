"""SOCKS 5 as bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipwatch.core.forward import Target
from ipwatch.protocols.socks import LARGEST, BadSocks, Reply, greeting, reply, request

V4 = b"\x05\x01\x00\x01\x7f\x00\x00\x01\x1f\x90"
V6 = b"\x05\x01\x00\x04" + b"\x00" * 15 + b"\x01" + b"\x00\x50"
OWN_LETTERS = b"\x05\x01\x00\x03\x0fb\xc3\xbccher.example\x00\x50"
NAME = b"\x05\x01\x00\x03\x0bexample.org\x01\xbb"


@pytest.mark.parametrize("whole", [b"\x05\x01\x00", b"\x05\x03\x02\x00\x01"])
def test_greeting(whole: bytes) -> None:
    """A client that can do without authentication is taken; before the message is whole nothing is decided."""
    for cut in range(len(whole)):
        assert greeting(whole[:cut]) is None
    step = greeting(whole + b"more")
    assert step is not None
    assert (step.answer, step.used) == (b"\x05\x00", len(whole))


@pytest.mark.parametrize(
    ("octets", "why", "answer"),
    [
        (b"\x04\x01\x00\x50", "SOCKS 4", b""),
        (b"GET / HTTP/1.1\r\n", "does not speak SOCKS", b""),
        (b"\x05\x01\x02", "knows no users", b"\x05\xff"),
    ],
)
def test_bad_greeting(octets: bytes, why: str, answer: bytes) -> None:
    """SOCKS 4, HTTP and clients that insist on a password are told so."""
    with pytest.raises(BadSocks, match=why) as caught:
        greeting(octets)
    assert caught.value.answer == answer


@pytest.mark.parametrize(
    ("whole", "target"),
    [
        (V4, Target("127.0.0.1", 8080)),
        (V6, Target("::1", 80)),
        (NAME, Target("example.org", 443)),
        (OWN_LETTERS, Target("bücher.example", 80)),
    ],
)
def test_request(whole: bytes, target: Target) -> None:
    """An address of either family and a name arrive as they were meant, the name unresolved."""
    for cut in range(len(whole)):
        assert request(whole[:cut]) is None
    step = request(whole + b"payload")
    assert step is not None
    assert (step.target, step.used) == (target, len(whole))


@pytest.mark.parametrize(
    ("octets", "code"),
    [
        (b"\x04" + V4[1:], Reply.FAILURE),
        (b"\x05\x02" + V4[2:], Reply.BAD_COMMAND),
        (b"\x05\x03" + V4[2:], Reply.BAD_COMMAND),
        (b"\x05\x01\x00\x09" + V4[4:], Reply.BAD_ADDRESS_TYPE),
        (V4[:-2] + b"\x00\x00", Reply.FAILURE),
        (b"\x05\x01\x00\x03\x03a/b\x00\x50", Reply.FAILURE),
        (b"\x05\x01\x00\x03\x00\x00\x50", Reply.FAILURE),
    ],
)
def test_bad_request(octets: bytes, code: Reply) -> None:
    """BIND, UDP, unknown address types and impossible places get the reply RFC 1928 names for them."""
    with pytest.raises(BadSocks) as caught:
        request(octets)
    assert caught.value.answer == reply(code)
    assert len(reply(code)) == 10


@given(st.binary(max_size=LARGEST))
def test_any_octets(octets: bytes) -> None:
    """No octets whatever raise anything but BadSocks."""
    for read in (greeting, request):
        try:
            step = read(octets)
        except BadSocks:
            continue
        assert step is None or step.used <= len(octets)
