"""Host names in the one spelling used everywhere inside: lower case, A-labels, no trailing dot."""

import re

_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)\Z")  # RFC 1123 2.1, and the underscore that real zones use


class BadName(ValueError):
    """The text is not a host name; str() is a clause that says why."""


def canonical(text: str) -> str:
    """One spelling for a host name ("Büro.Example.ORG." -> "xn--bro-hoa.example.org"); raises BadName.

    A leading "*" label is kept (RFC 4592 2.1.1). Limits: 63 octets a label, 253 a name (RFC 1035 2.3.4).
    """
    name = text.strip().removesuffix(".")
    if not name:
        raise BadName("the name is empty")
    if not name.isascii():
        name = _to_ascii(name)
    name = name.lower()
    if len(name) > 253:
        raise BadName(f"{name[:40]!r}... is longer than 253 characters (RFC 1035 2.3.4)")
    for label in name.removeprefix("*.").split("."):
        if not _LABEL.match(label):
            raise BadName(f"{label!r} in {name!r} is not a DNS label: letters, digits and inner hyphens, at most 63")
    return name


def _to_ascii(name: str) -> str:
    """Each label as its A-label (RFC 5891 4), with the mapping people expect (UTS 46)."""
    import idna  # noqa: PLC0415 - only names with other letters need it

    try:
        return idna.encode(name, uts46=True).decode("ascii")
    except idna.IDNAError as error:
        raise BadName(f"{name[:80]!r} is not an internationalised name: {error}") from None


def within(name: str, zone: str) -> bool:
    """Whether a canonical name lies in a zone (its apex included)."""
    return not zone or name == zone or name.endswith("." + zone)
