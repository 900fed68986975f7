"""Events: what is worth telling. One class of values; which edge makes which event is decided in `events`.

An event is stored before it is sent, and kept as history afterwards.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Topic(StrEnum):
    """What happened. The text is stored and shown in JSON: never rename one.

    `data` holds, per topic, texts only (addresses in canonical spelling, times in ISO 8601 with zone):
    """

    ADDRESS_FOUND = "address-found"  # family, new
    ADDRESS_CHANGED = "address-changed"  # family, old, new, [old_until, new_at]: the gap between them
    ADDRESS_FLAPPING = "address-flapping"  # family, held, wants, changes: count of the last hour
    ADDRESS_STEADY = "address-steady"  # family, address
    SOURCES_DISPUTE = "sources-dispute"  # family, said: "ipify said 1.2.3.4; ...", [address]: kept meanwhile
    SOURCES_AGREE = "sources-agree"  # family, address, since: start of the dispute
    SOURCE_DISSENT = "source-dissent"  # family, source, said, address: history only
    BEHIND_NAT = "behind-nat"  # family, address: the one agreed on, why: what the router said
    REACHABLE = "reachable"  # family, address: after behind-nat
    OFFLINE = "offline"  # since; history only: it can not be told while it is true
    ONLINE = "online"  # since, until
    RECORD_PUBLISHED = (
        "record-published"  # record, account, family, address, [old], verified: seen|late|hidden|unknown|no
    )
    RECORD_REFUSED = "record-refused"  # record, account, code, text, scope, family: latched
    RECORD_FAILING = "record-failing"  # record, account, code, text, since, family
    RECORD_WELL = "record-well"  # record, account, address, since, family: after failing or a latch
    RECORD_NOT_SHOWN = (
        "record-not-shown"  # record, account, address, shown, detail, family: provider said good, zone differs
    )
    RECORD_SHOWN = "record-shown"  # record, account, address, family: after not-shown or drift
    RECORD_DRIFTED = "record-drifted"  # record, account, address, detail, repair: yes|no, family
    NOTIFIER_FAILING = "notifier-failing"  # notifier, reason, since
    NOTIFIER_WELL = "notifier-well"  # notifier, since
    STORE_FAULT = "store-fault"  # reason
    STORE_WELL = "store-well"  # since
    CONFIG_REFUSED = "config-refused"  # reason: the faults, the old configuration goes on
    TEST = "test"  # nothing: `ipwatch notify --test`


HISTORY_ONLY = frozenset({Topic.SOURCE_DISSENT, Topic.OFFLINE})


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened at a time. `data` as listed at Topic; values are texts."""

    topic: Topic
    at: datetime
    data: Mapping[str, str] = field(default_factory=dict)

    def __getitem__(self, key: str) -> str:
        return self.data[key]

    def get(self, key: str, default: str = "") -> str:
        """A detail, or the default where this event has none."""
        return self.data.get(key, default)
