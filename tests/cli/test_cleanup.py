"""``devbay cleanup``: what devbay left goes, and nothing else ever does."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from devbay.simulator import Container, Kubelet, Pod
from tests.cli.conftest import Devbay, Environment
from tests.cli.nodes import RESOURCE, NodeTree, make
from tests.host.apiserver.server import Cluster, serving
from tests.host.running import running

KIND = f"devbay.{RESOURCE}"
SPECIFICATION = json.dumps(
    {"cdiVersion": "0.5.0", "kind": KIND, "devices": [{"name": "acc0", "containerEdits": {"env": ["A=1"]}}]}
)
FILE = "devbay.example.com_custom-accelerator.json"


@pytest.fixture
def node(place: Path) -> NodeTree:
    """Make a node with two devices and what a killed devbay left, beside what others have."""
    node = make(place)
    node.dead(node.ours())
    node.dead("nvidia-gpu.sock")
    node.write(f"var/run/cdi/{FILE}", SPECIFICATION)
    node.write("var/run/cdi/spec.devbay.0123456789abcdef.tmp", "{")
    node.write("var/run/cdi/nvidia.yaml", "kind: nvidia.com/gpu")
    node.write("var/run/cdi/devbay.mine.json", SPECIFICATION.replace(KIND, "mine.com/thing"))
    return node


@pytest.fixture
def cluster(node: NodeTree) -> Iterator[Cluster]:
    """Run an API server whose node has stale resources."""
    (node.root / "api").mkdir()
    with serving(node.root / "api") as running_server:
        lists = {RESOURCE: "0", "gone.example/x": "0", "live.example/y": "3", "cpu": "8"}
        running_server.nodes["node-a"] = {"status": {"capacity": dict(lists), "allocatable": dict(lists)}}
        yield running_server


def left(node: NodeTree) -> list[str]:
    """Return what is in the two directories."""
    return sorted(path.name for where in (node.plugins, node.cdi) for path in where.iterdir())


def test_what_devbay_left_goes_and_the_rest_stays(devbay: Devbay, node: NodeTree) -> None:
    """P8, P19: sockets of ours that refuse, files of ours, unfinished ones; others' stay, whatever they are called."""
    shown = devbay("cleanup", environment=node.variables)

    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.splitlines() == [
        f"removed: socket {node.plugins / node.ours()}",
        f"removed: CDI file {node.cdi / FILE}",
        f"removed: CDI file {node.cdi / 'spec.devbay.0123456789abcdef.tmp'}",
    ]
    assert left(node) == ["devbay.mine.json", "nvidia-gpu.sock", "nvidia.yaml"]
    assert devbay("cleanup", environment=node.variables).stdout == "Nothing of devbay is left here.\n"


def test_a_dry_run_removes_nothing(devbay: Devbay, node: NodeTree) -> None:
    """What would be removed is said, and is all still there."""
    before = left(node)

    shown = devbay("cleanup", "--dry-run", "-o", "json", environment=node.variables)

    assert shown.returncode == 0
    assert {step["done"] for step in json.loads(shown.stdout)} == {"would remove"}
    assert left(node) == before


def test_beside_a_running_host_nothing_of_its_goes(devbay: Devbay, node: NodeTree) -> None:
    """P8: what somebody listens on is never removed, and its CDI files would only come back."""
    (node.plugins / node.ours()).unlink()
    before = left(node)

    with node.live(node.ours(number=7)):
        shown = devbay("cleanup", environment=node.variables)

    assert shown.returncode == 1
    assert f"stays: socket {node.plugins / node.ours(number=7)}: " in shown.stdout
    assert "stop it first" in shown.stdout
    assert [name for name in before if name not in left(node)] == []


async def test_pods_that_need_the_files_are_named(devbay: Devbay, node: NodeTree) -> None:
    """P19: a container that starts again needs them: who removes them is told whose do not start any more."""
    variables = node.variables | {
        "DEVBAY_CONFIG": str(node.write("config.yaml", f"resources: {{{RESOURCE}: {{delivery: cdi}}}}"))
    }
    async with Kubelet(node.plugins, pod_resources_socket=node.root / "pr.sock") as kubelet:
        async with running(node.plugins, **variables) as host:
            await kubelet.wait_until(lambda: kubelet.allocatable.get(RESOURCE) == 2, what="two devices")
            await kubelet.create_pod(Pod(name="p", containers=(Container(name="c", limits={RESOURCE: 1}),)))
            await host.stop()
        shown = await asyncio.to_thread(devbay, "cleanup", environment=variables)

    assert f"devbay: pod default/p holds {RESOURCE} through CDI: its containers do not start again" in shown.stderr
    assert FILE not in left(node)


def status(cluster: Cluster) -> list[str]:
    """Return the resources in the node's status."""
    lists = cluster.nodes["node-a"]["status"]
    assert lists["capacity"] == lists["allocatable"]
    return sorted(lists["capacity"])


def test_stale_resources_of_this_configuration_go(devbay: Devbay, node: NodeTree, cluster: Cluster) -> None:
    """Without a name it is what would be offered here; what another device plugin left is its own."""
    config = {"KUBECONFIG": str(cluster.kubeconfig())}

    dry = devbay("cleanup", "--node-status", "--dry-run", environment=node.variables | config)
    untouched = status(cluster)
    done = devbay("cleanup", "--node-status", environment=node.variables | config)

    assert f"would remove: {RESOURCE} of node node-a" in dry.stdout
    assert RESOURCE in untouched
    assert (done.returncode, f"removed: {RESOURCE} of node node-a" in done.stdout) == (0, True)
    assert status(cluster) == ["cpu", "gone.example/x", "live.example/y"]


def test_named_resources_go_and_live_ones_stay(devbay: Devbay, node: NodeTree, cluster: Cluster) -> None:
    """What has devices left stays, and the command says so and fails."""
    shown = devbay(
        *("cleanup", "--node-status", "--resource", "gone.example/x", "--resource", "live.example/y"),
        environment=node.variables | {"KUBECONFIG": str(cluster.kubeconfig())},
    )

    assert shown.returncode == 1
    assert "stays: live.example/y of node node-a: it has 3, 3 allocatable; " in shown.stdout
    assert status(cluster) == ["cpu", RESOURCE, "live.example/y"]


@pytest.mark.parametrize(
    ("arguments", "variables", "code", "said"),
    [
        (["--resource", "a.com/b"], {}, 2, "add --node-status"),
        (["--node-status", "--resource", "nonsense"], {}, 2, "illegal resource name"),
        (["--node-status", "--resource", "a.com/b"], {}, 1, "failed: node node-a: no credentials"),
        (["--node-status"], {"KUBECONFIG": "/missing"}, 1, "failed: node node-a: kubeconfig /missing cannot be read"),
        (["--config", "/missing"], {}, 2, "/missing does not exist"),
    ],
)
def test_what_cannot_be_done_is_said(  # noqa: PLR0913, PLR0917 - two fixtures and a case
    devbay: Devbay, node: NodeTree, arguments: list[str], variables: Environment, code: int, said: str
) -> None:
    """Exit code 2 is for how it was called, 1 for what stays that should go."""
    shown = devbay("cleanup", *arguments, environment=node.variables | dict(variables))

    assert shown.returncode == code
    assert said in shown.stdout + shown.stderr
