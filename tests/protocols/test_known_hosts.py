"""protocols.known_hosts, beside the real ssh-keygen."""

import base64
import hashlib
import hmac
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipwatch.core.host import HostKey, Pins
from ipwatch.protocols.known_hosts import lines, matching, pins, spelled, with_pins, with_revoked
from tests.fakes.named import needs


def string(value: bytes) -> bytes:
    return len(value).to_bytes(4) + value


def key(seed: int) -> HostKey:
    return HostKey("ssh-ed25519", string(b"ssh-ed25519") + string(bytes([seed]) * 32))


A, B, C = key(1), key(2), key(3)


def hashed(name: str, salt: bytes = b"s" * 20) -> str:
    digest = hmac.new(salt, name.encode(), hashlib.sha1).digest()
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


@pytest.mark.parametrize(
    ("patterns", "name", "port", "fits"),
    [
        ("nas", "nas", 22, True),
        ("NAS", "nas", 22, True),
        ("nas", "NAS", 22, True),
        ("nas", "nas2", 22, False),
        ("nas2", "nas", 22, False),
        ("a,nas,b", "nas", 22, True),
        ("nas", "nas", 2222, False),
        ("[nas]:2222", "nas", 2222, True),
        ("[nas]:2222", "nas", 22, False),
        ("[nas]:2222", "nas", 2223, False),
        ("192.168.1.10", "192.168.1.10", 22, True),
        ("[2001:db8::1]:2222", "2001:db8::1", 2222, True),
        ("*", "nas", 2222, True),
        ("*.example.org", "nas.example.org", 22, True),
        ("*.example.org", "example.org", 22, False),
        ("na?", "nas", 22, True),
        ("na?", "na", 22, False),
        ("n*s*", "nas", 22, True),
        ("n*x*s", "nabxcdss", 22, True),
        ("*,!nas", "nas", 22, False),
        ("!nas,*", "nas", 22, False),
        ("!nas,*", "desktop", 22, True),
        ("!nas", "desktop", 22, False),
        ("[nas]*", "nas", 2222, True),
        ("n[a]s", "nas", 22, False),
        ("*" * 2000, "nas", 22, False),
        (hashed("nas"), "nas", 22, True),
        (hashed("nas"), "NAS", 22, True),
        (hashed("nas"), "desktop", 22, False),
        (hashed("[nas]:2222"), "nas", 2222, True),
        (hashed("[nas]:2222"), "nas", 22, False),
        ("|2|" + hashed("nas")[3:], "nas", 22, False),
        ("|1|!|!", "nas", 22, False),
        ("|1|only", "nas", 22, False),
    ],
)
def test_which_lines_are_for_a_host(patterns: str, name: str, port: int, *, fits: bool) -> None:
    """Names, lists, ports, wildcards, negation and hashes mean what sshd(8) says."""
    assert [line.key for line in matching(f"{patterns} {A.text}\n", name, port)] == ([A] if fits else [])


@pytest.mark.real
@pytest.mark.parametrize("name", ["nas", "[home.example.org]:2222", "2001:db8::1"])
def test_the_lines_ssh_keygen_hashes_are_found(tmp_path: Path, name: str) -> None:
    """A file that `ssh-keygen -H` has hashed gives the same lines, and so does what `ssh-keygen -F` finds in it."""
    program = needs("ssh-keygen")
    made = tmp_path / "key"
    subprocess.run([program, "-q", "-t", "ed25519", "-N", "", "-f", made], check=True)
    shown = HostKey.parse(made.with_suffix(".pub").read_text())
    file = tmp_path / "known_hosts"
    file.write_text(f"other {A.text}\n{name} {shown.text}\n")
    subprocess.run([program, "-H", "-f", file], check=True, capture_output=True)
    assert name not in file.read_text()
    host, _, port = name.rpartition(":") if name.startswith("[") else (name, "", "22")
    assert [line.key for line in matching(file.read_text(), host.strip("[]"), int(port))] == [shown]
    found = subprocess.run([program, "-F", name, "-f", file], check=True, capture_output=True, text=True).stdout
    assert [line.key for line in lines(found)] == [shown]


def test_markers() -> None:
    """A revoked key and a certificate authority are told apart from keys; an unknown marker's line is passed over."""
    text = f"@revoked * {A.text}\n@cert-authority *.org {B.text}\nnas {C.text}\n@other nas {C.text}\n"
    assert [line.marker for line in lines(text)] == ["@revoked", "@cert-authority", ""]
    assert pins(text, "nas") == Pins((C,), (A,))


