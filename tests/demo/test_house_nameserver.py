"""The house's two name servers, asked by dnspython and by BIND's own tools."""

import shutil
import subprocess
import time

import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.tsig
import dns.update
import pytest

from ipwatch.demo.house import DNS_NAME, ZONE, House

KEY = "hmac-sha256:ipwatch-demo:YSBrZXkgdGhhdCBleGlzdHMgb25seSBpbiB0aGUgZGVtbw=="


def ask(port: int, name: str, rdtype: str = "A", *, tcp: bool = False) -> dns.message.Message:
    """One question."""
    how = dns.query.tcp if tcp else dns.query.udp
    return how(dns.message.make_query(name, rdtype), "127.0.0.1", timeout=2, port=port)


def update(house: House, key: str | None = KEY, zone: str = ZONE) -> dns.update.UpdateMessage:
    """An empty update for the zone, signed with that key."""
    if key is None:
        return dns.update.UpdateMessage(zone)
    algorithm, name, secret = key.split(":")
    return dns.update.UpdateMessage(zone, keyring=dns.tsig.Key(dns.name.from_text(name), secret, algorithm))


def send(house: House, message: dns.update.UpdateMessage) -> str:
    """The rcode of the update."""
    return dns.rcode.to_text(dns.query.tcp(message, "127.0.0.1", timeout=2, port=house.primary.port).rcode())


def serial(port: int) -> int:
    """The zone's serial there."""
    return ask(port, ZONE, "SOA").answer[0][0].serial


def test_signed_update_is_shown_at_once_with_authority():
    """A signed update is in force over UDP and TCP, with AA set and the SOA serial raised."""
    with House() as house:
        before = serial(house.primary.port)
        message = update(house)
        message.replace(f"{DNS_NAME}.", 60, "A", house.address)
        assert send(house, message) == "NOERROR"
        for tcp in (False, True):
            answer = ask(house.primary.port, DNS_NAME, tcp=tcp)
            assert answer.flags & dns.flags.AA
            assert [r.to_text() for r in answer.answer[0]] == [house.address]
            assert answer.answer[0].ttl == 60
        assert serial(house.primary.port) == before + 1
        assert house.wrong == ()


def test_same_update_again_changes_nothing():
    """An update that changes nothing leaves the serial as it was."""
    with House() as house:
        for _ in range(2):
            message = update(house)
            message.replace(f"{DNS_NAME}.", 60, "A", house.address)
            assert send(house, message) == "NOERROR"
        assert serial(house.primary.port) == 2


def test_second_server_lags_by_the_delay_set():
    """The second server shows the change only after its delay, which can be changed."""
    with House(lag=60) as house:
        house.zone.replace(DNS_NAME, "A", house.address, by="test")
        assert ask(house.secondary.port, DNS_NAME).rcode() == dns.rcode.NXDOMAIN
        house.secondary.lag = 0.05
        time.sleep(0.06)
        assert ask(house.secondary.port, DNS_NAME).answer[0][0].to_text() == house.address


def test_who_may_not_update():
    """Without a key it is REFUSED, with an unknown key or a wrong secret NOTAUTH with the reason; nothing changes."""
    with House() as house:
        message = update(house, None)
        message.replace(f"{DNS_NAME}.", 60, "A", "25.1.2.3")
        assert send(house, message) == "REFUSED"
        for key, error in (
            (KEY.replace("demo", "other"), dns.tsig.PeerBadKey),
            (KEY.replace("YSB", "ZZZ"), dns.tsig.PeerBadSignature),
        ):
            message = update(house, key)
            message.replace(f"{DNS_NAME}.", 60, "A", "25.1.2.3")
            with pytest.raises(error):
                send(house, message)
        message = update(house)
        message.replace(f"{DNS_NAME}.", 60, "A", "25.1.2.3")
        with pytest.raises(dns.tsig.PeerBadKey):
            dns.query.udp(message, "127.0.0.1", timeout=2, port=house.secondary.port)
        assert house.zone.shows(DNS_NAME) == ()


def test_updates_outside_the_zone():
    """Another zone is NOTAUTH, a name outside the zone NOTZONE."""
    with House() as house:
        assert send(house, update(house, zone="other.example")) == "NOTAUTH"
        message = update(house)
        message.add(dns.name.from_text("www.other.example."), 60, "A", "25.1.2.3")
        assert send(house, message) == "NOTZONE"


