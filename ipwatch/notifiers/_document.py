"""The JSON document that programs get: webhooks as their body, commands on their standard input."""

import json
from collections.abc import Mapping

from ipwatch.core.address import Address, Family
from ipwatch.core.event import Event
from ipwatch.ports import Message


def document(message: Message) -> str:
    """One message as JSON.

    id: the same in every try. topic, data: of the one event; of several "digest" and nothing. at: ISO 8601, UTC.
    subject, text: the words. events: topic, at and data of each, oldest first. addresses: ipv4 and ipv6, null where
    none is known.
    """
    one = message.events[0] if len(message.events) == 1 else None
    return json.dumps(
        {
            "id": message.id,
            "topic": one.topic.value if one else "digest",
            "at": message.at.isoformat(),
            "data": dict(one.data) if one else {},
            "subject": message.subject,
            "text": message.text,
            "events": [_event(event) for event in message.events],
            "addresses": known(message.addresses),
        },
        ensure_ascii=False,
    )


def known(addresses: Mapping[Family, Address]) -> dict[str, str | None]:
    """The address of each family as text, None where none is known."""
    return {f.value: str(addresses[f]) if f in addresses else None for f in Family}


def _event(event: Event) -> dict[str, object]:
    return {"topic": event.topic.value, "at": event.at.isoformat(), "data": dict(event.data)}
