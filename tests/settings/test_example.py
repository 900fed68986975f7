"""config/ipwatch.toml: complete, true and usable."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ipwatch.ports import Options
from ipwatch.settings import kinds, render
from ipwatch.settings.load import load
from ipwatch.settings.model import Settings
from ipwatch.settings.tables import RecordTable, StateTable, WatchTable

EXAMPLE = Path(__file__).parents[2] / "config" / "ipwatch.toml"
SECRETS = {
    "HEARTBEAT_URL": "https://hc.example.net/5f0c",
    "DYN_PASSWORD": "dyn-password",
    "TSIG_SECRET": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LTEyMzQ=",
    "CLOUDFLARE_TOKEN": "cloudflare-token-0123456789",
    "DUCKDNS_TOKEN": "5f0c7a36-0000-4000-8000-000000000000",
    "SMTP_PASSWORD": "smtp-password",
    "HOOK_URL": "https://hook.example.net/5f0c",
}


def uncommented() -> str:
    """The example with every key in force."""
    return re.sub(r"^#(?=[^\s#])", "", EXAMPLE.read_text(), flags=re.MULTILINE)


@pytest.fixture
def full(tmp_path: Path) -> Settings:
    """The example with every key in force, loaded."""
    path = tmp_path / "ipwatch.toml"
    path.write_text(uncommented())
    return load(path, SECRETS, tmp_path, root=tmp_path)


def test_the_example_loads_as_it_is(tmp_path: Path) -> None:
    """As shipped it loads without a warning, and says the same as having no file."""
    shipped = load(EXAMPLE, {}, tmp_path, root=tmp_path)
    without = load(None, {}, tmp_path, root=tmp_path)
    assert shipped.warnings == ()
    assert (shipped.watch, shipped.sources, shipped.accounts) == (without.watch, without.sources, without.accounts)
    assert shipped.state == EXAMPLE.parent / "ipwatch.db"


def test_the_example_with_every_key_in_force_loads(full: Settings) -> None:
    """With the comment marks taken away it is valid, and holds each kind at least once."""
    assert {source.kind for source in full.sources} == set(kinds.names("source"))
    assert {account.kind for account in full.accounts.values()} == set(kinds.names("provider"))
    assert {notifier.kind for notifier in full.notifiers} == set(kinds.names("notifier"))
    assert {record.account for record in full.records} == set(full.accounts)
    assert full.warnings == ()


def classes() -> Iterator[tuple[str, type[Options]]]:
    """Every settings class with the heading under which the example writes it."""
    yield from [("[watch]", WatchTable), ("[state]", StateTable), ("[[record]]", RecordTable)]
    for family, heading in (("source", "[[source]]"), ("notifier", "[[notify]]"), ("provider", "[account.")):
        for kind in kinds.names(family):  # type: ignore[arg-type]
            plugin = kinds.plugin(family, kind)  # type: ignore[arg-type]
            yield f'{heading} kind = "{kind}"', plugin.settings
            if plugin.record:
                yield "[[record]]", plugin.record


def blocks() -> dict[str, str]:
    """Heading and kind -> the text of all such tables of the example."""
    found: dict[str, str] = {}
    for block in re.split(r"^(?=\[)", uncommented(), flags=re.MULTILINE)[1:]:
        heading, kind = block.split("\n", 1)[0], re.search(r"^kind = .*", block, re.MULTILINE)
        heading = "[account." if heading.startswith("[account.") else heading
        name = f"{heading} {kind[0]}" if kind else heading
        found[name] = found.get(name, "") + block
    return found


SHARED = {"operator", "families", "timeout", "verify", "nameservers", "name"}


@pytest.mark.parametrize(("heading", "cls"), list(classes()), ids=str)
def test_every_key_of_every_kind_is_in_the_example(heading: str, cls: type[Options]) -> None:
    """No key of any settings class is missing; those all kinds of a family share stand at one of them."""
    text = blocks()[heading]
    family = heading.split(" ", maxsplit=1)[0]
    everywhere = "".join(block for name, block in blocks().items() if name.startswith(family))
    for field in msgspec.structs.fields(cls):
        where = everywhere if field.name in SHARED else text
        assert re.search(rf"^{field.encode_name} = ", where, re.MULTILINE), f"{heading} lacks {field.encode_name}"


def written(settings: Settings) -> Iterator[tuple[str, Any]]:
    """Every options object with the key of its table."""
    for number, source in enumerate(settings.sources, 1):
        yield f"source[{number}]", source.options
    for name, account in settings.accounts.items():
        yield f"account.{name}", account.options
    for number, notifier in enumerate(settings.notifiers, 1):
        yield f"notify[{number}]", notifier.options


def test_what_is_written_is_the_default_where_there_is_one(full: Settings) -> None:
    """A key with a default other than "none" is written with just that."""
    for table, options in written(full):
        for field in msgspec.structs.fields(options):
            if field.required or full.origins[f"{table}.{field.encode_name}"] == "default":
                continue
            default = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
            if default is not None:
                assert getattr(options, field.name) == default, f"{table}.{field.name}"


def test_no_secret_is_printed_by_check(full: Settings) -> None:
    """What `ipwatch check` prints of the full example holds none of its secrets, nor do repr and origins."""
    shown = "\n".join(render.lines(full)) + repr(full) + repr(full.origins)
    for secret in SECRETS.values():
        assert secret not in shown
    assert shown.count('"***"') == len(SECRETS)
