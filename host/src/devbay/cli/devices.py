"""``devbay devices``: what would be offered here, without offering it."""

import asyncio

import click

from devbay.cli import Exit, configuration, log, tables
from devbay.contract import Rejection
from devbay.host import Plan, load
from devbay.model import Device, Health
from devbay.plugins import Installed, Rejected
from devbay.runner import Report
from devbay.settings import LogSection

_COLUMNS = ("resource", "id", "health", "numa_nodes", "paths", "attributes", "reason")


@click.command(short_help="List the devices that would be offered.")
@configuration.options
@tables.output_option
def devices(output: str, **options: str | None) -> Exit:
    """List the devices that the enabled backends find on this machine, and how they are.

    Looks once and offers nothing to anybody: safe beside a running devbay. Exits with 1 if an enabled backend could not
    be asked; a driver or hardware that is absent is no error.
    """
    log.configure(LogSection(level="error"))
    plan = configuration.load(**options)
    answers = asyncio.run(_ask_all(plan))
    rows = [row for answer in answers if isinstance(answer, Report) for row in _rows(answer)]
    if rows or output == "json":
        tables.show(rows, _COLUMNS, output)
    elif not plan.choice.enabled:
        click.echo("No backend is enabled on this node; 'devbay backends' says what is installed.")
    else:
        click.echo(f"No devices. Asked: {', '.join(plan.choice.enabled)}.")
    return _complain(answers)


async def _ask_all(plan: Plan) -> list[Report | Rejected]:
    rejected = [rejected for rejected in plan.rejected if rejected.name in plan.choice.enabled]
    return [*rejected, *await asyncio.gather(*(_ask(plan, installed) for installed in plan.enabled))]


async def _ask(plan: Plan, installed: Installed) -> Report | Rejected:
    loaded = await load(plan, installed, lambda _: None)
    if isinstance(loaded, Rejected):
        return loaded
    try:
        return await loaded.look()
    finally:
        await loaded.stop()


def _rows(report: Report) -> list[dict[str, object]]:
    return [_row(report.backend, device, health) for device, health in report.found or ()]


def _row(backend: str, device: Device, health: Health) -> dict[str, object]:
    return {
        "resource": device.resource,
        "id": device.id,
        "backend": backend,
        "health": "healthy" if health else "unhealthy",
        "reason": health.reason,
        "numa_nodes": list(device.numa_nodes),
        "parent": device.parent,
        "paths": list(device.paths),
        "attributes": dict(device.attributes),
    }


def _complain(answers: list[Report | Rejected]) -> Exit:
    worst = Exit.OK
    for answer in answers:
        if isinstance(answer, Rejected):
            click.echo(f"devbay: backend {answer.name} ({answer}) rejected: {answer.reason}", err=True)
            worst = Exit.FAILED
            continue
        if answer.reason:
            click.echo(f"devbay: backend {answer.backend} is {answer.state.value}: {answer.reason}", err=True)
            worst = max(worst, Exit.OK if answer.state.is_normal else Exit.FAILED)
        for rejection in answer.rejected:
            click.echo(f"devbay: {_rejection(answer.backend, rejection)}", err=True)
    return worst


def _rejection(backend: str, rejection: Rejection) -> str:
    return f"backend {backend}: device rejected: {rejection.item}: {rejection.reason}"
