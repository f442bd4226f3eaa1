"""``devbay config check``: everything in a file that cannot be meant, for whatever node it is."""

import itertools
import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import click

from devbay import plugins, selection
from devbay.cli import Exit, configuration, log, tables
from devbay.cli.config import sections
from devbay.conversion import convert
from devbay.errors import ConfigError
from devbay.layers import Layer, merge
from devbay.misfits import position
from devbay.settings import LogSection
from devbay.sources import HOST, Part, Sources, parse


@click.command(short_help="Find everything in a file that cannot be meant.")
@click.argument("file", metavar="FILE")
@click.option("--node", metavar="NAME", help="Check also what the overlays for this node make together.")
@tables.output_option
def check(file: str, node: str | None, output: str) -> Exit:
    """Find everything in a configuration file that cannot be meant, and print it, a problem a line.

    The whole file is checked: the host's sections, those of backends that are installed here, and every overlay, each
    laid over the rest of the file by itself. A section of a backend that is not installed here is a problem, since
    nobody can say what it means. The environment is left out: what matters is what the file says.

    Exits with 0 if there is nothing to mend, with 2 if there is, and with 1 if a backend could not say what its section
    looks like.
    """
    log.configure(LogSection(level="error"))
    wrong, unknown = _check(file, node)
    if output == "json":
        click.echo(json.dumps({"file": file, "problems": wrong, "unchecked": unknown}, indent=2))
    else:
        for line in (*wrong, *unknown):
            click.echo(line)
        if not wrong and not unknown:
            click.echo(f"{file}: nothing to mend")
    if wrong:
        return Exit.USAGE
    return Exit.FAILED if unknown else Exit.OK


def _check(file: str, node: str | None) -> tuple[list[str], list[str]]:
    """Return what cannot be meant, and what could not be checked."""
    try:
        sources, misshapen = parse(configuration.text(Path(file), required=True), file)
    except ConfigError as error:
        return [str(error)], []
    installed, rejected = plugins.find()
    known = {*installed, *(one.name for one in rejected)}
    named = {name for stack in _stacks(sources, node) for layer in stack for name in layer.value if name in known}
    types, unloaded = sections.load(installed, named)
    unknown = [one for one in (*rejected, *unloaded) if one.name in named]
    unchecked = [f"{file}: {one.name}: not checked: {one} {one.reason}" for one in unknown]
    return [*misshapen, *problems(sources, types, known, node)], unchecked


def problems(sources: Sources, types: Mapping[str, type], known: Collection[str], node: str | None = None) -> list[str]:
    """Return everything that is wrong, in words, each once.

    Args:
        sources: what a file says.
        types: the types of the sections of backends whose type is known.
        known: all installed backends.
        node: a node's name, if all that is said for it is to be checked together too.
    """
    stacks = list(_stacks(sources, node))
    found = (_sections(sources, known), _values(sources, stacks, types), _selections(sources, stacks, known))
    return list(dict.fromkeys(itertools.chain(*found)))


def _stacks(sources: Sources, node: str | None) -> Iterator[list[Layer]]:
    """Yield what must make sense together: the base, each overlay on it, and all overlays of one node."""
    base = Layer(name=sources.file, value=sources.document)
    layers = [overlay.layer(sources.file) for overlay in sources.overlays]
    yield [base]
    for layer in layers:
        yield [base, layer]
    if node is not None:
        yield [base, *(layer for layer, each in zip(layers, sources.overlays, strict=True) if each.matches(node))]


def _sections(sources: Sources, known: Collection[str]) -> Iterator[str]:
    for layer in (
        Layer(name=sources.file, value=sources.document),
        *(overlay.layer(sources.file) for overlay in sources.overlays),
    ):
        yield from sources.unknown_sections(layer, known)


def _values(sources: Sources, stacks: list[list[Layer]], types: Mapping[str, type]) -> Iterator[str]:
    for part in (HOST, *(Part(kind=kind, name=name) for name, kind in types.items())):
        for stack in stacks:
            yield from sources.problems(part, stack)


def _selections(sources: Sources, stacks: list[list[Layer]], known: Collection[str]) -> Iterator[str]:
    """Yield what is wrong with which backends run where; where the host's sections do not fit, that was said."""
    for stack in stacks:
        if any(True for _ in sources.problems(HOST, stack)):
            continue
        merged = merge(stack)
        place = (*(merged.origin(("backends",)) or stack[0]).place, "backends")
        mark = position(sources.text, place)
        where = f" ({mark})" if mark else ""
        try:
            chosen = selection.parse(
                convert(HOST.of(merged.document), HOST.kind).backends, f"{sources.file}: {'.'.join(place)}"
            )
        except ConfigError as error:
            yield f"{error}{where}"
        else:
            yield from (f"{problem}{where}" for problem in chosen.unknown(known))
