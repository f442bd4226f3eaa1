"""``devbay explain allocate``: which devices a container would best get."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import click

from devbay import preference
from devbay.cli import Exit, configuration, log, tables
from devbay.cli.explain.names import listed, near, renamed
from devbay.cli.glance import Glance, glance
from devbay.model import Device
from devbay.offers import Offer
from devbay.plan import Plan
from devbay.preference import Affinity, Explanation, Group, Policy
from devbay.settings import LogSection
from devbay.sharing import device_id


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What was seen: the offer in question, and how close its devices are."""

    offer: Offer
    affinity: Affinity

    @property
    def devices(self) -> Mapping[str, Device]:
        return {name: status.device for name, status in self.offer.devices.items()}

    @property
    def free(self) -> list[str]:
        """The ids that the kubelet would choose from on an idle node."""
        return [one for share in self.offer.shares if share.status.health for one in share.ids]


@click.command(short_help="Which devices a container would best get.")
@click.argument("resource")
@click.argument("size", type=click.IntRange(min=1))
@click.option("--available", metavar="IDS", help="Ids to choose from, by comma. Otherwise all that are healthy.")
@click.option("--must-include", metavar="IDS", default="", help="Ids that the answer must contain, by comma.")
@click.option(
    "--policy",
    type=click.Choice([policy.value for policy in Policy]),
    help="What matters first. Otherwise what is configured; else topology, or distinct if there are shares.",
)
@configuration.options
@tables.output_option
def allocate(  # noqa: PLR0913, PLR0917 - the request, as its options, which click names
    resource: str,
    size: int,
    available: str | None,
    must_include: str,
    policy: str | None,
    output: str,
    **options: str | None,
) -> Exit:
    """Say which SIZE devices of RESOURCE a container would best get, and why these.

    This is the answer to the kubelet's question for a preferred allocation: RESOURCE is a name as it is offered, and an
    id is a device's, or that of one of its shares (gpu-0::1). What pods hold at the moment is not known here; name what
    is free with --available to ask about a busy node. Exits with 1 if there are fewer than SIZE to give.
    """
    log.configure(LogSection(level="error"))
    seen = asyncio.run(_look(configuration.load(**options), resource))
    devices = seen.devices
    wanted = policy or seen.offer.policy
    explanation = preference.explain(
        devices,
        seen.free if available is None else _ids(available, "--available", devices),
        _ids(must_include, "--must-include", devices),
        size,
        policy=Policy(wanted) if wanted else None,
        affinity=seen.affinity,
    )
    if output == "json":
        click.echo(json.dumps({"resource": resource, "size": size} | _plain(explanation), indent=2))
    else:
        _show(explanation)
    if explanation.missing:
        count = len(explanation.picks)
        click.echo(
            f"devbay: {size} of {resource} were asked for, and {count} can be given: {_advice(available)}", err=True
        )
    return Exit.FAILED if explanation.missing else Exit.OK


def _advice(available: str | None) -> str:
    return "name more with --available" if available is not None else "no more devices of it are healthy"


def _ids(text: str, option: str, devices: Mapping[str, Device]) -> list[str]:
    ids = [one.strip() for one in text.split(",") if one.strip()]
    for one in ids:
        if (name := device_id(one)) not in devices:
            raise click.BadParameter(f"there is no device {name!r}; {near(name, devices)}", param_hint=option)
    return ids


async def _look(plan: Plan, resource: str) -> _Seen:
    async with glance(plan) as seen:
        seen.complain()
        offer = _offer(seen, resource)
        runner = seen.runners[offer.backend]
        affinity = preference.NO_AFFINITY
        if "affinity" in runner.backend.hooks:
            devices = tuple(status.device for status in offer.devices.values())
            affinity, lacking = await runner.affinities(devices)
            if lacking:
                click.echo(f"devbay: how close its devices are is not known of all: {lacking}", err=True)
        return _Seen(offer=offer, affinity=affinity)


def _offer(seen: Glance, resource: str) -> Offer:
    if (offer := seen.offers.get(resource)) is not None:
        return offer
    hint = renamed(resource, seen) or near(resource, seen.offers)
    raise click.BadParameter(f"no backend here offers {resource!r}; {hint}", param_hint="RESOURCE")


def _plain(explanation: Explanation) -> dict[str, object]:
    return asdict(explanation) | {"policy": explanation.policy.value, "chosen": list(explanation.chosen)}


def _show(explanation: Explanation) -> None:
    tables.show(
        [
            asdict(pick) | {"numa_nodes": list(pick.numa_nodes), "affinity": f"{pick.affinity:g}"}
            for pick in explanation.picks
        ],
        ("id", "numa_nodes", "parent", "affinity", "reason"),
        "table",
    )
    nodes = ", ".join(map(str, explanation.numa_nodes)) or "not known"
    found = "no answer is better" if explanation.exact else "the best found in bounded time"
    click.echo(
        f"\nPolicy:       {explanation.policy.value}; {found}\n"
        f"NUMA nodes:   {nodes}\n"
        f"Affinity:     {explanation.inside:g} inside, {explanation.outside:g} among the devices left\n"
        f"Left whole:   {_names(explanation.whole)}\n"
        f"Broken into:  {_names(explanation.broken)}"
    )


def _names(groups: Sequence[Group]) -> str:
    return "; ".join(f"{group} ({listed(group.devices)})" for group in groups) or "no group"
