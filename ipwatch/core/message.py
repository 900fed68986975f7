"""Message: a subject, a text and an HTML page made of events. Pure; what each topic says is in `words`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from html import escape

from ipwatch.core.address import Address, Family
from ipwatch.core.event import Event
from ipwatch.core.times import Times
from ipwatch.core.words import ENDED_BY, RANK, say

SUBJECT_LIMIT = 120  # characters; most mail programs show fewer, none of our own subjects needs more
TEXT_LIMIT = 2000  # characters of one sentence: a detail from outside must not fill the mail


@dataclass(frozen=True, slots=True)
class Composed:
    """One message's words. subject: one line without control characters."""

    subject: str
    text: str
    html: str


def compose(
    events: Sequence[Event], addresses: Mapping[Family, Address], now: datetime, zone: tzinfo = UTC
) -> Composed:
    """Put events (oldest first) into words; several become a digest, none a note of the addresses.

    addresses: what is believed now. now: the time written at the foot. zone: for every time shown.
    """
    times = Times(zone)
    known = ", ".join(f"{addresses[family]} ({family.label})" for family in Family if family in addresses)
    lead = _digest(events, zone) if len(events) > 1 else ""
    rows = [(times.show(event.at), _plain(say(event, times).sentence, TEXT_LIMIT)) for event in events]
    subject = _subject(events, times) if events else f"Home address: {known or 'not known yet'}"
    foot = (f"Home address now: {known or 'not known yet'}", f"ipwatch, {times.show(now)}")
    return Composed(_plain(subject, SUBJECT_LIMIT), _text(lead, rows, foot), _html(subject, lead, rows, foot))


def _subject(events: Sequence[Event], times: Times) -> str:
    open_ones = [e for i, e in enumerate(events) if not any(_ends(later, e) for later in events[i + 1 :])]
    head = max(reversed(open_ones), key=lambda e: -RANK.index(e.topic))
    more = f" (and {len(events) - 1} more)" if len(events) > 1 else ""
    return _plain(say(head, times).subject, SUBJECT_LIMIT - len(more)) + more


def _ends(later: Event, earlier: Event) -> bool:
    """Whether the later event tells that the earlier one's trouble is over."""
    return ENDED_BY.get(earlier.topic) is later.topic and all(
        later.get(key) == earlier.get(key) for key in ("record", "account", "family", "notifier")
    )


def _digest(events: Sequence[Event], zone: tzinfo) -> str:
    """All of it in one line: "2026-11-23 (UTC): offline 03:12 to 03:41, address A -> B, ..."."""
    first = events[0].at.astimezone(zone)
    times = Times(zone, f"{first:%Y-%m-%d}")
    said = [say(event, times) for event in events]
    line = ", ".join(_plain(s.brief or s.subject, SUBJECT_LIMIT) for s in said)
    return f"{times.day} ({first:%Z}): {line}"


def _plain(text: str, limit: int) -> str:
    """One line of printable characters, cut at the limit."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= limit else line[: limit - 3].rstrip() + "..."


def _text(lead: str, rows: Sequence[tuple[str, str]], foot: Sequence[str]) -> str:
    body = [*([lead, ""] if lead else []), *(f"{at}  {sentence}" for at, sentence in rows)]
    return "\n".join([*body, *([""] if body else []), *foot]) + "\n"


_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>:root {{ color-scheme: light dark }}</style>
</head>
<body style="font: 16px/1.5 sans-serif; max-width: 40em; margin: 0 auto; padding: 16px; overflow-wrap: break-word">
{body}
</body>
</html>
"""
# No colours of our own, as dark and light are the reader's; but for the rule's grey, which shows on either.
_SMALL = "font-size: 13px; opacity: .75"
_FOOT = "border-top: 1px solid #888; margin-top: 24px; padding-top: 12px"


def _html(title: str, lead: str, rows: Sequence[tuple[str, str]], foot: tuple[str, str]) -> str:
    parts = [f'<p style="font-weight: bold">{escape(lead)}</p>'] if lead else []
    parts += [f'<p><span style="{_SMALL}">{escape(at)}</span><br>{escape(sentence)}</p>' for at, sentence in rows]
    now, sender = (escape(line) for line in foot)
    parts.append(f'<p style="{_FOOT}">{now}<br><span style="{_SMALL}">{sender}</span></p>')
    return _PAGE.format(title=escape(_plain(title, SUBJECT_LIMIT)), body="\n".join(parts))
