"""``devbay simulate node`` and ``devbay simulate restart``: the node of a running simulator."""

from collections.abc import Iterator
from pathlib import Path
from types import NoneType

import click

from devbay.cli import Exit
from devbay.cli.simulate import text, where
from devbay.simulator import DeviceStatus, questions
from devbay.simulator.devices import HEALTHY
from devbay.simulator.reports import NodeReport, ResourceReport


@click.command(short_help="Show what the node has, as 'kubectl describe node' does.")
@where.directory_option
@text.output_option
def node(directory: Path | None, output: str) -> Exit:
    """Show the node of a running simulator.

    Capacity, Allocatable and Allocated resources are what 'kubectl describe node' prints for extended resources.
    Allocatable counts healthy devices, used or not. What follows, a cluster does not show: which plugins there are,
    and each device as the kubelet knows it.
    """
    report = where.ask(directory, questions.DescribeNode(), NodeReport)
    if output == "json":
        text.show_json(report)
    else:
        click.echo("\n".join(_lines(report)))
    return Exit.OK


@click.command(short_help="Restart the kubelet: plugins must register again.")
@where.directory_option
@click.option(
    "--gap",
    type=click.FloatRange(min=0),
    default=0.0,
    show_default=True,
    help="For how many seconds it is away: kubelet.sock is there and refuses.",
)
@click.option("--reboot", is_flag=True, help="Reboot the node instead: its containers end, and are started again.")
def restart(directory: Path | None, gap: float, *, reboot: bool) -> Exit:
    """Restart a running simulator's kubelet, as on a node.

    Connections are dropped, and all sockets in its directory are deleted before the new kubelet.sock is made. A plugin
    must notice, make its socket again and register again. Pods stay.
    """
    where.ask(directory, questions.Restart(gap, reboot), NoneType)
    click.echo("the node was rebooted" if reboot else "the kubelet was restarted")
    return Exit.OK


def _lines(report: NodeReport) -> Iterator[str]:
    yield from text.fields(
        {"Name": report.name, "Kubelet Version": f"{report.version} (simulated)", "Directory": report.directory}
    )
    yield from text.block("Capacity", text.fields(report.capacity, "  "))
    yield from text.block("Allocatable", text.fields(report.allocatable, "  "))
    yield f"Pods:  {report.pods} in total"
    yield "Allocated resources:"
    yield from text.columns(
        [("Resource", "Requests", "Limits"), *((name, n, n) for name, n in report.requested.items())]
    )
    yield "Device plugins:"
    yield from text.columns([("Resource", "Socket", "Stream", "Asks for"), *map(_plugin, report.resources)])
    yield "Devices:"
    rows = [_device(one.status.name, device) for one in report.resources for device in one.devices]
    yield from text.columns([("Resource", "Id", "Health", "NUMA nodes", "Allocated"), *rows])


def _plugin(resource: ResourceReport) -> tuple[str, ...]:
    status = resource.status
    asks = [
        name
        for name, wanted in (
            ("GetPreferredAllocation", status.preferred_allocation),
            ("PreStartContainer", status.pre_start_required),
        )
        if wanted
    ]
    return status.name, status.endpoint or "-", "open" if status.streaming else "closed", ", ".join(asks) or "-"


def _device(resource: str, device: DeviceStatus) -> tuple[str, ...]:
    lost = device.health == HEALTHY and not device.healthy
    return (
        resource,
        device.id,
        "lost (its plugin is gone)" if lost else device.health,
        ", ".join(map(str, device.numa_nodes)) or "-",
        "yes" if device.allocated else "no",
    )
