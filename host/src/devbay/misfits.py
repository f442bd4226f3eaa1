"""What does not fit, in words: where it stands, what it is, and what would do there.

Pure. Looks into types only to say so; what fits is `devbay.conversion`'s business.
"""

import re
from collections.abc import Collection, Hashable, Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import PurePath
from typing import Any

import msgspec
import yaml

ANYTHING = msgspec.inspect.AnyType()
SECTION_TYPES = (msgspec.inspect.StructType, msgspec.inspect.DataclassType)
"""What has keys of its own."""

NOTHING = object()
"""No value, where None would be one."""

_LONGEST = 200
"""Characters of a value that a message shows."""


def members(info: msgspec.inspect.Type) -> tuple[msgspec.inspect.Type, ...]:
    """Return the types that a value here may have: those of a union, else the one."""
    while isinstance(info, msgspec.inspect.Metadata):
        info = info.type
    return info.types if isinstance(info, msgspec.inspect.UnionType) else (info,)


def fields(info: msgspec.inspect.Type) -> tuple[msgspec.inspect.Field, ...]:
    """Return what a value of this type may hold by name; nothing, where the type names nothing."""
    return tuple(f for member in members(info) if isinstance(member, SECTION_TYPES) for f in member.fields)


_PLACE = re.compile(r" - at (?:`key` in )?`\$(.*)`$")


def path_of(kind: type, value: object) -> object:
    """Return what a type that YAML has no word for makes of a value: a path, of text."""
    if issubclass(kind, PurePath):
        if not isinstance(value, str):
            raise TypeError(f"expected a path, got `{type(value).__name__}`")
        return kind(value)
    raise NotImplementedError(f"a setting cannot be a {kind.__name__}")


class Misplaced(ValueError):  # noqa: N818 - says what happened to a value
    """Raised by a type that checks itself, where one of its values is to blame: `keys` is the way to that."""

    def __init__(self, keys: tuple[str, ...], problem: str) -> None:
        super().__init__(problem)
        self.keys = keys


@dataclass(frozen=True, slots=True, kw_only=True)
class Misfit:
    """One thing that does not fit.

    Attributes:
        keys: where it stands.
        problem: what is wrong with it, and what would be right.
        value: what stands there; `NOTHING` where the place says enough.
    """

    keys: tuple[str, ...] = ()
    problem: str
    value: object = NOTHING

    def said(self, where: str) -> str:
        """Return this as a sentence about the place called `where`."""
        if not where:
            return self.problem
        shown = "" if self.value is NOTHING else f" = {_shown(self.value)}"
        return f"{where}{shown}: {self.problem}"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def value_misfit(text: str, document: Any, kind: type) -> Misfit:
    """Turn msgspec's "Expected `int`, got `str` - at `$.a.b`" into the keys and the house's words, with the value."""
    found = _PLACE.search(text)
    problem = text[:1].lower() + (text[1 : found.start()] if found else text[1:])
    keys: list[str] = []
    value, kinds = document, members(msgspec.inspect.type_info(kind))
    for key in re.findall(r"\.{3}|[^.\[\]]+", found[1]) if found else []:
        if key == "..." and isinstance(value, dict):  # somewhere in a mapping: msgspec does not say where
            keys.append(next((name for name in value if _fails(document, kind, [*keys, name], text)), "*"))
        else:
            keys.append(key)
        value = _item(value, keys[-1])
        kinds = tuple(inner for member in kinds for inner in _inside(member, keys[-1]))
    choices = [choice for m in kinds if isinstance(m, msgspec.inspect.LiteralType) for choice in m.values]
    if choices and problem.startswith("invalid enum value"):
        problem += f"; known: {', '.join(map(str, choices))}"
    return Misfit(keys=tuple(keys), problem=problem, value=value)


def _item(value: Any, key: str) -> Any:
    if isinstance(value, list) and key.isdigit():
        return value[int(key)]
    return value.get(key) if isinstance(value, dict) else value


