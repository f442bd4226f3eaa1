"""``devbay config show``: what holds on a node, and who says so."""

import os
from collections.abc import Iterator
from typing import Any

import click
import msgspec
import yaml

from devbay import plugins
from devbay.cli import Exit, configuration, log, tables
from devbay.cli.config import sections
from devbay.layers import Keys, Layer, Merged
from devbay.misfits import SECTION_TYPES, members
from devbay.settings import LogSection
from devbay.sources import HOST, Part, Sources


@click.command(short_help="Show what holds on a node, and who says so.")
@click.option("--config", metavar="FILE", help="Configuration file; otherwise DEVBAY_CONFIG, or the usual one.")
@click.option("--node", metavar="NAME", help="As on this node; otherwise NODE_NAME, or the host name.")
@click.option(
    "--output",
    "-o",
    type=click.Choice(["table", "json", "yaml"]),
    default="table",
    show_default=True,
    help="How to print it; yaml has the values alone, as a file would say them.",
)  # fmt: skip - one option in one glance
def show(config: str | None, node: str | None, output: str) -> Exit:
    """Show every value that holds on a node, and its source: the default, the file, one of its overlays, a variable.

    The sections of backends are those that are enabled on that node. Exits with 1 if one of these could not say what
    its section looks like.
    """
    log.configure(LogSection(level="error"))
    sources, usual = configuration.said(config=config, backends=None)
    name = node or sources.settings().node.name or usual
    sources = sources.on(name)
    installed, rejected = plugins.find()
    known = {*installed, *(one.name for one in rejected)}
    sources.check_sections(known)
    enabled = sources.selection().on(name, known).enabled
    types, unloaded = sections.load(installed, enabled)
    rows = [*_host_rows(sources, name, node), *_backend_rows(sources, types)]
    if output == "yaml":
        click.echo(yaml.safe_dump(_document(rows), sort_keys=False, allow_unicode=True), nl=False)
    else:
        shown = [{"key": ".".join(keys), "value": value, "source": source} for keys, value, source in rows]
        tables.show(shown, ("key", "value", "source"), output)
    for one in unloaded:
        click.echo(f"devbay: {one.name}: not shown: {one} {one.reason}", err=True)
    return Exit.FAILED if unloaded else Exit.OK


Row = tuple[Keys, Any, str]


def _host_rows(sources: Sources, name: str, asked: str | None) -> Iterator[Row]:
    settings = sources.settings()
    for keys, value, source in _rows(sources.merged(HOST), msgspec.inspect.type_info(HOST.kind), settings, ()):
        if keys == ("backends",) and sources.backends is not None:
            yield keys, sources.backends, sources.backends_source
        elif keys == ("node", "name") and (asked or not value):
            said = "NODE_NAME" if os.environ.get("NODE_NAME", "").strip() == name else "host name"
            yield keys, name, "--node" if asked else said
        else:
            yield keys, value, source


def _backend_rows(sources: Sources, types: dict[str, type]) -> Iterator[Row]:
    for name, kind in types.items():
        section: Any = sources.section(name, kind)
        merged = sources.merged(Part(kind=kind, name=name))
        yield from _rows(merged, msgspec.inspect.type_info(kind), section, (name,))


def _rows(merged: Merged, info: msgspec.inspect.Type, value: Any, keys: Keys) -> Iterator[Row]:
    """Yield every single value in `value`, which is of type `info`, with its keys and its source."""
    section: Any = next((member for member in members(info) if isinstance(member, SECTION_TYPES)), None)
    mapping = next((member for member in members(info) if isinstance(member, msgspec.inspect.DictType)), None)
    if section is not None and isinstance(value, section.cls):
        for field in section.fields:
            yield from _rows(merged, field.type, getattr(value, field.name), (*keys, field.encode_name))
    elif mapping is not None and isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _rows(merged, mapping.value_type, inner, (*keys, str(key)))
    elif keys:
        yield keys, msgspec.json.decode(msgspec.json.encode(value, enc_hook=str)), _source(merged.origin(keys))


def _source(layer: Layer | None) -> str:
    if layer is None:
        return "default"
    return f"{layer.name}: {'.'.join(layer.place)}" if layer.place else layer.name


def _document(rows: list[Row]) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for keys, value, _ in rows:
        place = document
        for key in keys[:-1]:
            place = place.setdefault(key, {})
        place[keys[-1]] = value
    return document
