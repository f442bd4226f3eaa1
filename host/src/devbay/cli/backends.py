"""``devbay backends``: what is installed, and how each of it is doing here."""

import asyncio
from collections.abc import Mapping

import click

from devbay.cli import configuration, log, tables
from devbay.plan import Plan, load
from devbay.plugins import Installed, Rejected
from devbay.runner import Report, State
from devbay.settings import LogSection

_NONE = """\
No backend is installed, so there is nothing to offer to Kubernetes yet.
A backend is a package of its own that knows one kind of hardware. Install one beside devbay:

    pip install devbay-mock       accelerators that need no hardware, to try things out
"""


@click.command(short_help="List what is installed, and how it does here.")
@configuration.options
@tables.output_option
def backends(output: str, **options: str | None) -> None:
    """List the installed backends: whether each runs on this node, and how it does.

    Every installed backend is loaded, and those enabled here are asked for their devices once. STATE is ready,
    unavailable (its driver or hardware is absent: normal), failing, hung, rejected (it cannot be run; REASON says why
    and whose it is), or loaded (it could run, and is not enabled for this node).
    """
    log.configure(LogSection(level="error"))
    plan = configuration.load(**options)
    rows = asyncio.run(_rows(plan))
    if not rows and output == "table":
        click.echo(_NONE, nl=False)
        return
    tables.show(rows, ("name", "version", "distribution", "enabled", "state", "reason"), output)


async def _rows(plan: Plan) -> list[dict[str, object]]:
    rows = [_rejected_row(plan, rejected) for rejected in plan.rejected]
    rows += await asyncio.gather(*(_row(plan, installed) for installed in plan.installed.values()))
    return sorted(rows, key=lambda row: (str(row["name"]), str(row["distribution"])))


async def _row(plan: Plan, installed: Installed) -> dict[str, object]:
    loaded = await load(plan, installed, lambda _: None)
    if isinstance(loaded, Rejected):
        return _rejected_row(plan, loaded)
    enabled = installed.name in plan.choice.enabled
    if not enabled:
        source = plan.sources.selection().source
        where = f"in {source}" if plan.choice.line else f"since no line of {source} matches it"
        reason = f"not enabled on node {plan.node.name} {where}"
        return _cells(installed, enabled=False, state="loaded", reason=reason)
    report = await loaded.look()
    await loaded.stop()
    return _cells(installed, enabled=True, state=report.state.value, reason=_reason(report))


def _reason(report: Report) -> str:
    if report.state is not State.READY:
        return report.reason
    found = report.found or ()
    resources = sorted({device.resource for device, _ in found})
    healthy = sum(health.healthy for _, health in found)
    skipped = f", {len(report.rejected)} rejected" if report.rejected else ""
    devices = "1 device" if len(found) == 1 else f"{len(found)} devices"
    return f"{devices}, {healthy} healthy{skipped}" + (f": {', '.join(resources)}" if resources else "")


def _rejected_row(plan: Plan, rejected: Rejected) -> dict[str, object]:
    enabled = rejected.name in plan.choice.enabled
    return _cells(rejected, enabled=enabled, state="rejected", reason=rejected.reason)


def _cells(what: Installed | Rejected, *, enabled: bool, state: str, reason: str) -> dict[str, object]:
    row: Mapping[str, object] = {
        "name": what.name,
        "version": what.version,
        "distribution": what.distribution,
        "enabled": enabled,
        "state": state,
        "reason": reason,
    }
    return dict(row)
