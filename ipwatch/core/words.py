"""Words: what each topic says, one function per topic. Pure. `message` puts them together.

Only what is known is said: an update nobody answered is "not confirmed", a record nobody looked at is "not verified".
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ipwatch.core.event import Event, Topic
from ipwatch.core.times import Times


@dataclass(frozen=True, slots=True)
class Said:
    """One event in words: a subject of its own, a sentence or more, and a clause for a digest's line."""

    subject: str
    sentence: str
    brief: str = ""


def say(event: Event, times: Times) -> Said:
    """The event in words. Missing details are named as unknown, never a fault: old outboxes are read as well."""
    return WORDS[event.topic](event, times)


def _home(event: Event) -> str:
    """ "home IPv4 address", or "home address" where the family is not told."""
    return {"ipv4": "home IPv4 address", "ipv6": "home IPv6 address"}.get(event.get("family"), "home address")


def _short_home(event: Event) -> str:
    return "Home IPv6 address" if event.get("family") == "ipv6" else "Home address"


def _record(event: Event) -> str:
    rdtype = {"ipv4": "A", "ipv6": "AAAA"}.get(event.get("family"), "")
    account = event.get("account")
    inner = ", ".join(part for part in (rdtype, account and f"account {account}") if part)
    return _name(event) + (f" ({inner})" if inner else "")


def _name(event: Event) -> str:
    return event.get("record") or "a record"


def _address(event: Event, key: str = "address") -> str:
    return event.get(key) or "an unknown address"


def _tail(text: str) -> str:
    """A detail as the end of a sentence: ": because", or nothing."""
    return f": {text.strip().rstrip('.')}" if text.strip() else ""


def _address_found(e: Event, _: Times) -> Said:
    new = _address(e, "new")
    return Said(f"{_short_home(e)}: {new}", f"The {_home(e)} is {new}.", f"address {new}")


def _address_changed(e: Event, t: Times) -> Said:
    old, new = _address(e, "old"), _address(e, "new")
    gap = ""
    if e.get("old_until"):
        last, first = t.span(e, "old_until", "new_at")
        gap = f" The sources last agreed on the old one at {last}, and first on the new one at {first}."
    return Said(
        f"{_short_home(e)} changed: {old} -> {new}",
        f"The {_home(e)} changed from {old} to {new}.{gap}",
        f"address {old} -> {new}",
    )


def _address_flapping(e: Event, _: Times) -> Said:
    held, wants = _address(e, "held"), _address(e, "wants")
    count = f" ({e['changes']} changes within the hour)" if e.get("changes") else ""
    return Said(
        f"{_short_home(e)} flaps: {held} and {wants}",
        f"The {_home(e)} goes back and forth{count}. {held} is kept; {wants} is taken over only if it lasts.",
    )


def _address_steady(e: Event, _: Times) -> Said:
    return Said(f"{_short_home(e)} is steady: {_address(e)}", f"The {_home(e)} is steady again at {_address(e)}.")


def _sources_dispute(e: Event, _: Times) -> Said:
    kept = f" {e['address']} is kept meanwhile." if e.get("address") else ""
    return Said(
        f"Sources disagree about the {_home(e)}",
        f"The sources disagree about the {_home(e)}, so nothing is changed{_tail(e.get('said'))}.{kept}",
    )


def _sources_agree(e: Event, t: Times) -> Said:
    since = f" They had disagreed since {t.of(e, 'since')}." if e.get("since") else ""
    return Said(
        f"Sources agree again: {_address(e)}", f"The sources agree again: the {_home(e)} is {_address(e)}.{since}"
    )


def _source_dissent(e: Event, _: Times) -> Said:
    source = e.get("source") or "A source"
    said = e.get("said") or "something else"
    return Said(
        f"{source} disagrees about the {_home(e)}", f"{source} said {said}; the others agreed on {_address(e)}."
    )


