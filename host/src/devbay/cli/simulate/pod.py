"""``devbay simulate pod``: pods on the node of a running simulator."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import NoneType

import click

from devbay.cli import Exit
from devbay.cli.simulate import text, where
from devbay.errors import ConfigError
from devbay.simulator import Container, ContainerStatus, Pod, PodStatus, manifest, questions
from devbay.simulator.reports import PodReport


@click.group(short_help="Create, list, describe and delete pods.")
def pod() -> None:
    """Pods on the node of a running simulator."""


@pod.command()
@click.argument("name", required=False)
@click.option(
    "--limit",
    "limits",
    multiple=True,
    metavar="RESOURCE=N",
    help="What the container asks for, such as example.com/x=2.",
)
@click.option("--container", default="main", show_default=True, help="The container's name.")
@click.option("--env", multiple=True, metavar="NAME=VALUE", help="A variable of the pod's own.")
@click.option(
    "--init",
    "inits",
    multiple=True,
    metavar="RESOURCE=N[,...]",
    help="Before it, an init container that asks for this and ends. The first is init-1, and so on.",
)
@click.option(
    "--file", "-f", type=click.Path(dir_okay=False, path_type=Path, allow_dash=True), help="A pod's manifest."
)
@where.namespace_option
@where.directory_option
@text.output_option
def create(  # noqa: PLR0913 - one page of options, all named
    *,
    name: str | None,
    limits: Sequence[str],
    container: str,
    env: Sequence[str],
    inits: Sequence[str],
    file: Path | None,
    namespace: str,
    directory: Path | None,
    output: str,
) -> Exit:
    r"""Create a pod NAME, or those of a Kubernetes manifest; waits until its containers were tried to start.

    \b
    devbay simulate pod create p --limit example.com/widget=2
    devbay simulate pod create -f pod.yaml

    Exits with 1 if a pod is refused, or a container cannot be started.
    """
    if (name is None) == (file is None):
        raise click.UsageError("give the pod's NAME, or its manifest with --file")
    if file is not None and (limits or env or inits):
        raise click.UsageError("--limit, --env and --init are for a pod without a manifest")
    if name is not None:
        main = Container(name=container, limits=_limits(limits), env=dict(_pair(item, "--env") for item in env))
        first = [Container(name=f"init-{n}", limits=_limits(item.split(","))) for n, item in enumerate(inits, 1)]
        pods = [manifest.check(Pod(name=name, namespace=namespace, containers=(main,), init_containers=tuple(first)))]
    else:
        pods = manifest.read(_text(file or Path("-")), str(file))
    created = [where.ask(directory, questions.CreatePod(each), PodReport) for each in pods]
    _show(created, output)
    return Exit.OK if all(_runs(report.status) for report in created) else Exit.FAILED


@pod.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@where.namespace_option
@where.directory_option
def delete(names: Sequence[str], namespace: str, directory: Path | None) -> Exit:
    """Delete pods. Plugins are not told; the devices are freed when the kubelet next allocates."""
    for name in names:
        where.ask(directory, questions.DeletePod(name, namespace), NoneType)
        click.echo(f"pod {name} deleted")
    return Exit.OK


@pod.command("restart")
@click.argument("name")
@click.option("--container", default="main", show_default=True, help="Which of its containers.")
@where.namespace_option
@where.directory_option
@text.output_option
def restart_container(name: str, container: str, namespace: str, directory: Path | None, output: str) -> Exit:
    """Restart a container, as if it had crashed: its plugin gets PreStartContainer again, and no Allocate."""
    report = where.ask(directory, questions.RestartContainer(name, namespace, container), PodReport)
    _show([report], output)
    return Exit.OK if _runs(report.status) else Exit.FAILED


@pod.command("list")
@where.directory_option
@text.output_option
def list_pods(directory: Path | None, output: str) -> Exit:
    """List the pods of all namespaces."""
    _show(where.ask(directory, questions.DescribePods(), list[PodReport]), output)
    return Exit.OK


@pod.command()
@click.argument("name")
@where.namespace_option
@where.directory_option
@text.output_option
def describe(name: str, namespace: str, directory: Path | None, output: str) -> Exit:
    """Show a pod: its status, what its containers got, and what happened to it."""
    (report,) = where.ask(directory, questions.DescribePods(name, namespace), list[PodReport])
    if output == "json":
        text.show_json(report)
    else:
        click.echo("\n".join(_describe(report)))
    return Exit.OK


def _pair(item: str, option: str) -> tuple[str, str]:
    key, equals, value = item.partition("=")
    if not key or not equals:
        raise ConfigError(f"{option} {item!r}: write it as NAME=VALUE")
    return key, value


def _limits(items: Sequence[str]) -> dict[str, int]:
    pairs = (_pair(item, "--limit or --init") for item in items)
    return {resource: manifest.quantity(count, resource) for resource, count in pairs}


def _text(file: Path) -> str:
    try:
        return sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read: {error}") from error


def _runs(status: PodStatus) -> bool:
    return status.phase == "Running" and all(container.state == "Running" for container in status.containers)


def _why(status: PodStatus) -> str:
    for container in status.init_containers + status.containers:
        if container.state == "Waiting" and container.reason:
            return f"{container.reason}: {container.message}"
    return f"{status.reason}: {status.message}" if status.reason else "-"


def _show(reports: Sequence[PodReport], output: str) -> None:
    if output == "json":
        text.show_json(reports)
        return
    rows = []
    for status in (report.status for report in reports):
        ready = sum(container.state == "Running" for container in status.containers)
        rows.append(
            (status.pod.namespace, status.name, f"{ready}/{len(status.containers)}", status.phase, _why(status))
        )
    click.echo("\n".join(text.columns([("Namespace", "Name", "Ready", "Status", "Why"), *rows], indent="")))


def _describe(report: PodReport) -> Iterator[str]:
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
    rows = [(event.type, event.reason, f"{event.seconds_ago:.0f}s", event.message) for event in report.events]
    yield from text.columns([("Type", "Reason", "Age", "Message"), *rows])


def _container(status: ContainerStatus) -> Iterator[str]:
    yield f"  {status.name}:"
    why = {"Reason": status.reason, "Message": status.message} if status.reason else {}
    yield from text.fields({"State": status.state, **why, "Restart Count": status.restart_count}, "    ")
    held = [f"      {resource}: {', '.join(ids)}" for resource, ids in status.devices.items()]
    yield from text.block("    Allocated", held)
    yield from text.block("    Environment", (f"      {name}={value}" for name, value in sorted(status.env.items())))
    nodes = (
        f"      {node.path} from {node.host_path or node.path} ({node.permissions})" for node in status.device_nodes
    )
    yield from text.block("    Devices", nodes)
    mounts = (
        f"      {mount.container_path} from {mount.host_path} ({'ro' if mount.read_only else 'rw'})"
        for mount in status.mounts
    )
    yield from text.block("    Mounts", mounts)
    if status.annotations:
        yield from text.block("    Annotations", (f"      {key}={value}" for key, value in status.annotations.items()))
    if status.cdi_names:
        yield from text.block("    CDI", (f"      {name}" for name in status.cdi_names))
