"""Who logs in."""

import getpass
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from ipwatch.core.trouble import Kind, Trouble
from ipwatch.laptop.login import login_of, ssh_settings
from ipwatch.laptop.world import World
from ipwatch.net.command import SubprocessCommands
from ipwatch.ports import Completed
from ipwatch.ports.remote import Login
from ipwatch.settings.laptop_model import Host
from tests.fakes.laptop_world import laptop_world, said


class WithConfig:
    """Commands whose ssh reads this configuration instead of the user's. program: in the place of ssh."""

    def __init__(self, config: Path, program: str = "ssh") -> None:
        self.config, self.program = config, program

    def run(self, argv: Sequence[str], within: timedelta, *, env: Mapping[str, str] | None = None,
            stdin: bytes = b"", limit: int = 65536) -> Completed:  # fmt: skip
        assert argv[0] == "ssh"
        words = [self.program, "-F", str(self.config), *argv[1:]]
        return SubprocessCommands().run(words, min(within, timedelta(seconds=0.5)), env=env, stdin=stdin, limit=limit)


def world_with(folder: Path, config: str, *, program: str = "ssh") -> World:
    """A world whose ssh has that configuration."""
    file = folder / "ssh_config"
    file.write_text(config)
    return laptop_world(folder, commands=WithConfig(file, program))


def login(folder: Path, config: str, host: Host, environ: Mapping[str, str] | None = None, **more: str) -> Login:
    """Who logs in with that configuration and that environment; home is the folder."""
    return login_of(world_with(folder, config, **more), host, {"HOME": str(folder), **(environ or {})})


def keys(folder: Path, *names: str) -> list[Path]:
    """Files with these names in ~/.ssh."""
    paths = [folder / ".ssh" / name for name in names]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        path.write_text("")
    return paths


def test_ssh_says_user_and_key_where_the_file_does_not(tmp_path: Path) -> None:
    """User, identities, agent and IdentitiesOnly of a `Host` block are taken."""
    (key,) = keys(tmp_path, "work")
    config = f"Host desktop\n User bob\n IdentityFile ~/.ssh/work\n IdentitiesOnly yes\n IdentityAgent {tmp_path}/a\n"
    who = login(tmp_path, config, Host("desktop"))
    assert who[:5] == ("desktop", "bob", (key,), True, f"{tmp_path}/a")


def test_the_file_wins_over_ssh(tmp_path: Path) -> None:
    """User and identity of laptop.toml win; with an identity named no other key is tried."""
    key, _ = keys(tmp_path, "mine", "work")
    config = "Host desktop\n User bob\n IdentityFile ~/.ssh/work\n"
    who = login(tmp_path, config, Host("desktop", user="anna", identity=(key,)), {"SSH_AUTH_SOCK": "/agent"})
    assert who[:5] == ("desktop", "anna", (key,), True, "/agent")


def test_our_own_block_changes_nothing(tmp_path: Path) -> None:
    """The block that `ipwatch ssh-config` writes leaves the login as it is."""
    config = "Host desktop\n ProxyCommand ipwatch proxy desktop\n HostKeyAlias desktop\n UserKnownHostsFile /x\n"
    assert login(tmp_path, config, Host("desktop"))[:4] == login(tmp_path, "", Host("desktop"))[:4]


def test_of_the_defaults_those_that_exist_are_tried(tmp_path: Path) -> None:
    """Without an identity anywhere, ssh's default files that exist are tried, in its order; a public half counts."""
    keys(tmp_path, "id_ed25519", "id_rsa.pub", "unrelated")
    who = login(tmp_path, "", Host("desktop"))
    assert [path.name for path in who.identities] == ["id_rsa", "id_ed25519"]
    assert not who.identities_only


def test_without_an_ssh_it_is_the_local_user(tmp_path: Path) -> None:
    """On a machine without ssh: the local user and the default files, without a warning."""
    (key,) = keys(tmp_path, "id_ecdsa")
    world = world_with(tmp_path, "", program="no-such-program")
    who = login_of(world, Host("desktop"), {"HOME": str(tmp_path), "SSH_AUTH_SOCK": "/agent"})
    assert who[:5] == ("desktop", getpass.getuser(), (key,), False, "/agent")
    assert said(world) == ""


@pytest.mark.parametrize(
    ("setting", "agent"),
    [
        ("none", ""),
        ("SSH_AUTH_SOCK", "/agent"),
        ("$OTHER", "/other"),
        ("$MISSING", ""),
        ("${OTHER}/s", "/other/s"),
        ("~/a-%u-%%", "HOME/a-USER-%"),
        ("%Z", ""),
    ],
)
def test_every_way_to_name_an_agent(tmp_path: Path, setting: str, agent: str) -> None:
    """IdentityAgent: none, the usual one, a variable, a path with ~ and tokens; what has no value is no agent."""
    said_by_ssh = tmp_path / "ssh"  # the real one refuses some of these itself
    said_by_ssh.write_text(f"#!/bin/sh\necho 'identityagent {setting}'\n")
    said_by_ssh.chmod(0o700)
    environ = {"SSH_AUTH_SOCK": "/agent", "OTHER": "/other"}
    expected = agent.replace("HOME", str(tmp_path)).replace("USER", getpass.getuser())
    assert login(tmp_path, "", Host("desktop"), environ, program=str(said_by_ssh)).agent == expected


def test_identity_that_does_not_exist_names_path_and_place(tmp_path: Path) -> None:
    """A key named in laptop.toml that is not there ends in a sentence with the path and the file."""
    with pytest.raises(Trouble) as caught:
        login(tmp_path, "", Host("desktop", identity=(tmp_path / "none",)))
    assert caught.value.kind is Kind.CONFIGURATION
    assert str(caught.value) == f"{tmp_path}/laptop.toml: the identity of desktop, {tmp_path}/none, does not exist"


def test_identities_of_ssh_that_have_no_value_are_passed_over(tmp_path: Path) -> None:
    """IdentityFile none, one that does not exist and one with an unknown variable are no fault."""
    said_by_ssh = tmp_path / "ssh"
    said_by_ssh.write_text("#!/bin/sh\nprintf 'identityfile none\\nidentityfile ~/gone\\nidentityfile ${NO}/x\\n'\n")
    said_by_ssh.chmod(0o700)
    assert login(tmp_path, "", Host("desktop"), program=str(said_by_ssh)).identities == ()


def test_configuration_that_hangs_is_not_waited_for(tmp_path: Path) -> None:
    """A `Match exec` that hangs costs its deadline and a line, not the login."""
    world = world_with(tmp_path, 'Match exec "sleep 30"\n User bob\n')
    assert ssh_settings(world, Host("desktop")) == {}
    assert "`ssh -G desktop` does not end" in said(world)


def test_configuration_with_a_fault_is_told(tmp_path: Path) -> None:
    """A fault in ssh's configuration is told in ssh's words, and the login goes on without it."""
    world = world_with(tmp_path, "Nonsense yes\n")
    assert login_of(world, Host("desktop"), {"HOME": str(tmp_path)}).user == getpass.getuser()
    assert "Bad configuration option: nonsense" in said(world)