def _behind_nat(e: Event, _: Times) -> Said:
    return Said(
        "The house is behind another NAT: nobody can connect",
        f"{_address(e)} is not the house's own address but one that others share{_tail(e.get('why'))}. Port forwards"
        " can not work from outside, whatever the name shows, until the ISP gives the line an address of its own.",
        "behind another NAT",
    )


def _reachable(e: Event, _: Times) -> Said:
    return Said(
        f"The house has an address of its own again: {_address(e)}",
        f"The router has {_address(e)} itself: the house is no longer behind another NAT.",
        "no longer behind another NAT",
    )


def _offline(e: Event, t: Times) -> Said:
    since = t.of(e, "since")
    return Said(f"Home is offline since {since}", f"No source has answered since {since}.", f"offline since {since}")


def _online(e: Event, t: Times) -> Said:
    since, until = t.span(e, "since", "until")
    sentence = f"Offline from {since} to {until}: no source answered in that time."
    return Said(f"Home is online again: offline {since} to {until}", sentence, f"offline {since} to {until}")


def _record_published(e: Event, t: Times) -> Said:
    before = f" in place of {e['old']}" if e.get("old") else ""
    taken = f"The provider took {_address(e)} for {_record(e)}{before}"
    subject, rest, brief = {
        "seen": ("now points to {}", ", and every name server of the zone shows it.", "verified {}"),
        "late": ("was set to {}, partly shown", "; some name servers do not show it yet.", "set, partly shown {}"),
        "hidden": ("was set to {}", "; a proxy hides it, so it could not be verified.", "set, behind a proxy {}"),
        "no": ("was set to {}", ". It was not verified.", "set, not verified {}"),
    }.get(
        e.get("verified"),
        ("was set to {}, not confirmed", "; could not confirm it at the zone's name servers.", "set, not confirmed {}"),
    )
    return Said(
        f"{_name(e)} {subject.format(_address(e))}", taken + rest, f"record {_name(e)} {brief.format(t.show(e.at))}"
    )


def _record_refused(e: Event, _: Times) -> Said:
    code = f" ({e['code']})" if e.get("code") else ""
    why = ", ".join(part for part in (e.get("code"), e.get("text")) if part)
    wide = e.get("scope") in {"account", "provider"}
    key = e.get("account") if wide and e.get("account") else _name(e)
    reach = {"account": "for the whole account ", "provider": "to this provider "}.get(e.get("scope"), "for it ")
    return Said(
        f"{_name(e)} is refused{code}",
        f"The provider refuses to update {_record(e)}{_tail(why)}. Nothing more is sent {reach}until"
        f" its configuration changes; once the cause is mended at the provider, run `ipwatch unlock {key}`.",
        f"record {_name(e)} refused{code}",
    )


def _record_failing(e: Event, t: Times) -> Said:
    code = f" ({e['code']})" if e.get("code") else ""
    since = f" since {t.of(e, 'since')}" if e.get("since") else ""
    return Said(
        f"{_name(e)} could not be confirmed{code}",
        f"Could not confirm an update of {_record(e)}{since}{code}{_tail(e.get('text'))}. ipwatch keeps trying, with"
        f" growing pauses; once the cause is mended, `ipwatch unlock {_name(e)}` ends the pause.",
        f"record {_name(e)} not confirmed{code}",
    )


def _record_well(e: Event, t: Times) -> Said:
    since = f" There was trouble since {t.of(e, 'since')}." if e.get("since") else ""
    return Said(
        f"{_name(e)} is well again", f"The provider holds {_address(e)} for {_record(e)}; all is well again.{since}"
    )


def _record_not_shown(e: Event, _: Times) -> Said:
    shown = e.get("shown") or "something else"
    return Said(
        f"{_name(e)} does not show {_address(e)}",
        f"The provider said that {_record(e)} holds {_address(e)}, but the zone's own name servers show {shown}"
        f"{_tail(e.get('detail'))}.",
    )


def _record_shown(e: Event, _: Times) -> Said:
    return Said(
        f"{_name(e)} shows {_address(e)}", f"Every name server of the zone now shows {_address(e)} for {_record(e)}."
    )


