"""``devbay devices``: what would be offered here, without offering it."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import click

from devbay.cli import Exit, configuration, log, tables
from devbay.cli.glance import Glance, glance
from devbay.holders import Holders
from devbay.offers import Offer, Share
from devbay.plan import Plan
from devbay.podresources import PodResources, Silent
from devbay.settings import LogSection

_COLUMNS = ("resource", "id", "replicas", "health", "numa_nodes", "held_by", "paths", "attributes", "reason")


@click.command(short_help="List the devices that would be offered.")
@configuration.options
@tables.output_option
def devices(output: str, **options: str | None) -> Exit:
    """List the devices that the enabled backends find on this machine, how they are, and which pods hold them.

    Looks once and offers nothing to anybody: safe beside a running devbay. Who holds a device is the kubelet's word, of
    its pod-resources socket; without one that column is empty. Exits with 1 if an enabled backend could not be asked; a
    driver or hardware that is absent is no error.
    """
    log.configure(LogSection(level="error"))
    plan = configuration.load(**options)
    seen, holders = asyncio.run(_look(plan))
    rows = [row for offer in seen.offers.values() for row in _rows(offer, holders)]
    if rows or output == "json":
        tables.show(sorted(rows, key=lambda row: (str(row["resource"]), str(row["id"]))), _COLUMNS, output)
    elif not plan.choice.enabled:
        click.echo("No backend is enabled on this node; 'devbay backends' says what is installed.")
    else:
        click.echo(f"No devices. Asked: {', '.join(plan.choice.enabled)}.")
    for unmet in seen.unmet:
        click.echo(f"devbay: {unmet}", err=True)
    return seen.complain()


async def _look(plan: Plan) -> tuple[Glance, Holders]:
    async with glance(plan) as seen:
        socket = plan.settings.kubelet.pod_resources
        answer = await PodResources(Path(socket)).list() if socket else None
        return seen, Holders() if answer is None or isinstance(answer, Silent) else answer.holders


def _rows(offer: Offer, holders: Holders) -> Iterator[dict[str, object]]:
    for share in offer.shares:
        yield _row(offer, share, holders)


def _row(offer: Offer, share: Share, holders: Holders) -> dict[str, object]:
    device, health = share.status.device, share.status.health
    held = [holder for one in share.ids if (holder := holders.holder(offer.resource, one)) is not None]
    return {
        "resource": offer.resource,
        "id": device.id,
        "replicas": len(share.ids) if share.ids != (device.id,) else None,
        "backend": share.status.backend,
        "health": "healthy" if health else "unhealthy",
        "reason": health.reason,
        "numa_nodes": list(device.numa_nodes),
        "held_by": [f"{holder.namespace}/{holder.pod}" for holder in dict.fromkeys(held)],
        "parent": device.parent,
        "paths": list(device.paths),
        "attributes": dict(device.attributes),
    }
