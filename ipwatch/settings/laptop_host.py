"""One `[[host]]` of laptop.toml."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

from ipwatch.core.forward import HOW, BadForward, Forward, parse
from ipwatch.protocols.magic_packet import parse_mac, parse_secureon
from ipwatch.settings import laptop_values as values
from ipwatch.settings.files import expanded
from ipwatch.settings.laptop_keys import Keys
from ipwatch.settings.laptop_model import WAKE_COMMAND, App, Engine, Host, Wake
from ipwatch.settings.plain import choice
from ipwatch.settings.reader import BAD, Reader
from ipwatch.settings.toml import KeyPath

MOST_TAKES = timedelta(hours=1)


def host(reader: Reader, key: KeyPath, raw: dict[str, Any], names: tuple[str, ...]) -> Host:
    """The host; with faults noted it is not to be used. names: those of [home]."""
    keys = Keys(reader, key, raw)
    made = Host(
        name=keys.read("name", values.host_name, ""),
        user=keys.read("user", values.user, ""),
        port=port(keys, "port", 22, least=1),
        names=keys.several("names", values.place, names),
        identity=keys.several("identity", _file(reader), ()),
        keys=keys.several("keys", values.host_key, ()),
        engine=_engine(keys),
        lan=keys.read("lan", lambda text: values.spot(text, 22), None),
        mac=keys.read("mac", parse_mac, ""),
        secureon=keys.read("secureon", parse_secureon, b""),
        wake=_wake(keys, keys.take("wake")),
        sleep=keys.one("sleep", str, "").strip(),
        keep_awake=_keep_awake(keys),
        forwards=_forwards(keys, keys.take("forward")),
        apps=_apps(keys, keys.take("app")),
    )
    keys.end()
    _check(keys, made)
    return made


def port(keys: Keys, name: str, default: int, *, least: int) -> int:
    """A TCP port."""
    number = keys.one(name, int, default)
    if not least <= number < 65536:
        keys.fault(name, f"a port is a number from {least} to 65535")
        return default
    return number


def _engine(keys: Keys) -> Engine:
    raw = keys.take("engine")
    if raw is None:
        return "paramiko"
    words: tuple[Engine, ...] = get_args(Engine)
    made = choice(keys.reader, (*keys.key, "engine"), raw, {word: word for word in words})
    return "paramiko" if made is BAD else made


def _keep_awake(keys: Keys) -> bool | str:
    """true, false, or a command."""
    raw = keys.take("keep_awake")
    if raw is None or isinstance(raw, bool):
        return bool(raw)
    if not isinstance(raw, str) or not raw.strip():
        keys.fault("keep_awake", "this is true or false, or a command that keeps it awake for ten minutes")
        return False
    return raw.strip()


def _file(reader: Reader) -> Callable[[str], Path]:
    def read(text: str) -> Path:
        if not text.strip() or not text.isprintable():
            raise ValueError("this is the path of a file")
        return reader.folder / expanded(text, reader.environ)

    return read


def _wake(keys: Keys, raw: Any) -> Wake | None:
    """The way to wake it; `laptop_load` checks that the host named by `via` exists."""
    if raw is None:
        return None
    if not isinstance(raw, dict):
        keys.fault("wake", 'this is a table: wake = { via = "direct" }, { via = "nas" } or { url = "https://..." }')
        return None
    own = Keys(keys.reader, (*keys.key, "wake"), raw)
    url = own.read("url", lambda text: values.url(text, insecure=True), "")
    made = Wake(
        via=own.read("via", str, ""),
        command=own.one("command", str, "").strip(),
        url=url,
        broadcast=own.several("broadcast", values.address, ()),
        takes=own.one("takes", timedelta, Wake().takes),
    )
    own.end()
    if not timedelta() < made.takes <= MOST_TAKES:
        own.fault("takes", 'a boot takes more than nothing and at most "1h"')
    _wake_fits(own, made)
    return made._replace(command=made.command or WAKE_COMMAND) if made.via not in {"", "direct"} else made


def _wake_fits(own: Keys, made: Wake) -> None:
    """One way, and no key of another."""
    if ("via" in own) == ("url" in own):
        own.fault("", 'give either via ("direct", or the host that wakes it) or url')
        return
    if made.command and made.via in {"", "direct"}:
        own.fault("command", "only a host that wakes another runs a command: via is its name")
    if made.broadcast and made.via != "direct":
        own.fault("broadcast", 'only via = "direct" sends packets')


def _forwards(keys: Keys, raw: Any) -> dict[str, Forward]:
    """`[host.forward]`."""
    if raw is None:
        return {}
    own = Keys(keys.reader, (*keys.key, "forward"), raw)
    made: dict[str, Forward] = {}
    for name in own.raw:
        forward = _forward(own, name, own.take(name))
        if forward is None:
            continue
        if twin := next((other for other in made.values() if meet(other, forward)), None):
            own.fault(name, f"it listens where '{twin.name}' does")
        made[name] = forward
    return made


def _forward(own: Keys, name: str, raw: Any) -> Forward | None:
    if name.isdigit():
        own.fault(name, "a forward's name is not a number alone: `ipwatch up` takes numbers for ports")
    else:
        own.of((*own.key, name), values.host_name, name, "")
    if isinstance(raw, bool) or not isinstance(raw, int | str):
        own.fault(name, HOW)
        return None
    try:
        return parse(name, raw)
    except BadForward as error:
        own.fault(name, str(error))
        return None


def meet(one: Forward, other: Forward) -> bool:
    """Whether two forwards listen on the same port of the same machine."""
    if (one.sort == "remote") != (other.sort == "remote") or one.port != other.port:
        return False
    if one.port == 0:
        return one.bind == other.bind
    return bool(_ends(one) & _ends(other))


def _ends(forward: Forward) -> set[str]:
    """The addresses it takes; a wildcard takes the loopback one of its family too."""
    loopback = {"127.0.0.1", "::1"}
    return {"": loopback, "0.0.0.0": {"0.0.0.0", "127.0.0.1"}, "::": {"::", "::1"}}.get(  # noqa: S104 - compared only
        forward.bind, {forward.bind}
    )


def _apps(keys: Keys, raw: Any) -> dict[str, App]:
    """`[host.app.NAME]`."""
    if raw is None:
        return {}
    own = Keys(keys.reader, (*keys.key, "app"), raw)
    made = {}
    for name in own.raw:
        own.of((*own.key, name), values.host_name, name, "")
        made[name] = _app(Keys(own.reader, (*own.key, name), own.take(name)))
    return made


def _app(own: Keys) -> App:
    default = App(command="")
    made = App(
        command=own.one("command", str, ""),
        port=port(own, "port", default.port, least=0),
        path=own.one("path", str, default.path),
        folder=own.one("folder", str, default.folder),
    )
    own.end()
    if not made.command.strip():
        own.fault("", "the key 'command' is missing" if "command" not in own else "its command is empty")
    elif not made.port and "{port}" not in made.command:
        own.fault("", "write {port} into the command, or its fixed port beside it: port = 8888")
    if made.path and (not made.path.startswith("/") or any(c.isspace() for c in made.path)):
        form = 'the path of a page begins with "/" and holds no space (%20); path = "" for what is no page'
        own.fault("path", form)
    return made


def _check(keys: Keys, made: Host) -> None:
    """What no single key can say."""
    if "name" not in keys:
        keys.fault("", "the key 'name' is missing")
    wake = made.wake
    if wake and "mac" not in keys and not wake.url and (wake.via == "direct" or "{mac}" in wake.command):
        keys.fault("wake", 'it needs the machine\'s MAC address: mac = "aa:bb:cc:dd:ee:ff"')
    if made.secureon and wake and wake.via != "direct":
        keys.warn("secureon", 'only via = "direct" sends it')
    if not made.names and made.lan is None:
        keys.warn("", "it can not be found: neither [home] nor this host gives names, and there is no lan")
    for number, path in enumerate(made.identity):
        if not path.is_file():
            keys.reader.warn((*keys.key, "identity", number), f"there is no file {path}")
