"""Captive portals: what the answer to a probe says about the network in between.

The convention of Android, ChromeOS and many others: a URL that answers 204 without content; a network that shows its
log-in page instead (by redirect or in place, RFC 8908 1, or with status 511, RFC 6585 6) answers something else.
"""

from urllib.parse import urlsplit

_NEEDS_LOGIN = 511  # RFC 6585 6


def portal(status: int, location: str, body: bytes) -> str:
    """A clause that names the captive portal; "" when there is none, or when the answer says nothing about it.

    Any other error status may be the probe's own server in trouble.
    """
    if (status == 204 and not body) or (status >= 400 and status != _NEEDS_LOGIN):
        return ""
    try:
        host = urlsplit(location).hostname or ""
    except ValueError:
        host = ""
    named = f" at {host[:80]}" if host.isprintable() and host else ""
    return f"a captive portal{named} stands between this machine and the internet"
