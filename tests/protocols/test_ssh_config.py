"""The text of ssh's configuration."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipwatch.protocols.ssh_config import (
    BadPath,
    Entry,
    Machine,
    block,
    file_text,
    is_ours,
    proxy_command,
    with_include,
    without_include,
)

LINUX = Machine(False, ("/opt/ipwatch/bin/ipwatch",), ("/home/anna/.local/state/ipwatch/known_hosts",))
WINDOWS = Machine(True, (r"C:\Program Files\ipwatch\ipwatch.exe",), (r"C:\Users\Anna B\known_hosts",), r"C:\l.toml")


def settings(text: str) -> dict[str, str]:
    """The lines of a block."""
    return dict(line.split(None, 1) for line in text.splitlines())


def test_a_block_says_all_ssh_needs() -> None:
    """Only the pinned keys count, under the host's own name; the connection comes from ipwatch, as a socket."""
    entry = Entry("desktop", "anna", 2223, ("/k 1", "/k2"), 240)
    text = block(entry, LINUX)
    found = settings(text)
    assert text.startswith("Host desktop\n")
    assert '    IdentityFile "/k 1"\n    IdentityFile /k2\n' in text
    del found["IdentityFile"]
    assert found == {
        "Host": "desktop",
        "HostName": "desktop",
        "User": "anna",
        "Port": "2223",
        "HostKeyAlias": "desktop",
        "UserKnownHostsFile": "/home/anna/.local/state/ipwatch/known_hosts",
        "GlobalKnownHostsFile": "/dev/null",
        "StrictHostKeyChecking": "yes",
        "CheckHostIP": "no",
        "VerifyHostKeyDNS": "no",
        "UpdateHostKeys": "no",
        "ServerAliveInterval": "10",
        "ServerAliveCountMax": "3",
        "ConnectTimeout": "300",
        "ProxyUseFdpass": "yes",
        "ProxyCommand": "/opt/ipwatch/bin/ipwatch proxy --pass-fd desktop",
    }


def test_what_is_not_configured_is_ssh_s_own_choice() -> None:
    """Without a user and keys in laptop.toml ssh's defaults and the agent stand."""
    found = settings(block(Entry("nas"), LINUX))
    assert "User" not in found
    assert "IdentityFile" not in found


def test_windows_has_its_own_rules() -> None:
    """There: the .exe with its full path in quotes, no descriptors passed, no ControlMaster, slashes in paths."""
    found = settings(block(Entry("desktop", identities=(r"C:\Users\Anna B\id",)), WINDOWS))
    assert "ProxyUseFdpass" not in found
    assert found["ControlMaster"] == "no"
    assert found["ControlPath"] == "none"
    assert found["ProxyCommand"] == r'"C:\Program Files\ipwatch\ipwatch.exe" proxy --config "C:\l.toml" desktop'
    assert found["UserKnownHostsFile"] == '"C:/Users/Anna B/known_hosts"'
    assert found["IdentityFile"] == '"C:/Users/Anna B/id"'


def test_a_backslash_does_not_escape_the_closing_quote() -> None:
    """CommandLineToArgvW reads a backslash before a quotation mark as an escape, so it is doubled."""
    machine = WINDOWS._replace(config="C:\\folder x\\")
    assert proxy_command("nas", machine).endswith(r'--config "C:\folder x\\" nas')


def test_percent_signs_are_no_tokens() -> None:
    """A path with % in it is doubled, in the command (also %VAR% on Windows) and as an option's argument."""
    machine = LINUX._replace(program=("/a%h/ipwatch",), known_hosts=("/s%d/known_hosts",))
    text = block(Entry("nas"), machine)
    assert "ProxyCommand /a%%h/ipwatch proxy" in text
    assert "UserKnownHostsFile /s%%d/known_hosts" in text
    assert '"C:\\%%VAR%%\\i.exe" proxy' in proxy_command("nas", WINDOWS._replace(program=(r"C:\%VAR%\i.exe",)))


@given(st.text(st.characters(exclude_categories=["C", "Z"], include_characters=" '\"$`\\%~*"), min_size=1))
def test_a_shell_gets_the_words_as_they_are(path: str) -> None:
    """Whatever stands in a path, the user's shell runs exactly that program with exactly those words."""
    line = proxy_command("nas", LINUX._replace(program=(path,), config=path))
    assert shlex.split(line.replace("%%", "%")) == [path, "proxy", "--pass-fd", "--config", path, "nas"]


