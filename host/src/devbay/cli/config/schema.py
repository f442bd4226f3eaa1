"""``devbay config schema``: the configuration as JSON Schema, for editors."""

import json
import typing
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

import click
import msgspec

from devbay import plugins
from devbay.cli import Exit, log
from devbay.cli.config import described, sections
from devbay.misfits import SECTION_TYPES, members
from devbay.overlays import SECTION as OVERLAYS
from devbay.settings import LogSection, Settings

_PATTERN = {"type": "string", "pattern": r"^[^\s,;]+$"}
_MATCH = {
    "description": "For which nodes this is: a glob of node names, or a list of them.",
    "anyOf": [_PATTERN, {"type": "array", "items": _PATTERN, "minItems": 1}],
}


@click.command(short_help="Print the configuration's JSON Schema.")
def schema() -> Exit:
    """Print the JSON Schema of the configuration, with the sections of all backends that are installed here.

    An editor that knows JSON Schema completes keys and underlines mistakes. With a YAML language server, put this as
    the first line into the configuration:

    \b
        # yaml-language-server: $schema=devbay.schema.json

    Exits with 1 if a backend could not say what its section looks like; the schema then takes anything there.
    """  # noqa: D301 - click's mark for a paragraph that stays as it is
    log.configure(LogSection(level="error"))
    installed, rejected = plugins.find()
    types, unloaded = sections.load(installed, installed)
    click.echo(json.dumps(document(types, [one.name for one in (*rejected, *unloaded)]), indent=2))
    for one in unloaded:
        click.echo(f"devbay: {one.name}: not described: {one} {one.reason}", err=True)
    return Exit.FAILED if unloaded else Exit.OK


def document(types: Mapping[str, type], unknown: list[str]) -> dict[str, Any]:
    """Return the schema of a configuration with these backends' sections, and `unknown` ones that may hold anything."""
    own, definitions = _part(Settings, "")
    top: dict[str, Any] = dict(definitions[own["$ref"].rpartition("/")[2]]["properties"])
    for name, kind in types.items():
        if kind is dict:
            top[name] = {"type": "object", "maxProperties": 0, "description": "This backend has no settings."}
            continue
        top[name], more = _part(kind, f"{name}.")
        definitions |= more
    top |= {name: {} for name in unknown}
    nullable = {name: _or_empty(section) for name, section in top.items()}
    overlay = {"type": "object", "required": ["match"], "additionalProperties": False}
    entries = {"type": "array", "items": overlay | {"properties": {"match": _MATCH, **nullable}}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "devbay",
        "type": ["object", "null"],
        "properties": {
            **nullable,
            OVERLAYS: _or_empty({"description": "What is said for some nodes only, merged in order.", **entries}),
        },
        "additionalProperties": False,
        "$defs": definitions,
    }


def _or_empty(section: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a section whose keys may all be commented out."""
    return {"anyOf": [section, {"type": "null"}]}


def _part(kind: type, prefix: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the schema of one type, and the definitions it refers to, whose names begin with `prefix`."""
    (found,), components = msgspec.json.schema_components(
        [_with_text_for_paths(kind)], schema_hook=lambda _: {"type": "string"}, ref_template=f"#/$defs/{prefix}{{name}}"
    )
    for each in _sections(kind, set()):
        if (component := components.get(each.__name__)) is not None and "properties" in component:
            said = described.descriptions(each)
            component["additionalProperties"] = False
            component["description"] = described.plain(component.get("description", ""))
            for field in described.fields(each):
                component["properties"][field.encode_name].setdefault("description", said[field.name])
    return found, {f"{prefix}{name}": component for name, component in components.items()}


def _with_text_for_paths(kind: type) -> type:
    """Return a type like `kind` in which a path is text, as JSON has it: msgspec can write no path as a default."""
    hints = typing.get_type_hints(kind, include_extras=True)
    if not any(isinstance(hint, type) and issubclass(hint, PurePath) for hint in hints.values()):
        return kind
    changed: list[tuple[str, Any, Any]] = []
    for field in described.fields(kind):
        hint = hints[field.name]
        if isinstance(hint, type) and issubclass(hint, PurePath):
            changed.append((field.encode_name, str, str(field.default)))
        elif field.default is not msgspec.NODEFAULT:
            changed.append((field.encode_name, hint, field.default))
        else:
            changed.append((field.encode_name, hint, msgspec.field(default_factory=field.default_factory)))
    return msgspec.defstruct(kind.__name__, changed, forbid_unknown_fields=True, kw_only=True)


def _sections(kind: type, seen: set[type]) -> Iterator[type]:
    """Yield a type and all types of sections within it."""
    if kind in seen:
        return
    seen.add(kind)
    yield kind
    for field in described.fields(kind):
        for inner in _within(field.type):
            yield from _sections(inner, seen)


def _within(info: msgspec.inspect.Type) -> Iterator[type]:
    for member in members(info):
        if isinstance(member, SECTION_TYPES):
            yield member.cls
        for name in ("item_type", "value_type"):
            if (inner := getattr(member, name, None)) is not None:
                yield from _within(inner)