def _inside(info: msgspec.inspect.Type, key: str) -> tuple[msgspec.inspect.Type, ...]:
    """Return the types that a value under `key` of such a value may have."""
    inner: Any = getattr(info, "value_type", None) or getattr(info, "item_type", None)
    inner = next((field.type for field in fields(info) if field.encode_name == key), inner)
    return members(inner) if inner is not None else ()


def _fails(document: Any, kind: type, keys: list[str], text: str) -> bool:
    """Whether the same is wrong where the mapping that holds the last of `keys` has this key alone."""

    def reduced(value: Any, rest: list[str]) -> Any:
        if isinstance(value, list):
            return [reduced(item, rest[1:]) if str(n) == rest[0] else item for n, item in enumerate(value)]
        first = {rest[0]: reduced(value[rest[0]], rest[1:]) if rest[1:] else value[rest[0]]}
        return {**value, **first} if rest[1:] else first

    try:
        msgspec.convert(reduced(document, keys), kind, dec_hook=path_of)
    except msgspec.ValidationError as error:
        return str(error) == text
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


def position(text: str, keys: Iterable[str]) -> str:
    """Return where in a document's text a value stands, or the innermost of what holds it; empty if that is all."""
    found = None
    for node in _nodes(yaml.compose(text, Loader), keys):
        found = node.start_mark
    return f"line {found.line + 1}, column {found.column + 1}" if found else ""


def _nodes(node: yaml.Node | None, keys: Iterable[str]) -> Iterator[yaml.Node]:
    """Yield the node of each key as far as they go: in a mapping the key's own, in a list the item."""
    for key in keys:
        if isinstance(node, yaml.SequenceNode) and key.isdigit() and int(key) < len(node.value):
            node = node.value[int(key)]
            yield node
            continue
        pair = _pair(node, key)
        if pair is None:
            return
        yield pair[0]
        node = pair[1]


def _pair(node: yaml.Node | None, key: str) -> tuple[yaml.Node, yaml.Node] | None:
    """Return a key of a mapping and its value: its own, or one that "<<" brings."""
    if isinstance(node, yaml.SequenceNode):  # of what "<<" brings
        return next((pair for each in node.value if (pair := _pair(each, key))), None)
    if not isinstance(node, yaml.MappingNode):
        return None
    own = next((pair for pair in node.value if pair[0].value == key), None)
    merged = (_pair(value, key) for name, value in node.value if name.tag == _MERGE)
    return own or next((pair for pair in merged if pair), None)


_MERGE = "tag:yaml.org,2002:merge"


class Loader(yaml.SafeLoader):
    """A safe loader to which a key written twice is a mistake, and ``0:1`` and ``41:00.0`` are texts, not numbers."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 - PyYAML's signature
        """Return the mapping of a node; a key that stands there twice is an error."""
        seen: set[Any] = set()
        for key_node, _ in node.value:
            if key_node.tag == _MERGE:  # "<<", which may be followed by keys that override it
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


def _without_sexagesimals() -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    """Return the resolvers of YAML 1.1 but for numbers to the base of 60, which YAML 1.2 and Kubernetes do not know."""
    tags = {f"tag:yaml.org,2002:{name}": pattern for name, pattern in _NUMBERS.items()}
    return {
        first: [(tag, tags.get(tag, pattern)) for tag, pattern in resolvers]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


_NUMBERS = {
    "int": re.compile(r"[-+]?(0b[0-1_]+|0[0-7_]+|0|[1-9][0-9_]*|0x[0-9a-fA-F_]+)$"),
    "float": re.compile(
        r"([-+]?[0-9][0-9_]*\.[0-9_]*([eE][-+][0-9]+)?|\.[0-9][0-9_]*([eE][-+][0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$"
    ),
}
Loader.yaml_implicit_resolvers = _without_sexagesimals()
