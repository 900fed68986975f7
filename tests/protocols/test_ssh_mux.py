"""The control socket's messages, and what its proxy mode carries."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipwatch.protocols import ssh_connection as wire
from ipwatch.protocols import ssh_mux
from ipwatch.protocols.ssh_connection import Asked, BadMessage, Ended, NotOpened, Opened, Other
from ipwatch.protocols.ssh_mux import BadMux, Done, Exited, Failed, Frames, Hello


def packet(*numbers: int, text: str | None = None) -> bytes:
    """A message of ssh's."""
    body = b"".join(number.to_bytes(4, "big") for number in numbers)
    if text is not None:
        body += len(text.encode()).to_bytes(4, "big") + text.encode()
    return len(body).to_bytes(4, "big") + body


def test_requests_are_written_as_ssh_reads_them() -> None:
    """PROTOCOL.mux, sections 1, 2, 6 and 9, byte for byte."""
    assert ssh_mux.hello() == bytes.fromhex("00000008 00000001 00000004")
    assert ssh_mux.proxy(7) == bytes.fromhex("00000008 1000000f 00000007")
    assert ssh_mux.session(1, "ls") == bytes.fromhex(
        "0000002a 10000002 00000001 00000000 00000000 00000000 00000000 00000000 ffffffff 00000000 00000002"
    ) + b"ls"  # fmt: skip
    assert ssh_mux.open_forward(2, ssh_mux.REMOTE, ("localhost", 80), ("/s", ssh_mux.PATH)) == (
        bytes.fromhex("00000027 10000006 00000002 00000002 00000009") + b"localhost"
        + bytes.fromhex("00000050 00000002") + b"/s" + bytes.fromhex("fffffffe")
    )  # fmt: skip


ANSWERS = [
    (packet(1, 4), Hello(4)),
    (packet(0x80000001, 3), Done(3)),
    (packet(0x8000000F, 3), Done(3)),
    (packet(0x80000002, 3, text="no"), Failed(3, "no")),
    (packet(0x80000003, 3, text="né"), Failed(3, "né")),
    (packet(0x80000004, 9, 255), Exited(9, 255)),
    (packet(0x80000006, 3, 5), Done(3, 5)),
    (packet(0x80000007, 3, 8080), Done(3, 8080)),
]


@given(st.lists(st.sampled_from(ANSWERS), max_size=6), st.integers(1, 9))
def test_answers_are_read_however_they_arrive(answers: list[tuple[bytes, ssh_mux.Reply]], size: int) -> None:
    """Answers in pieces of any size are the same answers; what follows them is given back."""
    data = b"".join(raw for raw, _ in answers) + packet(0x80000008, 1) + b"\0\0\0"
    frames = Frames()
    got = [reply for at in range(0, len(data), size) for reply in frames.feed(data[at : at + size])]
    assert got == [reply for _, reply in answers]
    assert frames.rest() == b"\0\0\0"


@pytest.mark.parametrize("data", [packet(1), packet(0x80000003, 1)[:-4] + b"\0\0\0\1", packet(), b"\0\x10\0\0"])
def test_what_does_not_fit_is_told(data: bytes) -> None:
    """Messages that are too short or too long are faults, never guesses."""
    with pytest.raises(BadMux, match=r"shorter|bytes"):
        list(Frames().feed(data))


# The connection protocol.


def test_channels_are_asked_for() -> None:
    """RFC 4254 7.2 and OpenSSH's PROTOCOL 2.4, byte for byte."""
    assert wire.open_channel(5, "::1", 80, 65536, 32768) == (
        bytes.fromhex("0000003a 00 5a 0000000c") + b"direct-tcpip"
        + bytes.fromhex("00000005 00010000 00008000 00000003") + b"::1" + bytes.fromhex("00000050 00000009")
        + b"127.0.0.1" + bytes.fromhex("00000000")
    )  # fmt: skip
    assert wire.open_channel(5, "/s", 0, 65536, 32768) == (
        bytes.fromhex("0000003e 00 5a 0000001e") + b"direct-streamlocal@openssh.com"
        + bytes.fromhex("00000005 00010000 00008000 00000002") + b"/s" + bytes.fromhex("00000000 00000000")
    )  # fmt: skip


def test_what_a_channel_says() -> None:
    """Adjust, end, close, failure and the head of data."""
    assert wire.adjust(1, 256) == bytes.fromhex("0000000a 00 5d 00000001 00000100")
    assert wire.end(1) == bytes.fromhex("00000006 00 60 00000001")
    assert wire.close(1) == bytes.fromhex("00000006 00 61 00000001")
    assert wire.unknown(1) == bytes.fromhex("00000006 00 64 00000001")
    head = wire.data_head(1, 5)
    assert head == bytes.fromhex("0000000f 00 5e 00000001 00000005")
    assert (len(head), wire.length_of(head), wire.channel_of(head)) == (14, 19, 1)
    assert wire.head_at(bytearray(b"xx" + head), 2) == (wire.DATA, 1, 5)
    assert wire.head_at(bytearray(wire.adjust(1, 256)), 0) == (wire.ADJUST, 1, 256)
    assert wire.head_at(bytearray(wire.end(1) + wire.end(2)), 0)[0] not in {wire.DATA, wire.ADJUST}


@pytest.mark.parametrize("head", ["0000000f 00 5e 00000001 00000006", "0000000f 00 5d 00000001 00000005"])
def test_lengths_that_do_not_fit_are_told(head: str) -> None:
    """Data that is longer than its message, and a message that goes on after its end, are faults."""
    with pytest.raises(BadMessage, match="in it"):
        wire.head_at(bytearray.fromhex(head), 0)


def said(kind: int, rest: str) -> bytes:
    """A message about our channel 7."""
    body = bytes((0, kind)) + bytes.fromhex("00000007" + rest)
    return len(body).to_bytes(4, "big") + body


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (said(91, "00000001 00200000 00008000"), Opened(1, 0x200000, 0x8000)),
        (said(92, "00000002 00000012") + b"Connection refused" + b"\0\0\0\0", NotOpened("connection refused")),
        (said(92, "00000001 0000000b") + b"open failed" + b"\0\0\0\0", NotOpened("its sshd does not allow it")),
        (said(92, "00000002 00000000 00000000"), NotOpened("it does not say why")),
        (said(95, "00000001 00000003") + b"abc", Other(3)),
        (said(96, ""), Ended(closed=False)),
        (said(97, ""), Ended(closed=True)),
        (said(98, "00000001") + b"x" + b"\1", Asked(reply=True)),
        (said(98, "00000001") + b"x" + b"\0", Asked(reply=False)),
        (said(80, ""), Other(0)),
    ],
)
def test_what_the_far_end_says(raw: bytes, message: wire.Message) -> None:
    """Each message by its meaning; those that mean nothing to a forwarded connection are passed over."""
    assert wire.message(raw) == message
    assert wire.channel_of(raw) == 7


@pytest.mark.parametrize(
    "raw", [said(91, "0000"), said(93, ""), said(94, "0000"), said(92, "00000002 000000ff"), said(98, "00000001")]
)
def test_message_that_is_cut_short_is_told(raw: bytes) -> None:
    """A message shorter than it says is a fault."""
    with pytest.raises(BadMessage, match="shorter"):
        wire.message(raw)


@pytest.mark.parametrize("head", [b"\0\0\0\1\0\0", b"\0\x10\0\0\0\0"])
def test_length_that_can_not_be_is_told(head: bytes) -> None:
    """A length no message has is a fault."""
    with pytest.raises(BadMessage, match="bytes"):
        wire.length_of(head)
