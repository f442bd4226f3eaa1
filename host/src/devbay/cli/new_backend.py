"""``devbay new-backend``: a complete backend package, for its author to change one part after the other."""

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

import click

from devbay.cli import Exit
from devbay.conversion import variable_name
from devbay.errors import ConfigError
from devbay.sources import backend_name_problem

_TEMPLATES = {
    "pyproject.toml": "pyproject.toml.txt",
    "README.md": "README.md.txt",
    "src/@package@/__init__.py": "init.py.txt",
    "src/@package@/backend.py": "backend.py.txt",
    "tests/test_@package@.py": "test_backend.py.txt",
}
"""What is written, and from which template. A ``py.typed`` comes with it."""

_LONGEST = 40

_NEXT = """\
{made}

It is complete: it can be installed, and its tests pass.

    cd {place}
    pip install -e '.[test]'
    pytest
    devbay backends

Then read src/{package}/backend.py from the top: it leads through discovery, health and edits.
"""


@click.command("new-backend", short_help="Write a backend package to start from.")
@click.argument("name")
@click.option(
    "--directory",
    metavar="DIR",
    help="Where the package goes; otherwise devbay-NAME in the current directory. Nothing there is overwritten.",
)
def new_backend(name: str, directory: str | None) -> Exit:
    """Write a backend package for a kind of hardware, to start from.

    NAME is what the backend is called in DEVBAY_BACKENDS and in the configuration, such as 'widget' or 'acme-npu':
    lower-case letters and digits, with single '-' or '_' between. The package devbay-NAME has a backend that works as
    it stands (for a driver with files in /sys/class/NAME), comments that lead through discovery, health and edits, and
    a test that holds it to the backend contract with devbay's own kit.
    """
    problem = backend_name_problem(name)
    if problem is None and len(name) > _LONGEST:
        problem = f"{name!r} has {len(name)} characters; resources and ids that begin with it have room for {_LONGEST}"
    if problem:
        raise ConfigError(f"no backend can be called so: {problem}")
    place = Path(directory or f"devbay-{name}")
    words = _words(name)
    contents = {_fill(path, words): _fill(_template(file), words) for path, file in _TEMPLATES.items()}
    contents[f"src/{words['package']}/py.typed"] = ""
    _write(place, contents)
    made = "\n".join(str(place / path) for path in contents)
    click.echo(_NEXT.format(made=made, place=place, package=words["package"]), nl=False)
    return Exit.OK


def _words(name: str) -> Mapping[str, str]:
    plain = variable_name(name)
    return {
        "name": name,
        "package": f"devbay_{plain}",
        "VARIABLE": plain.upper(),
        "Class": plain.title().replace("_", ""),
    }


def _template(file: str) -> str:
    return files("devbay.cli").joinpath("templates", file).read_text(encoding="utf-8")


def _fill(text: str, words: Mapping[str, str]) -> str:
    for word, value in words.items():
        text = text.replace(f"@{word}@", value)
    return text


def _write(place: Path, contents: Mapping[str, str]) -> None:
    """Write all of it, or nothing where something is there already."""
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise ConfigError(f"{place} is there already and is not empty; nothing was written. Choose another --directory")
    try:
        for path, text in contents.items():
            file = place / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{error.filename or place} cannot be written: {error.strerror}") from None
