"""From plain data to a type: one section of a document, and the variables that override parts of it.

Pure. Whatever does not fit is an error that names the place, the value and the nearest known name; `devbay.misfits`
finds the words.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import msgspec
import yaml

from devbay.errors import ConfigError
from devbay.misfits import ANYTHING, Loader, fields, members, nearest, path_of, value_problem, yaml_problem

T = TypeVar("T")
PREFIX = "DEVBAY_"


def variable_name(name: str) -> str:
    """Return how a section or key is written in a variable's name, but for its case."""
    return name.lower().replace("-", "_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One environment variable that sets one key.

    Attributes:
        name: as it stands in the environment.
        path: section and keys, in lower case.
        text: its value.
    """

    name: str
    path: tuple[str, ...]
    text: str


def convert(document: object, kind: type[T], file: str, path: tuple[str, ...], variables: Collection[Variable]) -> T:
    """Return a section of a document, overridden by variables, as a type.

    Args:
        document: the section as YAML has it.
        kind: the type: a msgspec struct or a dataclass, in which no key may be unknown, however deep.
        file: where the section stands, for messages.
        path: the section's own name, for messages; empty for the host's sections together.
        variables: what overrides single keys.

    Raises:
        ConfigError: something does not fit; the text names source, key and value.
    """
    info = msgspec.inspect.type_info(kind)
    if not isinstance(document, dict):
        raise ConfigError(f"{file}: {'.'.join(path)}: expected a mapping, not {document!r}")
    if kind is dict and document:
        raise ConfigError(f"{file}: {'.'.join(path)}: this backend has no settings")
    _check_keys(document, info, file, path)
    merged, origins = document, dict[tuple[str, ...], str]()
    for variable in variables:
        keys, value = _resolve(variable, info, len(path))
        merged = _with(merged, keys, value, f"{file}: {'.'.join(path)}")
        origins[keys] = variable.name
    try:
        return msgspec.convert(merged, kind, dec_hook=path_of)
    except msgspec.ValidationError as error:
        place, problem = value_problem(str(error), merged, path, kind)
        blamed = [name for keys, name in origins.items() if all(a == b for a, b in zip(keys, place, strict=False))]
        raise ConfigError(f"{', '.join(blamed) or file}: {problem}") from None
    except Exception as error:  # noqa: BLE001 - a backend's own type may check itself, and raise anything
        raise ConfigError(f"{file}: {'.'.join(path)}: {type(error).__name__}: {error}") from None


def _resolve(variable: Variable, info: msgspec.inspect.Type, depth: int) -> tuple[tuple[str, ...], object]:
    """Return the keys that a variable sets, and its value as the type of that place."""
    keys: list[str] = []
    for key in variable.path[depth:]:
        known = {f.encode_name: f for f in fields(info)}
        name = next((name for name in known if variable_name(name) == key), None)
        if name is None:
            names = [f"{PREFIX}{'__'.join([*variable.path[:depth], *keys, variable_name(n)])}".upper() for n in known]
            raise ConfigError(f"{variable.name}: unknown key {key!r}{nearest(variable.name, names)}")
        keys.append(name)
        info = known[name].type
    if not keys:
        raise ConfigError(f"{variable.name}: names a section and no key")
    return tuple(keys), _value(variable, info)


def _value(variable: Variable, info: msgspec.inspect.Type) -> object:
    kind = _python_type(info)
    scalar = isinstance(
        info,
        msgspec.inspect.StrType
        | msgspec.inspect.IntType
        | msgspec.inspect.FloatType
        | msgspec.inspect.BoolType
        | msgspec.inspect.LiteralType,
    )
    try:
        if scalar:
            return msgspec.convert(variable.text, kind, strict=False)
        value = yaml.load(variable.text, Loader)  # noqa: S506 - a SafeLoader that also refuses duplicate keys
    except (msgspec.ValidationError, yaml.YAMLError, ValueError, RecursionError) as error:
        if _takes_text(info):
            return variable.text
        hint = "; write true or false" if isinstance(info, msgspec.inspect.BoolType) else ""
        raise ConfigError(f"{variable.name}={variable.text!r}: {yaml_problem(error)}{hint}") from None
    return value if any(_fits(value, member) for member in members(info)) or not _takes_text(info) else variable.text


def _takes_text(info: msgspec.inspect.Type) -> bool:
    return any(isinstance(member, msgspec.inspect.StrType | msgspec.inspect.CustomType) for member in members(info))


def _fits(value: object, info: msgspec.inspect.Type) -> bool:
    """Whether what YAML made of a variable's text may be one of these, and is not text that only looks otherwise."""
    if isinstance(info, msgspec.inspect.LiteralType):
        return value in info.values
    plain: dict[type, tuple[type, ...]] = {
        msgspec.inspect.NoneType: (type(None),),
        msgspec.inspect.StrType: (str,),
        msgspec.inspect.IntType: (int,),
        msgspec.inspect.FloatType: (int, float),
        msgspec.inspect.BoolType: (bool,),
    }
    return type(value) in plain.get(type(info), (list, dict))


def _python_type(info: msgspec.inspect.Type) -> Any:
    plain: dict[type, type] = {
        msgspec.inspect.StrType: str,
        msgspec.inspect.IntType: int,
        msgspec.inspect.FloatType: float,
        msgspec.inspect.BoolType: bool,
    }
    if isinstance(info, msgspec.inspect.LiteralType):
        return Literal[info.values]
    return plain.get(type(info), object)


def _check_keys(value: object, info: msgspec.inspect.Type, file: str, path: tuple[str, ...]) -> None:
    """Make sure that no key is unknown, however deep. msgspec does so for its own types, and not for dataclasses."""
    if isinstance(info, msgspec.inspect.AnyType):
        return
    if isinstance(value, list):
        for position, item in enumerate(value):
            for member in members(info):
                _check_keys(item, getattr(member, "item_type", ANYTHING), file, (*path, str(position)))
    if not isinstance(value, dict):
        return
    known = {f.encode_name: f.type for f in fields(info)}
    tags = {getattr(member, "tag_field", None) for member in members(info)} - {None}
    inner = next((m.value_type for m in members(info) if isinstance(m, msgspec.inspect.DictType)), ANYTHING)
    for key, item in value.items():
        if known and inner is ANYTHING and key not in known and key not in tags:
            place = ".".join([*path, str(key)])
            raise ConfigError(f"{file}: {place}: unknown key {key!r}{nearest(str(key), known)}")
        _check_keys(item, known.get(key, inner), file, (*path, str(key)))


def _with(document: Mapping[str, Any], keys: tuple[str, ...], value: object, place: str) -> dict[str, Any]:
    first, *rest = keys
    if not rest:
        return {**document, first: value}
    inner = document.get(first)
    inner = {} if inner is None else inner
    place = f"{place}{'' if place.endswith(' ') else '.'}{first}"
    if not isinstance(inner, dict):
        raise ConfigError(f"{place}: expected a mapping, not {inner!r}")
    return {**document, first: _with(inner, tuple(rest), value, place)}
