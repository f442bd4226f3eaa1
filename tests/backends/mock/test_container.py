"""What a container gets for its devices."""

from datetime import UTC, datetime, timedelta

import pytest

from devbay.api import ContainerEdits, Device, DeviceNode, Mount
from tests.backends.mock.trees import Tree


def device(device_id: str, library: str = "") -> Device:
    """Return a device as `discover` would."""
    attributes = {"library": library} if library else {}
    return Device(id=device_id, resource="example.com/a", paths=(f"/dev/{device_id}",), attributes=attributes)


def edit(tree: Tree, *devices: Device, **keys: object) -> ContainerEdits:
    """Ask the backend for the container edits."""
    return tree.backend.edit(tree.settings(**keys), "example.com/a", devices)


def test_what_the_guide_gives(tree: Tree) -> None:
    """The N-th device of the request is /dev/acceleratorN, in the order of the request; the library comes once."""
    library = "/usr/lib/accelerator"

    assert edit(tree, device("acc7", library), device("acc2", library)) == ContainerEdits(
        env={"ACCELERATOR_VISIBLE_DEVICES": "acc7,acc2", "ACCELERATOR_DRIVER_VERSION": "1.0.0"},
        device_nodes=(
            DeviceNode(path="/dev/accelerator0", host_path="/dev/acc7", permissions="rw"),
            DeviceNode(path="/dev/accelerator1", host_path="/dev/acc2", permissions="rw"),
        ),
        mounts=(Mount(container_path=library, host_path=library, read_only=True),),
    )


def test_no_library_no_mount(tree: Tree) -> None:
    """A library directory that the node lacks is not mounted: a runtime would create it, or refuse the container."""
    assert edit(tree, device("acc0")).mounts == ()


def test_several_devices_are_comma_lists(tree: Tree) -> None:
    """ID and PATH list all devices in the request's order, and COUNT tells how many: none is lost to the last one."""
    edits = edit(tree, device("b"), device("a"), env=["ID", "PATH", "COUNT"], env_prefix="X", container_path="")

    assert edits.env == {"X_ID": "b,a", "X_PATH": "/dev/b,/dev/a", "X_COUNT": "2"}
    assert [(node.path, node.host_path) for node in edits.device_nodes] == [("/dev/b", "/dev/b"), ("/dev/a", "/dev/a")]


def test_container_path_by_id(tree: Tree) -> None:
    """The path in the container can follow the id, and PATH tells that path."""
    edits = edit(tree, device("acc0"), container_path="/dev/x/{id}", env=["PATH"])

    assert [node.path for node in edits.device_nodes] == ["/dev/x/acc0"]
    assert edits.env == {"ACCELERATOR_PATH": "/dev/x/acc0"}


def test_empty_answer(tree: Tree) -> None:
    """Everything can be left out."""
    assert edit(tree, device("Dev-1"), env=[], device_nodes=False) == ContainerEdits()


def test_same_devices_same_answer(tree: Tree) -> None:
    """P14: the same request gives the same answer, whatever the node's files say by now."""
    tree.add("acc0")
    devices = tree.discover()
    before = edit(tree, *devices)
    (tree.dev / "acc0").unlink()

    assert edit(tree, *devices) == before


def test_annotations_are_asked_for(tree: Tree) -> None:
    """P14: annotations are off unless asked for, since the time makes the same request get another answer."""
    assert edit(tree, device("a")).annotations == {}

    before = datetime.now(UTC) - timedelta(seconds=1)
    annotations = tree.backend.edit(
        tree.settings(annotations=True), "hashfoundry.com/custom-device", [device("b"), device("a")]
    ).annotations

    assert annotations.keys() == {"hashfoundry.com/device-allocated", "hashfoundry.com/allocation-time"}
    assert annotations["hashfoundry.com/device-allocated"] == "b,a"
    assert before <= datetime.fromisoformat(annotations["hashfoundry.com/allocation-time"]) <= datetime.now(UTC)


@pytest.mark.parametrize("count", [1, 2, 16])
def test_every_device_has_a_place_of_its_own(tree: Tree, count: int) -> None:
    """No two devices of a request meet at one path of the container."""
    edits = edit(tree, *(device(f"acc{i}") for i in range(count)))

    assert len({node.path for node in edits.device_nodes}) == count
