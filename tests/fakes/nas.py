"""Where the tests' containers run: a network namespace with pages, a mail server, a DynDNS provider and a real BIND."""

import os
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple, Self

from ipwatch.demo.house import House
from ipwatch.net.dns import DnspythonResolver
from tests.fakes import named
from tests.fakes.container import USER, Container, Mounts
from tests.fakes.image import Storage
from tests.fakes.netns import Namespace, needs_namespaces

HOME = "home.example.org"
WITHIN = timedelta(seconds=5)
UID, GID = (int(number) for number in USER.split(":"))
_CONFIG = """\
[watch]
interval = "{interval}"
{sources}
[account.dns]
kind = "rfc2136"
server = "{dns}"
zone = "example.org"
key_name = "home-key"
key_secret = {{ file = "/run/secrets/key" }}
nameservers = ["{dns}"]

[[record]]
name = "{home}"
account = "dns"

[[notify]]
kind = "email"
server = "127.0.0.1:{mail}"
security = "none"
sender = "ipwatch@example.org"
to = ["anna@example.org"]
"""


class Built(NamedTuple):
    """The image: in which storage, under what name, and its base's name."""

    storage: Storage
    name: str
    base: str


class Nas:
    """The namespace and all in it, while the `with` block runs. data: the folder that containers get as /data."""

    def __init__(self, built: Built, folder: Path) -> None:
        needs_namespaces()
        self.built, self.folder, self.data = built, folder, folder / "data"
        self.data.mkdir()
        os.chown(self.data, UID, GID)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.namespace = Namespace("nas")
            stack.callback(self.namespace.close)
            with self.namespace.inside():  # for the threads and processes that start here
                self.house = stack.enter_context(House(lag=0.1))
                self.dns = stack.enter_context(named.bind(self.folder / "named"))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def container(
        self, *words: str, environ: dict[str, str] | None = None, mounts: Mounts | None = None,
        options: tuple[str, ...] = (), data: str = "/data", user: str = USER,
    ) -> Container:  # fmt: skip
        """One in this namespace, with the data folder."""
        return Container(
            self.built.storage, self.built.name, self.namespace.name, *words, environ=environ, options=options,
            mounts={self.data: data} | (mounts or {}), user=user,
        )  # fmt: skip

    def configured(self, interval: str = "1s") -> Mounts:
        """A configuration for this house at /config, and its secret at /run/secrets."""
        pages = [(self.house.pages.url(page), page) for page in ("amber", "birch", "cedar")]
        sources = "".join(
            f'[[source]]\nkind = "web"\nurl = "{url}"\noperator = "{page}"\nallow_insecure = true\n'
            for url, page in pages
        )
        text = _CONFIG.format(interval=interval, sources=sources, dns=self.dns, home=HOME, mail=self.house.mail.port)
        return self.file("ipwatch.toml", text, "/config/ipwatch.toml") | self.file(
            "key", named.SECRET, "/run/secrets/key"
        )

    def file(self, name: str, text: str, place: str, mode: int = 0o644) -> Mounts:
        """A file with that text, to be mounted there for reading."""
        path = self.folder / name
        path.write_text(text)
        path.chmod(mode)
        return {path: f"{place}:ro"}

    def shown(self) -> str:
        """What BIND shows for the house."""
        with self.namespace.inside():
            return " ".join(DnspythonResolver().ask(HOME, "A", self.dns, WITHIN).texts)

    def serial(self) -> int | None:
        """The zone's serial number: every change makes it grow."""
        with self.namespace.inside():
            return DnspythonResolver().ask("example.org", "SOA", self.dns, WITHIN).serial

    def mails(self) -> str:
        """All mails that came."""
        return "\n".join(f"Subject: {m.message['Subject']}\n{m.text}" for m in self.house.mail.mails)
