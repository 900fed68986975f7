"""The quorum that the operators can never reach."""

from pathlib import Path

from ipwatch.core.address import Family
from ipwatch.settings.check import check_quorum
from ipwatch.settings.load import load
from tests.fakes.settings import read

BOTH = "[watch]\nfamilies = ['ipv4', 'ipv6']\nquorum = { ipv4 = 2, ipv6 = 1 }\n"


def test_a_quorum_out_of_reach_is_a_fault(tmp_path: Path) -> None:
    """Operators are counted, not sources; place, number and a way out are named."""
    settings = read(tmp_path, BOTH)
    (fault,) = check_quorum(settings, {Family.IPV4: ["ipify", "ipify"], Family.IPV6: ["ipify"]})
    assert str(fault) == (
        "ipwatch.toml:3: watch.quorum: 2 operators must agree on the IPv4 address, but the sources have only "
        "1 operator (ipify): add sources of others, or set quorum = { ipv4 = 1 }"
    )


def test_a_family_nobody_can_tell_is_a_fault(tmp_path: Path) -> None:
    """A watched family without any source is told as that."""
    (fault,) = check_quorum(read(tmp_path, BOTH), {Family.IPV4: {"a", "b", "c"}})
    assert str(fault) == (
        "ipwatch.toml:2: watch.families: no source can tell an IPv6 address; add one, or leave 'ipv6' out"
    )


def test_a_quorum_in_reach_is_none(tmp_path: Path) -> None:
    """Enough operators for the watched families; the others do not matter."""
    assert check_quorum(read(tmp_path, ""), {Family.IPV4: {"a", "b"}}) == ()


def test_the_place_of_a_default_is_the_file_or_the_defaults(tmp_path: Path) -> None:
    """Where nobody wrote the quorum, the fault names the file, or the built-in defaults."""
    (fault,) = check_quorum(read(tmp_path, ""), {Family.IPV4: {"a"}})
    assert fault.place == f"{tmp_path}/ipwatch.toml"
    (fault,) = check_quorum(load(None, {}, tmp_path / "x", root=tmp_path / "x"), {Family.IPV4: {"a"}})
    assert fault.place == "built-in defaults"
