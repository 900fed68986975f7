"""core.forward: what a line of [host.forward] means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipwatch.core.forward import BadForward, Forward, Sort, Target, parse

LOCAL, SOCKS, REMOTE = Sort


@pytest.mark.parametrize(
    ("value", "forward"),
    [
        (8890, Forward("x", LOCAL, "", 8890, Target("localhost", 8890))),
        ("8890", Forward("x", LOCAL, "", 8890, Target("localhost", 8890))),
        ("8000:8501", Forward("x", LOCAL, "", 8000, Target("localhost", 8501))),
        ("6310:192.168.1.30:631", Forward("x", LOCAL, "", 6310, Target("192.168.1.30", 631))),
        ("6310:printer:631", Forward("x", LOCAL, "", 6310, Target("printer", 631))),
        ("6310:[2001:DB8::0]:631", Forward("x", LOCAL, "", 6310, Target("2001:db8::", 631))),
        ("127.0.0.2:80:web:81", Forward("x", LOCAL, "127.0.0.2", 80, Target("web", 81))),
        ("[::1]:80:web:81", Forward("x", LOCAL, "::1", 80, Target("web", 81))),
        ("localhost:80:web:81", Forward("x", LOCAL, "", 80, Target("web", 81))),
        (":80:web:81", Forward("x", LOCAL, "", 80, Target("web", 81))),
        ("*:80:web:81", Forward("x", LOCAL, "0.0.0.0", 80, Target("web", 81))),
        ("2375:/run/docker.sock", Forward("x", LOCAL, "", 2375, Target("/run/docker.sock", 0))),
        ("/tmp/d:/run/docker.sock", Forward("x", LOCAL, "/tmp/d", 0, Target("/run/docker.sock", 0))),
        ("/tmp/d:db:5432", Forward("x", LOCAL, "/tmp/d", 0, Target("db", 5432))),
        ("socks:1080", Forward("x", SOCKS, "", 1080, None)),
        ("socks:192.168.1.2:1080", Forward("x", SOCKS, "192.168.1.2", 1080, None)),
        ("socks:[::1]:1080", Forward("x", SOCKS, "::1", 1080, None)),
        ("remote:9000", Forward("x", REMOTE, "", 9000, Target("localhost", 9000))),
        ("remote:9000:3000", Forward("x", REMOTE, "", 9000, Target("localhost", 3000))),
        ("remote:9000:web:3000", Forward("x", REMOTE, "", 9000, Target("web", 3000))),
        ("remote:*:9000:web:3000", Forward("x", REMOTE, "0.0.0.0", 9000, Target("web", 3000))),
        ("remote:9000:/run/x", Forward("x", REMOTE, "", 9000, Target("/run/x", 0))),
    ],
)
def test_forms(value: int | str, forward: Forward) -> None:
    """Every form of the configuration means what its comment says."""
    assert parse("x", value) == forward


@pytest.mark.parametrize(
    ("value", "clause"),
    [
        (0, "'0' is not a port"), (65536, "'65536' is not a port"), (-1, "'-1' is not a port"),
        (True, "'True' is not a port"), ("", "'' is not a port"), ("web", "'web' is not a port"),
        ("٣", "is not a port"), ("8000:", "'' is not a port"), ("8000:web", "'web' is not a port"),
        ("8000:web:", "'' is not a port"), ("8000::80", "'' is not a host"), ("8000:a b:80", "'a b' is not a host"),
        ("8000:me@web:80", "'me@web' is not a host"), ("8000:[x:y]:80", "'x:y' is not an IPv6 address"),
        ("8000:we\x1bb:80", "is not a host"), ("8000:::1:80", "^a forward is"), ("a:b:c:d:e", "^a forward is"),
        ("web:80:web:80", "'web' is not an address to listen on"), ("[::1]80", "^a forward is"),
        ("[::1", "^a forward is"), ("remote:*:9000:3000", "is not a port"),
        ("80]:80", "^a forward is"), ("socks:", "'' is not a port"), ("socks:1:2:3", "^a forward is"),
        ("socks:web:1080", "'web' is not an address to listen on"), ("remote:", "'' is not a port"),
        ("remote:/tmp/x:web:80", "a remote forward listens on a port"),
        ("remote:/tmp/x:/run/y", "a remote forward listens on a port"),
        ("8000:/run/\n", "is not the path of a socket"), ("/tmp/\x00:web:80", "is not the path of a socket"),
    ],
)  # fmt: skip
def test_what_is_no_forward_is_told(value: int | str, clause: str) -> None:
    """A value of another form is refused with what is wrong and what a forward looks like."""
    with pytest.raises(BadForward, match=clause) as caught:
        parse("x", value)
    assert 'a forward is 8890, "8000:8501"' in str(caught.value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("8000:8501", "localhost:8000 -> localhost:8501"),
        ("6310:[2001:db8::1]:631", "localhost:6310 -> [2001:db8::1]:631"),
        ("[::1]:8000:localhost:80", "[::1]:8000 -> localhost:80"),
        ("/tmp/d:/run/docker.sock", "/tmp/d -> /run/docker.sock"),
        ("socks:1080", "localhost:1080 (SOCKS)"),
        ("remote:0.0.0.0:9000:web:3000", "web:3000 <- 0.0.0.0:9000 (there)"),
    ],
)
def test_in_words(value: str, text: str) -> None:
    """A forward reads as where it begins and where it ends."""
    assert str(parse("x", value)) == text


@given(st.text(st.sampled_from("0189abc:[]/*.@ \n%") | st.characters(), max_size=40))
def test_any_text_is_a_forward_or_a_fault(value: str) -> None:
    """No text does anything but give a forward whose ports are ports, or the one fault."""
    try:
        forward = parse("x", value)
    except BadForward:
        return
    assert 0 < forward.port < 65536 or forward.bind.startswith("/")
    assert (forward.target is None) == (forward.sort is SOCKS)
    assert str(forward).isprintable()
