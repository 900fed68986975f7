"""Cloudflare: its API with a token. Only the named record is touched; proxied and TTL stay unless configured."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar

from ipwatch.core.address import Address, BadAddress, Family
from ipwatch.core.dnsname import BadName, canonical
from ipwatch.core.dnsname import within as lies_in
from ipwatch.core.outcome import Kind, Outcome, Scope
from ipwatch.ports import (
    AccountOptions,
    Garbled,
    Options,
    Plugin,
    PortError,
    Provider,
    Refused,
    Secret,
    Tools,
    Update,
    outcome_of,
)
from ipwatch.providers._cloudflare_api import Api, Batch, Record, Zone, identifier
from ipwatch.providers._common import Deadline, Key, base_url, everyone, stopping

MANUAL = "https://developers.cloudflare.com/api/resources/dns/subresources/records/"  # 2026-11
_BY_NAME = 3  # up to so many names are asked for one by one; beyond, the zone's records of the type are listed
_AUTOMATIC = 1  # the TTL that leaves it to Cloudflare


class Settings(AccountOptions, frozen=True, kw_only=True):
    """`[account.NAME]` with kind = "cloudflare"."""

    DOC: ClassVar[Mapping[str, str]] = {
        "token": "an API token with Zone:Read and DNS:Edit for the zone (not the global key)",
        "zone": "the zone's name; default: the longest of the token's zones in which the record lies",
        "zone_id": "the zone's identifier, for a token without Zone:Read",
        "api": "another place that speaks the same, for tests",
        "allow_insecure": "allow plain http to it, which shows the token on the way",
    }

    token: Secret
    zone: str | None = None
    zone_id: str | None = None
    api: str = "https://api.cloudflare.com/client/v4"
    allow_insecure: bool = False

    def __post_init__(self) -> None:
        base_url(self.api, allow_insecure=self.allow_insecure, what="api")
        if not self.token:
            raise ValueError("token is empty")
        if not self.token.reveal().isascii() or not self.token.reveal().isprintable() or " " in self.token.reveal():
            raise ValueError("token holds a character no token has")
        if self.zone is not None:
            canonical(self.zone)
        if self.zone_id is not None and not identifier(self.zone_id):
            raise ValueError("zone_id is not an identifier such as 023e105f4ecef8ad9ca31a8372d0c353")


class RecordOptions(Options, frozen=True, kw_only=True):
    """What a `[[record]]` of such an account takes besides."""

    DOC: ClassVar[Mapping[str, str]] = {
        "proxied": "true: behind Cloudflare's proxy, whose addresses are shown instead; default: as it is, new: false",
    }

    proxied: bool | None = None


class Cloudflare:
    """One token (see ports.Provider)."""

    batch = 100  # a batch call takes 200 records on the free plan
    repairs = True
    refresh: timedelta | None = None
    pause = timedelta(0)

    def __init__(self, settings: Settings, tools: Tools) -> None:
        origin, path = base_url(settings.api, allow_insecure=settings.allow_insecure, what="api")
        self._api = Api(origin + path, settings.token, tools, insecure=settings.allow_insecure)
        self._settings = settings
        self._tools = tools
        self._zones: dict[str, str] = {}  # canonical name -> identifier, as last listed
        self.service = origin.partition("://")[2]

    def publish(self, updates: Sequence[Update], within: timedelta) -> Mapping[Key, Outcome]:
        """See ports.Provider. Per zone and family: one look at what is there, then one call for what differs."""
        deadline = Deadline(self._tools.clock, within)
        outcomes: dict[Key, Outcome] = {}
        zones = self._assign(updates, deadline)
        for zone in dict.fromkeys(zones.values()):
            mine = [update for update in updates if zones.get(update.name) == zone]
            for address in updates[0].addresses:
                keys = {(update.name, address.family) for update in mine}
                stop = stopping(outcomes)
                outcomes |= dict.fromkeys(keys, stop) if stop else self._family(zone, mine, address, deadline)
        return everyone(updates, _NO_ZONE) | outcomes

    def _assign(self, updates: Sequence[Update], deadline: Deadline) -> dict[str, str]:
        """name -> identifier of its zone, for names that have one; raises PortError."""
        if self._settings.zone_id is not None:
            return {update.name: self._settings.zone_id for update in updates}
        names = [update.name for update in updates]
        if any(_zone_of(name, self._zones) is None for name in names):
            self._zones = self._list_zones(deadline)
        found = {name: _zone_of(name, self._zones) for name in names}
        return {name: self._zones[zone] for name, zone in found.items() if zone is not None}

    def _list_zones(self, deadline: Deadline) -> dict[str, str]:
        wanted = canonical(self._settings.zone) if self._settings.zone else None
        zones = self._api.pages("/zones", {}, Zone, deadline)
        zones.sort(key=lambda zone: zone.status == "active")  # of two of one name the active one wins
        listed = {_name(zone.name): zone.id for zone in zones}
        return {name: id_ for name, id_ in listed.items() if name and wanted in {None, name}}

    def _family(self, zone: str, updates: Sequence[Update], address: Address, deadline: Deadline) -> dict[Key, Outcome]:
        """One zone and family: look, then change what differs."""
        outcomes: dict[Key, Outcome] = {}
        todo: list[tuple[Update, Record | None]] = []
        family = address.family
        try:
            there = self._look(zone, [update.name for update in updates], family, deadline)
        except PortError as error:
            return self._failed(updates, family, error)
        for update in updates:
            match there.get(update.name, []):
                case [record] if _fits(record, update, address):
                    outcomes[update.name, family] = _well(Kind.UNCHANGED, record)
                case [] | [_] as records:
                    todo.append((update, records[0] if records else None))
                case records:
                    outcomes[update.name, family] = _several(update.name, family, len(records))
        return outcomes | self._change(zone, todo, address, deadline)

    def _look(self, zone: str, names: Sequence[str], family: Family, deadline: Deadline) -> dict[str, list[Record]]:
        """The records of these names and this family, by canonical name; raises PortError."""
        path, asked = f"/zones/{zone}/dns_records", {"type": family.rdtype}
        if len(names) <= _BY_NAME and not any("xn--" in name for name in names):  # they may be stored in Unicode
            found = [r for name in names for r in self._api.pages(path, asked | {"name": name}, Record, deadline)]
        else:
            found = self._api.pages(path, asked, Record, deadline)
        there: dict[str, list[Record]] = {}
        for record in found:
            if record.type == family.rdtype:
                there.setdefault(_name(record.name), []).append(record)
        return there

    def _change(self, zone: str, todo: Sequence[tuple[Update, Record | None]], address: Address,
                deadline: Deadline) -> dict[Key, Outcome]:  # fmt: skip
        """Send what differs: in one batch, which is all or nothing, and one by one where it is refused."""
        outcomes: dict[Key, Outcome] = {}
        if len(todo) > 1:
            try:
                return self._batch(zone, todo, address, deadline)
            except Refused as error:
                if error.scope is not Scope.RECORD:
                    return self._failed([update for update, _ in todo], address.family, error)
            except PortError as error:
                return self._failed([update for update, _ in todo], address.family, error)
        for update, record in todo:
            key = update.name, address.family
            if stop := stopping(outcomes):
                outcomes[key] = stop
                continue
            try:
                outcomes[key] = self._one(zone, update, record, address, deadline)
            except PortError as error:
                outcomes |= self._failed([update], address.family, error)
        return outcomes

    def _one(self, zone: str, update: Update, record: Record | None, address: Address, deadline: Deadline) -> Outcome:
        path = f"/zones/{zone}/dns_records"
        if record is None:
            result = self._api.change("POST", path, _new(update, address), Record, deadline)
        else:
            patch = _patch(record, update, address)
            result = self._api.change("PATCH", f"{path}/{record.id}", patch, Record, deadline)
        return _proved(result, address)

    def _batch(self, zone: str, todo: Sequence[tuple[Update, Record | None]], address: Address,
               deadline: Deadline) -> dict[Key, Outcome]:  # fmt: skip
        body = {
            "patches": [{"id": record.id, **_patch(record, update, address)} for update, record in todo if record],
            "posts": [_new(update, address) for update, record in todo if not record],
        }
        done = self._api.change("POST", f"/zones/{zone}/dns_records/batch", {k: v for k, v in body.items() if v}, Batch,
                                deadline)  # fmt: skip
        results = {
            _name(r.name): r for r in (done.patches or []) + (done.posts or []) if r.type == address.family.rdtype
        }
        missing = outcome_of(Garbled("Cloudflare's answer does not mention this record"))
        return {
            (update.name, address.family): _proved(results[update.name], address) if update.name in results else missing
            for update, _ in todo
        }

    def _failed(self, updates: Sequence[Update], family: Family, error: PortError) -> dict[Key, Outcome]:
        """The error as outcomes; what was known of the zones may be old."""
        self._zones = {}
        return {(update.name, family): outcome_of(error) for update in updates}


_NO_ZONE = Outcome(
    Kind.REFUSED, "no zone", "none of the zones this token may see holds the name: give the token the zone, with "
    "Zone:Read and DNS:Edit, or correct the record's name or `zone`")  # fmt: skip


def _name(text: str) -> str:
    """A name of the API's, in either spelling, as ours; "" for what is no name."""
    try:
        return canonical(text)
    except BadName:
        return ""


