"""The house's pages."""

import http.client
import time
import urllib.error
import urllib.request

import pytest

from ipwatch.demo.echo import LIE, Manner
from ipwatch.demo.house import FIRST, House


def get(house: House, page: str, within: float = 2.0) -> str:
    """What the page says."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(house.pages.url(page), timeout=within) as answer:
        return answer.read().decode()


def http_get(kept: http.client.HTTPConnection) -> None:
    """Ask again over the connection as it is, without opening another."""
    kept.sock.sendall(b"GET /amber HTTP/1.1\r\n\r\n")
    if not kept.sock.recv(1):
        raise ConnectionResetError


def test_every_page_tells_the_houses_address():
    """Each page says the address the house has, and the new one once it has changed."""
    with House() as house:
        assert {get(house, page) for page in house.pages.manners} == {FIRST + "\n"}
        house.address = "25.7.44.90"
        assert {get(house, page) for page in house.pages.manners} == {"25.7.44.90\n"}


def test_one_page_lies_alone():
    """A page told to lie says the lie, the others go on with the truth, and it can repent."""
    with House() as house:
        house.lie("cedar")
        assert get(house, "cedar") == LIE + "\n"
        assert get(house, "amber") == FIRST + "\n"
        house.lie("cedar", Manner.TRUTH)
        assert get(house, "cedar") == FIRST + "\n"


def test_bad_manners():
    """An error page is HTTP 500, a portal's page holds no bare address, an unknown page is HTTP 404."""
    with House() as house:
        house.lie("amber", Manner.ERROR)
        with pytest.raises(urllib.error.HTTPError) as error:
            get(house, "amber")
        assert error.value.code == 500
        error.value.close()
        house.lie("amber", Manner.HTML)
        assert FIRST not in get(house, "amber")
        with pytest.raises(urllib.error.HTTPError) as error:
            get(house, "nobody")
        assert error.value.code == 404
        error.value.close()


def test_a_page_that_hangs():
    """A hanging page says nothing, and the house ends without waiting for it."""
    with House() as house:
        house.lie("dune", Manner.HANG)
        connection = http.client.HTTPConnection("127.0.0.1", house.pages.port, timeout=0.3)
        connection.request("GET", "/dune")
        with pytest.raises(TimeoutError):
            connection.getresponse()
        ended = time.monotonic()
    assert time.monotonic() - ended < 2
    connection.close()


def test_a_page_that_drips():
    """A dripping page keeps a timeout per read happy for ever; the house ends without waiting for it."""
    with House() as house:
        house.lie("dune", Manner.DRIP)
        connection = http.client.HTTPConnection("127.0.0.1", house.pages.port, timeout=1)
        connection.request("GET", "/dune")
        answer = connection.getresponse()
        started = time.monotonic()
        assert answer.read(3) == FIRST[:3].encode()
        assert time.monotonic() - started > 0.3
        assert int(answer.headers["Content-Length"]) > 1000
        ended = time.monotonic()
    assert time.monotonic() - ended < 2
    answer.close()
    connection.close()


def test_the_line_goes_down():
    """While the line is down a request is reset, a kept connection is cut; afterwards all is as before."""
    with House() as house:
        kept = http.client.HTTPConnection("127.0.0.1", house.pages.port, timeout=2)
        kept.request("GET", "/amber")
        assert kept.getresponse().read().decode() == FIRST + "\n"
        house.line_down()
        with pytest.raises((ConnectionError, http.client.RemoteDisconnected)):
            http_get(kept)
        with pytest.raises((urllib.error.URLError, ConnectionError)):
            get(house, "amber")
        house.line_up()
        assert get(house, "amber") == FIRST + "\n"
        kept.close()
