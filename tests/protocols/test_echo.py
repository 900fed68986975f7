"""protocols.echo, operators and hostport."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipwatch.core.address import Family
from ipwatch.protocols.echo import BadAnswer, Form, read
from ipwatch.protocols.hostport import BadHostPort, split, split_address
from ipwatch.protocols.operators import operator_of

V4, V6 = Family.IPV4, Family.IPV6
TRACE = b"fl=1f1\nh=one.one.one.one\nip=25.1.2.3\nts=1.5\nvisit_scheme=https\nuag=x=y\nwarp=off\ngateway=off\n"


@pytest.mark.parametrize("body", [b"25.1.2.3", b"25.1.2.3\n", b" \t25.1.2.3\r\n\r\n"])
def test_plain_page_is_read(body: bytes) -> None:
    """One address with white space around it is read."""
    assert str(read(body, 200, V4)) == "25.1.2.3"


def test_spelling_becomes_canonical() -> None:
    """Another spelling of an IPv6 address is the same address."""
    assert str(read(b"2A02:0DB9:0:0::1\n", 200, V6)) == "2a02:db9::1"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"25.1.2.3 25.1.2.4",
        b"25.1.2.3\n25.1.2.3",
        b"25.1.2.3.4",
        b"25.1.2",
        b"025.1.2.3",
        b"25.1.2.3:80",
        b"25.1.2.3/32",
        b"Current IP Address: 25.1.2.3",
        b"<html><body>25.1.2.3</body></html>",
        b"<script src=jquery-3.1.1.1.js>",
        b"\xef\xbb\xbf25.1.2.3",
        b"\xff",
        b"25.1.2.3\0",
        "\uff12\uff15.1.2.3".encode(),
        b"2a02:db9::1",
        b"2a02:db9::1%eth0",
        b"10.0.0.1",
        b"100.64.0.1",
        b"127.0.0.1",
        b"192.0.2.1",
        b"104.16.1.1",
        b"0.0.0.0",
        b"418447875",
    ],
)
def test_all_else_is_refused(body: bytes) -> None:
    """Two addresses, a page around one, another family, an address that can not be public: refused, not guessed."""
    with pytest.raises(BadAnswer):
        read(body, 200, V4)


@pytest.mark.parametrize("status", [0, 201, 204, 206, 301, 403, 404, 429, 500, 503])
def test_only_status_200_counts(status: int) -> None:
    """An error page is refused even if it is nothing but an address."""
    with pytest.raises(BadAnswer, match=str(status)):
        read(b"25.1.2.3", status, V4)


def test_json_page_is_read() -> None:
    """The address stands under the named key; the same one may stand elsewhere, too."""
    body = json.dumps({"ip": "25.1.2.3", "n": 1, "more": ["25.1.2.3", None, {"x": "Paris"}]}).encode()
    assert str(read(body, 200, V4, Form.JSON)) == "25.1.2.3"
    assert str(read(b'{"a":" 25.1.2.3\\n"}', 200, V4, Form.JSON, "a")) == "25.1.2.3"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"25.1.2.3",
        b'"25.1.2.3"',
        b"[]",
        b"{}",
        b'{"ip": 418447875}',
        b'{"ip": ["25.1.2.3"]}',
        b'{"ip": "25.1.2.3", "ip": "25.1.2.4"}',
        b'{"ip": "25.1.2.3", "via": [{"x": "25.1.2.4"}]}',
        b'{"ip": "25.1.2.3", "ipv6": "2a02:db9::1"}',
        b'{"ip": "25.1.2.3"} x',
        b'{"ip": "\xff"}',
        b"[" * 60000,
        b"9" * 6000,
    ],
)
def test_other_json_is_refused(body: bytes) -> None:
    """No object, no text under the key, a name twice, a second address, or no JSON at all: refused."""
    with pytest.raises(BadAnswer):
        read(body, 200, V4, Form.JSON)


def test_trace_page_is_read() -> None:
    """Cloudflare's trace page gives its ip= line, with and without the lines on tunnels."""
    assert str(read(TRACE, 200, V4, Form.TRACE)) == "25.1.2.3"
    assert str(read(b"h=[2606:4700:4700::1111]:443\nip=2a02:db9::1", 200, V6, Form.TRACE)) == "2a02:db9::1"
    assert str(read(b"h=1.1.1.1\r\nip=25.1.2.3\r\n", 200, V4, Form.TRACE)) == "25.1.2.3"


@pytest.mark.parametrize(
    "body",
    [
        TRACE.replace(b"warp=off", b"warp=on"),
        TRACE.replace(b"warp=off", b"warp=plus"),
        TRACE.replace(b"gateway=off", b"gateway=on"),
        TRACE + b"ip=25.1.2.4\n",
        TRACE.replace(b"ip=", b"jp="),
        TRACE.replace(b"h=one.one.one.one\n", b""),
        TRACE.replace(b"h=one.one.one.one", b"h=<b>"),
        TRACE + b"via=25.1.2.4\n",
        TRACE + b"25.1.2.4\n",
        b"25.1.2.3",
        b"",
    ],
)
def test_other_traces_are_refused(body: bytes) -> None:
    """A tunnel, two ip= lines, no host, a stray address or line: refused."""
    with pytest.raises(BadAnswer):
        read(body, 200, V4, Form.TRACE)