def _zone_of(name: str, zones: Mapping[str, str]) -> str | None:
    """The longest of the zones the name lies in."""
    return max((zone for zone in zones if lies_in(name, zone)), key=len, default=None)


def _fits(record: Record, update: Update, address: Address) -> bool:
    return not _patch(record, update, address, content=False) and _holds(record, address)


def _holds(record: Record, address: Address) -> bool:
    try:
        return Address.parse(record.content) == address
    except BadAddress:
        return False


def _patch(record: Record, update: Update, address: Address, *, content: bool = True) -> dict[str, Any]:
    """What is to change; what is not configured is left out and stays."""
    patch: dict[str, Any] = {"content": str(address)} if content else {}
    proxied = record.proxied if (wish := _proxied(update)) is None else wish
    if proxied is not record.proxied:
        patch["proxied"] = proxied
    # the TTL of a proxied record is always automatic
    if update.ttl is not None and not proxied and record.ttl != (ttl := _seconds(update.ttl)):
        patch["ttl"] = ttl
    return patch


def _new(update: Update, address: Address) -> dict[str, Any]:
    proxied = _proxied(update) or False
    ttl = _AUTOMATIC if update.ttl is None or proxied else _seconds(update.ttl)
    return {"type": address.family.rdtype, "name": update.name, "content": str(address), "ttl": ttl, "proxied": proxied}


