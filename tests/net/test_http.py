"""net.http against real servers on loopback."""

import datetime as dt
import gzip
import ipaddress
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from ipwatch.core.address import Family
from ipwatch.net.http import RequestsHttp
from ipwatch.ports import Garbled, HttpRequest, Refused, Secret, Unreachable
from tests.fakes.raw_http_server import HttpServer, drip, page, raw, raw_first, reset

SHORT = timedelta(seconds=0.4)
LONG = timedelta(seconds=5)


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with HttpServer() as server:
        yield server


@pytest.fixture
def http() -> Iterator[RequestsHttp]:
    http = RequestsHttp()
    yield http
    http.close()


def get(url: str, **more: object) -> HttpRequest:
    return HttpRequest(url, insecure=True, **more)  # type: ignore[arg-type]


def certificate(folder: Path, names: list[str], age: int = 0) -> tuple[ssl.SSLContext, Path]:
    """A server's context with its own certificate for these addresses, and the file to trust."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = dt.datetime.now(dt.UTC) - timedelta(days=age)
    signed = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(n)) for n in names]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "cert.pem"
    pem.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, folder / "key.pem")
    return context, pem


def test_answer_comes_back_whole(server: HttpServer, http: RequestsHttp) -> None:
    """Status, lower-case headers and body come back as they were sent, whatever the status."""
    url = server.serve(page("wrong", "503 Busy", Retry_After="7"))
    response = http.send(get(url), LONG)
    assert (response.status, response.headers["retry-after"], response.body) == (503, "7", b"wrong")


def test_request_carries_what_it_was_given(server: HttpServer, http: RequestsHttp) -> None:
    """Parameters, headers, Basic credentials in UTF-8, body and user agent reach the server."""
    url = server.serve(page("ok"))
    http.send(get(url, params={"a": "b c"}, headers={"X-Y": "z"}, auth=("anna", Secret("pä"))), LONG)
    head = server.requests[0]
    assert head.startswith("GET /?a=b+c HTTP/1.1\r\n")
    assert "X-Y: z\r\n" in head
    assert "Authorization: Basic YW5uYTpww6Q=\r\n" in head
    assert "User-Agent: ipwatch/" in head
    http.send(get(url, method="POST", body=b"content"), LONG)
    assert server.requests[1].endswith("content")


def test_connections_are_reused(server: HttpServer, http: RequestsHttp) -> None:
    """Three requests one after the other use one connection."""
    url = server.serve(page("1"))
    for _ in range(3):
        http.send(get(url), LONG)
    assert server.connections == 1


def test_a_question_is_put_again_when_the_kept_connection_was_reset(server: HttpServer, http: RequestsHttp) -> None:
    """As after a change of our address: the answer comes over a new connection, which is kept from then on."""
    url = server.serve(raw_first(page("1"), reset))
    for count in (1, 2, 3):
        assert http.send(get(url, repeatable=True), LONG).body == b"1"
        assert server.connections == count
    server.serve(page("2"))
    assert http.send(get(url, repeatable=True), LONG).body == b"2"
    assert server.connections == 3


def test_a_question_is_put_again_when_the_kept_connection_is_silent(server: HttpServer, http: RequestsHttp) -> None:
    """A reset may be lost on the way: before the time is over, a new connection is tried."""
    url = server.serve(raw_first(page("1"), server.hang))
    http.send(get(url), LONG)
    assert http.send(get(url, repeatable=True), LONG).body == b"1"
    assert server.connections == 2


def test_what_changes_something_is_sent_once(server: HttpServer, http: RequestsHttp) -> None:
    """Though the kept connection broke: it may have been done. What is not answered by a new one is not put again."""
    url = server.serve(raw_first(page("1"), reset))
    http.send(get(url), LONG)
    with pytest.raises(Unreachable) as caught:
        http.send(get(url), LONG)
    assert caught.value.sent
    assert (len(server.requests), server.connections) == (2, 1)
    url = server.serve(reset)
    with pytest.raises(Unreachable):
        http.send(get(url, repeatable=True), LONG)
    assert len(server.requests) == 3


def test_threads_do_not_mix_answers(server: HttpServer, http: RequestsHttp) -> None:
    """Requests from eight threads at once each get their own answer."""
    urls = [server.serve(page(str(n)), f"/{n}") for n in range(24)]
    with ThreadPoolExecutor(8) as pool:
        bodies = list(pool.map(lambda url: http.send(get(url), LONG).body, urls))
    assert bodies == [str(n).encode() for n in range(24)]


@pytest.mark.parametrize(
    "content",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n" + b"x" * 400,
        b"HTTP/1.1 200 OK\r\n" + b"X-Long: " + b"y" * 4000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 400,
    ],
    ids=["body", "header", "chunks"],
)
def test_dripping_server_is_left_in_time(server: HttpServer, http: RequestsHttp, content: bytes) -> None:
    """A server that drips bytes holds us to the deadline and no longer, and the request counts as sent."""
    url = server.serve(drip(content))
    began = time.monotonic()
    with pytest.raises(Unreachable) as caught:
        http.send(get(url), SHORT)
    assert time.monotonic() - began < 5  # it drips for ten seconds
    assert caught.value.sent


def test_hanging_server_is_left_in_time(server: HttpServer, http: RequestsHttp) -> None:
    """A server that says nothing holds us to the deadline, and the request counts as sent."""
    began = time.monotonic()
    with pytest.raises(Unreachable, match="did not answer") as caught:
        http.send(get(server.serve(server.hang)), SHORT)
    assert time.monotonic() - began < 5
    assert caught.value.sent


def test_after_a_timeout_the_next_request_is_well(server: HttpServer, http: RequestsHttp) -> None:
    """What a cut connection might still bring never reaches the next request."""
    slow, quick = server.serve(drip(b"HTTP/1.1 200 OK\r\n" * 50), "/slow"), server.serve(page("2"), "/quick")
    with pytest.raises(Unreachable):
        http.send(get(slow), SHORT)
    assert http.send(get(quick), LONG).body == b"2"


def test_nobody_listening_is_not_sent(http: RequestsHttp) -> None:
    """A refused connection is Unreachable, and certainly nothing was sent."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        with pytest.raises(Unreachable, match="connection refused") as caught:
            http.send(get(f"http://127.0.0.1:{sock.getsockname()[1]}/?token=geheim"), LONG)
    assert not caught.value.sent
    assert "geheim" not in str(caught.value)


