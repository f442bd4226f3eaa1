"""From a described driver through a real host to the containers of a simulated kubelet."""

import threading
from collections.abc import Callable

import pytest

from devbay.simulator import Container, Pod
from devbay.testing import CharacterDevice, FakeNode, RunningHost, SimulatedKubelet
from devbay_nvidia import Backend
from devbay_nvidia.document import Document
from devbay_nvidia.fake import Fake
from tests.backends.nvidia.machines import Machine, gpu, uuid

GPU = "nvidia.com/gpu"
Run = Callable[..., RunningHost]


@pytest.fixture
def run(machine: Machine, run_host: Run) -> Callable[..., None]:
    """Run a host with the described driver, and settings and configuration of the test's."""

    def run(configuration: dict[str, object] | None = None, **keys: object) -> None:
        settings = {"nvml": f"fake:{machine.path}"} | keys
        run_host(Backend, machine.node, name="nvidia", settings=settings, configuration=configuration or {})

    return run


def test_a_pod_is_told_its_gpus(simulated_kubelet: SimulatedKubelet, run: Callable[..., None]) -> None:
    """P14: the variable that NVIDIA's container runtime reads has the ids of exactly the devices that were given."""
    run()
    simulated_kubelet.wait_for(GPU, 2)

    container = simulated_kubelet.give(GPU, 2).container("main")

    assert sorted(container.devices[GPU]) == [uuid(0), uuid(1)]
    assert sorted(container.env["NVIDIA_VISIBLE_DEVICES"].split(",")) == [uuid(0), uuid(1)]


def test_mig_devices_have_their_names(
    machine: Machine, simulated_kubelet: SimulatedKubelet, run: Callable[..., None]
) -> None:
    """Every profile of a mixed node is a resource, those of compute slices too, beside the whole GPUs."""
    machine.load("mig-mixed")
    run(mig_strategy="mixed")
    expected = {
        GPU: 1,
        "nvidia.com/mig-1c.3g.20gb": 1,
        "nvidia.com/mig-1g.5gb": 2,
        "nvidia.com/mig-2c.3g.20gb": 1,
        "nvidia.com/mig-2g.10gb": 1,
        "nvidia.com/mig-3g.20gb": 1,
        "nvidia.com/mig-4g.20gb": 1,
    }

    kubelet = simulated_kubelet.kubelet
    simulated_kubelet.wait_until(lambda: kubelet.capacity == expected, f"capacity {expected}")


def test_an_xid_takes_every_share_at_once(
    machine: Machine, simulated_kubelet: SimulatedKubelet, run: Callable[..., None]
) -> None:
    """P12, P16: an error is heard and not looked for; all ten shares of the GPU are unhealthy, none of the other's."""
    run({"resources": {GPU: {"sharing": {"replicas": 10}}}, "health": {"scan_interval": 3600}})
    simulated_kubelet.wait_for(GPU, 20)
    pod = simulated_kubelet.give(GPU).container("main")
    machine.document["xids"] = [{"gpu": uuid(1), "xid": 79}]
    machine.write()

    simulated_kubelet.wait_for(GPU, 10)

    assert pod.devices[GPU][0].rpartition("::")[0] in (uuid(0), uuid(1))
    assert {id_.partition("::")[0] for id_, each in simulated_kubelet.devices(GPU).items() if each.healthy} == {uuid(0)}


def test_a_lost_gpu_costs_itself(
    machine: Machine, simulated_kubelet: SimulatedKubelet, run: Callable[..., None]
) -> None:
    """P13: with one of eight GPUs lost, pods that ask for several get them of the other seven."""
    machine.document["gpus"] = [gpu(number) for number in range(8)]
    machine.gpus[3]["error"] = "GPU_IS_LOST"
    machine.write()
    run()
    simulated_kubelet.wait_for(GPU, 7)

    assert simulated_kubelet.give(GPU, 7).phase == "Running"
    assert simulated_kubelet.give(GPU, pod="another").phase == "Failed"


def test_a_driver_that_comes_later(
    machine: Machine, fake_node: FakeNode, simulated_kubelet: SimulatedKubelet, run: Callable[..., None]
) -> None:
    """P11: a node whose driver is installed while devbay runs offers its GPUs as soon as ``/dev`` has them."""
    machine.document["error"] = "DRIVER_NOT_LOADED"
    machine.write()
    run({"health": {"scan_interval": 3600}})
    del machine.document["error"]
    machine.write()
    fake_node.add({"/dev/nvidiactl": CharacterDevice(), "/dev/nvidia0": CharacterDevice()})

    simulated_kubelet.wait_for(GPU, 2)


def test_a_pod_gets_two_that_are_linked(
    machine: Machine, simulated_kubelet: SimulatedKubelet, run: Callable[..., None]
) -> None:
    """P15: of eight GPUs in a cube of links, two with two links between them are given together."""
    machine.load("dgx-1v")
    run()
    simulated_kubelet.wait_for(GPU, 8)

    given = simulated_kubelet.give(GPU, 2).container("main").devices[GPU]

    one, other = (next(each for each in machine.gpus if each["uuid"] == id_) for id_ in given)
    assert one["links"][other["pci_address"]] == 2


def test_nodes_come_by_cdi(
    machine: Machine, fake_node: FakeNode, simulated_kubelet: SimulatedKubelet, run: Callable[..., None]
) -> None:
    """P18: with CDI, a container gets its GPU's node and the control nodes, and is hidden from NVIDIA's own runtime."""
    nodes = ("/dev/nvidia0", "/dev/nvidia1", "/dev/nvidiactl")
    fake_node.add(dict.fromkeys(nodes, CharacterDevice()))
    run(
        {"resources": {GPU: {"delivery": "cdi"}}},
        device_list_strategy="cdi-cri",
        driver_root_ctr_path=f"{machine.path.parent}",
        dev_root=f"{machine.node.dev.parent}",
    )
    simulated_kubelet.wait_for(GPU, 2)

    pod = simulated_kubelet.create_pod(Pod(name="p", containers=(Container(name="main", limits={GPU: 1}),)))

    container = pod.container("main")
    (index,) = (each["minor"] for each in machine.gpus if each["uuid"] in container.devices[GPU])
    given = {node.path for node in container.device_nodes} | {mount.container_path for mount in container.mounts}
    assert given == {f"/dev/nvidia{index}", "/dev/nvidiactl"}
    assert container.env["NVIDIA_VISIBLE_DEVICES"] == "void"


class Watched(Fake):
    """A described driver that notes which threads ask it."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.threads: set[str] = set()

    def document(self) -> Document:
        """Note, and answer."""
        self.threads.add(threading.current_thread().name)
        return super().document()


def test_an_allocation_asks_the_driver_nothing(
    machine: Machine, simulated_kubelet: SimulatedKubelet, run_host: Run
) -> None:
    """P14, P15: preferring and giving devices costs no call of the driver's library: those who answer never ask it."""
    machine.load("dgx-h100")
    driver = Watched(f"{machine.path}")

    def backend() -> Backend:
        return Backend(driver=lambda _: driver)

    run_host(backend, machine.node, name="nvidia", configuration={"health": {"scan_interval": 3600}})
    simulated_kubelet.wait_for(GPU, 8)
    for number in (1, 2, 4):
        assert simulated_kubelet.give(GPU, number, pod=f"pod-{number}").phase == "Running"

    assert driver.threads <= {"nvidia-look", "nvidia-affinity", "nvidia-watch"}
