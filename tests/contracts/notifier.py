"""What every notifier keeps. A family's test inherits NotifierContract and gives it a notifier in a small world."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from ipwatch.core.address import Address, Family
from ipwatch.core.event import Event, Topic
from ipwatch.core.message import compose
from ipwatch.ports import Message, Notifier, Plugin, PortError

SOON = timedelta(seconds=5)
AT = datetime(2026, 11, 23, 3, 41, tzinfo=UTC)
HOME = {Family.IPV4: Address.parse("25.5.6.7"), Family.IPV6: Address.parse("2a02:1::7")}
CHANGED = Event(Topic.ADDRESS_CHANGED, AT, {"family": "ipv4", "old": "25.1.2.3", "new": "25.5.6.7"})
ONLINE = Event(Topic.ONLINE, AT, {"since": "2026-11-23T03:12:00+00:00", "until": "2026-11-23T03:41:00+00:00"})


def message(*events: Event, addresses: dict[Family, Address] = HOME, mail_id: str = "m-1") -> Message:
    """A message as the service makes it."""
    words = compose(events, addresses, AT)
    return Message(mail_id, AT, words.subject, words.text, words.html, events, addresses)


class NotifierContract:
    """world() gives a fresh (notifier, delivered, failing): what came through, and a notifier that can not deliver."""

    plugin: Plugin
    reflects: bool = False

    def notifier(self) -> Notifier:
        """One that works."""
        raise NotImplementedError

    def delivered(self) -> int:
        """How many deliveries the other side has seen from `notifier`."""
        raise NotImplementedError

    def broken(self) -> Notifier:
        """One whose other side is gone."""
        raise NotImplementedError

    def test_returning_means_delivered(self) -> None:
        """When `send` returns, the other side has the message; one event or a digest."""
        notifier = self.notifier()
        assert self.delivered() == 0
        notifier.send(message(CHANGED), SOON)
        assert self.delivered() == 1
        notifier.send(message(ONLINE, CHANGED, mail_id="m-2"), SOON)
        assert self.delivered() == 2

    def test_what_can_not_be_delivered_raises_a_port_error(self) -> None:
        """A fault of the other side is one of the four errors, one line long."""
        with pytest.raises(PortError) as caught:
            self.broken().send(message(CHANGED), SOON)
        assert str(caught.value)
        assert "\n" not in str(caught.value)

    def test_the_plugin_describes_itself(self) -> None:
        """Title, manual and a text for each key of its own are there; nothing else is described."""
        own = set(self.plugin.settings.__struct_fields__) - {"name", "timeout"}
        assert set(self.plugin.settings.DOC) == own
        assert self.plugin.title
        assert self.plugin.manual.startswith("https://")

    def test_it_says_whether_it_reflects(self) -> None:
        """`reflects` is what the kind promises."""
        assert self.notifier().reflects is self.reflects


def refused(make: Callable[[], object]) -> str:
    """The clause with which settings are refused."""
    with pytest.raises(ValueError, match=r"\S") as caught:
        make()
    return str(caught.value)
