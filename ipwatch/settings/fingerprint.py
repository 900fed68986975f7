"""Fingerprints: how a latch learns that the configuration of its account or record was changed.

They stand in the state file, so a secret enters only through scrypt (RFC 7914): whoever finds the file pays about 10 ms
and 4 MiB for each password tried. The salt is fixed, for a fingerprint must come out equal after every start.
"""

import hashlib
from collections.abc import Mapping
from datetime import timedelta
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from ipwatch.ports import Options, Secret

_SALT = b"ipwatch fingerprint 1\0"
_COST = 2**12  # 10 ms on a small x86 (measured), 4 MiB


def fingerprint(account: str, parts: Mapping[str, Any]) -> str:
    """A stable hexadecimal text of 32 characters over all parts; `account` salts the secrets in them.

    Keys that have their default do not enter: a version that adds a key shall not open every latch.
    """
    canonical = msgspec.json.encode(_plain(account, dict(parts)), order="sorted")
    return hashlib.sha256(_SALT + canonical).hexdigest()[:32]


def _plain(account: str, value: Any) -> Any:  # noqa: PLR0911 - one return per type
    """The value in types that JSON knows, each tagged where two types could look alike."""
    match value:
        case Secret():
            return {"secret": _hidden(account, value.reveal())}
        case Options():
            return {"options": {name: _plain(account, item) for name, item in _chosen(value)}}
        case timedelta():
            return {"seconds": value.total_seconds()}
        case Enum():
            return _plain(account, value.value)
        case Path():
            return {"path": str(value)}
        case Mapping():
            return {str(name): _plain(account, item) for name, item in value.items()}
        case tuple() | list():
            return [_plain(account, item) for item in value]
        case frozenset() | set():
            return sorted(str(item) for item in value)
        case None | bool() | int() | float() | str():
            return value
        case _:
            return {type(value).__name__: str(value)}


def _chosen(options: Options) -> list[tuple[str, Any]]:
    """The fields that differ from their default."""
    pairs = ((field, getattr(options, field.name)) for field in msgspec.structs.fields(options))
    return [(field.encode_name, value) for field, value in pairs if field.required or value != _default(field)]


def _default(field: Any) -> Any:
    return field.default if field.default is not msgspec.NODEFAULT else field.default_factory()


@cache
def _hidden(account: str, secret: str) -> str:
    salt = _SALT + account.encode()
    return hashlib.scrypt(secret.encode(), salt=salt, n=_COST, r=8, p=1, dklen=16).hex()