def test_name_that_does_not_exist_is_not_sent(http: RequestsHttp) -> None:
    """A name without an address is Unreachable, and certainly nothing was sent."""
    with pytest.raises(Unreachable) as caught:
        http.send(get("http://no-such-host.invalid/"), LONG)
    assert not caught.value.sent


def test_tls_handshake_that_hangs_is_not_sent(http: RequestsHttp) -> None:
    """A server that never finishes the handshake is left in time, and certainly nothing was sent."""
    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.raises(Unreachable) as caught:
        http.send(HttpRequest(f"https://127.0.0.1:{listener.getsockname()[1]}/"), SHORT)
    assert not caught.value.sent


@pytest.mark.parametrize("length", ["100000", None], ids=["announced", "unannounced"])
def test_huge_answer_is_garbled(server: HttpServer, http: RequestsHttp, length: str | None) -> None:
    """More than the limit is Garbled, announced or not."""
    head = f"Content-Length: {length}\r\n" if length else "Connection: close\r\n"
    url = server.serve(raw(b"HTTP/1.1 200 OK\r\n" + head.encode() + b"\r\n" + b"x" * 100000))
    with pytest.raises(Garbled, match="larger than 65536"):
        http.send(get(url), LONG)


def test_answer_of_just_the_limit_is_taken(server: HttpServer, http: RequestsHttp) -> None:
    """The limit itself is allowed."""
    assert len(http.send(get(server.serve(page("x" * 9)), limit=9), LONG).body) == 9


