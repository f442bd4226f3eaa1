"""What an `edit` answer for several devices is held against: the answers for each alone."""

import pytest

from devbay.api import ContainerEdits, DeviceNode, Mount
from devbay.testing.answers import disorder, left_out


def edits(*devices: str, **env: str) -> ContainerEdits:
    """Return an answer with these device nodes, a node that all devices share, and variables."""
    nodes = [DeviceNode(path=f"/dev/w{i}", host_path=f"/dev/{name}") for i, name in enumerate(devices)]
    return ContainerEdits(device_nodes=[*nodes, DeviceNode(path="/dev/control")], env={"MODE": "shared", **env})


ALONE = {"a": edits("a", ALL="a", COUNT="1"), "b": edits("b", ALL="b", COUNT="1")}


@pytest.mark.parametrize(
    ("joint", "missing"),
    [
        pytest.param(edits("a", "b", ALL="a,b", COUNT="2"), [], id="whole"),
        pytest.param(edits("a", "b", ALL="b a", COUNT="2"), [], id="another-order"),
        pytest.param(edits("a", "b", ALL="b"), ["a in env ALL, which a gets alone"], id="last-one-wins"),
        pytest.param(edits("b", ALL="a;b"), ["/dev/a in device_nodes, which a gets alone"], id="node-missing"),
    ],
)
def test_what_is_left_out(joint: ContainerEdits, missing: list[str]) -> None:
    """A device's own path or word is missed; what counts, or is shared, is nobody's own."""
    assert left_out(joint, ALONE) == missing


@pytest.mark.parametrize(
    ("joint", "places"),
    [
        pytest.param(edits("b", "a", ALL="b,a"), [], id="as-asked"),
        pytest.param(edits("a", "b", ALL="b,a"), ["device_nodes"], id="nodes-sorted"),
        pytest.param(edits("b", "a", ALL="a b"), ["env ALL"], id="words-sorted"),
        pytest.param(edits("b", ALL="b"), [], id="what-is-missing-has-no-order"),
    ],
)
def test_what_is_out_of_order(joint: ContainerEdits, places: list[str]) -> None:
    """Asked for b and then a, a list that has a first is named."""
    assert [said.partition(" has ")[0] for said in disorder(joint, ["b", "a"], ALONE)] == places


def test_the_order_of_mounts_is_nobodys_business() -> None:
    """Mounts are places, and no list: they may come in any order."""
    alone = {name: ContainerEdits(mounts=[Mount(container_path=f"/opt/{name}")]) for name in "ab"}
    joint = ContainerEdits(mounts=[Mount(container_path="/opt/a"), Mount(container_path="/opt/b")])

    assert (left_out(joint, alone), disorder(joint, ["b", "a"], alone)) == ([], [])