@pytest.mark.parametrize(
    ("machine", "clause"),
    [
        (LINUX._replace(known_hosts=("/s/${HOME}/k",)), "reads as a variable"),
        (LINUX._replace(known_hosts=("/s\n/k",)), "can not be written"),
        (LINUX._replace(config="/s\n/k"), "can not be written"),
        (WINDOWS._replace(program=('C:\\a"b.exe',)), "quotation mark"),
    ],
)
def test_paths_that_ssh_can_not_read_are_named(machine: Machine, clause: str) -> None:
    """What has no spelling in ssh's configuration is refused, not written wrongly."""
    with pytest.raises(BadPath, match=clause):
        file_text([Entry("nas")], machine)


def test_the_file_has_a_block_a_host() -> None:
    """The file says whose it is, and is known again by that."""
    text = file_text([Entry("nas"), Entry("desktop")], LINUX)
    assert [line for line in text.splitlines() if line.startswith("Host ")] == ["Host nas", "Host desktop"]
    assert is_ours(text.encode())
    assert not is_ours(b"Host nas\n")


def test_a_new_file_is_gone_again() -> None:
    """Where there was no file there is none after install and uninstall."""
    made = with_include(None)
    assert made.endswith(b"\nInclude ipwatch.conf\n")
    assert without_include(made) is None
    assert without_include(made + b"Host x\n") == b"Host x\n"


USERS = [b"", b"Host x\n  User y\n", b"Host x", b"# mine\r\nHost x\r\n", b"\n\n", b"\xff\xfe", b"Include other\n"]


@pytest.mark.parametrize("text", USERS)
def test_the_user_s_file_comes_back_byte_for_byte(text: bytes) -> None:
    """Install and uninstall are each other's opposite, whatever the file's line ends and its last line."""
    made = with_include(text)
    assert made.splitlines()[1] == b"Include ipwatch.conf"
    assert without_include(made) == text
    assert with_include(made) == made
    if b"\r\n" in text:
        assert b"\n" not in made.replace(b"\r\n", b"")


@given(st.binary(max_size=80), st.binary(max_size=20), st.booleans())
def test_only_our_lines_go(text: bytes, more: bytes, before: bool) -> None:
    """Whatever else was written into the file meanwhile stays."""
    made = with_include(text)
    edited = more + b"\n" + made if before else made + more
    assert without_include(edited) == (more + b"\n" + text if before else text + more)


def test_a_line_inside_a_block_does_not_count() -> None:
    """An Include below a Host would be for that host only: it is moved to the top."""
    ours = with_include(b"")
    made = with_include(b"Host x\n" + ours)
    assert made == ours + b"Host x\n"
    assert with_include(b"Match all\n  User y\n").startswith(ours)


@pytest.mark.parametrize(
    "line", [b"Include ipwatch.conf", b'include = "~/.ssh/ipwatch.conf"', b"Include a ipwatch.conf"]
)
def test_a_line_of_the_user_s_own_is_respected(line: bytes) -> None:
    """Who has written the Include by hand keeps it, at install and at uninstall."""
    text = b"# mine\n" + line + b"\nHost x\n"
    assert with_include(text) == text
    assert without_include(text) == text


def test_a_last_line_without_an_end_is_ours_too() -> None:
    """Our two lines at the very end of a file, without its line end, go in full."""
    assert without_include(b"Host x\n" + with_include(b"").rstrip(b"\n")) == b"Host x\n"


def test_a_comment_alone_is_not_ours_to_take() -> None:
    """When the line after our comment is another, nothing goes."""
    comment = with_include(b"").split(b"\n")[0] + b"\n"
    assert without_include(comment + b"Host x\n") == comment + b"Host x\n"
    assert without_include(comment.rstrip(b"\n")) == comment.rstrip(b"\n")


def test_another_folder_is_named_in_full() -> None:
    """Where ssh does not look by itself the Include needs the whole path, in quotes if it has spaces."""
    assert b'Include "/a b/.ssh/ipwatch.conf"\n' in with_include(b"", "/a b/.ssh/ipwatch.conf")
    assert without_include(with_include(b"x", "/a b/.ssh/ipwatch.conf")) == b"x"
