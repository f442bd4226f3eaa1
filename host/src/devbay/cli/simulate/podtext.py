"""How pods are printed: a row each as ``kubectl get pods`` does, or all of one as ``kubectl describe pod``."""

from collections.abc import Iterator, Sequence

from devbay.cli.simulate import text
from devbay.simulator import AllocatedResourceStatus, ContainerStatus, PodStatus
from devbay.simulator.reports import PodReport, delivered


def rows(reports: Sequence[PodReport]) -> Iterator[str]:
    """Yield a heading, and a line for each pod."""
    table = [("Namespace", "Name", "Ready", "Status", "Why")]
    for status in (report.status for report in reports):
        ready = sum(container.state == "Running" for container in status.containers)
        table.append(
            (status.pod.namespace, status.name, f"{ready}/{len(status.containers)}", status.phase, _why(status))
        )
    return text.columns(table, indent="")


def description(report: PodReport) -> Iterator[str]:
    """Yield what there is to say of a pod: its status, what its containers got, and what happened to it."""
    status = report.status
    top = {"Name": status.name, "Namespace": status.pod.namespace, "UID": status.pod.uid, "Node": report.node}
    why = {"Reason": status.reason, "Message": status.message} if status.reason else {}
    yield from text.fields({**top, "Status": status.phase, **why})
    for title, containers in (("Init Containers", status.init_containers), ("Containers", status.containers)):
        if containers:
            yield f"{title}:"
        for container in containers:
            yield from _container(container)
    yield "Events:"
    table = [(event.type, event.reason, f"{event.seconds_ago:.0f}s", event.message) for event in report.events]
    yield from text.columns([("Type", "Reason", "Age", "Message"), *table])


def _why(status: PodStatus) -> str:
    for container in status.init_containers + status.containers:
        if container.state == "Waiting" and container.reason:
            return f"{container.reason}: {container.message}"
    return f"{status.reason}: {status.message}" if status.reason else "-"


def _container(status: ContainerStatus) -> Iterator[str]:
    yield f"  {status.name}:"
    why = {"Reason": status.reason, "Message": status.message} if status.reason else {}
    yield from text.fields({"State": status.state, **why, "Restart Count": status.restart_count}, "    ")
    held = [f"      {resource}: {', '.join(ids)}" for resource, ids in status.devices.items()]
    yield from text.block("    Allocated", held)
    if status.allocated_resources_status:
        yield from text.block("    Allocated Resources Status", map(_health, status.allocated_resources_status))
    yield from text.block("    Environment", (f"      {name}={value}" for name, value in sorted(status.env.items())))
    for title, lines in delivered(status).items():
        yield from text.block(f"    {title}", (f"      {line}" for line in lines))
    if status.annotations:
        yield from text.block("    Annotations", (f"      {key}={value}" for key, value in status.annotations.items()))


def _health(status: AllocatedResourceStatus) -> str:
    told = ", ".join(f"{resource.resource_id} {resource.health}" for resource in status.resources)
    return f"      {status.name}: {told}"
