"""What laptop.toml says, checked and complete. Frozen; every default is a value one could write."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Literal, NamedTuple

from ipwatch.core.candidate import Spot
from ipwatch.core.forward import Forward
from ipwatch.core.host import HostKey

Engine = Literal["paramiko", "openssh"]

# Two operators, by address: a resolver that lies about names can not lead them astray. Both take RFC 8484 over
# HTTP/1.1 (developers.cloudflare.com/1.1.1.1/encryption/dns-over-https and
# developers.google.com/speed/public-dns/docs/doh, 2026-11); Quad9 stopped that on 2025-12-15
# (quad9.net/news/blog/doh-http-1-1-retirement).
DOH = ("https://1.1.1.1/dns-query", "https://8.8.8.8/dns-query")
# What Android asks (NetworkMonitor); plain http, so that a portal can answer instead.
PROBE = "http://connectivitycheck.gstatic.com/generate_204"
# Synology's tool; full path, since sshd's PATH there has no sbin of its own; -n: there is nobody to type a password.
WAKE_COMMAND = "sudo -n /usr/syno/sbin/synonet --wake {mac} eth0"


class Wake(NamedTuple):
    """How a host is woken. via: "direct", or the name of the host that runs `command`; or "" with a `url`.

    command: run by that host, with {mac} filled in. broadcast: further addresses for "direct". takes: how long a boot
    may take before it counts as failed.
    """

    via: str = ""
    command: str = ""
    url: str = ""
    broadcast: tuple[str, ...] = ()
    takes: timedelta = timedelta(minutes=4)

    def __repr__(self) -> str:
        url = "***" if self.url else ""  # may hold a token
        return f"Wake(via={self.via!r}, command={self.command!r}, url={url!r}, takes={self.takes!r})"


class App(NamedTuple):
    """A remote app of the user's own, `[host.app.NAME]`. command: may hold {port}; path: what the browser opens.
    port: 0 for any that is free there."""

    command: str
    port: int = 0
    path: str = "/"
    folder: str = ""


class Host(NamedTuple):
    """One `[[host]]`. names: where it is found from outside (default: those of [home]). lan: the host's own address
    in the house. secureon: 0, 4 or 6 bytes. sleep: command that puts it to sleep. keep_awake: whether it is kept from
    falling asleep by itself while it is used, or the command that does so for ten minutes."""

    name: str
    user: str = ""
    port: int = 22
    names: tuple[str, ...] = ()
    identity: tuple[Path, ...] = ()
    keys: tuple[HostKey, ...] = ()
    engine: Engine = "paramiko"
    lan: Spot | None = None
    mac: str = ""
    secureon: bytes = b""
    wake: Wake | None = None
    sleep: str = ""
    keep_awake: bool | str = False
    forwards: Mapping[str, Forward] = {}
    apps: Mapping[str, App] = {}


class Laptop(NamedTuple):
    """The whole configuration in force. nameservers: asked instead of the zone's own. doh: URLs of DNS over HTTPS
    servers. probe: URL that answers 204 where no captive portal stands between. state: folder for pins and memory."""

    path: Path | None
    state: Path
    hosts: Mapping[str, Host]
    nameservers: tuple[Spot, ...] = ()
    doh: tuple[str, ...] = ()
    probe: str = ""
    warnings: tuple[str, ...] = ()
