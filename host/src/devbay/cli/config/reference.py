"""``devbay config reference``: every key of the host's sections as a page, made from their types."""

import re
from collections.abc import Iterator
from pathlib import Path

import click

from devbay.cli import Exit
from devbay.cli.config import described
from devbay.cli.config.described import Key, cell
from devbay.conversion import PREFIX, variable_name
from devbay.errors import ConfigError
from devbay.misfits import SECTION_TYPES
from devbay.settings import Settings

BEGIN, END = "<!-- keys -->", "<!-- /keys -->"


@click.command(short_help="Print every key of the host, with its meaning.")
@click.option("--write", metavar="FILE", help=f"Put it into this page, between {BEGIN} and {END}.")
def reference(write: str | None) -> Exit:
    """Print every key of the host in Markdown: what it takes, its default and unit, its variable, its meaning.

    The sections of backends are described in their own pages, and all together by "devbay config schema".
    """
    if write is None:
        click.echo(page())
        return Exit.OK
    path = Path(write)
    try:
        path.write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{write}: {error.strerror}") from None
    return Exit.OK


def filled(text: str) -> str:
    """Return a page's text with the keys between the marks as the types have them now."""
    if BEGIN not in text or END not in text:
        raise ConfigError(f"the page needs the lines {BEGIN} and {END}, between which the keys are put")
    return re.sub(f"{BEGIN}.*{END}", lambda _: f"{BEGIN}\n{page()}\n{END}", text, flags=re.DOTALL)


def page() -> str:
    """Return the keys of all sections."""
    return "\n\n".join("\n".join(part) for part in _parts()).strip()


def _parts() -> Iterator[list[str]]:
    said = described.descriptions(Settings)
    for field in described.fields(Settings):
        if isinstance(field.type, SECTION_TYPES):
            kind = field.type.cls
            text = [described.first_line(kind), *([said[field.name]] if said[field.name] else [])]
            yield [f"### `{field.encode_name}`", "", " ".join(dict.fromkeys(text))]
            yield [*_HEAD, *(_row(key) for key in described.keys(kind, (field.encode_name,)))]
        else:
            yield [f"### `{field.encode_name}`"]
            own = [key for key in described.keys(Settings) if key.keys[0] == field.encode_name]
            yield [*_HEAD, *(_row(key) for key in own)]


_HEAD = ["| key | takes | default | unit | variable | meaning |", "|---|---|---|---|---|---|"]


def _row(key: Key) -> str:
    free = any(part.startswith("<") for part in key.keys)
    variable = "" if free else f"`{PREFIX}{'__'.join(map(variable_name, key.keys))}`".upper()
    default = f"`{key.default}`" if key.default else "must be there"
    cells = [f"`{'.'.join(key.keys)}`", key.kind, default, key.unit, variable, key.description]
    return "| " + " | ".join(map(cell, cells)) + " |"
