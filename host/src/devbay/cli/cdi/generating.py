"""``devbay cdi generate``: specifications of this machine's devices, for runtimes that no kubelet talks to."""

import asyncio
from pathlib import Path

import click

from devbay.cdi import delivery, document, files, names
from devbay.cli import Exit, configuration, log
from devbay.cli.glance import glance
from devbay.errors import ConfigError, DevbayError
from devbay.model import Device
from devbay.plan import Plan
from devbay.runner import Runner
from devbay.settings import LogSection


class _Made:
    """What was made of the devices, and what could not be."""

    def __init__(self) -> None:
        self.entries: dict[str, list[document.Device]] = {}
        self.complaints: list[str] = []
        self.notes: list[str] = []


@click.command(short_help="Make specifications of this machine's devices.")
@configuration.options
@click.option("--resource", metavar="NAME", help="Only of this resource, such as nvidia.com/gpu; otherwise of all.")
@click.option(
    "--output-dir",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Write a file for each resource there, such as /var/run/cdi; otherwise they are printed.",
)
def generate(resource: str | None, output_dir: Path | None, **options: str | None) -> Exit:
    """Make specifications of the devices that the enabled backends find, for use without Kubernetes.

    For podman, docker, or containerd on machines where "devbay run" does not keep them; made again when devices change.
    Unlike those for a kubelet, they have each device's environment variables too: where a container gets several
    devices that set the same variable, the last one's counts. Exits with 1 if something could not be asked or written.
    """
    log.configure(LogSection(level="error"))
    plan = configuration.load(**options)
    if output_dir is not None and output_dir.exists() and not output_dir.is_dir():
        raise ConfigError(f"--output-dir {output_dir} is no directory")
    made = asyncio.run(_make(plan, resource))
    for name in sorted(made.entries):
        kind = names.kind_of(name)
        _put(kind, document.encode(delivery.specification(kind, made.entries[name])), output_dir)
    if not made.entries:
        where = f"; asked: {', '.join(plan.choice.enabled)}" if plan.choice.enabled else "; no backend is enabled"
        made.notes.append(f"no device{f' of {resource}' if resource else ''} needs a specification{where}")
    for line in (*made.notes, *made.complaints):
        click.echo(f"devbay: {line}", err=True)
    return Exit.FAILED if made.complaints else Exit.OK


def _put(kind: str, text: str, output_dir: Path | None) -> None:
    if output_dir is None:
        click.echo(text, nl=False)
        return
    path = output_dir / names.file_name(kind)
    files.write(path, text)
    click.echo(path)


async def _make(plan: Plan, resource: str | None) -> _Made:
    made = _Made()
    async with glance(plan) as seen:
        for sentence, code in seen.trouble():
            (made.notes if code is Exit.OK else made.complaints).append(sentence)
        for offer in seen.offers.values():
            if resource in (None, offer.resource, offer.source):
                for share in offer.shares:
                    await _ask(plan, seen.runners[offer.backend], share.status.device, made)
    return made


async def _ask(plan: Plan, runner: Runner, device: Device, made: _Made) -> None:
    try:
        edits = await runner.edit(device.resource, (device,))
    except DevbayError as error:
        made.complaints.append(f"device {device.id} of {device.resource} is left out: {error}")
        return
    entry = delivery.entry(device.id, edits, lambda path: files.real_path(path, plan.node.locate), with_env=True)
    _take(made, device.resource, device.id, entry)


def _take(made: _Made, resource: str, device_id: str, entry: document.Device | None) -> None:
    if entry is None:
        made.notes.append(f"device {device_id} of {resource} needs nothing that a specification could say")
    elif problem := delivery.entry_problem(entry):
        made.complaints.append(f"device {device_id} of {resource} is left out: {problem}")
    else:
        made.entries.setdefault(resource, []).append(entry)
