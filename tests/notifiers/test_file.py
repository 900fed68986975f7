"""notifiers.file."""

import json
from pathlib import Path

import pytest

from ipwatch.core.address import Family
from ipwatch.notifiers.file import PLUGIN, Settings
from ipwatch.ports import Notifier
from tests.contracts.notifier import CHANGED, HOME, SOON, NotifierContract, message
from tests.fakes.notifying import RealFiles, tools


class TestFile(NotifierContract):
    """The contract, with files on disk."""

    plugin = PLUGIN
    reflects = True

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path
        self.files = RealFiles()

    def notifier(self) -> Notifier:
        return PLUGIN.build(Settings(path=self.folder / "ip.txt"), tools(files=self.files))

    def delivered(self) -> int:
        return self.files.written

    def broken(self) -> Notifier:
        return PLUGIN.build(Settings(path=self.folder / "no such folder" / "ip.txt"), tools())

    def test_text_is_one_address_a_line(self) -> None:
        """IPv4 stands first, whatever order the addresses come in."""
        self.notifier().send(message(addresses=dict(reversed(HOME.items()))), SOON)
        assert (self.folder / "ip.txt").read_text() == "25.5.6.7\n2a02:1::7\n"

    def test_json_names_both_families_and_the_time(self) -> None:
        """A family that is not known is null."""
        path = self.folder / "ip.json"
        notifier = PLUGIN.build(Settings(path=path, format="json"), tools())
        notifier.send(message(addresses={Family.IPV4: HOME[Family.IPV4]}), SOON)
        assert json.loads(path.read_text()) == {
            "ipv4": "25.5.6.7", "ipv6": None, "updated": "2026-11-23T03:41:00+00:00",
        }  # fmt: skip

    def test_not_knowing_leaves_the_file_as_it_is(self) -> None:
        """While no address is known nothing is written."""
        self.notifier().send(message(CHANGED), SOON)
        self.notifier().send(message(addresses={}), SOON)
        assert (self.folder / "ip.txt").read_text() == "25.5.6.7\n2a02:1::7\n"
        assert self.files.written == 1
