"""Values of the configuration -> fields of settings classes, by their types. Every fault is noted, none is raised."""

import types
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import msgspec

from ipwatch.ports import Options, Secret
from ipwatch.settings.plain import choice, plain
from ipwatch.settings.reader import BAD, Bad, Reader
from ipwatch.settings.secrets import secret
from ipwatch.settings.toml import KeyPath

O = TypeVar("O", bound=Options)  # noqa: E741
_ELSEWHERE = ({"file"}, {"env"})  # how a secret is written that stands elsewhere


def table(reader: Reader, key: KeyPath, cls: type[O], raw: Any, beside: frozenset[str] = frozenset()) -> O | Bad:
    """A settings class from a table; `beside`: keys in it that belong to somebody else."""
    if not isinstance(raw, dict):
        return reader.fault(key, "this is a table, with keys of its own")
    fields = {field.encode_name: field for field in msgspec.structs.fields(cls)}
    before = len(reader.faults)
    for name in [name for name in raw if name not in fields and name not in beside]:
        reader.unknown((*key, name), sorted({*fields, *beside}))
    values: dict[str, Any] = {}
    for name, field in fields.items():
        if name in raw:
            values[field.name] = value(reader, (*key, name), field.type, raw[name])
        elif field.required:
            reader.fault(key, f"the key '{name}' is missing")
        else:
            reader.default((*key, name))
            if isinstance(field.default, Path):
                values[field.name] = reader.folder / field.default
    return BAD if len(reader.faults) > before else _made(reader, key, cls, values, fields)


def _made(reader: Reader, key: KeyPath, cls: type[O], values: dict[str, Any], fields: Mapping[str, Any]) -> O | Bad:
    """The object; what its class itself objects to is told at the key its clause begins with, if it does."""
    try:
        return cls(**values)
    except ValueError as error:
        first = str(error).split(" ", 1)[0].strip("'\"`:,=")
        return reader.fault((*key, first) if first in fields else key, str(error))


def value(reader: Reader, key: KeyPath, kind: Any, raw: Any) -> Any:  # noqa: PLR0911 - one return per type
    """A value of the type `kind`, or BAD."""
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Secret:
        return secret(reader, key, raw)
    if isinstance(raw, dict) and set(raw) in _ELSEWHERE and not ({Secret, Mapping, dict} & {origin, *arguments}):
        return reader.fault(key, "only secrets are taken from a file or a variable: write its value here")
    reader.origin(key)
    if origin is Annotated:
        return _limited(reader, key, kind, arguments[0], raw)
    if origin in {Union, types.UnionType}:
        return _either(reader, key, arguments, raw)
    if origin is Literal:
        return choice(reader, key, raw, {str(word): word for word in arguments})
    if origin is tuple:
        return _list(reader, key, arguments, raw)
    if origin in {dict, Mapping}:
        return _words(reader, key, arguments[1], raw)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return choice(reader, key, raw, {str(member.value): member for member in kind})
    if isinstance(kind, type) and issubclass(kind, Options):
        return table(reader, key, kind, raw)
    return plain(reader, key, kind, raw)


def _list(reader: Reader, key: KeyPath, arguments: tuple[Any, ...], raw: Any) -> tuple[Any, ...] | Bad:
    """tuple[T, ...] from a list; tuple[A, B] from a list of just as many."""
    if not isinstance(raw, list):
        return reader.fault(key, f"this is a list: {key[-1]} = [...]")
    kinds = (arguments[0],) * len(raw) if arguments[-1] is Ellipsis else arguments
    if len(kinds) != len(raw):
        return reader.fault(key, f"this is a list of {len(kinds)}")
    made = tuple(value(reader, (*key, i), kind, item) for i, (kind, item) in enumerate(zip(kinds, raw, strict=True)))
    reader.one_origin(key)
    return BAD if any(item is BAD for item in made) else made


def _words(reader: Reader, key: KeyPath, kind: Any, raw: Any) -> dict[str, Any] | Bad:
    """dict[str, T] from a table with keys of the user's own."""
    if not isinstance(raw, dict):
        return reader.fault(key, "this is a table: { name = ... }")
    made = {name: value(reader, (*key, name), kind, item) for name, item in raw.items()}
    return BAD if any(item is BAD for item in made.values()) else made


def _either(reader: Reader, key: KeyPath, kinds: tuple[Any, ...], raw: Any) -> Any:
    """The first of several types that takes the value; when none does, the faults of the first are told."""
    kinds = tuple(kind for kind in kinds if kind is not types.NoneType)
    before = list(reader.faults)
    told: list[Any] = []
    for kind in kinds:
        made = value(reader, key, kind, raw)
        if made is not BAD:
            return made
        told = told or reader.faults[len(before) :]
        reader.faults[:] = before
    reader.faults.extend(told)
    return BAD


def _limited(reader: Reader, key: KeyPath, kind: Any, base: Any, raw: Any) -> Any:
    """Annotated[T, msgspec.Meta(...)]: its limits too. msgspec's sentence names the limit, not the value."""
    made = value(reader, key, base, raw)
    if made is BAD or not isinstance(made, str | int | float):
        return made
    try:
        return msgspec.convert(made, kind)
    except msgspec.ValidationError as error:
        return reader.fault(key, str(error).lower().replace("`", "'"))
