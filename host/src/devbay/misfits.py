"""What does not fit, in words: where it stands, what it is, and what would do there.

Pure. Looks into types only to say so; what fits is `devbay.conversion`'s business.
"""

import re
from collections.abc import Collection, Hashable
from difflib import get_close_matches
from pathlib import PurePath
from typing import Any

import msgspec
import yaml

ANYTHING = msgspec.inspect.AnyType()


def members(info: msgspec.inspect.Type) -> tuple[msgspec.inspect.Type, ...]:
    """Return the types that a value here may have: those of a union, else the one."""
    while isinstance(info, msgspec.inspect.Metadata):
        info = info.type
    return info.types if isinstance(info, msgspec.inspect.UnionType) else (info,)


def fields(info: msgspec.inspect.Type) -> tuple[msgspec.inspect.Field, ...]:
    """Return what a value of this type may hold by name; nothing, where the type names nothing."""
    kinds = msgspec.inspect.StructType | msgspec.inspect.DataclassType
    return tuple(f for member in members(info) if isinstance(member, kinds) for f in member.fields)


_PLACE = re.compile(r" - at (?:`key` in )?`\$(.*)`$")


def path_of(kind: type, value: object) -> object:
    """Return what a type that YAML has no word for makes of a value: a path, of text."""
    if issubclass(kind, PurePath):
        if not isinstance(value, str):
            raise TypeError(f"expected a path, got `{type(value).__name__}`")
        return kind(value)
    raise NotImplementedError(f"a setting cannot be a {kind.__name__}")


def value_problem(text: str, document: Any, path: tuple[str, ...], kind: type) -> tuple[tuple[str, ...], str]:
    """Turn msgspec's "Expected `int`, got `str` - at `$.a.b`" into the keys and the house's words, with the value."""
    found = _PLACE.search(text)
    problem = text[:1].lower() + (text[1 : found.start()] if found else text[1:])
    keys: list[str] = []
    value, kinds = document, members(msgspec.inspect.type_info(kind))
    for key in re.findall(r"\.{3}|[^.\[\]]+", found[1]) if found else []:
        if key == "..." and isinstance(value, dict):  # somewhere in a mapping: msgspec does not say where
            keys.append(next((name for name in value if _fails(document, kind, [*keys, name])), "*"))
        else:
            keys.append(key)
        value = _item(value, keys[-1])
        kinds = tuple(inner for member in kinds for inner in _inside(member, keys[-1]))
    choices = [choice for m in kinds if isinstance(m, msgspec.inspect.LiteralType) for choice in m.values]
    if choices and problem.startswith("invalid enum value"):
        problem += f"; known: {', '.join(map(str, choices))}"
    where = ".".join([*path, *keys])
    return tuple(keys), f"{where} = {value!r}: {problem}" if where else problem


def _item(value: Any, key: str) -> Any:
    if isinstance(value, list) and key.isdigit():
        return value[int(key)]
    return value.get(key) if isinstance(value, dict) else value


def _inside(info: msgspec.inspect.Type, key: str) -> tuple[msgspec.inspect.Type, ...]:
    """Return the types that a value under `key` of such a value may have."""
    inner: Any = getattr(info, "value_type", None) or getattr(info, "item_type", None)
    inner = next((field.type for field in fields(info) if field.encode_name == key), inner)
    return members(inner) if inner is not None else ()


def _fails(document: Any, kind: type, keys: list[str]) -> bool:
    """Whether the document is wrong where the mapping that holds the last of `keys` has this key alone."""

    def reduced(value: Any, rest: list[str]) -> Any:
        if isinstance(value, list):
            return [reduced(item, rest[1:]) if str(n) == rest[0] else item for n, item in enumerate(value)]
        first = {rest[0]: reduced(value[rest[0]], rest[1:]) if rest[1:] else value[rest[0]]}
        return {**value, **first} if rest[1:] else first

    try:
        msgspec.convert(reduced(document, keys), kind, dec_hook=path_of)
    except msgspec.ValidationError:
        return True
    return False


def nearest(name: str, known: Collection[str]) -> str:
    """Return the end of a sentence about an unknown name: the one that was meant, or all there are."""
    if not known:
        return "; there are none here"
    near = get_close_matches(name, [str(k) for k in known], n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(sorted(known))}"


def yaml_problem(error: Exception) -> str:
    """Return what PyYAML objects to, in a line, with the place in the text."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return f"line {mark.line + 1}, column {mark.column + 1}: {error.problem}"
    return " ".join(str(error).split())


class Loader(yaml.SafeLoader):
    """A safe loader to which a key written twice is a mistake, not the second one's victory."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 - PyYAML's signature
        """Return the mapping of a node; a key that stands there twice is an error."""
        seen: set[Any] = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":  # "<<", which may be followed by keys that override it
                continue
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                raise yaml.MarkedYAMLError(problem=f"{key!r} cannot be a key", problem_mark=key_node.start_mark)
            if key in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"the key {key!r} stands here twice", problem_mark=key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep=deep)
