"""How ssh is called (ssh(1), ssh_config(5), OpenSSH 9.2). Pure.

What the user's own configuration says for that host holds where nothing here stands against it: keys, certificates,
agents, tokens, hardware, algorithms, compression, BatchMode, Match and Include. What would do more than a link needs,
or keep it from coming up, is overruled: forwards, commands, terminals, jumps, control sockets of their own, ciphers.
"""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from ipwatch.core.candidate import Spot
from ipwatch.core.host import Pins
from ipwatch.net.openssh_said import LOGIN
from ipwatch.ports.remote import Login

CIPHERS = "^aes128-gcm@openssh.com,aes256-gcm@openssh.com"  # 1.3 times as fast as the default where AES is in hardware


def known_hosts(pins: Pins, alias: str) -> str:
    """The file that holds the pins and nothing else."""
    rows = [*(f"@revoked {alias} {key.text}" for key in pins.revoked), *(f"{alias} {key.text}" for key in pins.keys)]
    return "".join(f"{row}\n" for row in rows)


def proof(spot: Spot, pins: Path, alias: str) -> dict[str, str]:
    """What makes ssh go to that address, and send no user name before a pinned key is shown there.

    IgnoreUnknown stands first: older programs do not know KnownHostsCommand (8.5). VerifyHostKeyDNS would take keys
    that are not pinned; CanonicalizeHostname would read the configuration again under another name. HostKeyAlgorithms
    adds what is there anyway: so ssh asks for the pinned types first, whatever the user named for this host.
    """
    return {
        "IgnoreUnknown": "*",
        "HostName": spot.ip.replace("%", "%%"),
        "AddressFamily": "any",
        "Port": str(spot.port),
        "HostKeyAlias": alias,
        "UserKnownHostsFile": _quoted(pins),
        "GlobalKnownHostsFile": "none",
        "KnownHostsCommand": "none",
        "StrictHostKeyChecking": "yes",
        "HostKeyAlgorithms": "+ssh-ed25519",
        "VisualHostKey": "no",
        "CheckHostIP": "no",
        "VerifyHostKeyDNS": "no",
        "UpdateHostKeys": "no",
        "CanonicalizeHostname": "no",
        "ProxyJump": "none",
    }


def proved(settings: Mapping[str, str]) -> list[str]:
    """The words for `proof` where ssh connects by itself."""
    return _options({**settings, "ProxyCommand": "none", "ProxyUseFdpass": "no"})


def soft() -> list[str]:
    """What the user's own words may change: they stand before these, and ssh takes the first value."""
    return _options({"ServerAliveInterval": "5", "ServerAliveCountMax": "3", "ConnectTimeout": "20"})


def who(login: Login) -> list[str]:
    """Who logs in. Without a user: ssh decides."""
    words = ["-l", login.user] if login.user else []
    words += _options({"IdentityAgent": _quoted(Path(login.agent)) if login.agent else "none"})
    if login.identities_only:
        words += _options({"IdentitiesOnly": "yes"})
    for identity in login.identities:  # option -i passes over one whose private half is in an agent alone
        words += _options({"IdentityFile": _quoted(identity)})
    return words


def master(spot: Spot, pins: Path, control: Path, dialler: str, login: Login, within: timedelta) -> list[str]:
    """The words after the program's name for the ssh that carries everything. dialler: prints the connected socket.

    HostName stays the user's own, since ssh connects nowhere: a `Match host` of theirs means that.
    """
    settings = {
        **proof(spot, pins, login.host),
        "ProxyCommand": dialler,
        "ProxyUseFdpass": "yes",
        "ConnectTimeout": str(max(1, int(within.total_seconds()))),
        "ServerAliveInterval": "1",
        "ServerAliveCountMax": "5",
        "Ciphers": CIPHERS,
        "ControlPersist": "no",
        "ForkAfterAuthentication": "no",
        "SessionType": "none",
        "RemoteCommand": "none",
        "PermitLocalCommand": "no",
        "ClearAllForwardings": "yes",
        "ExitOnForwardFailure": "no",
        "ForwardAgent": "no",
        "ForwardX11": "no",
        "Tunnel": "no",
        "RequestTTY": "no",
        "LogLevel": "INFO",
        "LogVerbose": LOGIN,
        "AddKeysToAgent": "no",
        "NumberOfPasswordPrompts": "3",
    }
    del settings["HostName"]
    return ["-N", "-M", "-S", str(control).replace("%", "%%"), *_options(settings), *who(login), "--", login.host]


def _options(settings: Mapping[str, str]) -> list[str]:
    return [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]


def _quoted(path: Path) -> str:
    """As ssh_config(5) reads a file's name: percent signs are tokens, quotes keep blanks together, \\ escapes."""
    return '"' + path.as_posix().replace("%", "%%") + '"'
