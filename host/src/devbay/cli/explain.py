"""``devbay explain``: what the host would do, and why, without doing it."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches

import click

from devbay import preference
from devbay.cli import Exit, configuration, log, tables
from devbay.errors import DevbayError
from devbay.model import Device
from devbay.plan import Plan, load
from devbay.plugins import Installed, Rejected
from devbay.preference import Affinity, Explanation, Group, Policy
from devbay.settings import LogSection
from devbay.sharing import device_id

_SHOWN = 12
"""Devices of a group that are named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What one backend showed.

    Attributes:
        devices: its devices, healthy or not, by resource and id.
        healthy: ids of the healthy ones, by resource.
        affinity: how close the devices of the resource in question are.
        trouble: what could not be asked, as sentences.
    """

    devices: Mapping[str, Mapping[str, Device]]
    healthy: Mapping[str, Sequence[str]]
    affinity: Affinity = preference.NO_AFFINITY
    trouble: Sequence[str] = ()


@click.group(short_help="Say what the host would do, and why.")
def explain() -> None:
    """Say what the host would do, and why, without doing it.

    Looks at the hardware once, as 'devbay devices' does, and offers nothing to anybody: safe beside a running devbay.
    What pods hold at the moment is not known to it; name what is free with --available to ask about a busy node.
    """


@explain.command(short_help="Which devices a container would best get.")
@click.argument("resource")
@click.argument("size", type=click.IntRange(min=1))
@click.option("--available", metavar="IDS", help="Ids to choose from, by comma. Otherwise all healthy devices.")
@click.option("--must-include", metavar="IDS", default="", help="Ids that the answer must contain, by comma.")
@click.option(
    "--policy",
    type=click.Choice([policy.value for policy in Policy]),
    help="What matters first. Otherwise topology, or distinct if there are shares among the ids.",
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

    This is the answer to the kubelet's question for a preferred allocation. An id is a device's, or that of one of
    its shares (gpu-0::1). Exits with 1 if there are fewer than SIZE to give.
    """
    log.configure(LogSection(level="error"))
    plan = configuration.load(**options)
    seen = asyncio.run(_look(plan, resource))
    for trouble in (sentence for one in seen for sentence in one.trouble):
        click.echo(f"devbay: {trouble}", err=True)
    owner = _owner(seen, resource)
    devices = owner.devices[resource]
    free = owner.healthy[resource] if available is None else _ids(available, "--available", devices)
    explanation = preference.explain(
        devices,
        free,
        _ids(must_include, "--must-include", devices),
        size,
        policy=Policy(policy) if policy else None,
        affinity=owner.affinity,
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
            raise click.BadParameter(f"there is no device {name!r}; {_near(name, devices)}", param_hint=option)
    return ids


def _near(name: str, known: Mapping[str, object]) -> str:
    names = sorted(known)
    if near := get_close_matches(name, names, n=1):
        return f"did you mean {near[0]!r}?"
    shown = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
    return f"there are {shown}" if names else "there are none here; 'devbay devices' lists what there is"


def _owner(seen: Sequence[_Seen], resource: str) -> _Seen:
    """Return what the first backend with devices of a resource showed, as the host has it."""
    for one in seen:
        if resource in one.devices:
            return one
    known = {name: None for one in seen for name in one.devices}
    raise click.BadParameter(f"no backend here offers {resource!r}; {_near(resource, known)}", param_hint="RESOURCE")


async def _look(plan: Plan, resource: str) -> list[_Seen]:
    return list(await asyncio.gather(*(_look_at(plan, installed, resource) for installed in plan.enabled)))


async def _look_at(plan: Plan, installed: Installed, resource: str) -> _Seen:
    runner = await load(plan, installed, lambda _: None)
    if isinstance(runner, Rejected):
        return _Seen(devices={}, healthy={}, trouble=[f"backend {runner.name} ({runner}) rejected: {runner.reason}"])
    try:
        report = await runner.look()
        trouble = [f"backend {report.backend} is {report.state.value}: {report.reason}"] if report.reason else []
        devices: dict[str, dict[str, Device]] = {}
        healthy: dict[str, list[str]] = {}
        for device, health in report.found or ():
            devices.setdefault(device.resource, {})[device.id] = device
            healthy.setdefault(device.resource, []).extend([device.id] if health else [])
        affinity = preference.NO_AFFINITY
        if resource in devices and "affinity" in runner.backend.hooks:
            try:
                affinity = await runner.affinities(tuple(devices[resource].values()))
            except DevbayError as error:
                trouble.append(f"how close its devices are is not known: {error}")
        return _Seen(devices=devices, healthy=healthy, affinity=affinity, trouble=trouble)
    finally:
        await runner.stop()


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
    return "; ".join(f"{group} ({_devices(group.devices)})" for group in groups) or "no group"


def _devices(ids: Sequence[str]) -> str:
    return ", ".join(ids[:_SHOWN]) + (f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else "")
