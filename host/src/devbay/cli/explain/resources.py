"""``devbay explain resource``: what becomes of a resource's devices, who serves it, and who has them."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import click

from devbay.cli import Exit, configuration, log, tables
from devbay.cli.explain.names import near, offers_of
from devbay.cli.explain.view import View, show, view
from devbay.kubelet.directory import KubeletDirectory, answers, hash_in, resource_hash
from devbay.offers import Offer
from devbay.plan import Plan
from devbay.podresources import PodResources, Silent
from devbay.settings import LogSection

_COLUMNS = ("id", "health", "ids", "held_by", "reason")


@click.command(short_help="What becomes of a resource, and who has its devices.")
@click.argument("resource", metavar="NAME")
@configuration.options
@tables.output_option
def resource(resource: str, output: str, **options: str | None) -> Exit:
    """Say what the resource NAME is made of: its backend, its devices, how they are shared and chosen, who has them.

    NAME is a name as it is offered, or as the backend has it: then all that its devices are offered as is told. Exits
    with 1 if no device of it is healthy.
    """
    log.configure(LogSection(level="error"))
    return asyncio.run(_tell(configuration.load(**options), resource, output))


async def _tell(plan: Plan, typed: str, output: str) -> Exit:
    async with view(plan) as seen:
        found = offers_of(typed, seen.seen.offers)
        if not found:
            seen.seen.complain()
            known = {name for offer in seen.seen.offers.values() for name in (offer.resource, offer.source)}
            raise click.BadParameter(f"no backend here offers {typed!r}; {near(typed, known)}", param_hint="NAME")
        told = [(await _facts(seen, offer), _rows(seen, offer)) for offer in found]
    if output == "json":
        show("", {"resources": [facts | {"devices": rows} for facts, rows in told]}, output)
    else:
        for facts, rows in told:
            show(f"resource {facts['resource']}", {k: v for k, v in facts.items() if k != "resource"}, output)
            click.echo()
            tables.show(rows, _COLUMNS, output)
    return Exit.OK if any(share.status.health for offer in found for share in offer.shares) else Exit.FAILED


async def _facts(seen: View, offer: Offer) -> dict[str, object]:
    healthy = sum(share.status.health.healthy for share in offer.shares)
    ids = sum(len(share.ids) for share in offer.shares)
    shared = f", in {ids} shares" if ids != len(offer.shares) else ""
    ways = {seen.sharing(offer, share): None for share in offer.shares}
    renamed = f", which has them as {offer.source}" if offer.source != offer.resource else ""
    return {
        "resource": offer.resource,
        "found_by": f"backend {offer.backend} ({seen.seen.runners[offer.backend].backend}){renamed}",
        "devices_here": f"{len(offer.shares)}, {healthy} of them healthy{shared}",
        "sharing": [*ways, *(["one share for a container at most"] if offer.one_per_request else [])],
        "delivery": seen.delivery(offer),
        "policy": seen.policy(offer),
        "held": (seen.silence and f"not known: {seen.silence}") or _held(seen, offer),
        "served_by": _served(seen, offer.resource),
        "kubelet": await _kubelet(seen, offer.resource),
    }


def _held(seen: View, offer: Offer) -> str:
    count = sum(len(seen.holds(offer, share)) for share in offer.shares)
    return f"{count} of {sum(len(share.ids) for share in offer.shares)} ids"


def _served(seen: View, name: str) -> str:
    directory = KubeletDirectory(Path(seen.plan.settings.kubelet.directory))
    try:
        sockets = sorted(path for path in directory.path.iterdir() if hash_in(path.name) == resource_hash(name))
    except OSError as error:
        return f"not known: {directory.path} cannot be read: {error.strerror}"
    live = [path.name for path in sockets if answers(path)]
    return ", ".join(live) or "nobody: no devbay runs here, or it has another configuration"


async def _kubelet(seen: View, name: str) -> str:
    socket = seen.plan.settings.kubelet.pod_resources
    known = await PodResources(Path(socket)).allocatable() if socket else {}
    if isinstance(known, Silent):
        return f"not known: {known.reason}"
    count = sum(replica.resource == name for replica in known)
    return f"knows {count} healthy ids of it"


def _rows(seen: View, offer: Offer) -> list[Mapping[str, object]]:
    return [
        {
            "id": share.status.device.id,
            "health": "healthy" if share.status.health else "unhealthy",
            "ids": list(share.ids) if share.ids != (share.status.device.id,) else [],
            "held_by": list(dict.fromkeys(seen.holds(offer, share).values())),
            "reason": share.status.health.reason,
        }
        for share in offer.shares
    ]
