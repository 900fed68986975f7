"""Who stands behind a host: two hosts of one operator are one voice (DESIGN section 2)."""

from ipaddress import ip_address

# Other names and addresses of an operator -> the domain we know it by. icanhazip.com is run by Cloudflare since 2021
# (https://major.io/p/icanhazip-com-faq/), tnedi.me is ident.me's second site (https://api.ident.me), dedyn.io is
# deSEC's (https://desec.readthedocs.io), the resolver addresses are on their operators' manuals (2026-11).
_ALIASES = {
    "icanhazip.com": "cloudflare.com",
    "one.one": "cloudflare.com",
    "1.1.1.1": "cloudflare.com",
    "1.0.0.1": "cloudflare.com",
    "2606:4700:4700::1111": "cloudflare.com",
    "2606:4700:4700::1001": "cloudflare.com",
    "tnedi.me": "ident.me",
    "dedyn.io": "desec.io",
    "akamaitech.net": "akamai.com",
    "akamai.net": "akamai.com",
}


def operator_of(host: str) -> str:
    """The operator of a host: its last two labels, or the host where it is an address or one label; aliases applied.

    Two labels are too few under "co.uk" and its like: strangers there count as one voice, which errs to the safe side.
    """
    host = host.strip("[]").rstrip(".").lower()
    try:
        name = str(ip_address(host))
    except ValueError:
        name = ".".join(host.split(".")[-2:])
    return _ALIASES.get(name, name)