@given(
    st.one_of(st.binary(max_size=300), st.text(max_size=200).map(str.encode), st.just(TRACE)),
    st.sampled_from(Form),
    st.sampled_from(Family),
)
def test_any_bytes_give_an_address_or_bad_answer(body: bytes, form: Form, family: Family) -> None:
    """Whatever the page holds, an address of the wanted family comes out or BadAnswer."""
    try:
        address = read(body, 200, family, form)
    except BadAnswer:
        return
    assert address.family is family


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=20) | st.sampled_from(["25.1.2.3", "25.1.2.4", "::"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["ip", "a", "b"]), inner, max_size=3),
)


@given(json_values)
def test_any_json_gives_its_one_address_or_bad_answer(value: object) -> None:
    """Whatever JSON comes, the address is the one under the key and no other is anywhere in it."""
    body = json.dumps(value)
    try:
        address = read(body.encode(), 200, V4, Form.JSON)
    except BadAnswer:
        return
    assert f'"ip": "{address}"' in body
    assert not ("25.1.2.3" in body and "25.1.2.4" in body)


@pytest.mark.parametrize(
    ("host", "operator"),
    [
        ("api.ipify.org", "ipify.org"),
        ("API6.ipify.org.", "ipify.org"),
        ("ipv4.icanhazip.com", "cloudflare.com"),
        ("one.one.one.one", "cloudflare.com"),
        ("[2606:4700:4700:0::1111]", "cloudflare.com"),
        ("v4.tnedi.me", "ident.me"),
        ("checkipv4.dedyn.io", "desec.io"),
        ("localhost", "localhost"),
        ("127.0.0.1", "127.0.0.1"),
    ],
)
def test_operator_of_a_host(host: str, operator: str) -> None:
    """Hosts of one operator are one voice, whatever their names."""
    assert operator_of(host) == operator


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("a", ("a", 7)),
        (" a:1\n", ("a", 1)),
        ("[::1]:5", ("::1", 5)),
        ("[::1]", ("::1", 7)),
        ("::1", ("::1", 7)),
        ("127.0.0.1:5353", ("127.0.0.1", 5353)),
        ("fe80::1%eth0", ("fe80::1%eth0", 7)),
    ],
)
def test_host_and_port(text: str, pair: tuple[str, int]) -> None:
    """A host with or without a port is taken apart."""
    assert split(text, 7) == pair


@pytest.mark.parametrize(
    ("text", "clause"),
    [(text, "is not a host such as \"example.org\", \"192.0.2.1:7\"") for text in
     ("", ":1", "[::1", "[::1]x", "[::1]x:5", "[a]:53", "[1.2.3.4]:53", "a:b:53", "a b", "a b:53", "a/b", "u@a")]
    + [(text, "names no port from 1 to 65535") for text in
       ("a:", "http://a", "a:0", "a:65536", "a:x", "a:²", "a:-1", "[::1]:", "[::1]:0")],
)  # fmt: skip
def test_bad_host_and_port(text: str, clause: str) -> None:
    """What is no host with a port is refused with what is wrong, not guessed at."""
    with pytest.raises(BadHostPort, match=clause):
        split(text, 7)


@pytest.mark.parametrize(
    ("text", "pair"),
    [("192.0.2.1", ("192.0.2.1", 53)), ("192.0.2.1:5353", ("192.0.2.1", 5353)),
     ("2001:DB8::1", ("2001:db8::1", 53)), ("[2001:DB8::1]", ("2001:db8::1", 53)), (" [::1]:54 ", ("::1", 54))],
)  # fmt: skip
def test_address_and_port(text: str, pair: tuple[str, int]) -> None:
    """An address of either family, with a port or without, comes in its usual spelling."""
    assert split_address(text, 53) == pair


@pytest.mark.parametrize(
    ("text", "clause"),
    [("ns1.example.org:53", 'is not an address such as "192.0.2.1:53" or "\\[2001:db8::1\\]:53"'),
     ("192.0.2.1:0", "names no port"), ("[::1", "is not an address"), ("[192.0.2.1]", "is not an address")],
)  # fmt: skip
def test_bad_address_and_port(text: str, clause: str) -> None:
    """A name, which would have to be looked up first, is none; nor is what is no host at all."""
    with pytest.raises(BadHostPort, match=clause):
        split_address(text, 53)


@given(st.text(max_size=30))
def test_any_text_is_a_host_or_bad(text: str) -> None:
    """Any text gives a host and a port in range, or BadHostPort; and every text has an operator."""
    operator_of(text)
    try:
        _, port = split(text, 7)
    except BadHostPort:
        return
    assert 1 <= port <= 65535
