"""``devbay simulate pod``: pods on the node of a running simulator."""

import sys
from collections.abc import Sequence
from pathlib import Path
from types import NoneType

import click

from devbay.cli import Exit
from devbay.cli.simulate import podtext, text, where
from devbay.errors import ConfigError
from devbay.simulator import Container, Pod, PodStatus, manifest, questions, remote
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
    """Create a pod NAME, or those of a Kubernetes manifest; waits until its containers were tried to start.

    \b
    devbay simulate pod create p --limit example.com/widget=2
    devbay simulate pod create -f pod.yaml

    Exits with 1 if a pod is refused, or a container cannot be started.
    """  # noqa: D301 - click's mark for a paragraph that stays as it is
    if (name is None) == (file is None):
        raise click.UsageError("give the pod's NAME, or its manifest with --file")
    if file is not None and (limits or env or inits):
        raise click.UsageError("--limit, --env and --init are for a pod without a manifest")
    pods: Sequence[Pod]
    if name is not None:
        main = Container(name=container, limits=_limits(limits), env=dict(_pair(item, "--env") for item in env))
        first = [Container(name=f"init-{n}", limits=_limits(item.split(","))) for n, item in enumerate(inits, 1)]
        pods = [manifest.check(Pod(name=name, namespace=namespace, containers=(main,), init_containers=tuple(first)))]
    else:
        pods = _pods(file or Path("-"))
    created, refused = [], False
    for each in pods:
        try:
            created.append(where.ask(directory, questions.CreatePod(each), PodReport))
            _warn(created[-1].status)
        except remote.Refused as error:  # the other pods of a manifest are created all the same
            click.echo(f"devbay: {error}", err=True)
            refused = True
    if created or not refused:
        _show(created, output)
    return Exit.FAILED if refused or not all(_runs(report.status) for report in created) else Exit.OK


@pod.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@where.namespace_option
@where.directory_option
def delete(names: Sequence[str], namespace: str, directory: Path | None) -> Exit:
    """Delete pods. Plugins are not told; the devices are freed when the kubelet next allocates.

    Exits with 1 if one is not there; the others are deleted.
    """
    done = Exit.OK
    for name in names:
        try:
            where.ask(directory, questions.DeletePod(name, namespace), NoneType)
            click.echo(f"pod {name} deleted")
        except remote.Refused as error:
            click.echo(f"devbay: {error}", err=True)
            done = Exit.FAILED
    return done


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
        click.echo("\n".join(podtext.description(report)))
    return Exit.OK


def _pair(item: str, option: str) -> tuple[str, str]:
    key, equals, value = item.partition("=")
    if not key or not equals:
        raise ConfigError(f"{option} {item!r}: write it as NAME=VALUE")
    return key, value


def _limits(items: Sequence[str]) -> dict[str, int]:
    limits: dict[str, int] = {}
    for item in items:
        resource, count = _pair(item, "--limit or --init")
        if resource in limits:
            raise ConfigError(f"--limit or --init {item!r}: {resource} is asked for twice; say once how many")
        limits[resource] = manifest.quantity(count, resource)
    return limits


def _pods(file: Path) -> Sequence[Pod]:
    """Return the pods of a manifest; what in it is not read is said."""
    source = "standard input" if str(file) == "-" else str(file)
    try:
        written = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{source} cannot be read: {error}") from error
    read = manifest.read(written, source)
    for told in read.unread:
        click.echo(f"devbay: {told}", err=True)
    return read.pods


def _warn(status: PodStatus) -> None:
    """Say which resources a pod asked for that nobody offers: a kubelet starts its containers without a word."""
    if status.phase == "Failed":
        return
    for container in status.pod.all_containers:
        for resource in sorted(container.limits.keys() - status.container(container.name).devices):
            if container.limits[resource] and status.container(container.name).state != "Waiting":
                click.echo(
                    f"devbay: container {container.name} of pod {status.name} runs without {resource}, which no plugin "
                    "has registered; a cluster's scheduler would not have put it on this node",
                    err=True,
                )


def _runs(status: PodStatus) -> bool:
    return status.phase == "Running" and all(container.state == "Running" for container in status.containers)


def _show(reports: Sequence[PodReport], output: str) -> None:
    if output == "json":
        text.show_json(reports)
    else:
        click.echo("\n".join(podtext.rows(reports)))
