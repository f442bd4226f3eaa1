"""``devbay run`` with ``events: true``, as a process beside a kubelet and an API server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from devbay.simulator import Kubelet
from tests.cli.nodes import RESOURCE, NodeTree, make
from tests.host.apiserver.server import Answer, Cluster, serving
from tests.host.events.test_sending import until
from tests.host.running import running


@pytest.fixture
def node(place: Path) -> NodeTree:
    """Make a node with two devices, whose configuration wants events."""
    node = make(place)
    node.write("config.yaml", "events: true")
    return node


@pytest.fixture
def cluster(node: NodeTree) -> Iterator[Cluster]:
    """Run an API server."""
    (node.root / "api").mkdir()
    with serving(node.root / "api") as cluster:
        yield cluster


def variables(node: NodeTree, **more: str) -> dict[str, str]:
    """Return what makes a host look soon, with this node's file."""
    soon = {"DEVBAY_CONFIG": str(node.root / "config.yaml"), "DEVBAY_HEALTH__SCAN_INTERVAL": "0.05"}
    return node.variables | soon | more


def spoil(node: NodeTree, name: str) -> None:
    """Have a device fail."""
    node.write(f"class/{name}/status", "offline\n")


async def test_a_device_that_fails_is_an_event(node: NodeTree, cluster: Cluster) -> None:
    """P12: from a status file to the cluster's events, by the host's own way."""
    async with (
        Kubelet(node.plugins) as kubelet,
        running(node.plugins, **variables(node, KUBECONFIG=str(cluster.kubeconfig()))) as host,
    ):
        await kubelet.wait_until(lambda: kubelet.allocatable.get(RESOURCE) == 2, what="two devices")
        spoil(node, "acc1")
        await until(lambda: bool(cluster.events))
        code = await host.stop()

    (event,) = cluster.events.values()
    assert event["message"] == f"Device acc1 of {RESOURCE} is unhealthy: status is offline, not online"
    assert event["involvedObject"]["name"] == "node-a"
    assert code == 0


@pytest.mark.parametrize("trouble", ["no credentials", "a server that hangs"])
async def test_the_host_goes_on_without_an_api_server(node: NodeTree, cluster: Cluster, trouble: str) -> None:
    """P12, P22: devices are offered, health is reported and the end comes as ever; the log says once what is wrong."""
    cluster.answers += [Answer(hang=True)] * 5
    kubeconfig = str(cluster.kubeconfig()) if trouble == "a server that hangs" else ""
    async with (
        Kubelet(node.plugins) as kubelet,
        running(node.plugins, **variables(node, KUBECONFIG=kubeconfig)) as host,
    ):
        await kubelet.wait_until(lambda: kubelet.allocatable.get(RESOURCE) == 2, what="two devices")
        spoil(node, "acc1")
        await kubelet.wait_until(lambda: kubelet.allocatable.get(RESOURCE) == 1, what="one device")
        if trouble == "no credentials":
            await host.says("Kubernetes Events are not sent; devices are offered all the same")
        else:
            await until(lambda: bool(cluster.asked))
        code = await host.stop()

    assert code == 0
    assert len(host.logged("Kubernetes Events are not sent; devices are offered all the same")) <= 1


async def test_nobody_is_asked_unless_events_are_wanted(node: NodeTree, cluster: Cluster) -> None:
    """P23: without ``events: true`` the API server is never talked to, whatever credentials there are."""
    node.write("config.yaml", "")
    async with (
        Kubelet(node.plugins) as kubelet,
        running(node.plugins, **variables(node, KUBECONFIG=str(cluster.kubeconfig()))),
    ):
        await kubelet.wait_until(lambda: kubelet.allocatable.get(RESOURCE) == 2, what="two devices")
        spoil(node, "acc1")
        await kubelet.wait_until(lambda: kubelet.allocatable.get(RESOURCE) == 1, what="one device")

    assert cluster.asked == []
