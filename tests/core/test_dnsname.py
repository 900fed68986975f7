"""Host names: one spelling, and which texts are none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipwatch.core.dnsname import BadName, canonical, within


@pytest.mark.parametrize(("text", "spelt"), [
    ("Home.Example.ORG.", "home.example.org"), ("  home.example.org ", "home.example.org"), ("nas", "nas"),
    ("*.example.org", "*.example.org"), ("_dmarc.example.org", "_dmarc.example.org"), ("a-b.c--d.e", "a-b.c--d.e"),
    ("Büro.Example.org", "xn--bro-hoa.example.org"), ("xn--bro-hoa.example.org", "xn--bro-hoa.example.org"),
    ("faß.de", "xn--fa-hia.de"), ("a" * 63 + ".org", "a" * 63 + ".org"),
])  # fmt: skip
def test_names_have_one_spelling(text: str, spelt: str) -> None:
    """Case, a trailing dot and other letters lead to one spelling."""
    assert canonical(text) == spelt


@pytest.mark.parametrize("text", [
    "", " ", ".", "..", "a..b", "a.b..", ".a", "-a.org", "a-.org", "a b.org", "a/b", "a" * 64 + ".org", "*",
    "a.*.org", "*a.org",
    "home.example.org:80", "https://home.example.org", "a\nb.org", "ü-\u202e.org", "\u2028.org",
    "a@b.org", "home.example.org\x00",
])  # fmt: skip
def test_other_texts_are_no_names(text: str) -> None:
    """Empty labels, outer hyphens, blanks, ports, URLs and forbidden letters are refused with a clause."""
    with pytest.raises(BadName) as caught:
        canonical(text)
    assert str(caught.value)


def test_a_name_is_at_most_253_characters_long() -> None:
    """RFC 1035's limit counts without the trailing dot."""
    longest = ".".join(["a" * 63] * 3 + ["b" * 61])
    assert canonical(longest + ".") == longest
    assert len(longest) == 253
    with pytest.raises(BadName, match="longer than 253"):
        canonical(".".join(["a" * 63] * 4))


@given(st.text(max_size=70))
def test_any_text_is_a_name_or_bad_name(text: str) -> None:
    """Any text gives a name that is its own spelling, or the one named error."""
    try:
        name = canonical(text)
    except BadName:
        return
    assert canonical(name) == name
    assert name.isascii()


def test_a_zone_holds_its_apex_and_what_is_below() -> None:
    """A name lies within its zone, the zone itself included, and label by label."""
    assert within("example.org", "example.org")
    assert within("a.example.org", "example.org")
    assert within("anything", "")
    assert not within("badexample.org", "example.org")
    assert not within("org", "example.org")
