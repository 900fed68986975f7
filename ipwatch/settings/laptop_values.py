"""What single values of laptop.toml mean: text -> value, or ValueError with a clause that says how it is written."""

import re
from ipaddress import ip_address

from ipwatch.core.candidate import Spot
from ipwatch.core.dnsname import canonical
from ipwatch.core.host import BadKey, HostKey

_HOST = re.compile(r"[A-Za-z0-9._][A-Za-z0-9._-]{0,63}\Z")
_HEX = re.compile(r"[0-9a-f]*\Z")
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
    host, number = text.strip(), str(port)
    if host.startswith("["):
        host, _, rest = host[1:].partition("]")
        number = rest.removeprefix(":") if rest else number
    elif host.count(":") == 1:
        host, _, number = host.partition(":")
    try:
        ip = ip_address(host)
    except ValueError:
        raise ValueError(f'this is an address, as in "192.168.1.20:{port}" or "[fd00::2]:{port}"') from None
    if not re.fullmatch(r"[0-9]{1,5}", number) or not 0 < int(number) < 65536:
        raise ValueError("its port is a number from 1 to 65535")
    return Spot(str(ip), int(number))


def address(text: str) -> str:
    """An IP address in its usual spelling."""
    try:
        return str(ip_address(text.strip()))
    except ValueError:
        raise ValueError('this is an address, as in "192.168.1.255"') from None


def mac(text: str) -> str:
    """Any common spelling of a MAC address -> "aa:bb:cc:dd:ee:ff"."""
    digits = re.sub(r"[:.\-\s]", "", text).lower()
    if len(digits) != 12 or not _HEX.match(digits):
        raise ValueError('this is a MAC address: twelve hexadecimal digits, as in "aa:bb:cc:dd:ee:ff"')
    if int(digits[:2], 16) & 1:  # IEEE 802-2014 8.2.2: the I/G bit
        raise ValueError("this is the address of a group of machines, not of one (its first byte is odd)")
    return ":".join(digits[i : i + 2] for i in range(0, 12, 2))


def secureon(text: str) -> bytes:
    """A SecureOn password: 4 or 6 bytes in hexadecimal ("c0:a8:01:0a", "aabbccddeeff")."""
    digits = re.sub(r"[:.\-\s]", "", text).lower()
    if len(digits) not in {0, 8, 12} or not _HEX.match(digits):
        raise ValueError('this is 4 or 6 bytes in hexadecimal, as in "01:23:45:67:89:ab"')
    return bytes.fromhex(digits)


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
