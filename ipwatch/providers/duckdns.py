"""DuckDNS: names below duckdns.org, one request for all of an account's."""

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar

from ipwatch.core.address import Address, BadAddress, Family
from ipwatch.core.outcome import Kind, Outcome, Scope
from ipwatch.ports import AccountOptions, HttpRequest, HttpResponse, Plugin, PortError, Provider, Secret, Tools, Update
from ipwatch.protocols.retry_after import retry_after
from ipwatch.providers._common import Key, base_url, everyone, hidden, hide

MANUAL = "https://www.duckdns.org/spec.jsp"  # 2026-11
_NAME = re.compile(r"([a-z0-9-]+)\.duckdns\.org\Z")


class Settings(AccountOptions, frozen=True, kw_only=True):
    """`[account.NAME]` with kind = "duckdns"."""

    DOC: ClassVar[Mapping[str, str]] = {
        "token": "the account's token",
        "server": "another place that speaks the same, for tests",
        "allow_insecure": "allow plain http to it, which shows the token on the way",
    }

    token: Secret
    server: str = "https://www.duckdns.org"
    allow_insecure: bool = False

    def __post_init__(self) -> None:
        base_url(self.server, allow_insecure=self.allow_insecure)
        if not self.token:
            raise ValueError("token is empty")


class DuckDns:
    """One account (see ports.Provider)."""

    batch = 20  # the manual names no limit; this keeps the address of the request short
    repairs = True
    refresh: timedelta | None = None
    pause = timedelta(0)

    def __init__(self, settings: Settings, tools: Tools) -> None:
        origin, path = base_url(settings.server, allow_insecure=settings.allow_insecure)
        self._url = f"{origin}{path}/update"
        self._settings = settings
        self._tools = tools
        self.service = origin.partition("://")[2]

    def publish(self, updates: Sequence[Update], within: timedelta) -> Mapping[Key, Outcome]:
        """See ports.Provider. Names that can not be DuckDNS's are refused without asking."""
        ours = [update for update in updates if _NAME.match(update.name)]
        outcomes = everyone([update for update in updates if update not in ours], _FOREIGN)
        if not ours:
            return outcomes
        token = self._settings.token
        params = _addresses(ours[0]) | {
            "domains": ",".join(update.name.removesuffix(".duckdns.org") for update in ours),
            "token": token.reveal(),
            "verbose": "true",
        }
        request = HttpRequest(self._url, params=params, insecure=self._settings.allow_insecure)
        try:
            answer = self._tools.http.send(request, within)
        except PortError as error:
            raise hidden(error, token) from None  # its text may hold the request's address, with the token
        wait = retry_after(answer.headers, self._tools.clock.now())
        for update in ours:
            for address in update.addresses:
                outcomes[update.name, address.family] = _read(answer, hide(answer.text(), token), address, wait)
        return outcomes


_FOREIGN = Outcome(
    Kind.REFUSED, "name", "DuckDNS only has names such as home.duckdns.org (names below that one follow it by "
    "themselves): correct the record's name")  # fmt: skip


def _addresses(update: Update) -> dict[str, str]:
    """The address parameters. `ip` is always there, because without it the server takes the request's own address;
    it takes either family. The other family's held address goes along.
    """
    known = {a.family: str(a) for a in update.held} | {a.family: str(a) for a in update.addresses}
    if len(known) == 2:
        return {"ip": known[Family.IPV4], "ipv6": known[Family.IPV6]}
    return {"ip": next(iter(known.values()))}


def _read(answer: HttpResponse, body: str, address: Address, wait: timedelta | None) -> Outcome:
    """What the verbose answer says: OK, IPv4, IPv6 (each may be blank), UPDATED or NOCHANGE; or KO."""
    lines = [line.strip() for line in body.splitlines() if line.strip()]
    if lines == ["KO"]:
        return Outcome(
            Kind.REFUSED, "KO", "DuckDNS refuses and does not say why: the token is wrong or one of the names is not "
            "in the account", scope=Scope.ACCOUNT)  # fmt: skip
    if answer.status in {429, 503}:
        return Outcome(Kind.BUSY, f"http {answer.status}", f"DuckDNS is too busy now (HTTP {answer.status})", wait)
    said = repr("".join(c if c.isprintable() else " " for c in body[:80]))
    garbled = Outcome(Kind.UNSURE, "unknown", f"DuckDNS answers neither OK nor KO (HTTP {answer.status}), so nothing "
                      f"is known; it says {said}", after=wait)  # fmt: skip
    if answer.status != 200 or len(lines) < 2 or lines[0] != "OK" or lines[-1] not in {"UPDATED", "NOCHANGE"}:
        return garbled
    try:
        return _compare(address, [Address.parse(line) for line in lines[1:-1]], lines[-1])
    except BadAddress:
        return garbled


def _compare(address: Address, shown: Sequence[Address], word: str) -> Outcome:
    """The address sent beside those the answer shows."""
    if address not in shown:
        other = [a for a in shown if a.family is address.family]
        if other:
            text = f"DuckDNS was sent {address} and answers that it holds {other[0]}: look there, then unlock"
            return Outcome(Kind.REFUSED, "mismatch", text)
        return Outcome(Kind.UNSURE, "no line", f"DuckDNS's answer does not mention {address.family.label}")
    if word == "NOCHANGE":
        return Outcome(Kind.UNCHANGED, "NOCHANGE", "DuckDNS held this address already")
    return Outcome(Kind.CHANGED, "UPDATED", "DuckDNS holds the new address")


def build(settings: Settings, tools: Tools) -> Provider:
    """The provider for one account."""
    return DuckDns(settings, tools)


PLUGIN: Plugin[Any, Provider] = Plugin(title="DuckDNS", manual=MANUAL, settings=Settings, build=build)
