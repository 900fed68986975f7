"""notifiers.command, with real programs."""

import json
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from ipwatch.notifiers.command import ENVIRONMENT_LIMIT, PLUGIN, Settings, environment
from ipwatch.ports import Message, Notifier, Unreachable
from tests.contracts.notifier import AT, CHANGED, HOME, ONLINE, SOON, NotifierContract, message, refused
from tests.fakes.notifying import tools

KEEP = """
import json, os, sys
told = {k: v for k, v in os.environ.items() if k.startswith("IPWATCH_")}
with open(sys.argv[1], "a") as out:
    out.write(json.dumps([told, json.load(sys.stdin)]) + "\\n")
"""


class TestCommand(NotifierContract):
    """The contract, with a program that writes down what it is given."""

    plugin = PLUGIN

    @pytest.fixture(autouse=True)
    def _kept(self, tmp_path: Path) -> None:
        self.kept = tmp_path / "kept"

    def notifier(self) -> Notifier:
        return PLUGIN.build(Settings(argv=(sys.executable, "-c", KEEP, str(self.kept))), tools())

    def delivered(self) -> int:
        return len(self.kept.read_text().splitlines()) if self.kept.exists() else 0

    def broken(self) -> Notifier:
        return PLUGIN.build(Settings(argv=("/no/such/program",)), tools())

    def test_the_program_gets_words_addresses_and_topics(self) -> None:
        """The environment holds the words, standard input the whole document."""
        self.notifier().send(message(ONLINE, CHANGED), SOON)
        told, document = json.loads(self.kept.read_text())
        assert told["IPWATCH_SUBJECT"] == "Home address changed: 25.1.2.3 -> 25.5.6.7 (and 1 more)"
        assert (told["IPWATCH_IPV4"], told["IPWATCH_IPV6"]) == ("25.5.6.7", "2a02:1::7")
        assert told["IPWATCH_TOPICS"] == "online address-changed"
        assert document["text"] == told["IPWATCH_TEXT"]
        assert [e["topic"] for e in document["events"]] == ["online", "address-changed"]
        assert document["topic"] == "digest"

    def test_a_failing_program_gives_the_first_line_of_its_stderr(self) -> None:
        """A status other than 0 is Unreachable with the program's own reason."""
        argv = (sys.executable, "-c", "import sys; print('no modem\\nmore', file=sys.stderr); sys.exit(3)")
        with pytest.raises(Unreachable, match=r"ended with status 3: no modem$"):
            PLUGIN.build(Settings(argv=argv), tools()).send(message(CHANGED), SOON)
        with pytest.raises(Unreachable, match=r"ended with status 1$"):
            PLUGIN.build(Settings(argv=("/bin/false",)), tools()).send(message(CHANGED), SOON)

    def test_a_very_long_text_can_still_be_passed(self) -> None:
        """The environment's texts stay under the kernel's limit; the document has all."""
        long = Message("m", AT, "s", "ü\0" * 100_000, "", (CHANGED,), HOME)
        self.notifier().send(long, timedelta(seconds=20))
        told, document = json.loads(self.kept.read_text())
        assert len(told["IPWATCH_TEXT"]) == ENVIRONMENT_LIMIT
        assert document["text"] == long.text


def test_a_command_without_a_program_is_refused() -> None:
    """An empty argv or a zero character is a fault of the configuration."""
    assert "names no program" in refused(lambda: Settings(argv=()))
    assert "zero" in refused(lambda: Settings(argv=("a\0b",)))


def test_an_unknown_address_is_an_empty_variable() -> None:
    """The variables are always there."""
    told = environment(message(CHANGED, addresses={}))
    assert (told["IPWATCH_IPV4"], told["IPWATCH_IPV6"]) == ("", "")
