"""The interfaces the rest is written against (one door each), the four errors, Plugin and Secret.

Every wait takes `within`, a total deadline, and keeps it. The adapters are in `net` and `store`; whoever needs one is
handed it (see Tools). A package and not the one file of the plan: together these run to twice the length of a file.
What stands on msgspec is loaded when it is first named: the laptop's commands never do, and start the faster.
"""

import importlib
from typing import TYPE_CHECKING, Any

from ipwatch.ports.errors import (
    Busy,
    Garbled,
    PortError,
    Refused,
    Unreachable,
    outcome_of,
)
from ipwatch.ports.interfaces import (
    Clock,
    Commands,
    Datagram,
    Files,
    Http,
    Interfaces,
    Mailer,
    Notifier,
    Provider,
    Resolver,
    Source,
    Store,
    StoreFault,
    Tools,
)
from ipwatch.ports.secret import (
    Secret,
)
from ipwatch.ports.values import (
    Completed,
    DnsAnswer,
    DnsChange,
    Endpoint,
    HttpRequest,
    HttpResponse,
    InterfaceAddress,
    Mail,
    MailServer,
    Message,
    NameServer,
    TsigKey,
    Update,
    Zone,
)

if TYPE_CHECKING:
    from ipwatch.ports.plugin import (
        AccountOptions,
        NotifierOptions,
        Options,
        Plugin,
        SourceOptions,
    )

__all__ = [
    "AccountOptions",
    "Busy",
    "Clock",
    "Commands",
    "Completed",
    "Datagram",
    "DnsAnswer",
    "DnsChange",
    "Endpoint",
    "Files",
    "Garbled",
    "Http",
    "HttpRequest",
    "HttpResponse",
    "InterfaceAddress",
    "Interfaces",
    "Mail",
    "MailServer",
    "Mailer",
    "Message",
    "NameServer",
    "Notifier",
    "NotifierOptions",
    "Options",
    "Plugin",
    "PortError",
    "Provider",
    "Refused",
    "Resolver",
    "Secret",
    "Source",
    "SourceOptions",
    "Store",
    "StoreFault",
    "Tools",
    "TsigKey",
    "Unreachable",
    "Update",
    "Zone",
    "outcome_of",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("ipwatch.ports.plugin"), name)
