"""``devbay cdi list``, ``show`` and ``validate``: what is in the files, whoever wrote them."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from devbay.cdi import catalog
from devbay.cdi.catalog import Catalog, Listed
from devbay.cdi.document import Edits
from devbay.cli import Exit, tables

F = TypeVar("F", bound=Callable[..., Any])

_COLUMNS = ("name", "by", "file", "state", "reason")

_directories: Callable[[F], F] = click.option(
    "--cdi-dir",
    "directories",
    metavar="DIR",
    multiple=True,
    type=click.Path(path_type=Path),
    default=[str(path) for path in catalog.DIRECTORIES],
    show_default="/etc/cdi and /var/run/cdi",
    help="Where to look; may be given several times, and a later directory wins.",
)


@click.command("list", short_help="List the devices that can be named.")
@_directories
@tables.output_option
def list_(directories: tuple[Path, ...], output: str) -> None:
    """List the devices in all specifications, and the files that runtimes pass over.

    BY says whether devbay wrote it. STATE is usable, hidden (a stronger file has the same name), conflict (two files
    of one directory have it, so that nobody gets it), or broken (the file breaks a rule; none of its devices exist).
    """
    found = catalog.catalog(directories)
    rows = [*map(_device_row, found.devices), *_broken_rows(found)]
    if rows or output == "json":
        tables.show(rows, _COLUMNS, output)
    else:
        click.echo(f"No specifications in {' and '.join(map(str, directories))}.")


@click.command(short_help="Show what a container gets with a device.")
@click.argument("name")
@_directories
@click.option("--output", "-o", type=click.Choice(["text", "json"]), default="text", show_default=True)
def show(name: str, directories: tuple[Path, ...], output: str) -> Exit:
    """Show what a container gets that is given the device NAME, such as devbay.example.com/widget=w0.

    Exits with 1 if no container can be given it, and says why.
    """
    found = catalog.catalog(directories)
    if problem := found.problem(name):
        click.echo(f"devbay: {problem}", err=True)
        for broken in found.broken:
            click.echo(f"devbay: {broken.path} is passed over: {broken.problems[0]}", err=True)
        return Exit.FAILED
    listed = next(listed for listed in found.devices if listed.name == name)
    if output == "json":
        document = {
            "name": name,
            "file": str(listed.path),
            "containerEdits": [msgspec.to_builtins(edits) for edits in _edits(listed)],
        }
        click.echo(json.dumps(document, indent=2))
        return Exit.OK
    click.echo(f"{name}, from {listed.path}")
    for edits in _edits(listed):
        for what, value in _lines(edits):
            click.echo(f"  {what:<12} {value}")
    return Exit.OK


@click.command(short_help="Check specifications, whoever wrote them.")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
def validate(files: tuple[Path, ...]) -> Exit:
    """Check specifications by the rules that runtimes have: a line for each problem, with the place in the file.

    A runtime passes over a file that breaks a rule, with a line in its log at most; a container that asks for one of
    its devices then fails as "unresolvable". Fields that the format does not have are problems, and so is a cdiVersion
    older than what the file uses. Exits with 1 if there is a problem.
    """
    worst = Exit.OK
    for path in files:
        file = catalog.read(path)
        problems = list(file.problems)
        if path.suffix not in (".json", ".yaml"):
            problems.append("its name must end with .json or .yaml, or no runtime looks at it")
        for problem in problems:
            click.echo(f"{path}: {problem}")
            worst = Exit.FAILED
    return worst


def _device_row(listed: Listed) -> dict[str, object]:
    state = "usable"
    if listed.trouble:
        state = "hidden" if listed.trouble.endswith("stronger") else "conflict"
    return {
        "name": listed.name,
        "by": "devbay" if listed.is_ours else "",
        "file": str(listed.path),
        "state": state,
        "reason": listed.trouble,
    }


def _broken_rows(found: Catalog) -> Iterator[dict[str, object]]:
    for file in found.broken:
        for problem in file.problems:
            yield {"name": "", "by": "", "file": str(file.path), "state": "broken", "reason": problem}


def _edits(listed: Listed) -> list[Edits]:
    """Return what a device brings, in the order in which a runtime applies it."""
    return [edits for edits in (listed.common, listed.device.container_edits) if edits != Edits()]


def _lines(edits: Edits) -> Iterator[tuple[str, str]]:
    yield from (("environment", text) for text in edits.env)
    for node in edits.device_nodes:
        yield "device node", f"{node.path}{_from(node.host_path)} {node.permissions or 'rwm'}"
    for mount in edits.mounts:
        source = "" if mount.host_path == mount.container_path else mount.host_path
        yield "mount", f"{mount.container_path}{_from(source)} {','.join(mount.options)}".rstrip()
    for hook in edits.hooks:
        yield "hook", " ".join((hook.hook_name, hook.path, *hook.args[1:]))
    for device in edits.net_devices:
        yield "interface", f"{device.name}{_from(device.host_interface_name)}"
    for gid in edits.additional_gids:
        yield "group", str(gid)
    if edits.intel_rdt is not None:
        yield "intelRdt", json.dumps(msgspec.to_builtins(edits.intel_rdt))


def _from(source: str) -> str:
    return f" (from {source})" if source else ""
