"""``devbay explain device``: why a device is here, how it is, and what becomes of it."""

import asyncio
import stat
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import click

from devbay import numa
from devbay.cdi import names as cdi_names
from devbay.cli import Exit, configuration, log, tables
from devbay.cli.explain.names import near
from devbay.cli.explain.view import View, show, view
from devbay.errors import DevbayError
from devbay.model import Device, Node
from devbay.offers import Offer, Share
from devbay.plan import Plan
from devbay.settings import LogSection
from devbay.sharing import device_id


class _Found(NamedTuple):
    """A device in the offer that it is in."""

    offer: Offer
    share: Share


@click.command(short_help="Why a device is here, how it is, and who has it.")
@click.argument("device", metavar="ID")
@click.option("--resource", metavar="NAME", help="Which resource's, where several have a device of that id.")
@configuration.options
@tables.output_option
def device(device: str, resource: str | None, output: str, **options: str | None) -> Exit:
    """Say why the device ID is here, healthy or not, what it is offered as and why, and which pods have it.

    ID is a device's, or that of one of its shares (gpu-0::1). Exits with 1 if no container can be given it now.
    """
    log.configure(LogSection(level="error"))
    return asyncio.run(_tell(configuration.load(**options), device, resource, output))


async def _tell(plan: Plan, typed: str, resource: str | None, output: str) -> Exit:
    async with view(plan) as seen:
        wanted = device_id(typed)
        found = [one for one in _all(seen) if one.share.status.device.id == wanted and _is_of(one.offer, resource)]
        if not found:
            return _absent(seen, wanted, resource)
        facts = [await _facts(seen, *one) for one in found]
        if output == "json":
            show("", {"devices": facts}, output)
        else:
            for each in facts:
                show(f"device {wanted} of {each['offered_as']}", each, output)
        return Exit.OK if all(one.share.status.health for one in found) else Exit.FAILED


def _all(seen: View) -> Iterator[_Found]:
    for offer in seen.seen.offers.values():
        for share in offer.shares:
            yield _Found(offer, share)


def _is_of(offer: Offer, resource: str | None) -> bool:
    return resource in (None, offer.resource, offer.source)


def _absent(seen: View, wanted: str, resource: str | None) -> Exit:
    """Say why there is no such device: nobody found it, or what was found cannot be used."""
    seen.seen.complain()
    for report in seen.seen.reports.values():
        for item, reason in report.rejected:
            if item == wanted:
                click.echo(f"devbay: backend {report.backend} found {item}, which cannot be used: {reason}", err=True)
                return Exit.FAILED
        for device, _ in report.found or ():  # found, and in no offer
            if device.id == wanted and resource in (None, device.resource):
                click.echo(f"devbay: {wanted} of {device.resource} is found and not offered, as was said", err=True)
                return Exit.FAILED
    known = [one.share.status.device.id for one in _all(seen) if _is_of(one.offer, resource)]
    whose = f" of {resource}" if resource else ""
    raise click.BadParameter(f"there is no device {wanted!r}{whose}; {near(wanted, known)}", param_hint="ID")


async def _facts(seen: View, offer: Offer, share: Share) -> dict[str, object]:
    device, health = share.status.device, share.status.health
    runner = seen.seen.runners[offer.backend]
    held = seen.holds(offer, share)
    try:
        said = await runner.explain(device)
    except DevbayError as error:
        said = f"not told: {error}"
    return {
        "found_by": f"backend {offer.backend} ({runner.backend})",
        "why": said.splitlines(),
        "health": "healthy" if health else f"unhealthy: {health.reason}",
        "offered_as": offer.resource,
        "sharing": seen.sharing(offer, share),
        "ids": list(share.ids),
        "held_by": held or (seen.silence and f"not known: {seen.silence}") or "nobody",
        "delivery": _delivery(seen, offer, device),
        "policy": seen.policy(offer),
        "numa_nodes": _numa(seen.plan.node, device),
        "parent": device.parent,
        "paths": {path: _path(seen.plan.node, path) for path in device.paths},
        "attributes": dict(device.attributes),
    }


def _delivery(seen: View, offer: Offer, device: Device) -> str:
    said = seen.delivery(offer)
    return said if offer.delivery == "direct" else f"{said}; as {cdi_names.qualified(offer.source, device.id)}"


def _numa(node: Node, device: Device) -> str:
    """Return the NUMA nodes with whose word they are."""
    seen = numa.numa_nodes(node, device.paths)
    if not device.numa_nodes:
        return "not known: neither the backend nor sysfs says"
    said = ", ".join(map(str, device.numa_nodes))
    if seen == device.numa_nodes:
        return f"{said}, as sysfs has it for its device nodes"
    return f"{said}, by the backend{f'; sysfs has {list(seen)} for its device nodes' if seen else ''}"


def _path(node: Node, path: str) -> str:
    try:
        status = node.locate(path).stat()
    except (OSError, ValueError) as error:
        return f"not there: {getattr(error, 'strerror', None) or error}"
    kinds: Mapping[int, str] = {stat.S_IFCHR: "a character device", stat.S_IFBLK: "a block device"}
    return kinds.get(stat.S_IFMT(status.st_mode), "no device node; containers get it as a mount")
