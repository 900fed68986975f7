"""Kinds are found by their files and imported only when asked for."""

import subprocess
import sys

import pytest

from ipwatch.ports import AccountOptions, NotifierOptions, SourceOptions
from ipwatch.settings import kinds

BASES = {"source": SourceOptions, "provider": AccountOptions, "notifier": NotifierOptions}


def modules_after(code: str) -> set[str]:
    """The modules a fresh interpreter has loaded after the code."""
    code += "\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return set(done.stdout.split())


def test_the_kinds_are_the_files() -> None:
    """Each file of the package is a kind; underscore files are not."""
    assert set(kinds.names("source")) >= {"web", "dns", "stun", "interface", "command", "file"}
    assert set(kinds.names("provider")) >= {"dyndns2", "rfc2136", "cloudflare", "duckdns"}
    assert set(kinds.names("notifier")) >= {"email", "file", "webhook", "command"}
    assert not [name for family in BASES for name in kinds.names(family) if name.startswith("_")]  # type: ignore[arg-type]


@pytest.mark.parametrize("family", BASES)
def test_every_kind_offers_a_plugin_of_its_family(family: kinds.FamilyName) -> None:
    """Title, manual and a settings class of the family's base."""
    for kind in kinds.names(family):
        plugin = kinds.plugin(family, kind)
        assert plugin.title
        assert plugin.manual.startswith("https://")
        assert issubclass(plugin.settings, BASES[family])


@pytest.mark.parametrize("kind", ["nothing", "_common", "__init__", "../web", "", "web.x"])
def test_what_is_no_kind_is_not_imported(kind: str) -> None:
    """Only names of the list are ever handed to the importer."""
    with pytest.raises(LookupError):
        kinds.plugin("source", kind)


def test_listing_imports_no_kind() -> None:
    """The list of names costs no import of any of them."""
    loaded = modules_after(
        "from ipwatch.settings import kinds\nfor f in ('source', 'provider', 'notifier'): kinds.names(f)"
    )
    assert not [
        name for name in loaded if name.startswith(("ipwatch.sources.", "ipwatch.providers.", "ipwatch.notifiers."))
    ]


def test_loading_imports_little() -> None:
    """The loader brings in no network library, no difflib, and of the kinds only the configured ones."""
    loaded = modules_after(
        "from pathlib import Path\nfrom ipwatch.settings.load import load\n"
        "load(None, {}, Path('/nowhere'), root=Path('/nowhere'))"
    )
    assert not loaded & {"requests", "urllib3", "dns", "aiosmtplib", "apscheduler", "sqlite3", "asyncio"}
    assert not [name for name in loaded if name.startswith(("ipwatch.providers.", "ipwatch.notifiers."))]
    assert {"ipwatch.sources.web", "ipwatch.sources.dns", "ipwatch.sources.stun"} <= loaded
    assert "ipwatch.sources.command" not in loaded
