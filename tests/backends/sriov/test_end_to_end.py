"""From a recorded machine to a container."""

from collections.abc import Callable

from devbay.testing import FakeNode, SimulatedKubelet
from devbay_sriov import Backend
from tests.backends.sriov import trees

POOLS = {
    "resourceList": [
        trees.resource("dpdk", pfNames=["enp33s0", "enp97s0"], drivers=["vfio-pci"]),
        trees.resource("net-dev", vendors=["8086"]),
    ]
}


def test_a_pod_gets_functions_of_a_recorded_machine(
    fake_node: FakeNode, simulated_kubelet: SimulatedKubelet, run_host: Callable[..., object]
) -> None:
    """Two functions for DPDK: their group's nodes once each, and the variables of the plugin that this replaces."""
    fake_node.add(trees.recorded())
    run_host(Backend, fake_node.node, settings=POOLS)
    simulated_kubelet.wait_for("intel.com/dpdk", 2)
    simulated_kubelet.wait_for("intel.com/net-dev", 2)

    container = simulated_kubelet.give("intel.com/dpdk", 2).container("main")

    first, second = container.devices["intel.com/dpdk"]
    assert {first, second} == {"0000:21:10.2", "0000:61:10.2"}
    group = {"0000:21:10.2": "/dev/vfio/18", "0000:61:10.2": "/dev/vfio/20"}
    paths = {node.path for node in container.device_nodes} | {mount.container_path for mount in container.mounts}
    assert paths == {"/dev/vfio/vfio", "/dev/vfio/18", "/dev/vfio/20"}
    told = {
        name: f'"{name}":{{"generic":{{"deviceID":"{name}"}},'
        f'"vfio":{{"dev-mount":"{group[name]}","mount":"/dev/vfio/vfio"}}}}'
        for name in sorted(group)
    }
    assert container.env == {
        "PCIDEVICE_INTEL_COM_DPDK": f"{first},{second}",
        "PCIDEVICE_INTEL_COM_DPDK_INFO": "{" + ",".join(told.values()) + "}",
    }


def test_a_function_that_is_made_and_bound_becomes_allocatable(
    fake_node: FakeNode, simulated_kubelet: SimulatedKubelet, run_host: Callable[..., object]
) -> None:
    """P11: a virtual function that appears while devbay runs is offered once a driver is bound to it."""
    fake_node.add(trees.family("0000:3b:00.0", "ens1f0", {0: "0000:3b:02.0"}))
    fake_node.add(trees.vfio("0000:3b:02.0", 7))
    run_host(Backend, fake_node.node, settings={"resourceList": [trees.resource(pfNames=["ens1f0"])]})
    simulated_kubelet.wait_for("intel.com/pool", 1)

    fake_node.add(trees.family("0000:3b:00.0", "ens1f0", {0: "0000:3b:02.0", 1: "0000:3b:02.1"}))
    fake_node.add(trees.vfio("0000:3b:02.1", 8))

    simulated_kubelet.wait_for("intel.com/pool", 2)


def test_functions_of_two_pools_and_ways_of_delivery_meet_in_one_container(
    fake_node: FakeNode, simulated_kubelet: SimulatedKubelet, run_host: Callable[..., object]
) -> None:
    """P18: by CDI too, a pool of plain interfaces has no nodes to deliver, and is not refused for it."""
    fake_node.add(trees.recorded())
    run_host(Backend, fake_node.node, settings=POOLS, configuration={"resources": {"*": {"delivery": "cdi"}}})
    simulated_kubelet.wait_for("intel.com/net-dev", 2)

    container = simulated_kubelet.give("intel.com/net-dev").container("main")

    assert container.state == "Running"
    (device,) = container.devices["intel.com/net-dev"]
    assert container.env["PCIDEVICE_INTEL_COM_NET_DEV"] == container.env["PCIDEVICE_INTEL_COM_NET-DEV"] == device
