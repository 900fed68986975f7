"""Who logs in: laptop.toml over what `ssh -G HOST` says, over what ssh itself would do.

Where to connect and how the host is proved are never taken from ssh's configuration: `ipwatch ssh-config` writes a
block into it whose ProxyCommand, HostKeyAlias and UserKnownHostsFile are ours.
"""

import getpass
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

from ipwatch.core.trouble import Kind, Trouble
from ipwatch.laptop.say import Tone
from ipwatch.laptop.world import World
from ipwatch.ports import Unreachable
from ipwatch.ports.remote import Login
from ipwatch.protocols import ssh_g
from ipwatch.protocols.ssh_g import Settings
from ipwatch.settings.laptop_model import Host

_WITHIN = timedelta(seconds=5)  # a `Match exec` of the user's may hang
_LIMIT = 256 * 1024
_WINDOWS_AGENT = r"\\.\pipe\openssh-ssh-agent"  # Win32-OpenSSH's, when SSH_AUTH_SOCK names none


def login_of(world: World, host: Host, environ: Mapping[str, str] = os.environ) -> Login:
    """Who logs in to the host. Raises Trouble CONFIGURATION for an identity of laptop.toml that does not exist."""
    settings = ssh_settings(world, host)
    user = host.user or ssh_g.first(settings, "user") or _local_user()
    home = _home(environ)
    tokens = _tokens(host, settings, user, home)
    if host.identity:
        identities = tuple(_configured(world, host, path) for path in host.identity)
    else:
        identities = tuple(_found(settings, home, tokens, environ))
    return Login(
        host=host.name,
        user=user,
        identities=identities,
        identities_only=bool(host.identity) or ssh_g.first(settings, "identitiesonly") == "yes",
        agent=_agent(settings, home, tokens, environ),
        ask=world.ask,
        tell=lambda text: world.say.line(text, Tone.WARN),
    )


def begin_login(world: World, host: Host) -> Callable[[], Login]:
    """The same in a thread, for `ssh -G` takes its time; the call gives what came of it."""
    pool = ThreadPoolExecutor(1, "login")
    asked = pool.submit(login_of, world, host)
    pool.shutdown(wait=False)
    return asked.result


def ssh_settings(world: World, host: Host) -> Settings:
    """What ssh would do for that name; empty without an ssh, or when it does not say."""
    try:
        done = world.commands.run(["ssh", "-G", "--", host.name], _WITHIN, limit=_LIMIT)
    except Unreachable as error:
        if error.sent:
            world.say.line(f"`ssh -G {host.name}` does not end: ssh's configuration is not used", Tone.WARN)
        return {}
    if done.status != 0:
        lines = done.stderr.decode("utf-8", "replace").split("\n")
        fault = next((line.strip() for line in lines if line.strip()), f"exit status {done.status}")
        world.say.line(f"`ssh -G {host.name}` fails, so ssh's configuration is not used: {fault[:200]}", Tone.WARN)
        return {}
    return ssh_g.parse(done.stdout.decode("utf-8", "replace"))


def _configured(world: World, host: Host, path: Path) -> Path:
    """An identity of laptop.toml. The public half is enough where the private one is in an agent."""
    if _is_there(path):
        return path
    place = world.settings.path or "laptop.toml"
    raise Trouble(Kind.CONFIGURATION, f"{place}: the identity of {host.name}, {path}, does not exist")


def _found(settings: Settings, home: str, tokens: Mapping[str, str], environ: Mapping[str, str]) -> Iterator[Path]:
    """The identities ssh would try that exist: it passes over others, too."""
    for text in settings.get("identityfile", tuple(f"~/.ssh/{name}" for name in ssh_g.DEFAULT_IDENTITIES)):
        if text.lower() == "none":
            continue
        try:
            path = Path(ssh_g.expand(text.strip('"'), home, tokens, environ))
        except ssh_g.NoValue:
            continue
        if _is_there(path):
            yield path


def _is_there(path: Path) -> bool:
    return os.path.isfile(path) or os.path.isfile(f"{path}.pub")  # noqa: PTH113 - no raise for odd names


def _agent(settings: Settings, home: str, tokens: Mapping[str, str], environ: Mapping[str, str]) -> str:
    """The agent's socket, "" for none (ssh_config(5), IdentityAgent)."""
    usual = environ.get("SSH_AUTH_SOCK", "") or (_WINDOWS_AGENT if os.name == "nt" else "")
    named = ssh_g.first(settings, "identityagent", "SSH_AUTH_SOCK").strip('"')
    if named == "none":
        return ""
    if named == "SSH_AUTH_SOCK":
        return usual
    if named.startswith("$") and not named.startswith("${"):
        return environ.get(named[1:], "")
    try:
        return ssh_g.expand(named, home, tokens, environ)
    except ssh_g.NoValue:
        return ""


def _tokens(host: Host, settings: Settings, user: str, home: str) -> Mapping[str, str]:
    """ssh_config(5), TOKENS, those that IdentityFile and IdentityAgent may hold."""
    name = socket.gethostname()
    return {
        "%": "%", "d": home, "h": ssh_g.first(settings, "hostname", host.name), "n": host.name, "k": host.name,
        "p": ssh_g.first(settings, "port", str(host.port)), "r": user, "u": _local_user(), "l": name,
        "L": name.partition(".")[0], "i": str(os.getuid()) if os.name == "posix" else "",
    }  # fmt: skip


def _home(environ: Mapping[str, str]) -> str:
    return environ.get("HOME", "") or environ.get("USERPROFILE", "")


def _local_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # no such user, and no variable says
        raise Trouble(
            Kind.CONFIGURATION, "this machine does not say who you are: name a `user` in laptop.toml"
        ) from None
