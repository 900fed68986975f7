"""One table of laptop.toml, key by key: every fault is noted at its key, and a default stands in for what is wrong."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ipwatch.settings.plain import plain
from ipwatch.settings.reader import BAD, Reader
from ipwatch.settings.toml import KeyPath

T = TypeVar("T")


class Keys:
    """The keys of one table. What nobody asked for is unknown: `end` says so."""

    def __init__(self, reader: Reader, key: KeyPath, raw: Any) -> None:
        self.reader = reader
        self.key = key
        self.asked: list[str] = []
        self.raw: Mapping[str, Any] = raw if isinstance(raw, dict) else {}
        if not isinstance(raw, dict):
            reader.fault(key, "this is a table, with keys of its own")

    def __contains__(self, name: str) -> bool:
        return name in self.raw

    def take(self, name: str) -> Any:
        """The value as it stands, None if there is none."""
        self.asked.append(name)
        return self.raw.get(name)

    def one(self, name: str, kind: type[T], default: T) -> T:
        """A str, bool, int, timedelta or Path."""
        raw = self.take(name)
        made = default if raw is None else plain(self.reader, (*self.key, name), kind, raw)
        return default if made is BAD else made

    def read(self, name: str, read: Callable[[str], T], default: T) -> T:
        """Text with a meaning of its own; `read` raises ValueError with a clause."""
        text = self.one(name, str, "")
        if not text.strip():
            if name in self.raw and isinstance(self.raw[name], str):
                self.fault(name, "it is empty: leave the key out")
            return default
        made: T = self.of((*self.key, name), read, text, default)
        return made

    def several(self, name: str, read: Callable[[str], T], default: tuple[T, ...]) -> tuple[T, ...]:
        """A list of such texts, or one of them alone; each once."""
        raw = self.take(name)
        if raw is None:
            return default
        if isinstance(raw, str):
            raw = [raw]
        if not isinstance(raw, list):
            self.fault(name, f'this is a list of texts: {name} = ["..."]')
            return default
        made = [self._item((*self.key, name, number), read, item) for number, item in enumerate(raw)]
        return tuple(dict.fromkeys(item for item in made if item is not None))

    def _item(self, key: KeyPath, read: Callable[[str], T], raw: Any) -> T | None:
        text = plain(self.reader, key, str, raw)
        return None if text is BAD else self.of(key, read, text, None)

    def of(self, key: KeyPath, read: Callable[[str], Any], text: str, default: Any) -> Any:
        """What `read` makes of the text; its clause is noted as the fault of the key."""
        try:
            return read(text)
        except ValueError as error:
            self.reader.fault(key, str(error))
            return default

    def fault(self, name: str, message: str) -> None:
        """Note what is wrong with a key of this table, or ("") with the table."""
        self.reader.fault((*self.key, name) if name else self.key, message)

    def warn(self, name: str, message: str) -> None:
        """Note what does no harm yet."""
        self.reader.warn((*self.key, name) if name else self.key, message)

    def end(self) -> None:
        """All known keys were asked for: note the others."""
        for name in self.raw:
            if name not in self.asked:
                self.reader.unknown((*self.key, name), sorted(self.asked))
