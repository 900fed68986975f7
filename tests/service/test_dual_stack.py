"""Both families at once, apart from one another: IPv4 by the pages, IPv6 from a file a script writes."""

import time
from pathlib import Path

from ipwatch.demo.house import DNS_NAME, House
from ipwatch.demo.service import Service
from tests.fakes.waiting import wait

FIRST, SECOND = "2a02:2770:11:3::7", "2a02:2770:11:4::7"


def dual(house: House, folder: Path) -> Path:
    text = house.toml(folder)
    text = text.replace('families = ["ipv4"]', 'families = ["ipv4", "ipv6"]')
    text = text.replace("quorum = 2", "quorum = { ipv4 = 2, ipv6 = 1 }")
    text = text.replace('kind = "web"\n', 'kind = "web"\nfamilies = ["ipv4"]\n')
    text = text.replace('account = "dyn"\n', 'account = "dyn"\nfamilies = ["ipv4"]\n')
    text += '\n[[source]]\nkind = "file"\npath = "v6.txt"\nfamilies = ["ipv6"]\n'
    config = folder / "ipwatch.toml"
    config.write_text(text)
    config.chmod(0o600)
    return config


def test_families_do_not_mix(tmp_path: Path) -> None:
    """Each family is published by itself; IPv6 falling silent or private takes no record away and holds IPv4 up in
    nothing; the mirror file has both."""
    six = tmp_path / "v6.txt"
    with House(lag=0) as house:

        def shows(rdtype: str, address: str) -> bool:
            return house.zone.shows(DNS_NAME, rdtype) == (address,)

        config = dual(house, tmp_path)
        with Service(config) as service:
            assert wait(lambda: shows("A", house.address)), service.said(20)
            assert house.zone.shows(DNS_NAME, "AAAA") == ()
            six.write_text(FIRST + "\n")
            assert wait(lambda: shows("AAAA", FIRST)), service.said(20)
            for nothing in ("", "fe80::1", "fd00::1", "2001:db8::1", f"{FIRST}\n{SECOND}", "::ffff:25.1.1.1"):
                six.write_text(nothing)
                time.sleep(0.3)
            six.unlink()
            house.address = "25.2.2.2"
            assert wait(lambda: shows("A", "25.2.2.2")), service.said(20)
            assert shows("AAAA", FIRST)
            six.write_text(SECOND)
            assert wait(lambda: shows("AAAA", SECOND)), service.said(20)
            assert shows("A", "25.2.2.2")
            mirror = tmp_path / "current-ip.txt"
            assert wait(lambda: mirror.read_text().split() == ["25.2.2.2", SECOND])
            assert service.stop(10) == 0
        wrong = {n.address for n in house.journal.since() if n.what == "changed"} - {
            "25.7.31.10", "25.2.2.2", FIRST, SECOND,
        }  # fmt: skip
        assert wrong == set()
