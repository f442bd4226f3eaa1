"""From a board's files to a pod's container: a real host on real sockets, with a simulated kubelet."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from devbay.testing import FakeNode, RunningHost, SimulatedKubelet, Tree
from devbay_fpga import Backend
from tests.backends.fpga import trees

Run = Callable[..., object]


@dataclass(frozen=True)
class Case:
    """A board, and what a container gets of it."""

    tree: Tree
    resource: str
    device: str
    nodes: frozenset[str]


CASES = {
    "dfl": Case(trees.dfl(), trees.AF, "dfl-port.0", frozenset({"/dev/dfl-port.0"})),
    "alveo": Case(trees.Card().tree, trees.U200, "0000:04:00.1", frozenset({"/dev/dri/renderD128"})),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_pod_gets_exactly_its_cards_nodes(
    fake_node: FakeNode, simulated_kubelet: SimulatedKubelet, run_host: Run, case: Case
) -> None:
    """A container that asks for a card gets the card's own nodes, and neither the FME's nor the managing function's."""
    fake_node.add(case.tree)
    run_host(Backend, fake_node.node)
    simulated_kubelet.wait_for(case.resource, 1)

    pod = simulated_kubelet.give(case.resource)

    assert pod.phase == "Running"
    container = pod.container("main")
    assert container.devices == {case.resource: (case.device,)}
    assert {each.path for each in container.device_nodes} | {
        each.container_path for each in container.mounts
    } == case.nodes
    assert container.env["FPGA_DEVICES"] == case.device


def test_a_card_in_reset_keeps_its_resource(
    fake_node: FakeNode, simulated_kubelet: SimulatedKubelet, run_host: Run
) -> None:
    """A card in a reset is unhealthy under its own name, its neighbour is not touched, and it recovers."""
    card, other = trees.Card(), trees.U50_CARD
    fake_node.add(card.tree | other.tree)
    run_host(Backend, fake_node.node, configuration={"health": {"scan_interval": 1}})
    simulated_kubelet.wait_for(trees.U200, 1)
    simulated_kubelet.wait_for(trees.U50, 1)

    fake_node.replace(card.reset | other.tree)
    simulated_kubelet.wait_for(trees.U200, 0)

    assert simulated_kubelet.capacity == {trees.U200: 1, trees.U50: 1}
    assert simulated_kubelet.give(trees.U50).phase == "Running"
    fake_node.replace(card.tree | other.tree)
    simulated_kubelet.wait_for(trees.U200, 1)


def test_a_change_of_mode_withdraws_the_old_names(
    fake_node: FakeNode, simulated_kubelet: SimulatedKubelet, run_host: Callable[..., RunningHost]
) -> None:
    """A board that is offered in another mode is not offered in the one before: its resource has no devices left."""
    fake_node.add(trees.dfl())
    before = run_host(Backend, fake_node.node)
    simulated_kubelet.wait_for(trees.AF, 1)
    before.stop()

    run_host(Backend, fake_node.node, settings={"mode": "region"})
    simulated_kubelet.wait_for(trees.REGION, 1)

    assert simulated_kubelet.capacity[trees.REGION] == 1
    simulated_kubelet.wait_for(trees.AF, 0)
