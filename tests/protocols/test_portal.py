"""Captive portals, as a table of answers to the probe."""

import pytest

from ipwatch.protocols.portal import portal

NAMELESS = "a captive portal stands between this machine and the internet"


@pytest.mark.parametrize(
    ("status", "location", "body", "clause"),
    [
        (204, "", b"", ""),
        (204, "", b"x", NAMELESS),
        (200, "", b"<html>Welcome", NAMELESS),
        (200, "", b"", NAMELESS),
        (302, "https://login.campus.example:8443/?from=x", b"",
         "a captive portal at login.campus.example stands between this machine and the internet"),
        (302, "/login", b"", NAMELESS),
        (302, "http://[broken", b"", NAMELESS),
        (302, "http://a\x1b[31m/", b"", NAMELESS),
        (511, "", b"", NAMELESS),
        (503, "", b"", ""),
        (404, "", b"", ""),
    ],
)  # fmt: skip
def test_only_204_without_content_is_the_open_internet(status: int, location: str, body: bytes, clause: str) -> None:
    """Anything but 204 without content is a portal, named by where it redirects to; a server's own trouble is none."""
    assert portal(status, location, body) == clause
