"""The house's dyndns2 server."""

import base64
import urllib.error
import urllib.parse
import urllib.request

import pytest

from ipwatch.demo.dyndns2 import PATIENCE
from ipwatch.demo.house import DYN_NAME, House

LOGIN = "resident:correct horse"


def update(house: House, *, login: str = LOGIN, agent: str = "ipwatch-test/1", **query: str) -> str:
    """What it says to one update."""
    fields = {"hostname": DYN_NAME, "myip": house.address, **query}
    headers = {"User-Agent": agent, "Authorization": "Basic " + base64.b64encode(login.encode()).decode()}
    request = urllib.request.Request(f"{house.dyn.url}/nic/update?{urllib.parse.urlencode(fields)}", headers=headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=2) as answer:
            return answer.read().decode().strip()
    except urllib.error.HTTPError as error:
        with error:
            return f"{error.code} {error.read().decode().strip()}"


def test_an_update_is_in_the_zone():
    """A good update is shown by the zone and is no fault; the first nochg is forgiven."""
    with House() as house:
        assert update(house) == f"good {house.address}"
        assert house.zone.shows(DYN_NAME) == (house.address,)
        assert update(house) == f"nochg {house.address}"
        assert house.dyn.faults == []
        house.address = "25.7.44.90"
        assert update(house) == "good 25.7.44.90"
        assert house.wrong == ()


def test_nochg_again_is_a_fault_and_too_many_are_abuse():
    """A second nochg for one address is counted, and a client that goes on hears abuse."""
    with House() as house:
        update(house)
        update(house)
        for number in range(PATIENCE):
            assert len(house.dyn.faults) == number
            assert update(house) == f"nochg {house.address}"
        assert update(house) == "abuse"
        house.dyn.pardon()
        assert update(house) == f"nochg {house.address}"


def test_refusals_and_going_on_after_one():
    """Each fault has its code; the same request again after a fatal code is counted, a corrected one is not."""
    with House() as house:
        assert update(house, login="resident:wrong") == "401 badauth"
        assert update(house, hostname="other.demo.example") == "nohost"
        assert update(house, hostname="home") == "notfqdn"
        assert update(house, hostname=",".join([DYN_NAME] * 21)) == "numhost"
        assert update(house, agent="python-requests/2") == "badagent"
        assert update(house, myip="25.1.2") == "badparam"
        assert update(house, myip="25.1.2.3,25.1.2.4") == "badparam"
        assert house.dyn.faults == []
        assert update(house, login="resident:wrong") == "401 badauth"
        assert len(house.dyn.faults) == 1
        assert update(house, hostname=f"{DYN_NAME},other.demo.example") == f"good {house.address}\nnohost"
        assert len(house.dyn.faults) == 1


def test_credentials_that_can_not_be_read_are_refused():
    """No password, no base64 and another scheme are all badauth."""
    with House() as house:
        assert update(house, login="resident") == "401 badauth"
        for credentials in ("", "Basic %%%", "Bearer x", "Basic /w=="):
            assert house.dyn.update(credentials, "ipwatch-test/1", {}) == ["badauth"]


def test_a_server_in_trouble():
    """While told to, it says something else and changes nothing; other paths are not there; IPv6 has its own record."""
    with House() as house:
        house.dyn.answer = "911"
        assert update(house) == "500 911"
        assert house.zone.shows(DYN_NAME) == ()
        house.dyn.answer = ""
        assert update(house, myip=f"{house.address},2a02:1:2::3") == f"good {house.address},2a02:1:2::3"
        assert house.zone.shows(DYN_NAME, "AAAA") == ("2a02:1:2::3",)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with pytest.raises(urllib.error.HTTPError) as error:
            opener.open(house.dyn.url + "/other", timeout=2)
        error.value.close()
        assert error.value.code == 404
