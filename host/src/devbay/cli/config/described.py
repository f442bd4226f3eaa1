"""What the settings' types say of themselves, for people: each key's description, type, bounds, default and unit.

A key's description is that of its type (``Meta(description=...)``), else the text that stands below it in the source.
"""

import ast
import inspect
import itertools
import json
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from devbay.misfits import SECTION_TYPES, members

_BOUNDS = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤"}
_WORDS: dict[type, str] = {
    msgspec.inspect.StrType: "text",
    msgspec.inspect.IntType: "whole number",
    msgspec.inspect.FloatType: "number",
    msgspec.inspect.BoolType: "true or false",
    msgspec.inspect.NoneType: "null",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key of a section.

    Attributes:
        keys: the way to it; ``<name>`` and ``<n>`` stand for what is free.
        kind: what it takes, in words.
        default: what holds without it, as YAML; empty where it must be there.
        unit: of a number; empty where it has none.
        description: what it means.
    """

    keys: tuple[str, ...]
    kind: str
    default: str
    unit: str
    description: str


def keys(kind: type, place: tuple[str, ...] = ()) -> Iterator[Key]:
    """Yield every key of a section's type, those of sections within it included."""
    said = descriptions(kind)
    for field in fields(kind):
        here = (*place, field.encode_name)
        inner, below = _inner(field.type)
        if inner is None or below:
            yield Key(
                keys=here,
                kind=words(field.type),
                default=_default(field),
                unit=_extra(field.type).get("unit", ""),
                description=said.get(field.name, ""),
            )
        if inner is not None:
            yield from keys(inner.cls, (*here, *below))


def fields(kind: type) -> tuple[msgspec.inspect.Field, ...]:
    """Return the keys of a section's type."""
    info = msgspec.inspect.type_info(kind)
    return info.fields if isinstance(info, SECTION_TYPES) else ()


def descriptions(kind: type) -> dict[str, str]:
    """Return what each key of a type means, by its name in the source."""
    written = _written(kind)
    return {field.name: _schema(field.type).get("description", written.get(field.name, "")) for field in fields(kind)}


def first_line(kind: type) -> str:
    """Return what a type says it is."""
    return plain((inspect.getdoc(kind) or "").partition("\n\n")[0])


def plain(text: str) -> str:
    """Return a docstring's text on one line, with Markdown's mark for what is typed."""
    return " ".join(text.replace("``", "`").split())


def words(info: msgspec.inspect.Type) -> str:
    """Return what a value may be."""
    bounds = _bounds(info)
    return " or ".join(dict.fromkeys(_word(member) for member in members(info))) + (f" {bounds}" if bounds else "")


def _word(info: msgspec.inspect.Type) -> str:
    if isinstance(info, msgspec.inspect.LiteralType):
        return "one of " + ", ".join(f"`{value}`" for value in info.values)
    if isinstance(info, msgspec.inspect.ListType | msgspec.inspect.VarTupleType):
        return f"list of {words(info.item_type)}"
    if isinstance(info, msgspec.inspect.DictType):
        return f"mapping to {words(info.value_type)}"
    if isinstance(info, msgspec.inspect.CustomType):
        return "path"
    return _WORDS.get(type(info), "section")


def _bounds(info: msgspec.inspect.Type) -> str:
    found = [
        f"{sign} {bound:g}"
        for member in members(info)
        for name, sign in _BOUNDS.items()
        if (bound := getattr(member, name, None)) is not None
    ]
    return ", ".join(found)


def _inner(info: msgspec.inspect.Type) -> tuple[Any, tuple[str, ...]]:
    """Return the section that a value is or holds, and what is free between the value and it."""
    for member in members(info):
        if isinstance(member, SECTION_TYPES):
            return member, ()
        if isinstance(member, msgspec.inspect.DictType) and (found := _inner(member.value_type))[0]:
            return found[0], ("<name>", *found[1])
        if isinstance(member, msgspec.inspect.ListType) and (found := _inner(member.item_type))[0]:
            return found[0], ("<n>", *found[1])
    return None, ()


def _default(field: msgspec.inspect.Field) -> str:
    if field.required:
        return ""
    value = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    return json.dumps(msgspec.to_builtins(value, enc_hook=str))


def _schema(info: msgspec.inspect.Type) -> dict[str, Any]:
    found: dict[str, Any] = {}
    while isinstance(info, msgspec.inspect.Metadata):
        found = (info.extra_json_schema or {}) | found
        info = info.type
    return found


def _extra(info: msgspec.inspect.Type) -> dict[str, Any]:
    return dict((info.extra or {}) if isinstance(info, msgspec.inspect.Metadata) else {})


def _written(kind: type) -> dict[str, str]:
    """Return the texts below the fields of a class; none, where its source cannot be had."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(kind)))
    except (OSError, TypeError, SyntaxError):
        return {}
    body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
    return {
        field.target.id: plain(inspect.cleandoc(text.value.value))
        for field, text in itertools.pairwise(body)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant) and isinstance(text.value.value, str)
    }


_UNSAFE = re.compile(r"([|])")


def cell(text: str) -> str:
    """Return a text as a cell of a Markdown table."""
    return _UNSAFE.sub(r"\\\1", text)
