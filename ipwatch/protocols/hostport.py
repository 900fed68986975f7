"""A host and a port as users write them: "host", "host:port", "[2001:db8::1]:port", "2001:db8::1"."""


class BadHostPort(ValueError):
    """The text is no host with a port; str() is a clause that says why."""


def split(text: str, port: int) -> tuple[str, int]:
    """Host (without brackets) and port; `port` where the text names none. Raises BadHostPort."""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise BadHostPort(f"{text[:80]!r} is not like [address]:port")
        number = rest[1:] if rest else str(port)
    elif text.count(":") == 1:
        host, _, number = text.partition(":")
    else:
        host, number = text, str(port)
    if not host or any(c.isspace() or c in "/@" for c in host):
        raise BadHostPort(f"{text[:80]!r} is not like host:port")
    if not (number.isascii() and number.isdigit() and len(number) <= 5 and 1 <= int(number) <= 65535):
        raise BadHostPort(f"{text[:80]!r} names no port from 1 to 65535")
    return host, int(number)
