"""`ipwatch ssh-config`: ~/.ssh/ipwatch.conf and its Include line in the user's own file."""

import errno
import importlib
import os
import shutil
import stat
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from ipwatch.core.host import HostKey
from ipwatch.core.trouble import Kind, Trouble
from ipwatch.laptop.memory import Memory
from ipwatch.protocols import known_hosts, ssh_config
from ipwatch.settings.laptop_model import Laptop


def configured_keys(state: Path) -> Path:
    """For ssh's UserKnownHostsFile, beside those of `ipwatch trust`: the keys written in laptop.toml."""
    return state / "known_hosts.configured"


def keep_configured(state: Path, keys: Mapping[str, Sequence[HostKey]]) -> None:
    """Bring the file up to date for these hosts. Written only when something has changed; raises Trouble."""
    path = configured_keys(state)
    with _explained(path):
        held = _read(path)
        before = (held or b"").decode("utf-8", "replace")
        after = before
        for host, wanted in keys.items():
            if tuple(known_hosts.pins(after, host).keys) != tuple(wanted):
                after = known_hosts.with_pins(after, host, wanted)
        if after != before or held is None:
            state.mkdir(mode=0o700, parents=True, exist_ok=True)
            _replace(path, after.encode(), 0o600)


def text(settings: Laptop, *, windows: bool = os.name == "nt") -> str:
    """The included file. The configuration is named in it: ssh is started in any folder, and a laptop.toml that lies
    there by chance must not be taken for the user's."""
    if not settings.hosts:
        raise Trouble(Kind.CONFIGURATION, f"{settings.path or 'laptop.toml'} has no [[host]] to write a block for")
    machine = ssh_config.Machine(
        windows=windows,
        program=program(windows=windows),
        known_hosts=(
            str(Memory(settings.state).known_hosts.absolute()),
            str(configured_keys(settings.state).absolute()),
        ),
        config=str(settings.path.absolute()) if settings.path else "",
    )
    entries = [
        ssh_config.Entry(
            name=host.name,
            user=host.user,
            port=host.port,
            identities=tuple(str(path) for path in host.identity),
            boot=int(host.wake.takes.total_seconds()) if host.wake else 0,
        )
        for host in settings.hosts.values()
    ]
    try:
        return ssh_config.file_text(entries, machine)
    except ssh_config.BadPath as bad:
        raise Trouble(Kind.CONFIGURATION, f"ssh's configuration can not be written: {bad}") from None


def program(*, windows: bool) -> tuple[str, ...]:
    """The installed console script, with its full path; without one, this interpreter with -m."""
    name = "ipwatch.exe" if windows else "ipwatch"
    beside = Path(sysconfig.get_path("scripts")) / name
    if beside.exists():
        return (str(beside),)
    found = shutil.which("ipwatch")
    if found and (not windows or found.lower().endswith(".exe")):
        return (str(Path(found).absolute()),)
    return (sys.executable, "-P", "-m", "ipwatch")


class Home(NamedTuple):
    """folder: where we write. ssh: where ssh looks, which asks the user database and not $HOME (ssh(1), FILES)."""

    folder: Path
    ssh: Path

    @property
    def own(self) -> bool:
        """Whether these are one."""
        return self.folder.resolve() == self.ssh.resolve()


def home(environ: Mapping[str, str]) -> Home:
    """The user's home folder; raises Trouble."""
    named = environ.get("HOME") or environ.get("USERPROFILE") or ""
    entry = ""
    if os.name == "posix":
        pwd: Any = importlib.import_module("pwd")
        with suppress(KeyError):
            entry = pwd.getpwuid(os.getuid()).pw_dir
    if not (named or entry):
        raise Trouble(Kind.CONFIGURATION, "nobody knows the user's home folder: set HOME")
    return Home(Path(named or entry), Path(entry or named))


class Installation:
    """The files below `home`/.ssh. own: whether ssh looks there by itself; otherwise only `ssh -F` does."""

    def __init__(self, home: Path, *, own: bool = True) -> None:
        self.folder = home / ".ssh"
        self.config = self.folder / "config"
        self.included = self.folder / ssh_config.INCLUDED
        self._line = ssh_config.INCLUDED if own else str(self.included)

    def install(self, settings: Laptop) -> bool:
        """Write the file, and the Include line where it is missing; whether anything changed. Raises Trouble."""
        made = text(settings).encode()
        held, users = self._ours(), self._users()
        keep_configured(settings.state, {host.name: host.keys for host in settings.hosts.values()})
        with _explained(self.folder):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if made != held:
            with _explained(self.included):
                _replace(self.included, made, 0o600)
        after = ssh_config.with_include(users, self._line)
        if after != users:
            self._edit(after)
        return made != held or after != users

    def uninstall(self) -> bool:
        """Take both away; whether there was anything. Raises Trouble."""
        users, held = self._users(), self._ours()
        after = ssh_config.without_include(users) if users is not None else None
        if after != users:
            self._edit(after)
        if held is not None:
            with _explained(self.included):
                self.included.unlink()
        return held is not None or after != users

    def _users(self) -> bytes | None:
        with _explained(self.config):
            return _read(self.config)

    def _ours(self) -> bytes | None:
        with _explained(self.included):
            held = _read(self.included)
        if held is not None and not ssh_config.is_ours(held):
            raise Trouble(Kind.NOT_WELL, f"{self.included} is not from ipwatch: give it another name first")
        return held

    def _edit(self, after: bytes | None) -> None:
        """Replace the user's file (the one a link leads to) with its mode and owner kept; None takes it away."""
        target = Path(os.path.realpath(self.config))
        with _explained(self.config, f'; the line to be at its top is "Include {self._line}"' if after else ""):
            found = target.stat() if target.exists() else None
            if found is not None and not found.st_mode & stat.S_IWUSR:  # replacing it would get round that
                raise PermissionError(errno.EACCES, "it is read-only (another program may look after it)")
            if after is None:
                target.unlink(missing_ok=True)
                return
            _replace(target, after, stat.S_IMODE(found.st_mode) if found else 0o600, found)


@contextmanager
def _explained(path: Path, more: str = "") -> Iterator[None]:
    try:
        yield
    except OSError as error:
        why = (error.strerror or "error").lower()
        raise Trouble(Kind.NOT_WELL, f"{path} can not be used: {why}{more}") from None


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _replace(path: Path, content: bytes, mode: int, owner: os.stat_result | None = None) -> None:
    """Atomically; raises OSError."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(mode)
        if owner is not None and hasattr(os, "chown"):
            with suppress(OSError):  # only root can give a file away
                os.chown(temporary, owner.st_uid, owner.st_gid)
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
