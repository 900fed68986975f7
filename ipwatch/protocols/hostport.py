"""A host and a port as users write them: "host", "host:port", "[2001:db8::1]:port", "2001:db8::1"."""

from ipaddress import IPv6Address, ip_address


class BadHostPort(ValueError):
    """The text is no host with a port; str() is a clause that says why."""


def split(text: str, port: int) -> tuple[str, int]:
    """Host (without brackets) and port; `port` where the text names none. Raises BadHostPort."""
    host, digits = _parts(text.strip(), port)
    if not host or any(c.isspace() or c in "/@" for c in host) or (":" in host and not _is_ipv6(host)):
        examples = f'"example.org", "192.0.2.1:{port}" or "[2001:db8::1]:{port}"'
        raise BadHostPort(f"{text[:80]!r} is not a host such as {examples}")
    return host, _number(text, digits)


def split_address(text: str, port: int) -> tuple[str, int]:
    """The same of an IP address, which is given in its usual spelling; a name is refused."""
    host, digits = _parts(text.strip(), port)
    try:
        ip = str(ip_address(host))
    except ValueError:
        examples = f'"192.0.2.1:{port}" or "[2001:db8::1]:{port}"'
        raise BadHostPort(f"{text[:80]!r} is not an address such as {examples}") from None
    return ip, _number(text, digits)


def _parts(text: str, port: int) -> tuple[str, str]:
    """Host and the digits of the port; the host is empty where there is none."""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")) or not _is_ipv6(host):
            return "", ""
        return host, rest[1:] if rest else str(port)
    if text.count(":") == 1:
        host, _, digits = text.partition(":")
        return host, digits
    return text, str(port)


def _number(text: str, digits: str) -> int:
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 5 and 1 <= int(digits) <= 65535):
        raise BadHostPort(f"{text[:80]!r} names no port from 1 to 65535")
    return int(digits)


def _is_ipv6(text: str) -> bool:
    try:
        return isinstance(ip_address(text), IPv6Address)
    except ValueError:
        return False
