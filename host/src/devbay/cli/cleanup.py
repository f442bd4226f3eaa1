"""``devbay cleanup``: removes what devbay leaves on a node, and from its Node object where asked to.

Only what is certainly ours and certainly nobody's any more: a socket of our pattern that refuses connections, a CDI
file of our kinds. A socket that somebody listens on is never removed, by no option: another devbay is at work on it.
"""

import json
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from devbay.apiserver import access, nodes
from devbay.apiserver.client import ApiServer
from devbay.apiserver.nodes import NodeStatus
from devbay.cdi import files, names
from devbay.cdi.shelf import Shelf
from devbay.cli import Exit, configuration, log
from devbay.cli.doctor import sockets
from devbay.cli.doctor.scene import Place, Scene, gather
from devbay.cli.doctor.sockets import Socket
from devbay.contract import resource_name_problem
from devbay.errors import DevbayError
from devbay.holders import Look
from devbay.plan import Plan
from devbay.settings import LogSection


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """One thing that was removed, would be, or stays.

    Attributes:
        what: it.
        done: what became of it: removed, would remove, stays, failed.
        reason: why it stays, or why it could not be removed.
    """

    what: str
    done: str
    reason: str = ""

    @property
    def failed(self) -> bool:
        """Whether it is still there against the will of who typed the command."""
        return self.done in {"stays", "failed"}


@click.command(short_help="Remove what devbay left on this node.")
@configuration.options
@click.option(
    "--kubelet-dir", metavar="DIR", help="The kubelet's device plugin directory; otherwise what is configured."
)
@click.option("--dry-run", is_flag=True, help="Say what would be removed, and remove nothing.")
@click.option("--node-status", is_flag=True, help="Take stale resources out of the Node object, too.")
@click.option(
    "--resource",
    "named",
    metavar="NAME",
    multiple=True,
    help="With --node-status: which; may be given several times. Otherwise those that would be offered here.",
)
@click.option("--output", "-o", type=click.Choice(["text", "json"]), default="text", show_default=True)
def cleanup(
    *,
    kubelet_dir: str | None,
    dry_run: bool,
    node_status: bool,
    named: tuple[str, ...],
    output: str,
    **options: str | None,
) -> Exit:
    """Remove what devbay left on this node: sockets that nobody listens on, and its CDI files.

    Stop devbay on this node first (in a cluster: remove its DaemonSet, or the node's label that it goes by). While one
    runs its CDI files stay, since it would bring them back. So does a socket that somebody listens on. Containers that
    got devices through CDI do not start again without the files: that is said, and left to you.

    With --node-status the Node object loses its entries for resources that have no devices any more. That needs
    KUBECONFIG, or a service account that may get nodes and patch nodes/status. One with devices left stays.

    Exits with 1 if something stays that should go.
    """
    log.configure(LogSection(level="error"))
    _check(named, node_status=node_status)
    plan = configuration.load(**options | {"kubelet_dir": kubelet_dir})
    scene = _scene(plan, offers=node_status and not named)
    steps = [*_sockets(scene, dry_run=dry_run), *_files(scene, dry_run=dry_run)]
    if node_status:
        steps += _status(plan.node.name, scene, named or tuple(scene.offers), dry_run=dry_run)
    _print(steps, output)
    return Exit.FAILED if any(step.failed for step in steps) else Exit.OK


def _check(named: Sequence[str], *, node_status: bool) -> None:
    if named and not node_status:
        raise click.UsageError("--resource is about the Node object: add --node-status")
    for name in named:
        if problem := resource_name_problem(name):
            raise click.BadParameter(problem, param_hint="--resource")


def _scene(plan: Plan, *, offers: bool) -> Scene:
    socket = plan.settings.kubelet.pod_resources
    place = Place(
        root=Path("/"),
        kubelet=Path(plan.settings.kubelet.directory),
        pod_resources=Path(socket) if socket else None,
        cdi=Path(plan.settings.cdi.directory),
    )
    return gather(place, plan.settings, plan if offers else None)


