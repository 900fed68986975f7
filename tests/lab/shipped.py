"""The service as it is shipped: in the container of docker/Dockerfile, in the NAS's network."""

import os
from pathlib import Path
from typing import NamedTuple

from tests.fakes.container import USER, Container
from tests.fakes.image import Storage
from tests.fakes.waiting import wait
from tests.lab.wires import Place


class Image(NamedTuple):
    """The image's name, and the storage it is in."""

    storage: Storage
    name: str


class Shipped:
    """A running container with the same face as a process of the checkout. data: becomes /data."""

    def __init__(self, image: Image, place: Place, config: Path, data: Path) -> None:
        uid, gid = (int(number) for number in USER.split(":"))
        data.mkdir(exist_ok=True)
        os.chown(data, uid, gid)
        os.chown(config, uid, gid)
        mounts: dict[Path | str, str] = {
            data: "/data",
            config: "/config/ipwatch.toml:ro",
            Path("/etc/netns") / place.name / "resolv.conf": "/etc/resolv.conf:ro",
        }
        self.container = Container(image.storage, image.name, place.name, mounts=mounts)
        self.container.__enter__()

    @property
    def text(self) -> str:
        """All it said."""
        return self.container.log()

    def says(self, word: str) -> None:
        """Wait for that."""
        assert wait(lambda: word in self.text), self.text

    def ask(self, *words: str) -> str:
        """Another command inside, as `docker exec` runs it; what it prints."""
        done = self.container.execute("ipwatch", *words)
        return done.stdout + done.stderr

    def kill(self) -> None:
        """As a power cut does."""
        self.container.kill("KILL")
        self.container.__exit__()

    def end(self) -> int:
        """As `docker stop` does; its exit status."""
        try:
            return self.container.stop().status
        finally:
            self.container.__exit__()
