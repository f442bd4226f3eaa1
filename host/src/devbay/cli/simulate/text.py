"""How the commands that talk to a simulator print: fields and columns as kubectl does, or JSON."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import click

from devbay.simulator.questions import encode

F = TypeVar("F", bound=Callable[..., Any])

output_option: Callable[[F], F] = click.option(
    "--output", "-o", type=click.Choice(["text", "json"]), default="text", show_default=True, help="How to print it."
)


def show_json(value: object) -> None:
    """Print a value of the simulator as JSON."""
    click.echo(json.dumps(json.loads(encode(value)), indent=2))


def fields(values: Mapping[str, object], indent: str = "") -> Iterator[str]:
    """Yield ``Name:  value`` lines, the values under each other; none is ``<none>``, as kubectl says it."""
    width = max((len(name) for name in values), default=0) + 3
    for name, value in values.items():
        yield f"{indent}{name + ':':<{width}}{value}".rstrip()


def columns(rows: Sequence[Sequence[object]], indent: str = "  ") -> Iterator[str]:
    """Yield rows as columns, the first one ruled as a heading; nothing but ``<none>`` where it is alone."""
    head, *body = ([str(cell) for cell in row] for row in rows)
    if not body:
        yield f"{indent}<none>"
        return
    lines = [head, ["-" * len(cell) for cell in head], *body]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        yield indent + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()


def block(title: str, lines: Iterable[str]) -> Iterator[str]:
    """Yield a title and its lines; ``<none>`` beside it where there are none."""
    below = list(lines)
    yield f"{title}:" if below else f"{title}:  <none>"
    yield from below