def test_gzip_bomb_is_not_unpacked(server: HttpServer, http: RequestsHttp) -> None:
    """An answer compressed unasked is Garbled and never unpacked."""
    bomb = gzip.compress(bytes(30_000_000))
    with pytest.raises(Garbled, match="compressed"):
        http.send(get(server.serve(page(bomb, Content_Encoding="gzip"))), LONG)


@pytest.mark.parametrize(
    "content",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n25.1.2",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n25.1",
    ],
    ids=["length", "chunked"],
)
def test_truncated_answer_is_no_answer(http: RequestsHttp, server: HttpServer, content: bytes) -> None:
    """An answer that breaks off is Garbled, never the part that came."""

    def answer(sock: socket.socket, _: str) -> None:
        sock.sendall(content)
        sock.shutdown(socket.SHUT_WR)

    with pytest.raises(Garbled, match="breaks off"):
        http.send(get(server.serve(answer)), LONG)


def test_not_http_is_unreachable_and_sent(server: HttpServer, http: RequestsHttp) -> None:
    """A server that answers in another protocol got the request; what it did with it is not known."""
    with pytest.raises(Unreachable) as caught:
        http.send(get(server.serve(raw(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"))), SHORT)
    assert caught.value.sent


def test_hanging_up_is_unreachable_and_sent(server: HttpServer, http: RequestsHttp) -> None:
    """A server that hangs up without a word may have acted upon the request."""
    url = server.serve(lambda sock, _: sock.shutdown(socket.SHUT_RDWR))
    with pytest.raises(Unreachable) as caught:
        http.send(get(url), LONG)
    assert caught.value.sent


def test_plain_http_needs_permission(server: HttpServer, http: RequestsHttp) -> None:
    """Plain http without leave is Refused before anything is sent."""
    with pytest.raises(Refused, match="plain http"):
        http.send(HttpRequest(server.serve(page("1"))), LONG)
    assert server.connections == 0


@pytest.mark.parametrize("url", ["ftp://x/", "https://", "https://me:pw@x/", "http://[::1/", "x", "http://x:99999/"])
def test_faulty_url_is_refused(http: RequestsHttp, url: str) -> None:
    """What is no usable URL is Refused, and its password is not repeated."""
    with pytest.raises(Refused) as caught:
        http.send(get(url), LONG)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize("value", ["a\r\nX: y", "\u20ac"])
def test_faulty_header_is_no_request(server: HttpServer, http: RequestsHttp, value: str) -> None:
    """A header that would smuggle in another never reaches the wire, nor does one of strange letters."""
    with pytest.raises((Refused, Unreachable)):
        http.send(get(server.serve(page("1")), headers={"X-Y": value}), LONG)
    assert server.requests == []


def test_redirect_on_the_same_host_is_followed(server: HttpServer, http: RequestsHttp) -> None:
    """A plain GET follows a redirect within its own origin, three times at most."""
    server.serve(page("there"), "/there")
    url = server.serve(page("", "302 Found", Location="/there"), "/here")
    assert http.send(get(url), LONG).body == b"there"
    loop = server.serve(page("", "302 Found", Location="/loop"), "/loop")
    assert http.send(get(loop), LONG).status == 302
    assert sum(head.startswith("GET /loop") for head in server.requests) == 4


def test_redirect_to_another_host_is_an_answer(server: HttpServer, http: RequestsHttp) -> None:
    """A redirect to another port, host or scheme is handed back, and the other place is not asked."""
    with HttpServer() as other:
        for target in (other.serve(page("no")), f"https://127.0.0.1:{server.port}/", "http://u@127.0.0.1/", "//[bad"):
            url = server.serve(page("", "301 Moved", Location=target))
            assert http.send(get(url), LONG).status == 301
        assert other.connections == 0


@pytest.mark.parametrize(
    "more",
    [{"auth": ("me", Secret("pw"))}, {"params": {"k": "v"}}, {"headers": {"Authorization": "x"}}, {"method": "POST"}],
)
def test_redirect_with_something_to_lose_is_an_answer(
    server: HttpServer, http: RequestsHttp, more: dict[str, object]
) -> None:
    """With credentials or parameters no redirect is followed, not even at home."""
    server.serve(page("there"), "/there")
    url = server.serve(page("", "302 Found", Location="/there"), "/here")
    assert http.send(get(url, **more), LONG).status == 302
    assert len(server.requests) == 1


def test_family_is_forced(http: RequestsHttp) -> None:
    """A request for one family reaches only a server of that family, though the name has both."""
    with HttpServer("::1") as six:
        six.serve(page("6"))
        assert http.send(get(six.url(), family=Family.IPV6), LONG).body == b"6"
        with pytest.raises(Unreachable) as caught:
            http.send(get(six.url(), family=Family.IPV4), LONG)
        assert not caught.value.sent
        with pytest.raises(Unreachable):
            http.send(get(f"http://localhost:{six.port}/", family=Family.IPV4), LONG)
        assert six.connections == 1


def test_tls_is_verified(tmp_path: Path) -> None:
    """A certificate nobody vouches for, or for another host, or out of date is Refused; a trusted one is taken."""
    context, pem = certificate(tmp_path, ["127.0.0.1"])
    with HttpServer(tls=context) as server:
        url = server.serve(page("safe"))
        with pytest.raises(Refused, match="prove who it is"):
            RequestsHttp().send(HttpRequest(url), LONG)
        trusting = RequestsHttp(cafile=pem)
        assert trusting.send(HttpRequest(url), LONG).body == b"safe"
        trusting.close()
        with pytest.raises(Refused, match="prove who it is"):
            trusting.send(HttpRequest(url.replace("127.0.0.1", "localhost")), LONG)
        assert len(server.requests) == 1


def test_expired_certificate_is_refused(tmp_path: Path) -> None:
    """A certificate that has run out is Refused."""
    context, pem = certificate(tmp_path, ["127.0.0.1"], age=2)
    with HttpServer(tls=context) as server, pytest.raises(Refused, match="expired"):
        RequestsHttp(cafile=pem).send(HttpRequest(server.serve(page("old"))), LONG)


def test_plain_server_on_a_tls_port_is_unreachable(server: HttpServer, http: RequestsHttp) -> None:
    """A server that does not speak TLS is Unreachable; nothing was sent in the clear."""
    url = server.serve(page("1")).replace("http:", "https:")
    server.answers.clear()
    with pytest.raises(Unreachable) as caught:
        http.send(HttpRequest(url), SHORT)
    assert not caught.value.sent


def test_missing_authorities_are_refused(tmp_path: Path) -> None:
    """A cafile that is not there is one clear sentence."""
    with pytest.raises(Refused, match="can not be loaded"):
        RequestsHttp(cafile=tmp_path / "none.pem").send(HttpRequest("https://127.0.0.1:1/"), LONG)


def test_environment_and_cookies_are_not_heeded(server: HttpServer, http: RequestsHttp) -> None:
    """No cookie of an answer comes back with the next request."""
    url = server.serve(page("1", Set_Cookie="a=b"))
    http.send(get(url), LONG)
    http.send(get(url), LONG)
    assert "cookie" not in server.requests[1].lower()


def test_proxies_of_the_environment_are_ignored(server: HttpServer) -> None:
    """A proxy in the environment is not used: it would show its own address for the house's."""
    url = server.serve(page("direct"))
    code = (
        "from datetime import timedelta; from ipwatch.ports import HttpRequest;"
        "from ipwatch.net.http import RequestsHttp;"
        f"print(RequestsHttp().send(HttpRequest({url!r}, insecure=True), timedelta(seconds=5)).body)"
    )
    environment = {"HTTP_PROXY": "http://127.0.0.1:1", "http_proxy": "http://127.0.0.1:1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=False, timeout=30)
    assert done.stdout == b"b'direct'\n", done.stderr


def test_requests_is_imported_at_first_use() -> None:
    """Importing the adapter does not import requests."""
    code = "import sys, ipwatch.net.http; sys.exit('requests' in sys.modules or 'urllib3' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=30).returncode == 0
