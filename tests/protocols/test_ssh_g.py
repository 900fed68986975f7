"""What `ssh -G` prints."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipwatch.protocols import ssh_g

SAID = """user anna
hostname desktop
identityfile ~/.ssh/id_rsa
identityfile ~/my key
proxyjump none
tunnel false

odd
sendenv LANG
sendenv LC_*
"""


def test_each_setting_keeps_its_values_in_order() -> None:
    """Settings given several times keep all values, blanks within a value stay, other lines are passed over."""
    settings = ssh_g.parse(SAID)
    assert settings["identityfile"] == ("~/.ssh/id_rsa", "~/my key")
    assert settings["sendenv"] == ("LANG", "LC_*")
    assert "odd" not in settings
    assert (ssh_g.first(settings, "user"), ssh_g.first(settings, "port", "22"), ssh_g.first(settings, "x")) == (
        "anna", "22", "",
    )  # fmt: skip


@given(st.text())
def test_no_text_breaks_the_reading(text: str) -> None:
    """Whatever a program called ssh prints is read without a fault."""
    for values in ssh_g.parse(text).values():
        assert all(values)


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("proxyjump bastion", ("proxyjump",)),
        ("proxyjump none", ()),
        ("proxycommand nc %h %p", ("proxycommand",)),
        ("proxycommand '/usr/bin/ipwatch' proxy desktop", ()),
        ("certificatefile ~/.ssh/id-cert.pub", ("certificatefile",)),
        ("localforward 8000 [localhost]:8000", ("localforward",)),
        ("tunnel false", ()),
        ("securitykeyprovider internal", ()),
        ("securitykeyprovider /usr/lib/sk.so\nbindaddress 10.0.0.1", ("securitykeyprovider", "bindaddress")),
        ("identityfile ~/.ssh/x", ()),
    ],
)
def test_what_is_not_taken_is_named(line: str, named: tuple[str, ...]) -> None:
    """Settings that change how ssh connects and have no counterpart are named; our own ProxyCommand is not."""
    assert set(ssh_g.not_taken(ssh_g.parse(line))) == set(named)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("~/.ssh/id", "/home/%a/.ssh/id"),
        ("~", "/home/%a"),
        ("/k/~/x", "/k/~/x"),
        ("%d/%u-%%-${A}", "/home/x/me-%-1"),
        ("/plain$x", "/plain$x"),
    ],
)
def test_paths_are_read_as_ssh_reads_them(text: str, path: str) -> None:
    """A leading ~, %tokens and ${variables} are filled in; a home with odd characters stays what it is."""
    assert ssh_g.expand(text, "/home/%a", {"d": "/home/x", "u": "me", "%": "%"}, {"A": "1"}) == path


@pytest.mark.parametrize(("text", "name"), [("%Z", "%Z"), ("${NONE}/a", "${NONE}")])
def test_what_is_not_known_is_named(text: str, name: str) -> None:
    """A token or a variable that is not known is a fault that names it."""
    with pytest.raises(ssh_g.NoValue) as caught:
        ssh_g.expand(text, "/h", {}, {})
    assert str(caught.value) == name
