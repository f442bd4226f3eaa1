"""The configurations in ``deploy/examples``: what the guides describe, and their pods."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from devbay.api import ContainerEdits, Device, DeviceNode, Mount, Node
from devbay_mock import Backend, Settings

EXAMPLES = Path(__file__).parents[3] / "deploy/examples"
NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/config.yaml"))


def section(name: str) -> dict[str, Any]:
    """Return an example's section of the mock backend."""
    document = yaml.safe_load((EXAMPLES / name / "config.yaml").read_text())
    assert document.keys() == {"backends", "mock"}
    assert document["backends"] == ["mock"]
    return dict(document["mock"])


def settings(name: str) -> Settings:
    """Return an example's settings, parsed as the host parses them."""
    return msgspec.convert(section(name), Settings)


def answer(name: str, *devices: Device) -> ContainerEdits:
    """Return what an example gives a container for these devices."""
    return Backend().edit(settings(name), devices[0].resource, devices)


@pytest.fixture
def made(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[list[Device]]:
    """Make an example's devices, in a place of the test's own, and name them as on the node."""
    backend = Backend()
    keys = section(request.param) | {"root": str(tmp_path / "class")}
    node = Node(name="n", dev=tmp_path / "dev")
    yield backend.discover(node, msgspec.convert(keys, Settings))
    backend.close()


@pytest.mark.parametrize("name", NAMES)
def test_pods_ask_for_what_is_offered(name: str) -> None:
    """Every pod of an example asks for that example's resource."""
    pods = list(yaml.safe_load_all((EXAMPLES / name / "pod.yaml").read_text()))

    assert pods
    for pod in pods:
        (container,) = pod["spec"]["containers"]
        assert container["resources"]["limits"].keys() == {settings(name).resource}


@pytest.mark.parametrize("name", NAMES)
def test_examples_are_listed(name: str) -> None:
    """The page of the examples names each directory and its resource."""
    assert f"| [{name}]({name}) | `{settings(name).resource}` |" in (EXAMPLES / "README.md").read_text()


def test_custom_accelerator() -> None:
    """The guide's answer, with its library mount once instead of once per device."""
    resource, facts = "example.com/custom-accelerator", {"library": "/usr/lib/accelerator"}
    devices = [
        Device(id=i, resource=resource, paths=(f"/dev/{i}",), attributes=facts) for i in ("device-0", "device-1")
    ]

    assert answer("custom-accelerator", *devices) == ContainerEdits(
        env={"ACCELERATOR_VISIBLE_DEVICES": "device-0,device-1", "ACCELERATOR_DRIVER_VERSION": "1.0.0"},
        device_nodes=(
            DeviceNode(path="/dev/accelerator0", host_path="/dev/device-0", permissions="rw"),
            DeviceNode(path="/dev/accelerator1", host_path="/dev/device-1", permissions="rw"),
        ),
        mounts=(Mount(container_path="/usr/lib/accelerator", host_path="/usr/lib/accelerator", read_only=True),),
    )


def test_custom_accelerator_gives_the_library_always(tmp_path: Path) -> None:
    """The example's devices carry the library whether or not this machine has it."""
    keys = section("custom-accelerator") | {"root": str(tmp_path / "class"), "device_dir": str(tmp_path), "count": 1}
    backend = Backend()

    (device,) = backend.discover(Node(name="n"), msgspec.convert(keys, Settings))

    assert device.attributes["library"] == "/usr/lib/accelerator"
    backend.close()


@pytest.mark.parametrize("made", ["hashfoundry"], indirect=True)
def test_hashfoundry(made: list[Device]) -> None:
    """The guide's four devices on two NUMA nodes; all of a request's ids and paths, not only the last one's."""
    assert [(d.id, d.resource, d.numa_nodes, d.paths) for d in made] == [
        (f"device-{i}", "hashfoundry.com/custom-device", (i % 2,), (f"/dev/hashfoundry-device-device-{i}",))
        for i in range(4)
    ]

    zero, two = "/dev/hashfoundry-device-device-0", "/dev/hashfoundry-device-device-2"
    assert answer("hashfoundry", made[2], made[0]) == ContainerEdits(
        env={
            "HASHFOUNDRY_DEVICE_ID": "device-2,device-0",
            "HASHFOUNDRY_DEVICE_PATH": f"{two},{zero}",
            "HASHFOUNDRY_DEVICE_COUNT": "2",
        },
        device_nodes=(DeviceNode(path=two, host_path=two), DeviceNode(path=zero, host_path=zero)),
    )


@pytest.mark.parametrize("made", ["sample-device-plugin"], indirect=True)
def test_sample_device_plugin(made: list[Device]) -> None:
    """Kubernetes' sample: two devices of its names, and an empty answer."""
    assert [(d.id, d.resource) for d in made] == [("Dev-1", "example.com/resource"), ("Dev-2", "example.com/resource")]

    assert answer("sample-device-plugin", *made) == ContainerEdits()
