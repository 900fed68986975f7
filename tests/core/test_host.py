"""core.host: what a key is, and what a shown one means."""

import base64
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipwatch.core.host import KINDS, BadKey, HostKey, Pins, Verdict


def string(value: bytes) -> bytes:
    return len(value).to_bytes(4) + value


def key(seed: int, kind: str = "ssh-ed25519") -> HostKey:
    """A key of the right form; no machine holds it."""
    more = {"ssh-ed25519": 1}.get(kind, 2)
    return HostKey(kind, string(kind.encode()) + string(bytes([seed]) * 32) * more)


# A key of ssh-keygen's (OpenSSH 9.2), and what its -l says of it.
TEXT = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBZ26dKlPntK0Mn44tcuOU/dnSkmCXRlkKwXH6Vkffi1"
FINGERPRINT = "SHA256:/ffrTS8iYfGiThaLm2uld9BN5Q/Xh9y5XTeJ1cU/Xqo"


def test_a_key_is_read_and_written_as_it_stands_in_known_hosts() -> None:
    """Reading a public key file and writing the key gives its two words, whatever comment followed."""
    assert HostKey.parse(f"{TEXT} anna@desktop again").text == TEXT


def test_the_fingerprint_is_that_of_ssh_keygen() -> None:
    """A fingerprint reads as `ssh-keygen -l` writes it, so that people can compare."""
    assert HostKey.parse(TEXT).fingerprint == FINGERPRINT


@pytest.mark.parametrize("kind", KINDS)
def test_every_type_comes_back(kind: str) -> None:
    """A key of every type that is pinned comes back from its text."""
    assert HostKey.parse(key(7, kind).text) == key(7, kind)


def test_a_type_nobody_knows_is_kept() -> None:
    """A key of a type that is to come is no fault: its blob is only compared."""
    blob = string(b"ssh-next@example.org") + b"\0\0\0\0\0\0\0\7"
    assert HostKey.parse(f"ssh-next@example.org {base64.b64encode(blob).decode()}").blob == blob


@pytest.mark.parametrize(
    ("text", "clause"),
    [
        ("", "a key is written"),
        ("ssh-ed25519", "a key is written"),
        ("ssh-ed25519 AAAA!", "not base64"),
        ("ssh-ed25519 AAAAé", "not base64"),
        ("ssh-rsa " + TEXT.split()[1], "first word names"),
        ("ssh-ed25519 " + base64.b64encode(b"\0\0").decode(), "first word names"),
        ("ssh-\u00e9 " + base64.b64encode(string(b"ssh-?")).decode(), "first word names"),
        (TEXT[:-4], "not complete"),
        ("ssh-ed25519 " + base64.b64encode(string(b"ssh-ed25519")).decode(), "not complete"),
        ("ssh-ed25519 " + base64.b64encode(key(1).blob + b"\0").decode(), "not complete"),
    ],
)
def test_what_is_no_key_is_told(text: str, clause: str) -> None:
    """A line that was cut off or mistyped is refused with the reason."""
    with pytest.raises(BadKey, match=clause):
        HostKey.parse(text)


@given(st.text())
def test_any_text_is_a_key_or_a_fault(text: str) -> None:
    """No text does anything but give a key or the one fault."""
    with contextlib.suppress(BadKey):
        HostKey.parse(text)


@given(st.binary(max_size=200), st.sampled_from(KINDS))
def test_any_blob_is_a_key_or_a_fault(blob: bytes, kind: str) -> None:
    """No bytes behind a known name do anything but give a key or the one fault."""
    try:
        found = HostKey.parse(f"{kind} {base64.b64encode(string(kind.encode()) + blob).decode()}")
    except BadKey:
        return
    assert HostKey.parse(found.text) == found


@pytest.mark.parametrize(
    ("pins", "verdict"),
    [
        (Pins(), Verdict.UNPINNED),
        (Pins((key(1),)), Verdict.PINNED),
        (Pins((key(2), key(1))), Verdict.PINNED),
        (Pins((key(2),)), Verdict.STRANGER),
        (Pins((key(1),), (key(1),)), Verdict.REVOKED),
        (Pins((), (key(1),)), Verdict.REVOKED),
        (Pins((key(1),), (key(3),)), Verdict.PINNED),
    ],
)
def test_what_a_shown_key_means(pins: Pins, verdict: Verdict) -> None:
    """Only a pinned key proves the host, and one that is revoked never does, pinned or not."""
    assert pins.judge(key(1)) is verdict


def test_types_are_asked_for_best_first() -> None:
    """The pinned types are asked for in our order, types we do not know last."""
    odd = HostKey("sk-ssh-ed25519@openssh.com", b"x")
    assert Pins((odd, key(1, "ssh-rsa"), key(1), key(2))).kinds == ("ssh-ed25519", "ssh-rsa", odd.kind)
