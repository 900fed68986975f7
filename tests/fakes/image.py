"""The image of docker/Dockerfile, built for real: a base made with debootstrap, buildah, and a storage of our own.

Everything lies in .cache/docker of the project: nothing the user's own podman has is seen or touched. The base is kept
there from one run to the next; its Python is laid out as in Docker's official images, which have no .pyc files.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
CACHE = (PROJECT / ".cache" / "docker").resolve()
PROGRAMS = ("podman", "buildah", "debootstrap", "runc", "ip")
_INCLUDE = "python3,python3-venv,ca-certificates"
_MAKING, _BUILDING = 700, 700  # seconds, at most
# What a base image has no use for; without the .pyc files it is like Docker's official images of Python.
_USELESS = ("usr/share/doc", "usr/share/man", "usr/share/locale", "var/lib/apt/lists", "var/cache/apt", "var/log")
# The limits podman sets by itself, and systemd's cgroups, are not to be had everywhere (a container in a small VM).
_CONFIG = """\
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
tmp_dir = "{folder}/tmp"
"""


def missing() -> str:
    """Why containers can not be run here, or an empty text."""
    if os.geteuid() != 0:
        return "containers need root here"
    gone = [name for name in PROGRAMS if shutil.which(name, path=_path()) is None]
    return f"not installed: {', '.join(gone)}" if gone else ""


def _path() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


class Storage:
    """Images and containers of our own."""

    def __init__(self, folder: Path) -> None:
        self._words = ["--root", str(folder / "storage"), "--runroot", str(folder / "run")]
        folder.mkdir(parents=True, exist_ok=True)
        self._move(folder)
        config = folder / "containers.conf"
        config.write_text(_CONFIG.format(folder=folder))
        self.environ = {k: v for k, v in os.environ.items() if k not in {"NOTIFY_SOCKET", "LISTEN_FDS"}}
        self.environ |= {"CONTAINERS_CONF": str(config), "PATH": _path()}

    @staticmethod
    def _move(folder: Path) -> None:
        """podman's storage knows where it lies and is of no use elsewhere: in a moved project it is made anew."""
        place = folder / "place"
        if not place.exists() or place.read_text() != str(folder):
            for part in ("storage", "run"):
                shutil.rmtree(folder / part, ignore_errors=True)
            place.write_text(str(folder))

    def command(self, program: str, *words: str) -> list[str]:
        """A command of podman or buildah in this storage."""
        return [program, *self._words, *words]

    def run(self, program: str, *words: str, within: float = 180) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        return subprocess.run(
            self.command(program, *words), capture_output=True, text=True, timeout=within, check=False,
            env=self.environ, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def ask(self, program: str, *words: str, within: float = 180) -> str:
        """What it prints; fails with its own words."""
        done = self.run(program, *words, within=within)
        assert done.returncode == 0, f"{program} {words[0]}: {done.stderr[-2000:]}"
        return done.stdout.strip()

    def has(self, image: str) -> bool:
        """Whether there is an image of that name."""
        return self.run("podman", "image", "exists", image).returncode == 0

    def size(self, image: str) -> int:
        """An image's size in bytes, unpacked, with its base."""
        return int(self.ask("podman", "image", "inspect", "--format", "{{.Size}}", image))


@contextmanager
def built() -> Iterator[tuple[Storage, str, str]]:
    """The storage, the image's name and its base's. Test runs at the same time share it; the last one removes it."""
    if reason := missing():
        pytest.skip(reason)
    storage, name = Storage(CACHE), f"localhost/ipwatch:{_fingerprint()}"
    with _alone():
        _sweep(storage)
        base = _base(storage)
        if not storage.has(name):
            _build(storage, base, name)
        users = _users(name).open("w")
        fcntl.flock(users, fcntl.LOCK_SH)
    try:
        yield storage, name, base
    finally:
        users.close()
        with _alone():
            _drop(storage, name)


@contextmanager
def _alone() -> Iterator[None]:
    """No other test run builds or removes an image for the block."""
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fingerprint() -> str:
    """Of everything that goes into the image."""
    hashed = hashlib.sha256()
    for name in ("docker/Dockerfile", "docker/warm.py", "docker/requirements.lock", ".dockerignore", "LICENSE"):
        hashed.update((PROJECT / name).read_bytes())
    for path in sorted((PROJECT / "ipwatch").rglob("*")):
        if path.is_file() and path.parent.name != "__pycache__":
            hashed.update(f"{path}\n".encode() + path.read_bytes())
    return hashed.hexdigest()[:12]


def _users(name: str) -> Path:
    return CACHE / f"users-{name.rpartition(':')[2]}"


def _drop(storage: Storage, name: str) -> None:
    """Remove an image that nobody uses."""
    users = _users(name)
    with users.open("a") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        storage.run("podman", "rmi", "--force", name)
        users.unlink(missing_ok=True)


def _sweep(storage: Storage) -> None:
    """Remove what test runs left behind that were killed: containers, images, builds."""
    for name in storage.ask("podman", "ps", "--all", "--format", "{{.Names}}").split():
        maker = re.fullmatch(r"ipw(\d+)-\d+", name)
        if maker and not Path(f"/proc/{maker[1]}").exists():
            storage.run("podman", "rm", "--force", "--time=0", "--volumes", name)
    for name in storage.ask("podman", "images", "--format", "{{.Repository}}:{{.Tag}}").split():
        if name.startswith("localhost/ipwatch:"):
            _drop(storage, name)
    for root in CACHE.glob("root-*"):
        _unmount(root)
        shutil.rmtree(root, ignore_errors=True)
    storage.run("buildah", "rm", "--all")  # the lock is ours, so no build is under way
    storage.run("podman", "image", "prune", "--force")


def _base(storage: Storage) -> str:
    """The base image's name; made once with debootstrap."""
    suite = _suite()
    name, tarball = f"localhost/python-base:{suite}", CACHE / f"base-{suite}.tar"
    if storage.has(name):
        return name
    if not tarball.exists():
        _bootstrap(suite, tarball)
    storage.ask("podman", "import", "--quiet", str(tarball), name, within=_BUILDING)
    return name


def _suite() -> str:
    """This machine's release of Debian: what its package mirror surely has."""
    found = re.search(r"^VERSION_CODENAME=(\w+)", Path("/etc/os-release").read_text(), re.MULTILINE)
    return found.group(1) if found else "stable"


def _bootstrap(suite: str, tarball: Path) -> None:
    with tempfile.TemporaryDirectory(dir=CACHE, prefix="root-") as folder:
        root = Path(folder)
        words = ["debootstrap", "--variant=minbase", f"--include={_INCLUDE}", suite, str(root)]
        try:
            done = subprocess.run(words, capture_output=True, text=True, timeout=_MAKING, check=False)
        finally:
            _unmount(root)
        if done.returncode:
            pytest.skip(f"debootstrap can not make a base image here: {' '.join(done.stdout.split()[-30:])}")
        for useless in (*map(root.joinpath, _USELESS), *root.glob("usr/lib/**/__pycache__")):
            shutil.rmtree(useless, ignore_errors=True)
        unfinished = tarball.with_suffix(".part")
        subprocess.run(["tar", "-C", str(root), "-cf", str(unfinished), "."], check=True, timeout=_BUILDING)
        unfinished.rename(tarball)


def _unmount(root: Path) -> None:
    """What debootstrap mounts."""
    for mounted in ("proc", "sys"):
        subprocess.run(["umount", "--lazy", str(root / mounted)], capture_output=True, check=False)


def _build(storage: Storage, base: str, name: str) -> None:
    wheels = _wheels(storage, base)
    done = storage.run(
        "buildah", "bud", "--isolation=chroot", "--network=host", "--format=docker", "--layers=false",
        f"--volume={wheels}:/wheels:ro", f"--volume={wheels / 'pip.conf'}:/etc/pip.conf:ro",
        f"--build-arg=BASE={base}", f"--file={PROJECT / 'docker' / 'Dockerfile'}", f"--tag={name}", str(PROJECT),
        within=_BUILDING,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout[-1500:]}\n{done.stderr[-1500:]}"


def _wheels(storage: Storage, base: str) -> Path:
    """A folder with what the image needs, fetched by this machine's pip: whatever index, proxy or certificate that is
    set up for, the build need not know."""
    tag = "import sys; print('%d.%d' % sys.version_info[:2])"
    python = storage.ask("podman", "run", "--rm", "--network=none", base, "python3", "-c", tag)
    lock = PROJECT / "docker" / "requirements.lock"
    folder = CACHE / f"wheels-{python}-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}"
    config = folder / "pip.conf"  # written last: with it the folder is complete
    if config.exists():
        return folder
    folder.mkdir(exist_ok=True)
    words = ["download", "--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:",
             f"--python-version={python}", f"--dest={folder}", f"--requirement={lock}"]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "pip", *words], capture_output=True, text=True, timeout=_BUILDING, check=False
    )
    if done.returncode:
        pytest.skip(f"the image's packages can not be fetched: {done.stderr.strip()[-300:]}")
    config.write_text("[global]\nno-index = true\nfind-links = /wheels\n")
    return folder
