"""Real name servers on loopback: BIND (primary or a secondary that lags), Knot and NSD, each in its own folder."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from ipwatch.net.dns import DnspythonResolver
from ipwatch.ports import Endpoint, PortError
from tests.fakes.ports import free_port
from tests.fakes.waiting import PATIENCE

SECRET = "c2VjcmV0LWtleS1mb3ItdGVzdHMtb25seS0wMTIzNDU="
KEYS = {"home-key": "hmac-sha256", "md5-key": "hmac-md5", "sha1-key": "hmac-sha1", "sha384-key": "hmac-sha384",
        "sha512-key": "hmac-sha512"}  # fmt: skip
ZONE = """$TTL 60
@ IN SOA ns1.{zone}. admin.{zone}. 1 3600 3600 86400 60
@ IN NS ns1.{zone}.
ns1 IN A 127.0.0.1
home IN A 192.0.2.1
home IN AAAA 2001:db8::1
home IN TXT "stays"
other IN A 192.0.2.7
alias IN CNAME home
outside IN CNAME home.example.net.
*.wild IN A 192.0.2.9
"""


def needs(program: str) -> str:
    """The program's path, or the test is skipped with the reason."""
    path = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if path is None:
        pytest.skip(f"{program} is not installed")
    return path


@contextmanager
def running(argv: Sequence[str], server: Endpoint, zone: str) -> Iterator[Endpoint]:
    """The program, from when it answers for the zone until the end of the block."""
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _await_answer(process, server, zone)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def _await_answer(process: "subprocess.Popen[bytes]", server: Endpoint, zone: str) -> None:
    resolver, end = DnspythonResolver(), time.monotonic() + PATIENCE
    while time.monotonic() < end:
        assert process.poll() is None, f"{process.args} ended with {process.returncode}"
        try:
            if resolver.ask(zone, "SOA", server, timedelta(seconds=0.3)).serial is not None:
                return
        except PortError:
            time.sleep(0.05)
    raise AssertionError(f"{process.args} does not answer for {zone}")


@contextmanager
def bind(folder: Path, zones: Sequence[str] = ("example.org",), *, options: str = "", zone_options: str = "",
         secondary_of: Endpoint | None = None, port: int | None = None) -> Iterator[Endpoint]:  # fmt: skip
    """BIND as primary that takes updates signed by KEYS, or as a secondary that hears of changes only when told.

    home-key may change "home" and "other" alone (update-policy); the other keys everything in the zone.
    """
    program = needs("named")
    folder.mkdir(parents=True, exist_ok=True)
    server = Endpoint("127.0.0.1", port or free_port())
    stanzas = []
    for zone in zones:
        if secondary_of is not None:
            kind = f"type slave; primaries {{ {secondary_of.host} port {secondary_of.port}; }};"
        else:
            (folder / f"{zone}.zone").write_text(ZONE.format(zone=zone))
            grants = " ".join(f"grant {key} zonesub ANY;" for key in KEYS if key != "home-key")
            policy = f"grant home-key name home.{zone} A AAAA; grant home-key name other.{zone} A; {grants}"
            kind = f"type master; notify no; allow-transfer {{ any; }}; update-policy {{ {policy} }}; {zone_options}"
        stanzas.append(f'zone "{zone}" {{ {kind} file "{zone}.zone"; }};\n')
    keys = "".join(f'key {name} {{ algorithm {alg}; secret "{SECRET}"; }};\n' for name, alg in KEYS.items())
    own = f'directory "{folder}"; pid-file "{folder}/named.pid"; session-keyfile "{folder}/session.key";'
    listen = f"listen-on port {server.port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};"
    rest = f"recursion no; allow-query {{ any; }}; dnssec-validation no; minimal-responses yes; {options}"
    text = f"{keys}controls {{ }};\noptions {{ {own} {listen} {rest} }};\n{''.join(stanzas)}"
    (folder / "named.conf").write_text(text)
    with running([program, "-g", "-n", "1", "-c", str(folder / "named.conf")], server, zones[0]) as endpoint:
        yield endpoint


@contextmanager
def knot(folder: Path, zone: str = "example.org") -> Iterator[Endpoint]:
    """Knot DNS with the zone, and home-key for updates of it."""
    program = needs("knotd")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{zone}.zone").write_text(ZONE.format(zone=zone))
    server = Endpoint("127.0.0.1", free_port())
    (folder / "knot.conf").write_text(
        f"server:\n  rundir: {folder}\n  listen: 127.0.0.1@{server.port}\n  udp-workers: 1\n  tcp-workers: 1\n"
        f"database:\n  storage: {folder}\n"
        f"key:\n  - id: home-key\n    algorithm: hmac-sha256\n    secret: {SECRET}\n"
        "acl:\n  - id: home\n    key: home-key\n    action: update\n"
        f"zone:\n  - domain: {zone}\n    storage: {folder}\n    file: {zone}.zone\n    acl: home\n"
    )
    with running([program, "-c", str(folder / "knot.conf")], server, zone) as endpoint:
        yield endpoint


@contextmanager
def nsd(folder: Path, zone: str = "example.org") -> Iterator[Endpoint]:
    """NSD with the zone, for reading."""
    program = needs("nsd")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{zone}.zone").write_text(ZONE.format(zone=zone))
    server = Endpoint("127.0.0.1", free_port())
    (folder / "nsd.conf").write_text(
        f'server:\n  server-count: 1\n  ip-address: 127.0.0.1@{server.port}\n  username: ""\n  chroot: ""\n'
        f'  zonesdir: "{folder}"\n  pidfile: "{folder}/nsd.pid"\n  xfrdfile: "{folder}/xfrd.state"\n'
        f'  zonelistfile: "{folder}/zone.list"\n  database: ""\n  xfrdir: "{folder}"\n'
        f"remote-control:\n  control-enable: no\nzone:\n  name: {zone}\n  zonefile: {zone}.zone\n"
    )
    with running([program, "-d", "-c", str(folder / "nsd.conf")], server, zone) as endpoint:
        yield endpoint
