"""laptop.toml -> Laptop, or every fault at once. Standard library only: `ipwatch proxy` starts with it."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ipwatch.settings import files, laptop_place, toml
from ipwatch.settings import laptop_values as values
from ipwatch.settings.faults import SettingsFault, among, nearest
from ipwatch.settings.laptop_host import host, meet
from ipwatch.settings.laptop_keys import Keys
from ipwatch.settings.laptop_model import DOH, PROBE, Host, Laptop
from ipwatch.settings.reader import Reader
from ipwatch.settings.toml import KeyPath

TOKEN = 12  # letters of a URL's piece that may be one: "wake" or "desktop" is none
_TABLES = ("home", "state", "host")
_OF_HOME = ("names", "nameservers", "doh", "probe", "allow_insecure")
_OF_SERVICE = ("watch", "source", "account", "record", "notify", "web")


def load(path: str | None, environ: Mapping[str, str], cwd: Path) -> Laptop:
    """The configuration in force; raises SettingsFault with all faults.

    path: as the user gave it by `--config`. cwd: where relative paths of command line and environment start. Without
    a file the result has no hosts and the path None.
    """
    file = laptop_place.configuration(path, environ, cwd)
    reader = Reader(file, file.parent if file else cwd, environ)
    data: dict[str, Any] = {}
    if file is not None:
        named = "--config" if path else "IPWATCH_LAPTOP_CONFIG" if environ.get("IPWATCH_LAPTOP_CONFIG") else ""
        text = files.text(file, named)
        data = files.parsed(file, text)
        reader.lines = toml.lines(text)
        _writable_by_others(reader, file)
    made = _laptop(reader, data, cwd)
    if reader.faults:
        raise SettingsFault(reader.told())
    return made


def _laptop(reader: Reader, data: dict[str, Any], cwd: Path) -> Laptop:
    _top_level(reader, data)
    _note_tokens(reader, data)
    home = Keys(reader, ("home",), data.get("home", {}))
    insecure = home.one("allow_insecure", bool, default=False)
    names = home.several("names", values.place, ())
    made = Laptop(
        path=reader.path,
        state=_state(reader, data.get("state", {}), cwd),
        hosts=_hosts(reader, data.get("host", []), names),
        nameservers=home.several("nameservers", lambda text: values.spot(text, 53), ()),
        doh=home.several("doh", lambda text: values.url(text, insecure=insecure), DOH),
        probe=_probe(home),
    )
    home.end()
    return made._replace(warnings=tuple(dict.fromkeys(reader.masked(warning) for warning in reader.warnings)))


def _top_level(reader: Reader, data: dict[str, Any]) -> None:
    for name in data:
        if name in _OF_HOME:
            reader.fault((name,), "this key belongs under [home]")
        elif name in _OF_SERVICE:
            reader.fault((name,), "this table belongs to the service: write it into ipwatch.toml")
        elif name in {"forward", "app"}:
            reader.fault((name,), f"write [host.{name}] below the [[host]] it belongs to")
        elif name not in _TABLES:
            meant = nearest(name, (*_TABLES, *_OF_HOME))
            under = " under [home]" if meant in _OF_HOME else ""
            hint = f"did you mean '{meant}'{under}?" if meant else among(_TABLES)
            reader.fault((name,), f"unknown table; {hint}")


def _note_tokens(reader: Reader, data: dict[str, Any]) -> None:
    """A wake URL may hold a token: no message repeats it, nor a longer piece of it."""
    hosts = data.get("host", [])
    for item in hosts if isinstance(hosts, list) else []:
        wake = item.get("wake") if isinstance(item, dict) else None
        url = wake.get("url") if isinstance(wake, dict) else None
        if isinstance(url, str):
            pieces = re.split(r"[/?&=#@:]+", url)[1:]
            reader.secrets.update({url} | {piece for piece in pieces if len(piece) >= TOKEN})


def _probe(home: Keys) -> str:
    """The captive portals' test; "" for none."""
    text = home.one("probe", str, PROBE)
    return text and str(home.of(("home", "probe"), lambda text: values.url(text, insecure=True), text, ""))


def _state(reader: Reader, raw: Any, cwd: Path) -> Path:
    keys = Keys(reader, ("state",), raw)
    made = keys.one("path", Path, laptop_place.state(reader.environ, cwd))
    keys.end()
    return made


def _hosts(reader: Reader, raw: Any, names: tuple[str, ...]) -> dict[str, Host]:
    if not isinstance(raw, list) or not all(isinstance(item, dict) for item in raw):
        reader.fault(("host",), "write [[host]] with two brackets: there may be several")
        return {}
    made = [(("host", number), host(reader, ("host", number), item, names)) for number, item in enumerate(raw)]
    hosts: dict[str, Host] = {}
    for key, one in made:
        if twin := next((name for name in hosts if name and name.lower() == one.name.lower()), None):
            reader.fault((*key, "name"), f"two hosts are called '{twin}' (capitals make no difference to ssh)")
        hosts.setdefault(one.name, one)
    _wakers(reader, made)
    _ports(reader, made)
    return hosts


def _wakers(reader: Reader, made: Sequence[tuple[KeyPath, Host]]) -> None:
    """Who wakes whom: a known host, not itself, and not in a circle."""
    via = {one.name: one.wake.via for _, one in made if one.wake and one.wake.via not in {"", "direct"}}
    known = [one.name for _, one in made if one.name]
    told: set[str] = set()
    for key, one in made:
        if one.name not in via:
            continue
        place, by = (*key, "wake", "via"), via[one.name]
        others = [name for name in known if name != one.name]
        if by == one.name:
            reader.fault(place, "no host wakes itself")
        elif by not in known:
            meant = nearest(by, ("direct", *others))
            hint = f"did you mean '{meant}'?" if meant else among(("direct", *others))
            reader.fault(place, f"no host is called so; {hint}")
        elif one.name not in told and (ring := list(_ring(one.name, via))):
            told.update(ring)
            reader.fault(place, f"these wait for one another: {' wakes '.join([*reversed(ring), ring[-1]])}")


def _ring(start: str, via: Mapping[str, str]) -> Iterator[str]:
    """The hosts of the circle this one stands in, if it stands in one."""
    seen, name = [start], via[start]
    while name in via and name not in seen:
        seen.append(name)
        name = via[name]
    if name == start and len(seen) > 1:
        yield from seen


def _ports(reader: Reader, made: Sequence[tuple[KeyPath, Host]]) -> None:
    """Two hosts may use the same local port, but not at the same time."""
    for number, (key, one) in enumerate(made):
        for forward in one.forwards.values():
            for _, other in made[:number]:
                if twin := next((f for f in other.forwards.values() if f.sort != "remote" and meet(f, forward)), None):
                    where = f"'{twin.name}' of {other.name or 'another host'}"
                    reader.warn((*key, "forward", forward.name), f"{where} listens there too: only one at a time can")


def _writable_by_others(reader: Reader, file: Path) -> None:
    """The file names commands that are run: ssh does not trust a configuration that others can write, either. A
    group of the user's own (same number) is no other."""
    if os.name != "posix":
        return
    found = file.stat()
    group = found.st_mode & 0o020 and found.st_gid != os.getuid()
    if found.st_mode & 0o002 or group or found.st_uid not in {0, os.getuid()}:
        reader.warn((), "others can change this file, and it names commands that are run; chmod go-w ends that")