def _proxied(update: Update) -> bool | None:
    return update.options.proxied if isinstance(update.options, RecordOptions) else None


def _seconds(ttl: timedelta) -> int:
    return max(1, int(ttl.total_seconds()))


def _proved(result: Record, address: Address) -> Outcome:
    """The outcome of a change, by what Cloudflare says the record holds now."""
    if _holds(result, address):
        return _well(Kind.CHANGED, result)
    return outcome_of(
        Garbled(f"Cloudflare was sent {address} and answers with another content", excerpt=result.content)
    )


def _well(kind: Kind, record: Record) -> Outcome:
    text = "Cloudflare holds the new address" if kind is Kind.CHANGED else "Cloudflare held this address already"
    behind = "; the record is proxied, so the zone shows Cloudflare's addresses instead" if record.proxied else ""
    return Outcome(kind, kind.value, text + behind)


def _several(name: str, family: Family, count: int) -> Outcome:
    text = f"{name} has {count} {family.rdtype} records, and which one is meant can not be known: delete all but one"
    return Outcome(Kind.REFUSED, "ambiguous", text)


def build(settings: Settings, tools: Tools) -> Provider:
    """The provider for one account."""
    return Cloudflare(settings, tools)


PLUGIN: Plugin[Any, Provider] = Plugin(
    title="Cloudflare, by API token", manual=MANUAL, settings=Settings, build=build, record=RecordOptions
)