def test_a_line_twice_is_one_key() -> None:
    """The same key on two lines is pinned once."""
    assert pins(f"nas {A.text}\nnas,x {A.text}\n", "nas") == Pins((A,))


@pytest.mark.parametrize(
    "junk",
    [
        "", "#", "   # nas", "nas", "nas ssh-ed25519", "@revoked", "@revoked nas ssh-ed25519", "nas ssh-ed25519 AAAA",
        "nas 1024 35 1234567", "\0\0\0", "nas\0 " + A.text, "nas ssh-ed25519 " + "A" * 1_000_000,
        "x" * 1_000_000 + " " + A.text, ",".join(["*a*a*a*b"] * 100_000) + " " + A.text, "\u2028nas\x85\x0b\x0c",
        "|1|" + "A" * 1_000_000 + "|x " + A.text, "\udcff\udcfe nas",
    ],
    ids=range(17),
)  # fmt: skip
def test_junk_pins_nothing_and_hides_nothing(junk: str) -> None:
    """Whatever stands on the lines around it, a good line is found, with Windows' line ends, too."""
    for end in ("\n", "\r\n"):
        assert pins(f"{junk}{end}nas {B.text}{end}{junk}", "nas") == Pins((B,))


def test_tabs_blanks_and_comments_around() -> None:
    """Fields may be parted by tabs and several blanks, indented, and followed by a comment."""
    assert pins(f"  nas\t {B.kind} \t{B.text.split()[1]}  anna@nas, her key\r\n", "nas") == Pins((B,))


def test_a_pattern_of_stars_comes_to_an_end() -> None:
    """The longest pattern of stars against the longest name comes to an end, which naive matching never would."""
    assert not list(matching(f"{'*a' * 500}b {A.text}", "a" * 255))


@given(st.text(), st.text(max_size=20), st.integers(0, 70000))
def test_any_text_is_read(text: str, name: str, port: int) -> None:
    """No text and no name is a fault."""
    list(matching(text, name, port))
    list(matching(f"{text} {A.text}\n{text}\n@revoked {text} {B.text}", name, port))


_NAME = st.text("abcdefgXYZ019._-", min_size=1, max_size=12)


@given(_NAME, st.integers(1, 65535))
def test_what_is_spelled_is_matched(name: str, port: int) -> None:
    """A line that begins as `spelled` says, plain or hashed, is for that host at that port."""
    for first in (spelled(name, port), hashed(spelled(name, port))):
        assert [line.key for line in matching(f"{first} {A.text}", name, port)] == [A]


@given(st.lists(st.text(st.characters(exclude_characters="\n"))), _NAME, st.lists(st.sampled_from([A, B, C])))
def test_pinning_touches_nothing_else(rows: list[str], name: str, keys: list[HostKey]) -> None:
    """Pinning keeps every line that can not be read or is another host's, in order, and pins exactly these keys."""
    text = "".join(f"{row}\n" for row in [*rows, f"{name} {B.text}", f"other-host {C.text}"])
    after = with_pins(text, name, keys)
    assert after.startswith("".join(f"{row}\n" for row in rows))
    assert set(pins(after, name).keys) == set(keys)
    assert pins(after, "other-host").keys == (C,)


def test_what_pinning_takes_away() -> None:
    """The host's own name is taken out of lists and hashes; wildcards, revoked lines and longer names stay."""
    text = (
        f"nas {A.text} c\nNAS,desktop {A.text} c\n{hashed('nas')} {A.text}\n{hashed('desk')} {A.text}\n"
        f"* {B.text}\n@revoked nas {C.text}\nnas.example.org,nas2 {A.text}\nnas,, {A.text}\n"
    )
    assert with_pins(text, "nas", [C]) == (
        f"desktop {A.text} c\n{hashed('desk')} {A.text}\n* {B.text}\n@revoked nas {C.text}\n"
        f"nas.example.org,nas2 {A.text}\nnas {C.text}\n"
    )


def test_revoking_adds_each_key_once() -> None:
    """A key revoked twice stands there once, and a file without an end of line gets one."""
    once = with_revoked(f"nas {A.text}", "nas", [B])
    assert once == f"nas {A.text}\n@revoked nas {B.text}\n"
    assert with_revoked(once, "nas", [B]) == once
    assert with_revoked("", "nas", []) == ""