def _record_drifted(e: Event, _: Times) -> Said:
    repair = {"yes": " It is being set again.", "no": " It is not set again by itself: please look at the provider."}
    return Said(
        f"{_name(e)} no longer shows {_address(e)}",
        f"{_record(e)} no longer shows {_address(e)}, and ipwatch did not change it{_tail(e.get('detail'))}."
        + repair.get(e.get("repair"), ""),
    )


def _notifier_failing(e: Event, t: Times) -> Said:
    name = e.get("notifier") or "a notifier"
    since = f" since {t.of(e, 'since')}" if e.get("since") else ""
    return Said(
        f"Messages through {name} do not get through",
        f"Could not confirm any delivery through {name}{since}{_tail(e.get('reason'))}. Its messages are kept.",
    )


def _notifier_well(e: Event, t: Times) -> Said:
    name = e.get("notifier") or "a notifier"
    since = f" It did not since {t.of(e, 'since')}." if e.get("since") else ""
    return Said(f"{name} delivers again", f"{name} delivers again.{since}")


def _store_fault(e: Event, _: Times) -> Said:
    return Said("ipwatch can not save its state", f"The state could not be saved{_tail(e.get('reason'))}.")


def _store_well(e: Event, t: Times) -> Said:
    since = f" It could not be since {t.of(e, 'since')}." if e.get("since") else ""
    return Said("ipwatch saves its state again", f"The state is saved again.{since}")


def _config_refused(e: Event, _: Times) -> Said:
    sentence = f"The new configuration has faults; the old one goes on{_tail(e.get('reason'))}."
    return Said("New configuration not taken over", sentence)


def _test(_e: Event, _t: Times) -> Said:
    return Said("Test message from ipwatch", "This is a test: messages from ipwatch arrive here.")


# In a digest the first of these names the subject.
WORDS: Mapping[Topic, Callable[[Event, Times], Said]] = {
    Topic.RECORD_REFUSED: _record_refused,
    Topic.STORE_FAULT: _store_fault,
    Topic.CONFIG_REFUSED: _config_refused,
    Topic.RECORD_NOT_SHOWN: _record_not_shown,
    Topic.RECORD_FAILING: _record_failing,
    Topic.RECORD_DRIFTED: _record_drifted,
    Topic.BEHIND_NAT: _behind_nat,
    Topic.ADDRESS_CHANGED: _address_changed,
    Topic.ADDRESS_FLAPPING: _address_flapping,
    Topic.SOURCES_DISPUTE: _sources_dispute,
    Topic.NOTIFIER_FAILING: _notifier_failing,
    Topic.ADDRESS_FOUND: _address_found,
    Topic.RECORD_PUBLISHED: _record_published,
    Topic.RECORD_WELL: _record_well,
    Topic.RECORD_SHOWN: _record_shown,
    Topic.STORE_WELL: _store_well,
    Topic.SOURCES_AGREE: _sources_agree,
    Topic.ADDRESS_STEADY: _address_steady,
    Topic.REACHABLE: _reachable,
    Topic.ONLINE: _online,
    Topic.OFFLINE: _offline,
    Topic.NOTIFIER_WELL: _notifier_well,
    Topic.SOURCE_DISSENT: _source_dissent,
    Topic.TEST: _test,
}
RANK = tuple(WORDS)

ENDED_BY = {
    Topic.ADDRESS_FLAPPING: Topic.ADDRESS_STEADY,
    Topic.SOURCES_DISPUTE: Topic.SOURCES_AGREE,
    Topic.BEHIND_NAT: Topic.REACHABLE,
    Topic.RECORD_REFUSED: Topic.RECORD_WELL,
    Topic.RECORD_FAILING: Topic.RECORD_WELL,
    Topic.RECORD_NOT_SHOWN: Topic.RECORD_SHOWN,
    Topic.RECORD_DRIFTED: Topic.RECORD_SHOWN,
    Topic.NOTIFIER_FAILING: Topic.NOTIFIER_WELL,
    Topic.STORE_FAULT: Topic.STORE_WELL,
}