def test_prerequisites_and_deletions():
    """Prerequisites decide whether an update is taken; single records, sets and names can be deleted."""
    name = f"{DNS_NAME}."
    with House() as house:

        def step(edit, rcode="NOERROR"):
            message = update(house)
            edit(message)
            assert send(house, message) == rcode

        step(lambda m: m.present(name), "NXDOMAIN")
        step(lambda m: m.present(name, "A"), "NXRRSET")
        step(lambda m: (m.absent(name), m.add(name, 60, "A", "25.1.2.3"), m.add(name, 60, "A", "25.1.2.4")))
        step(lambda m: m.absent(name), "YXDOMAIN")
        step(lambda m: m.absent(name, "A"), "YXRRSET")
        step(lambda m: m.present(name, "A", "25.9.9.9"), "NXRRSET")
        step(lambda m: m.delete(name, "A", "25.1.2.4"))
        assert house.zone.shows(DNS_NAME) == ("25.1.2.3",)
        step(lambda m: (m.present(name, "A", "25.1.2.3"), m.delete(name, "A")))
        assert house.zone.shows(DNS_NAME) == ()
        step(lambda m: (m.add(name, 60, "A", "25.1.2.3"), m.delete(name)))
        assert house.zone.shows(DNS_NAME) == ()
        step(lambda m: m.delete(f"{ZONE}."))
        assert ask(house.primary.port, ZONE, "SOA").answer
        assert house.wrong == ("25.1.2.3 25.1.2.4", "25.1.2.3", "")


def test_questions_it_does_not_answer():
    """A name elsewhere is REFUSED, an absent one NXDOMAIN with the SOA, an absent type NODATA; garbage gets FORMERR."""
    with House() as house:
        assert ask(house.primary.port, "example.org").rcode() == dns.rcode.REFUSED
        answer = ask(house.primary.port, f"nobody.{ZONE}")
        assert answer.rcode() == dns.rcode.NXDOMAIN
        assert answer.authority
        answer = ask(house.primary.port, f"ns1.{ZONE}", "AAAA")
        assert answer.rcode() == dns.rcode.NOERROR
        assert not answer.answer
        garbage = house.primary.respond(b"\x12\x34\x01\x00\x00\x01" + bytes(6) + b"\xff", udp=True)
        assert garbage is not None
        assert garbage[:2] == b"\x12\x34"
        assert garbage[3] & 0x0F == dns.rcode.FORMERR
        assert house.primary.respond(b"short", udp=True) is None
        assert house.primary.respond(garbage, udp=True) is None


def test_the_line_goes_down():
    """While the line is down a question stays unanswered; afterwards it is answered."""
    with House() as house:
        house.line_down()
        with pytest.raises(dns.exception.Timeout):
            dns.query.udp(dns.message.make_query(ZONE, "SOA"), "127.0.0.1", timeout=0.2, port=house.primary.port)
        with pytest.raises((OSError, EOFError)):
            ask(house.primary.port, ZONE, "SOA", tcp=True)
        house.line_up()
        assert ask(house.primary.port, ZONE, "SOA", tcp=True).answer


@pytest.mark.real
@pytest.mark.skipif(shutil.which("nsupdate") is None or shutil.which("dig") is None, reason="needs nsupdate and dig")
def test_binds_tools_understand_it():
    """BIND's nsupdate updates it with the key and is refused without; dig reads the answer with the aa flag."""
    with House() as house:
        script = (
            f"server 127.0.0.1 {house.primary.port}\nzone {ZONE}\nupdate add {DNS_NAME} 60 A {house.address}\nsend\n"
        )
        refused = subprocess.run(["nsupdate"], input=script, capture_output=True, text=True, timeout=10, check=False)
        assert "REFUSED" in refused.stderr
        subprocess.run(["nsupdate", "-y", KEY], input=script, text=True, timeout=10, check=True)
        dig = ["dig", "@127.0.0.1", "-p", str(house.primary.port), "+norecurse", DNS_NAME, "A"]
        shown = subprocess.run(dig, capture_output=True, text=True, timeout=10, check=True).stdout
        assert "flags: qr aa;" in shown
        assert house.address in shown
