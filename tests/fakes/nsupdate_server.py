"""A real dyndns2 server on loopback: nsupdate 0.13.0 (Django) with its own BIND, in a virtual environment of its own.

https://nsupdateinfo.readthedocs.io (2026-11). Its model stores no port, so BIND listens on port 53.
"""

import json
import os
import re
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from ipwatch.ports import Endpoint
from tests.fakes.named import needs, running
from tests.fakes.ports import free_port

PACKAGES = ("nsupdate==0.13.0", "argon2-cffi", "setuptools<81")
PASSWORD = "right-password-of-the-host"
_KEY = "c2VjcmV0LWtleS1vZi10aGUtem9uZS1mb3ItdGVzdHMtb25seS1zaXh0eS1mb3VyLWJ5dGVzLWxvbmctMDEyMw=="

_ZONE = """$TTL 60
@ IN SOA ns1.{zone}. admin.{zone}. 1 3600 3600 86400 60
@ IN NS ns1.{zone}.
ns1 IN A {host}
"""
# The key has the zone's name: that is how nsupdate signs.
_NAMED = """key "{zone}" {{ algorithm hmac-sha512; secret "{key}"; }};
controls {{ }};
options {{ directory "{folder}"; pid-file "{folder}/named.pid"; session-keyfile "{folder}/session.key";
  listen-on port 53 {{ {host}; }}; listen-on-v6 {{ none; }}; recursion no; allow-query {{ any; }};
  dnssec-validation no; minimal-responses yes; }};
zone "{zone}" {{ type master; notify no; file "{zone}.zone"; allow-update {{ key "{zone}"; }}; }};
"""
_SETTINGS = """from nsupdate.settings.base import *
SECRET_KEY = "for tests only"
DEBUG = False
ALLOWED_HOSTS = ["*"]
BASEDOMAIN = {zone!r}
WWW_HOST = WWW_IPV4_HOST = WWW_IPV6_HOST = "127.0.0.1:{port}"
DATABASES = {{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": {database!r}}}}}
BAD_AGENTS = set()
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = False
"""
_SEED = """import django, json, sys
django.setup()
from django.contrib.auth import get_user_model
from django.core.management import call_command
from nsupdate.main.models import Domain, Host
call_command("migrate", verbosity=0)
a = json.loads(sys.argv[1])
user = get_user_model().objects.create_user("owner", "owner@example.org", "unused")
domain = Domain.objects.create(
    name=a["zone"], nameserver_ip=a["host"], nameserver2_ip=a["host"], nameserver_update_algorithm="HMAC_SHA512",
    nameserver_update_secret=a["key"], public=True, available=True, created_by=user)
for name in a["names"]:
    host = Host.objects.create(name=name, domain=domain, netmask_ipv4=32, netmask_ipv6=64, created_by=user)
    host.generate_secret(secret=a["password"])
"""
_ACCOUNT = """import django, json, sys
django.setup()
from nsupdate.main.models import Host
print(json.dumps(Host.objects.filter(name=sys.argv[1]).values(
    "client_faults", "server_faults", "api_auth_faults", "abuse", "abuse_blocked", "client_result_msg").get()))
"""


@dataclass(frozen=True, slots=True)
class Nsupdate:
    """The running pair. url: of the dyndns2 server; nameserver: its BIND; hosts' full names are NAME.zone."""

    url: str
    zone: str
    nameserver: Endpoint
    python: Path
    folder: Path

    def account(self, name: str) -> Mapping[str, object]:
        """What the server's own database says about a host: its faults and whether it is blocked."""
        done = _run([self.python, "-c", _ACCOUNT, name], self.folder, 60)
        found: dict[str, object] = json.loads(done)
        return found

    def requests(self, name: str) -> list[tuple[dict[str, str], int]]:
        """Every update request for a host in the server's own log: its parameters and the HTTP status."""
        self._await_log()
        pattern = re.compile(r'"GET /nic/update\?(\S+) HTTP/1\.[01]" ([0-9]{3})')
        found = [(dict(parse_qsl(q)), int(s)) for q, s in pattern.findall((self.folder / "log").read_text())]
        return [(params, status) for params, status in found if params.get("hostname") == f"{name}.{self.zone}"]

    def _await_log(self) -> None:
        """A request is logged after its answer has left: wait until a later one's line is there."""
        mark = f"/myip?{secrets.token_hex(8)}"
        with urllib.request.urlopen(self.url + mark, timeout=20) as answer:
            answer.read()
        end = time.monotonic() + 10
        while mark not in (self.folder / "log").read_text():
            assert time.monotonic() < end, "nsupdate does not write its log"
            time.sleep(0.02)


