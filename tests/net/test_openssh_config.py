"""What the user's own ssh configuration does to the engine "openssh": the real ssh, against real sshd."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from ipwatch.core.candidate import Spot
from ipwatch.core.forward import Forward, Sort, Target
from ipwatch.core.host import Pins
from ipwatch.net.openssh import OpenSshSession
from ipwatch.net.openssh_link import OpenSshLink
from ipwatch.ports import Refused
from ipwatch.ports.remote import Login, LoginRefused, Prompt
from tests.fakes.far_end import digest, pair, read_all, serving
from tests.fakes.sshd import Sshd, make_key, sshd
from tests.fakes.waiting import wait

pytestmark = pytest.mark.real
LONG = timedelta(seconds=30)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    folder = tmp_path_factory.mktemp("sshd")
    ca = make_key(folder / "ca")
    with sshd(folder, kinds=("ed25519", "ecdsa"), options=f"TrustedUserCAKeys {ca}.pub") as running:
        yield running


def configured(folder: Path, text: str) -> str:
    """An ssh whose user has that configuration."""
    (folder / "config").write_text(text)
    program = folder / "ssh"
    program.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {folder}/config "$@"\n')
    program.chmod(0o700)
    return str(program)


def login(server: Sshd, program: str, pins: Pins | None = None, **more: object) -> OpenSshLink:
    """A link to it."""
    who = Login("desktop", server.user, (server.identity,), True)._replace(**more)  # type: ignore[arg-type]
    session = OpenSshSession(program, Spot(server.ip, server.port), pins or Pins(server.keys), server.keys[0])
    link = session.login(who, LONG)
    assert isinstance(link, OpenSshLink)
    return link


def works(link: OpenSshLink) -> str:
    """Whether it carries and runs; what it ran as. Then it is ended."""
    try:
        with serving(digest) as target:
            near, accepted = pair()
            link.carry(accepted, target, LONG)
            with near:
                near.shutdown(socket.SHUT_WR)
                assert len(read_all(near)) == 64
        status, out, _ = link.run('echo "$SSH_CONNECTION $LEAKED"', LONG)
        assert status == 0
        return out.decode()
    finally:
        link.cut()
        link._pump.join(10)
        link._master.join(10)


OVERRULED = """\
Host desktop
    HostName 192.0.2.1
    Port 1
    User nobody77
    AddressFamily inet6
    BindAddress 192.0.2.1
    ProxyJump nowhere.invalid
    ControlMaster auto
    ControlPath {folder}/own
    ControlPersist yes
    ExitOnForwardFailure yes
    LocalForward {taken} 127.0.0.1:1
    DynamicForward {taken}
    RemoteForward {taken} 127.0.0.1:1
    RemoteCommand touch {mark}
    PermitLocalCommand yes
    LocalCommand touch {mark}
    KnownHostsCommand /usr/bin/touch {mark}
    RequestTTY force
    SessionType subsystem
    ForkAfterAuthentication yes
    StdinNull yes
    LogLevel QUIET
    LogVerbose *:*
    BatchMode yes
    ForwardX11 yes
    ForwardAgent yes
    SetEnv LEAKED=leaked
    HostKeyAlias other
    HostKeyAlgorithms ecdsa-sha2-nistp256
    UserKnownHostsFile /dev/null
    StrictHostKeyChecking no
    VisualHostKey yes
    UpdateHostKeys ask
    CanonicalizeHostname always
    CanonicalizeFallbackLocal no
    ServerAliveInterval 0
    ConnectTimeout 1
    AddKeysToAgent ask
    PKCS11Provider {folder}/none.so
    CertificateFile {folder}/none-cert.pub
"""


def test_what_is_no_business_of_a_link_is_overruled(server: Sshd, tmp_path: Path) -> None:
    """Forwards (their ports are taken), commands, terminals, jumps, another known_hosts, another place and all else
    that would keep a link from coming up, or do more than it, change nothing."""
    mark = tmp_path / "mark"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        text = OVERRULED.format(folder=tmp_path, mark=mark, taken=listener.getsockname()[1])
        asked: list[Prompt] = []
        link = login(server, configured(tmp_path, text), Pins(server.keys[:1]), ask=asked.append)
        assert f" {server.ip} {server.port} \n" in works(link)
    assert not asked
    assert not mark.exists()
    assert not (tmp_path / "own").exists()


def test_control_socket_of_the_users_own_is_left_alone(server: Sshd, tmp_path: Path) -> None:
    """A master they opened for that host neither carries our link nor ends with it."""
    with sshd(tmp_path / "other", identity=server.identity) as other:
        known = tmp_path / "known"
        known.write_text(f"[{other.ip}]:{other.port} {other.keys[0].text}\n")
        program = configured(tmp_path, f"Host *\n ControlMaster auto\n ControlPath {tmp_path}/own\n")
        words = [program, "-N", "-i", str(server.identity), "-p", str(other.port), "-o", f"UserKnownHostsFile={known}"]
        own = subprocess.Popen([*words, other.ip], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            assert wait((tmp_path / "own").exists, 20)
            assert f" {server.port} " in works(login(server, program))
            assert own.poll() is None
        finally:
            own.terminate()
            own.wait(10)


def test_what_the_user_says_of_keys_holds(server: Sshd, tmp_path: Path) -> None:
    """A certificate named in a file that is included, under a Match by the host's own name and a command: it logs in
    where the key alone does not. The key's path may hold blanks and percent signs."""
    key = make_key(tmp_path / "of 100% anna")
    with pytest.raises(LoginRefused, match=f"tried {key} for user {server.user}; it would take publickey"):
        login(server, "ssh", identities=(key,))
    signed = ["ssh-keygen", "-q", "-s", str(server.folder / "ca"), "-I", "anna", "-n", server.user, f"{key}.pub"]
    subprocess.run(signed, check=True, stderr=subprocess.DEVNULL)
    Path(f"{key}-cert.pub").rename(tmp_path / "cert")
    mark = tmp_path / "mark"
    (tmp_path / "more").write_text(
        f'Match host desktop.example exec "touch {mark}"\n CertificateFile {tmp_path}/cert\n Compression yes\n'
    )
    program = configured(tmp_path, f"Host desktop\n HostName desktop.example\nInclude {tmp_path}/more\n")
    works(login(server, program, identities=(key,)))
    assert mark.exists()


def test_public_half_is_enough_for_a_key_in_an_agent(server: Sshd, tmp_path: Path) -> None:
    """The private half may be elsewhere: a forwarded agent's, or a token's."""
    public = tmp_path / "key"
    Path(f"{public}.pub").write_text(Path(f"{server.identity}.pub").read_text())
    path = tmp_path / "agent"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.DEVNULL)
    try:
        assert wait(path.exists)
        subprocess.run(["ssh-add", "-q", server.identity], env={**os.environ, "SSH_AUTH_SOCK": str(path)}, check=True)
        works(login(server, "ssh", identities=(public,), agent=str(path)))
    finally:
        agent.terminate()
        agent.wait(5)


def test_pinned_type_of_key_is_asked_for(server: Sshd, tmp_path: Path) -> None:
    """Of a server with several host keys the pinned one is asked for, whatever type the user named."""
    program = configured(tmp_path, "HostKeyAlgorithms ssh-ed25519\n")
    works(login(server, program, Pins(server.keys[1:])))


@pytest.mark.parametrize(
    ("text", "clause"),
    [
        ("Compression maybe\n", r'config line 1: unsupported option "maybe"'),
        ("Match nonsense\n", "config line 1: Bad Match condition"),
        ("RevokedHostKeys {folder}/none\n", "ssh does not take its host key: .*No such file"),
        ("PubkeyAuthentication no\n", "tried nothing for user .*; it would take publickey"),
    ],
)
def test_configuration_that_keeps_the_user_out_is_told(server: Sshd, tmp_path: Path, text: str, clause: str) -> None:
    """As what it is, and as a refusal: asking again does not cure it."""
    with pytest.raises(LoginRefused, match=clause):
        login(server, configured(tmp_path, text.format(folder=tmp_path)))


def test_user_name_with_blanks_arrives(server: Sshd) -> None:
    """As one name."""
    with pytest.raises(LoginRefused, match="for user anna m smith; it would take publickey"):
        login(server, "ssh", user="anna m smith")
    assert "anna m smith" in server.said()


def test_nothing_is_asked_in_batch_mode(server: Sshd, tmp_path: Path) -> None:
    """BatchMode is the user's word that nobody is there."""
    key = make_key(tmp_path / "locked", passphrase="sesame")
    asked: list[Prompt] = []
    with pytest.raises(LoginRefused, match=f"tried {key}"):
        login(server, configured(tmp_path, "BatchMode yes\n"), identities=(key,), ask=asked.append)
    assert not asked


def test_link_survives_a_remote_forward_that_is_refused(server: Sshd, tmp_path: Path) -> None:
    """ExitOnForwardFailure of the user's own does not end the link with a port that is taken there."""
    link = login(server, configured(tmp_path, "ExitOnForwardFailure yes\n"))
    with pytest.raises(Refused):
        link.remote(Forward("web", Sort.REMOTE, "127.0.0.1", server.port, Target("127.0.0.1", 1)))
    works(link)
