"""What `ssh -G HOST` prints: the client's configuration for one host, a setting a line (ssh(1), OpenSSH 9.2)."""

import re
from collections.abc import Mapping

Settings = Mapping[str, tuple[str, ...]]

# ssh(1), option -i, and readconf.c of OpenSSH 9.2: tried in this order when no IdentityFile is configured.
DEFAULT_IDENTITIES = ("id_rsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk", "id_xmss", "id_dsa")

# What changes how or as whom one connects and is not taken from there, with the values that mean nothing.
_NOT_TAKEN: Mapping[str, frozenset[str]] = {
    "proxyjump": frozenset({"none"}),
    "proxycommand": frozenset({"none"}),
    "certificatefile": frozenset({"none"}),
    "pkcs11provider": frozenset({"none"}),
    "securitykeyprovider": frozenset({"internal"}),
    "bindaddress": frozenset(),
    "bindinterface": frozenset(),
    "localforward": frozenset(),
    "remoteforward": frozenset(),
    "dynamicforward": frozenset(),
    "remotecommand": frozenset({"none"}),
    "localcommand": frozenset(),
    "tunnel": frozenset({"false", "no"}),
    "revokedhostkeys": frozenset({"none"}),
}
_OURS = re.compile(r"\bipwatch\b.*\bproxy\b")  # the ProxyCommand that `ipwatch ssh-config` writes


class NoValue(ValueError):
    """The text holds a token or a variable that is not known; str() names it."""


def parse(text: str) -> Settings:
    """Every setting's values in order, under its name in small letters. Lines of other forms are passed over."""
    found: dict[str, tuple[str, ...]] = {}
    for line in text.splitlines():
        name, _, value = line.strip().partition(" ")
        if name and value.strip():
            found[name.lower()] = (*found.get(name.lower(), ()), value.strip())
    return found


def first(settings: Settings, name: str, default: str = "") -> str:
    """The value of a setting that is given once."""
    return settings.get(name, (default,))[0]


def not_taken(settings: Settings) -> tuple[str, ...]:
    """The settings in force for ssh that the engine "paramiko" does not have, by name."""
    return tuple(
        name
        for name, nothing in _NOT_TAKEN.items()
        if any(value.lower() not in nothing and not (name == "proxycommand" and _OURS.search(value))
               for value in settings.get(name, ()))
    )  # fmt: skip


def expand(text: str, home: str, tokens: Mapping[str, str], environ: Mapping[str, str]) -> str:
    """A path as ssh reads it (ssh_config(5), TOKENS and ENVIRONMENT VARIABLES): `~`, %tokens and ${VARIABLES}; raises
    NoValue."""

    def value(match: re.Match[str]) -> str:
        if match[1] is not None:
            if match[1] not in tokens:
                raise NoValue(f"%{match[1]}")
            return tokens[match[1]]
        if match[2] not in environ:
            raise NoValue(f"${{{match[2]}}}")
        return environ[match[2]]

    rest = text[1:] if text == "~" or text.startswith("~/") else None
    filled = re.sub(r"%(.)|\$\{([A-Za-z_][A-Za-z0-9_]*)\}", value, text if rest is None else rest)
    return filled if rest is None else home + filled
