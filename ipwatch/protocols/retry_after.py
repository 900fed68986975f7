"""The Retry-After header (RFC 9110 10.2.3): seconds or an HTTP date."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

LONGEST = timedelta(days=30)  # more can only be a fault of the server's; the sum with any clock stays a date
_SECONDS = re.compile(r"[0-9]{1,9}\Z", re.ASCII)


def retry_after(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """How long the server asks to wait, at least zero and at most LONGEST; None where it names no readable time.

    headers: with lower-case names. now: aware, what an HTTP date is measured against.
    """
    text = headers.get("retry-after", "").strip()
    if _SECONDS.match(text):
        return min(timedelta(seconds=int(text)), LONGEST)
    try:
        when = parsedate_to_datetime(text)
        # RFC 5322 3.3: "-0000" gives a naive time that is UTC
        wait = (when if when.tzinfo else when.replace(tzinfo=UTC)) - now
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return min(max(wait, timedelta(0)), LONGEST)
