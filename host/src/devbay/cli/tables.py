"""Tables for people, and the same rows as JSON for programs."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import click
import rich.box
import rich.console
import rich.table

F = TypeVar("F", bound=Callable[..., Any])

output_option: Callable[[F], F] = click.option(
    "--output", "-o", type=click.Choice(["table", "json"]), default="table", show_default=True, help="How to print it."
)


def show(rows: Sequence[Mapping[str, object]], columns: Iterable[str], output: str) -> None:
    """Print rows: as a table of `columns`, or whole as a JSON list."""
    if output == "json":
        click.echo(json.dumps(rows, indent=2))
        return
    # Lines are never folded: a reason is read whole, and grep finds it.
    console = rich.console.Console(highlight=False, width=10_000)
    table = rich.table.Table(box=None, show_edge=False, pad_edge=False)
    names = list(columns)
    for name in names:
        table.add_column(name.replace("_", " ").upper(), no_wrap=True)
    for row in rows:
        table.add_row(*(rich.markup.escape(_text(row.get(name))) for name in names))
    with console.capture() as captured:
        console.print(table)
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))


def _text(value: object) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case list() if value:
            return ", ".join(map(str, value))
        case dict() if value:
            return ", ".join(f"{key}={item}" for key, item in value.items())
        case None | "" | list() | dict():
            return "-"
    return str(value)
