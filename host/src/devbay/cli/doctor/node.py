"""Checks of the Node object: whether the cluster knows of the resources what is so here, and what is stale in it."""

from collections.abc import Iterator

from devbay.apiserver.nodes import NodeStatus
from devbay.cli.doctor.findings import Finding, Findings
from devbay.cli.doctor.scene import Scene

_node = Findings("node-status")
_LOOK = 'kubectl get node {node} -o jsonpath=\'{{.status.capacity}}{{"\\n"}}{{.status.allocatable}}{{"\\n"}}\''


def status(scene: Scene) -> Iterator[Finding]:
    """Whether the node's status has what is offered, and nothing besides."""
    name = scene.node_name
    if scene.node is None:
        yield _node.note(
            f"not looked at: {scene.node_problem}",
            f"node {name}",
            why="resources whose device plugin is gone stay in a node's status for ever, as 0",
            remedy="look at it from where kubectl works; 'devbay cleanup --node-status' and 'devbay doctor' do it with "
            "KUBECONFIG",
            command=_LOOK.format(node=name),
        )
        return
    found = [*_absent(scene, scene.node), *_different(scene, scene.node), *_stale(scene, scene.node)]
    yield from found or [_node.ok("it has what is offered here, and nothing stale", f"node {name}")]


def _absent(scene: Scene, node: NodeStatus) -> Iterator[Finding]:
    absent = [resource for resource in scene.offers if resource not in node.capacity]
    if absent:
        yield _node.problem(
            f"it does not have {', '.join(absent)}",
            f"node {node.node}",
            why="no pod that asks for it is scheduled here",
            remedy="the kubelet tells the API server within 10 s of a registration; if it does not, see whether devbay "
            "runs and the kubelet answers, above",
            command=_LOOK.format(node=node.node),
        )


def _different(scene: Scene, node: NodeStatus) -> Iterator[Finding]:
    for resource, offer in scene.offers.items():
        if resource not in node.capacity:
            continue
        healthy = sum(len(share.ids) for share in offer.shares if share.status.health)
        said = node.allocatable.get(resource, "0")
        if said != str(healthy):
            yield _node.warning(
                f"{said} of {resource} are allocatable, and {healthy} are healthy here",
                f"node {node.node}",
                why="as many pods as it says are scheduled here. It follows within 10 s; if it does not, something is "
                "wrong between devbay and the kubelet",
                remedy="look again in a minute; then see whether devbay runs and the kubelet answers, above",
                command=_LOOK.format(node=node.node),
            )


def _stale(scene: Scene, node: NodeStatus) -> Iterator[Finding]:
    registered = scene.checkpoint.registered if scene.checkpoint else {}
    stale = [
        name for name in node.resources if node.is_empty(name) and name not in scene.offers and not registered.get(name)
    ]
    if stale:
        yield _node.warning(
            f"it has {', '.join(stale)} with nothing of it",
            f"node {node.node}",
            why="left by device plugins that are gone; they confuse people and autoscalers, and stay for ever",
            remedy="take it out, if its device plugin is gone for good",
            command=node.command(stale),
        )
