"""What single values of laptop.toml mean: text -> value, or ValueError with a clause that says how it is written."""

import re
from ipaddress import ip_address

from ipwatch.core.candidate import Spot
from ipwatch.core.dnsname import canonical
from ipwatch.core.host import BadKey, HostKey
from ipwatch.protocols.hostport import split_address

_HOST = re.compile(r"[A-Za-z0-9._][A-Za-z0-9._-]{0,63}\Z")
# What the shell reads anything into: ssh refuses such users on its command line (ssh.c, valid_ruser, OpenSSH 9.6).
_UNSAFE = frozenset("'`\";&<>|(){}$")


def host_name(text: str) -> str:
    """What a host, a forward or an app is called: a word that needs no quotes anywhere."""
    if not _HOST.match(text):
        raise ValueError('it has 1 to 64 of the letters A-Z a-z 0-9 . _ - and does not begin with "-"')
    return text


def user(text: str) -> str:
    """A login name, safe as a word of ssh's."""
    if text.startswith("-") or any(c.isspace() or not c.isprintable() or c in _UNSAFE for c in text):
        raise ValueError('a user name does not begin with "-" and holds neither spaces nor quotes nor signs of a shell')
    return text


def place(text: str) -> str:
    """A DNS name or an address in its usual spelling; raises ValueError (core.dnsname.BadName for a name)."""
    text = text.strip()
    try:
        return str(ip_address(text.removeprefix("[").removesuffix("]")))
    except ValueError:
        name = canonical(text)
    if name.rpartition(".")[2].isdigit():  # RFC 3696 2: no top-level domain is all digits
        raise ValueError('this is neither a name like "home.example.org" nor an address like "192.0.2.1"')
    if name.startswith("*"):
        raise ValueError("a name with * is not one that can be asked for")
    return name


def spot(text: str, port: int) -> Spot:
    """ "192.168.1.20:22", "[fd00::2]:22" or an address alone, then with `port`."""
    return Spot(*split_address(text, port))


def address(text: str) -> str:
    """An IP address in its usual spelling."""
    try:
        return str(ip_address(text.strip()))
    except ValueError:
        raise ValueError('this is an address, as in "192.168.1.255"') from None


def host_key(text: str) -> HostKey:
    """A public key as it stands in a .pub file; a line of known_hosts gets a hint."""
    try:
        return HostKey.parse(text)
    except BadKey as error:
        words = text.split(None, 1)
        if text.startswith("SHA256:"):
            raise ValueError('a fingerprint can not be pinned; write the key: "ssh-ed25519 AAAA..."') from None
        try:
            HostKey.parse(words[1] if len(words) > 1 else "")
        except BadKey:
            raise ValueError(str(error)) from None
        raise ValueError("leave out the first word, the host's name of known_hosts") from None


def url(text: str, *, insecure: bool) -> str:
    """An https URL; plain http only if `insecure`. The clause does not repeat it, for it may hold a token."""
    found = re.match(r"(https?)://([^/?#\s]+)([/?#][!-~]*)?\Z", text, re.IGNORECASE)
    if found is None:
        raise ValueError('this is a URL, as in "https://example.org/path"')
    if found[1].lower() == "http" and not insecure:
        raise ValueError("plain http shows the question to everybody on the way: write https")
    return text
