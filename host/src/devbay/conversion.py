"""From plain data to a type: one section of a document, and what a variable means for it.

Pure. Whatever does not fit is an error that names the place, the value and the nearest known name; `devbay.misfits`
finds the words.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

import msgspec
import yaml

from devbay.errors import ConfigError
from devbay.layers import Keys, Layer
from devbay.misfits import (
    ANYTHING,
    NOTHING,
    SECTION_TYPES,
    Loader,
    Misfit,
    Misplaced,
    fields,
    members,
    nearest,
    path_of,
    value_misfit,
    yaml_problem,
)

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


def misfits(document: object, kind: type) -> Iterator[Misfit]:
    """Yield everything in a section that does not fit its type; nothing, where `convert` would succeed."""
    if not isinstance(document, dict):
        yield Misfit(problem=f"expected a mapping, not {document!r}")
        return
    if kind is dict and document:
        yield Misfit(problem="this backend has no settings")
        return
    info = msgspec.inspect.type_info(kind)
    gone = set(_empty_sections(document, info, ()))
    for unknown in _unknown_keys(document, info, ()):
        gone.add(unknown.keys)
        yield unknown
    yield from _wrong_values(document, kind, gone)


def _wrong_values(document: Mapping[str, Any], kind: type, gone: set[Keys]) -> Iterator[Misfit]:
    """Yield what msgspec refuses: it names the first only, so that is taken out, and it is asked again."""
    while True:
        left = _without(document, gone, ())
        try:
            msgspec.convert(left, kind, dec_hook=path_of)
        except msgspec.ValidationError as error:
            found = value_misfit(str(error), left, kind)
            if isinstance(error.__cause__, Misplaced):
                found = replace(found, keys=(*found.keys, *error.__cause__.keys), value=NOTHING)
            keys = _as_written(document, found.keys, gone)
            lacking = [other for other in gone if other[: len(keys)] == keys and (keys or len(other) == 1)]
            if not lacking:  # else it may only lack what was taken out
                yield replace(found, keys=keys)
            if not keys or keys in gone:
                return
            gone |= {keys, *_emptied(document, keys, gone)}
        except Exception as error:  # noqa: BLE001 - a backend's own type may check itself, and raise anything
            if not gone:
                yield Misfit(problem=f"{type(error).__name__}: {error}")
            return
        else:
            return


def convert(document: object, kind: type[T]) -> T:
    """Return a section in which nothing is a misfit as its type."""
    empty = set(_empty_sections(document, msgspec.inspect.type_info(kind), ()))
    return msgspec.convert(_without(document, empty, ()), kind, dec_hook=path_of)


def assign(variable: Variable, kind: type, section: Keys) -> Layer:
    """Return what a variable sets in a section of a type; `section` is the section's name, empty for the host's.

    Raises:
        ConfigError: there is no such key, or the text is not of its type.
    """
    info = msgspec.inspect.type_info(kind)
    keys = list(section)
    for depth, key in enumerate(variable.path[len(section) :], len(section)):
        known = {f.encode_name: f for f in fields(info)}
        name = next((name for name in known if variable_name(name) == key), None)
        if name is None:
            names = [f"{PREFIX}{'__'.join([*variable.path[:depth], variable_name(n)])}".upper() for n in known]
            raise ConfigError(f"{variable.name}: unknown key {key!r}{nearest(variable.name, names)}")
        keys.append(name)
        info = known[name].type
    if len(keys) == len(section):
        raise ConfigError(f"{variable.name}: names a section and no key")
    return Layer(name=variable.name, keys=tuple(keys), value=_value(variable, info))


def _value(variable: Variable, info: msgspec.inspect.Type) -> object:
    while isinstance(info, msgspec.inspect.Metadata):
        info = info.type
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


def _unknown_keys(value: object, info: msgspec.inspect.Type, keys: Keys) -> Iterator[Misfit]:
    """Yield each unknown key, however deep. msgspec knows of such for its own types, and not for dataclasses."""
    if isinstance(info, msgspec.inspect.AnyType):
        return
    if isinstance(value, list):
        for position, item in enumerate(value):
            for member in members(info):
                yield from _unknown_keys(item, getattr(member, "item_type", ANYTHING), (*keys, str(position)))
    if not isinstance(value, dict):
        return
    known = {f.encode_name: f.type for f in fields(info)}
    tags = {getattr(member, "tag_field", None) for member in members(info)} - {None}
    inner = next((m.value_type for m in members(info) if isinstance(m, msgspec.inspect.DictType)), ANYTHING)
    for key, item in value.items():
        if known and inner is ANYTHING and key not in known and key not in tags:
            yield Misfit(keys=(*keys, str(key)), problem=f"unknown key {key!r}{nearest(str(key), known)}")
        else:
            yield from _unknown_keys(item, known.get(key, inner), (*keys, str(key)))


def _empty_sections(value: object, info: msgspec.inspect.Type, keys: Keys) -> Iterator[Keys]:
    """Yield each section whose keys are all commented out: nothing was said about it."""
    if not isinstance(value, dict):
        return
    for each in fields(info):
        here = (*keys, each.encode_name)
        if each.encode_name not in value:
            continue
        if value[each.encode_name] is None and isinstance(each.type, SECTION_TYPES):
            yield here
        else:
            yield from _empty_sections(value[each.encode_name], each.type, here)


def _without(value: Any, gone: Collection[Keys], keys: Keys) -> Any:
    """Return a document without what stands at some places."""
    if not any(place[: len(keys)] == keys for place in gone):
        return value
    if isinstance(value, list):
        left = [(item, (*keys, str(n))) for n, item in enumerate(value)]
        return [_without(item, gone, place) for item, place in left if place not in gone]
    if isinstance(value, dict):
        named = [(key, item, (*keys, str(key))) for key, item in value.items()]
        return {key: _without(item, gone, place) for key, item, place in named if place not in gone}
    return value


def _as_written(document: Any, keys: Keys, gone: Collection[Keys]) -> Keys:
    """Return the keys by which the whole document has what a document without `gone` has under `keys`."""
    place: Keys = ()
    for key in keys:
        if isinstance(document, list):
            left = [n for n in range(len(document)) if (*place, str(n)) not in gone]
            place = (*place, str(left[int(key)]))
            document = document[left[int(key)]]
        else:
            place = (*place, key)
            items = document.items() if isinstance(document, dict) else ()
            document = next((item for name, item in items if str(name) == key), None)
    return place


def _emptied(document: Any, keys: Keys, gone: Collection[Keys]) -> Iterator[Keys]:
    """Yield the list that has no item left when what stands at `keys` is gone too: that it is empty is nobody's say."""
    for key in keys[:-1]:
        document = document[int(key)] if isinstance(document, list) else document.get(key)
    if isinstance(document, list) and all((*keys[:-1], str(n)) in {*gone, keys} for n in range(len(document))):
        yield keys[:-1]
