"""Dynamic updates in the DNS protocol itself (RFC 2136), signed with TSIG (RFC 8945): BIND, Knot, PowerDNS, Windows.

One message per zone replaces exactly the named (name, type) RRsets; the server applies all of it or nothing. When it
refuses a message of several records, the halves are sent apart, so that one bad name does not latch the others.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Literal

from ipwatch.core.address import Address, Family
from ipwatch.core.dnsname import canonical
from ipwatch.core.dnsname import within as lies_within
from ipwatch.core.outcome import Kind, Outcome, Scope
from ipwatch.ports import (
    AccountOptions,
    Clock,
    DnsChange,
    Endpoint,
    Plugin,
    PortError,
    Provider,
    Resolver,
    Secret,
    Tools,
    TsigKey,
    Unreachable,
    Update,
    outcome_of,
)
from ipwatch.protocols.hostport import split

_PORT = 53  # RFC 1035 4.2
_TTL = timedelta(seconds=60)  # an update must carry one (RFC 2136 2.5.1); short, since the address may change any time
_BATCH = 100  # about 8 KiB a message, well under the 64 KiB of TCP (RFC 1035 4.2.2)
_Key = tuple[str, Family]


class Rfc2136Options(AccountOptions, frozen=True, kw_only=True):
    """`[account.NAME]` with `kind = "rfc2136"`. server: "host" or "host:port" of the zone's primary."""

    server: str
    zone: str | None = None  # default: found by asking upward from each name
    key_name: str | None = None
    key_secret: Secret | None = None  # base64, as in BIND's key file
    key_algorithm: Literal["hmac-sha256", "hmac-sha384", "hmac-sha512", "hmac-sha224", "hmac-sha1", "hmac-md5"] = (
        "hmac-sha256"
    )
    allow_insecure: bool = False  # updates without a key: anybody who can send as this address can, too

    def __post_init__(self) -> None:
        split(self.server, _PORT)
        if self.zone is not None:
            canonical(self.zone)
        if bool(self.key_name) != bool(self.key_secret):
            raise ValueError("key_name and key_secret belong together")
        if self.key_secret:
            _check_base64(self.key_secret)
        elif not self.allow_insecure:
            raise ValueError(
                "updates without a key can be forged: set key_name and key_secret, or allow_insecure = true"
            )


def _check_base64(secret: Secret) -> None:
    try:
        base64.b64decode(secret.reveal(), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("key_secret is not base64") from None


class Rfc2136:
    """ports.Provider."""

    batch = _BATCH
    repairs = True
    refresh: timedelta | None = None
    pause = timedelta(0)

    def __init__(self, options: Rfc2136Options, resolver: Resolver, clock: Clock) -> None:
        self._host, self._port = split(options.server, _PORT)
        self._zone = canonical(options.zone) if options.zone is not None else None
        self._key: TsigKey | None = None
        if options.key_name and options.key_secret:
            self._key = TsigKey(options.key_name, options.key_algorithm, options.key_secret)
        self._resolver = resolver
        self._clock = clock
        self.service = self._host

    def publish(self, updates: Sequence[Update], within: timedelta) -> Mapping[_Key, Outcome]:
        """One message per zone; see the port."""
        end = self._clock.monotonic() + within
        outcomes: dict[_Key, Outcome] = {}
        zones = self._by_zone(updates, end, outcomes)
        if not zones:
            return outcomes
        servers = self._resolver.lookup(self._host, self._left(end))
        for zone, changes in zones.items():
            outcomes |= self._send(zone, changes, servers, end)
        return outcomes

    def _by_zone(self, updates: Sequence[Update], end: timedelta, failed: dict[_Key, Outcome]
                 ) -> dict[str, list[DnsChange]]:  # fmt: skip
        zones: dict[str, list[DnsChange]] = {}
        for update in updates:
            try:
                zone = self._zone_of(update.name, end)
            except PortError as error:
                failed |= {(update.name, a.family): outcome_of(error) for a in update.addresses}
                continue
            if not lies_within(update.name, zone):
                failed |= {(update.name, a.family): _outside(update.name, zone) for a in update.addresses}
                continue
            ttl = update.ttl if update.ttl is not None else _TTL
            zones.setdefault(zone, []).extend(DnsChange(update.name, address, ttl) for address in update.addresses)
        return zones

    def _zone_of(self, name: str, end: timedelta) -> str:
        return self._zone if self._zone is not None else self._resolver.zone(name, self._left(end)).name

    def _send(self, zone: str, changes: Sequence[DnsChange], servers: Sequence[str], end: timedelta
              ) -> dict[_Key, Outcome]:  # fmt: skip
        try:
            rcode = self._update(zone, changes, servers, end)
        except PortError as error:
            return dict.fromkeys(map(_key, changes), outcome_of(error))
        if rcode in {"REFUSED", "NOTZONE"} and len(changes) > 1:
            half = len(changes) // 2
            return self._send(zone, changes[:half], servers, end) | self._send(zone, changes[half:], servers, end)
        return {_key(change): _outcome(rcode, zone, change.name, change.address) for change in changes}

    def _update(self, zone: str, changes: Sequence[DnsChange], servers: Sequence[str], end: timedelta) -> str:
        """At the first address that answers: sending the same again is harmless, for it replaces the same."""
        sent, last = False, "the server has no address"
        for i, host in enumerate(servers):
            try:
                share = self._left(end) / (len(servers) - i)
                return self._resolver.update(zone, changes, Endpoint(host, self._port), self._key, share)
            except Unreachable as error:
                sent, last = sent or error.sent, str(error)
        raise Unreachable(last, sent=sent)

    def _left(self, end: timedelta) -> timedelta:
        left = end - self._clock.monotonic()
        if left <= timedelta(0):
            raise Unreachable("no time was left")
        return left


def _key(change: DnsChange) -> _Key:
    return change.name, change.address.family


def _outside(name: str, zone: str) -> Outcome:
    return Outcome(Kind.REFUSED, "NOTZONE", f"{name} does not lie in the zone {zone}: check the account's zone")


_REFUSALS: Mapping[str, tuple[Scope, str]] = {
    "REFUSED": (Scope.RECORD, "the server refuses this update of {name}: its policy must allow this key to make it"),
    "NOTAUTH": (Scope.ACCOUNT, "the server does not hold the zone {zone}, or not for this key: check server and zone"),
    "NOTZONE": (Scope.RECORD, "the server says that {name} does not lie in {zone}"),
    "NOTIMP": (Scope.ACCOUNT, "the server takes no dynamic updates"),
}


def _outcome(rcode: str, zone: str, name: str, address: Address) -> Outcome:
    """What the answer's code means (RFC 2136 2.2). All but NOERROR changed nothing: it is all or nothing (3.4.2.7)."""
    if rcode == "NOERROR":
        return Outcome(Kind.CHANGED, rcode, f"the server took {address} for {name}")
    if rcode in _REFUSALS:
        scope, text = _REFUSALS[rcode]
        return Outcome(Kind.REFUSED, rcode, text.format(name=name, zone=zone), scope=scope)
    return Outcome(Kind.BUSY, rcode, f"the server could not change {name} in {zone}: it answered {rcode}")


def _build(options: Rfc2136Options, tools: Tools) -> Provider:
    return Rfc2136(options, tools.resolver, tools.clock)


PLUGIN = Plugin(
    title="dynamic updates by RFC 2136 with TSIG: BIND, Knot, PowerDNS and other servers of your own",
    manual="https://www.rfc-editor.org/rfc/rfc2136",
    settings=Rfc2136Options,
    build=_build,
)