def _sockets(scene: Scene, *, dry_run: bool) -> Iterator[_Step]:
    for one in scene.sockets or ():
        if one.ours and one.is_dead:
            yield _remove(f"socket {one.path}", one.path.unlink, dry_run=dry_run)
        elif one.ours:
            reason = f"{one.process or 'a devbay'} listens on it" if one.is_live else f"{one.error}"
            yield _Step(what=f"socket {one.path}", done="stays", reason=reason)


def _files(scene: Scene, *, dry_run: bool) -> Iterator[_Step]:
    """Remove specifications, unless a host runs: it would bring them back within a second."""
    path = scene.place.cdi
    found = [*files.own(path), *_temporary(path)]
    live = [one for one in scene.sockets or () if one.ours and one.is_live]
    if found and live:
        reason = f"a devbay runs here ({_who(live)}) and would bring them back: stop it first"
        yield from (_Step(what=f"CDI file {file}", done="stays", reason=reason) for file in found)
        return
    for pod, resource in sorted(_dependent(scene, {file.name for file in found})):
        click.echo(f"devbay: pod {pod} holds {resource} through CDI: its containers do not start again", err=True)
    if dry_run or not found:
        yield from (_Step(what=f"CDI file {file}", done="would remove") for file in found)
        return
    try:
        gone = Shelf(path, Path, ()).remove_all()
    except DevbayError as error:
        yield _Step(what=f"CDI files in {path}", done="failed", reason=str(error))
        return
    yield from (_Step(what=f"CDI file {path / name}", done="removed") for name in gone)


def _dependent(scene: Scene, found: Collection[str]) -> set[tuple[str, str]]:
    """Return the pods that hold devices by these files, with the resource."""
    containers = scene.held.holders.containers if isinstance(scene.held, Look) else {}
    return {
        (f"{container.namespace}/{container.pod}", replica.resource)
        for container, held in containers.items()
        for replica in held
        if names.file_name(names.kind_of(replica.resource)) in found
    }


def _temporary(path: Path) -> list[Path]:
    try:
        return sorted(one for one in path.iterdir() if names.is_own_temporary(one.name))
    except OSError:
        return []


def _who(live: Sequence[Socket]) -> str:
    return ", ".join(dict.fromkeys(one.process or one.path.name for one in live))


def _status(node: str, scene: Scene, resources: Sequence[str], *, dry_run: bool) -> Iterator[_Step]:
    try:
        server = ApiServer(access.find(os.environ))
        status = nodes.read(server, node)
        stale = [resource for resource in resources if resource in status.resources and status.is_empty(resource)]
        yield from _kept(scene, status, resources)
        if stale and not dry_run:
            nodes.remove(server, status, stale)
    except DevbayError as error:
        yield _Step(what=f"node {node}", done="failed", reason=str(error))
        return
    done = "would remove" if dry_run else "removed"
    yield from (_Step(what=f"{resource} of node {node}", done=done) for resource in stale)


def _kept(scene: Scene, status: NodeStatus, resources: Sequence[str]) -> Iterator[_Step]:
    for resource in resources:
        if resource in status.resources and not status.is_empty(resource):
            served = bool(sockets.of(scene.sockets or (), resource))
            reason = f"it has {status.capacity.get(resource, '0')}, {status.allocatable.get(resource, '0')} allocatable"
            hint = "a devbay serves it" if served else "a kubelet sets it to 0 five minutes after its plugin is gone"
            yield _Step(what=f"{resource} of node {status.node}", done="stays", reason=f"{reason}; {hint}")


def _remove(what: str, remove: Callable[[], None], *, dry_run: bool) -> _Step:
    if dry_run:
        return _Step(what=what, done="would remove")
    try:
        remove()
    except FileNotFoundError:
        return _Step(what=what, done="removed")
    except OSError as error:
        return _Step(what=what, done="failed", reason=f"{error.strerror}; run it as root")
    return _Step(what=what, done="removed")


def _print(steps: Sequence[_Step], output: str) -> None:
    if output == "json":
        rows = [{"what": step.what, "done": step.done, "reason": step.reason} for step in steps]
        click.echo(json.dumps(rows, indent=2))
        return
    for step in steps:
        click.echo(f"{step.done}: {step.what}{f': {step.reason}' if step.reason else ''}")
    if not steps:
        click.echo("Nothing of devbay is left here.")