@contextmanager
def nsupdate(folder: Path, *names: str, zone: str = "dyn.example.org") -> Iterator[Nsupdate]:
    """Both servers with these hosts, each with PASSWORD, until the end of the block; skipped where they can not be."""
    named, python = needs("named"), _python()
    with _loopback() as host:
        port = _prepare(folder, zone, host)
        hosts = {"zone": zone, "host": host, "key": _KEY, "names": names, "password": PASSWORD}
        _run([python, "-c", _SEED, json.dumps(hosts)], folder, 100)
        argv = [named, "-g", "-n", "1", "-c", str(folder / "named.conf")]
        with running(argv, Endpoint(host, 53), zone) as nameserver, _django(python, folder, port) as url:
            yield Nsupdate(url, zone, nameserver, python, folder)


def _prepare(folder: Path, zone: str, host: str) -> int:
    """Write both servers' settings; gives the port Django is to listen on."""
    port, database = free_port(), str(folder / "nsupdate.sqlite")
    (folder / f"{zone}.zone").write_text(_ZONE.format(zone=zone, host=host))
    (folder / "named.conf").write_text(_NAMED.format(zone=zone, host=host, key=_KEY, folder=folder))
    (folder / "nsupdate_settings.py").write_text(_SETTINGS.format(zone=zone, port=port, database=database))
    return port


@contextmanager
def _django(python: Path, folder: Path, port: int) -> Iterator[str]:
    """Django's own server, from when it answers until the end of the block."""
    url = f"http://127.0.0.1:{port}"
    command = [
        str(python),
        "-m",
        "django",
        "runserver",
        "--noreload",
        "--insecure",
        "--skip-checks",
        f"127.0.0.1:{port}",
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=_environment(folder), stdout=log, stderr=log)
    try:
        _await(process, f"{url}/myip", folder / "log")
        yield url
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def _await(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    end = time.monotonic() + 40
    while time.monotonic() < end:
        assert process.poll() is None, f"nsupdate ended with {process.returncode}: {log.read_text()[-2000:]}"
        with suppress(urllib.error.URLError, ConnectionError), urllib.request.urlopen(url, timeout=20) as answer:
            assert answer.read() == b"127.0.0.1"
            return
        time.sleep(0.1)
    raise AssertionError(f"nsupdate does not answer: {log.read_text()[-2000:]}")


def _python() -> Path:
    """The interpreter of the virtual environment, which is built the first time; skipped where pip can not."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    venv = cache / "ipwatch" / "nsupdate-venv"
    python, ready = venv / "bin" / "python", venv / "ready"
    if ready.exists() and ready.read_text() == " ".join(PACKAGES) and python.exists():
        return python
    pip = [str(python), "-m", "pip", "install", "-q", *PACKAGES]
    steps = ([sys.executable, "-m", "venv", "--clear", str(venv)], pip)
    for step in steps:
        try:
            subprocess.run(step, check=True, capture_output=True, text=True, timeout=240)
        except subprocess.CalledProcessError as error:
            said = (error.stderr or error.stdout).strip().splitlines()
            pytest.skip(f"nsupdate can not be installed: {said[-1] if said else error.returncode}")
        except (OSError, subprocess.TimeoutExpired) as error:
            pytest.skip(f"nsupdate can not be installed: {error}")
    ready.write_text(" ".join(PACKAGES))
    return python


@contextmanager
def _loopback() -> Iterator[str]:
    """A loopback address whose port 53 is free; skipped where there is none for us.

    BIND listens only on addresses an interface has, so where 127.0.0.1 is taken the loopback interface is lent another.
    """
    if _free("127.0.0.1"):
        yield "127.0.0.1"
        return
    host = next((h for n in range(1, 255) if _free(h := f"127.0.53.{n}")), None)
    if host is None:
        pytest.skip("port 53 is taken on every loopback address")
    ip = needs("ip")
    if subprocess.run([ip, "address", "add", f"{host}/32", "dev", "lo"], capture_output=True, check=False).returncode:
        pytest.skip("port 53 of 127.0.0.1 is taken, and the loopback interface may not be given another address")
    try:
        yield host
    finally:
        subprocess.run([ip, "address", "del", f"{host}/32", "dev", "lo"], capture_output=True, check=True)


def _free(host: str) -> bool:
    try:
        with socket.create_server((host, 53)), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.bind((host, 53))
            return True
    except PermissionError:
        pytest.skip("port 53 may not be listened on: it takes root or CAP_NET_BIND_SERVICE")
    except OSError:
        return False


def _environment(folder: Path) -> dict[str, str]:
    own = {"DJANGO_SETTINGS_MODULE": "nsupdate_settings", "PYTHONPATH": str(folder), "PYTHONUNBUFFERED": "1"}
    return {"PATH": os.environ.get("PATH", ""), "HOME": str(folder), "LANG": "C.UTF-8", **own}


def _run(argv: list[str | Path], folder: Path, within: float) -> str:
    done = subprocess.run(
        argv, cwd=folder, env=_environment(folder), capture_output=True, text=True, timeout=within, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout
