"""How ssh is called, and what its words mean when it ends (ssh(1), ssh_config(5), OpenSSH 9.2). Pure."""

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from ipwatch.core.candidate import Spot
from ipwatch.core.host import Pins
from ipwatch.ports import Unreachable
from ipwatch.ports.remote import Login, LoginRefused

ALIAS = "ipwatch-host"  # the name the pins stand under in the file ssh is handed
CIPHERS = "^aes128-gcm@openssh.com,aes256-gcm@openssh.com"  # 1.3 times as fast as the default where AES is in hardware


def known_hosts(pins: Pins, alias: str = ALIAS) -> str:
    """The file that holds the pins and nothing else."""
    rows = [*(f"@revoked {alias} {key.text}" for key in pins.revoked), *(f"{alias} {key.text}" for key in pins.keys)]
    return "".join(f"{row}\n" for row in rows)


def proof(spot: Spot, pins: Path, alias: str) -> dict[str, str]:
    """What makes ssh go to that address, and send no user name before a pinned key is shown there.

    IgnoreUnknown stands first: older programs do not know KnownHostsCommand (8.5). VerifyHostKeyDNS would take keys
    that are not pinned; CanonicalizeHostname would read the configuration again under another name.
    """
    return {
        "IgnoreUnknown": "*",
        "HostName": spot.ip.replace("%", "%%"),
        "Port": str(spot.port),
        "HostKeyAlias": alias,
        "UserKnownHostsFile": _quoted(pins),
        "GlobalKnownHostsFile": "none",
        "KnownHostsCommand": "none",
        "StrictHostKeyChecking": "yes",
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
    for identity in login.identities:
        words += ["-i", str(identity)]
    return words


def master(spot: Spot, pins: Path, control: Path, dialler: str, login: Login, within: timedelta) -> list[str]:
    """The words after the program's name for the ssh that carries everything. dialler: prints the connected socket."""
    settings = {
        **proof(spot, pins, ALIAS),
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
        "AddKeysToAgent": "no",
        "NumberOfPasswordPrompts": "3",
    }
    return ["-N", "-M", "-S", str(control), *_options(settings), *who(login), "--", login.host]


def _options(settings: Mapping[str, str]) -> list[str]:
    return [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]


def _quoted(path: Path) -> str:
    """As ssh_config(5) reads a file's name: percent signs are tokens, quotes keep blanks together."""
    return '"' + str(path).replace("%", "%%") + '"'


_REFUSED = re.compile(r"Permission denied|Too many authentication failures|bad configuration option|Bad configuration",
                      re.IGNORECASE)  # fmt: skip
_OTHER_KEY = re.compile(r"Host key verification failed|REVOKED HOST KEY|HOST IDENTIFICATION HAS CHANGED")
_HINT = re.compile(
    r"^(Load key|sign_and_send_pubkey|.*UNPROTECTED PRIVATE KEY|Permissions .* are too open|.*invalid format)"
)
_NOISE = re.compile(r"^(\s*$|@+$|Warning: Permanently|debug\d: )")


def why_it_ended(said: Sequence[str]) -> LoginRefused | Unreachable:
    """What the end of ssh before the login was complete means, from the lines it wrote."""
    lines = [clean(line) for line in said if not _NOISE.match(line)]
    text = "\n".join(lines)
    if _OTHER_KEY.search(text):
        return Unreachable("it shows another host key than a moment ago")
    if _REFUSED.search(text):
        named = next(line for line in lines if _REFUSED.search(line))
        hints = [line for line in lines if _HINT.match(line) and line != named]
        ways = re.search(r"\(([^)]*)\)", named)
        if "ermission denied" in named:
            tried = f" (it takes {ways[1].replace(',', ', ')})" if ways else ""
            return LoginRefused("; ".join([f"permission denied{tried}", *hints]))
        return LoginRefused("; ".join([named, *hints]))
    return Unreachable(f"ssh ended: {lines[-1]}" if lines else "ssh ended without a word")


def why_it_was_lost(said: Sequence[str]) -> str:
    """The clause for the end of a link, from the last lines ssh wrote."""
    lines = [clean(line) for line in said if not _NOISE.match(line) and not line.startswith("channel ")]
    if not lines:
        return "ssh has ended"
    if "not responding" in lines[-1]:
        return "no sign of life"
    if "closed by remote host" in lines[-1]:
        return "the other side closed the connection"
    return f"ssh ended: {lines[-1]}"


def clean(line: str) -> str:
    """A line of ssh's for a sentence: without control characters and final stop, with the host instead of our alias."""
    shown = "".join(c for c in line if c.isprintable()).strip().rstrip(".")
    return shown.replace(ALIAS, "the host")[:200]
