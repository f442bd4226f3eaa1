"""What is offered: whole GPUs, MIG devices by strategy, and GPUs that do not answer."""

import pytest

from devbay.api import BackendUnavailable, Device
from devbay.testing import FakeNode
from tests.backends.nvidia.machines import Machine, U, gpu, mig, uuid

MINORS = "config 1\nmonitor 2\ngpu0/gi7/access 66\ngpu0/gi7/ci0/access 67\nnonsense\n"


def information(number: int, uuid: str = "") -> str:
    """Return what the kernel module's file says of a GPU."""
    return f"Model: \t\t NVIDIA A100-SXM4-40GB\nIRQ:   \t\t 35\nGPU UUID: \t {uuid}\nDevice Minor: \t {number}\n"


def test_a_whole_gpu(machine: Machine, fake_node: FakeNode) -> None:
    """P17: a GPU has its UUID for an id, its node, its facts, and the NUMA node that the kernel knows."""
    fake_node.add({"/sys/bus/pci/devices/0000:00:00.0/numa_node": "1\n"})
    fake_node.add({"/sys/bus/pci/devices/0000:00:01.0/numa_node": "-1\n"})

    one, other = machine.discover()

    assert one == Device(
        id=uuid(0),
        resource="nvidia.com/gpu",
        numa_nodes=(1,),
        paths=("/dev/nvidia0",),
        attributes={
            "index": 0,
            "uuid": uuid(0),
            "product": "NVIDIA A100-SXM4-40GB",
            "pci_address": "0000:00:00.0",
            "minor": 0,
            "memory": 42949672960,
            "compute_capability": "8.0",
            "driver_version": "550.54.15",
            "cuda_version": "12.4",
        },
    )
    assert other.numa_nodes == ()


def test_a_mig_device(machine: Machine, fake_node: FakeNode) -> None:
    """A MIG device has its GPU for a parent, and needs the GPU's node and those of its two instances."""
    fake_node.add({"/proc/driver/nvidia-caps/mig-minors": MINORS})
    machine.keys = {"mig_strategy": "mixed"}
    machine.document["gpus"] = [gpu(0, mig_enabled=True, mig=[mig(0, 7)]), gpu(1)]
    machine.write()

    slice_, whole = machine.discover()

    assert (slice_.id, slice_.resource, slice_.parent) == (mig(0, 7)["uuid"], "nvidia.com/mig-1g.5gb", uuid(0))
    assert slice_.paths == ("/dev/nvidia0", "/dev/nvidia-caps/nvidia-cap66", "/dev/nvidia-caps/nvidia-cap67")
    facts = {"index": "0:0", "profile": "1g.5gb", "gpu_instance": 7, "compute_instance": 0, "memory": 4864 << 20}
    assert facts.items() <= slice_.attributes.items()
    assert (whole.id, whole.resource, whole.parent) == (uuid(1), "nvidia.com/gpu", None)


def test_strategies(machine: Machine) -> None:
    """With ``none`` a divided GPU is a whole one; with ``single`` its parts are GPUs; one without parts offers none."""
    machine.document["gpus"] = [gpu(0, mig_enabled=True, mig=[mig(0, 7), mig(0, 8)]), gpu(1, mig_enabled=True)]
    machine.write()
    whole = [uuid(0), uuid(1)]
    parts = [mig(0, 7)["uuid"], mig(0, 8)["uuid"]]

    for strategy, ids in (("none", whole), ("single", parts), ("mixed", parts)):
        machine.keys = {"mig_strategy": strategy}
        assert [device.id for device in machine.discover()] == ids
        assert {device.resource for device in machine.discover()} == {
            "nvidia.com/mig-1g.5gb" if strategy == "mixed" else "nvidia.com/gpu"
        }


def test_a_single_strategy_gives_what_is_alike(machine: Machine) -> None:
    """P13: one name cannot be two things: what differs is not offered, with a word, and the others are."""
    machine.keys = {"mig_strategy": "single"}
    parts = [mig(0, 7), mig(0, 8), mig(0, 2, gi_slices=3, memory_mib=19968)]
    machine.document["gpus"] = [gpu(0, mig_enabled=True, mig=parts), gpu(1)]
    machine.write()

    assert machine.reasons() == {
        parts[2]["uuid"]: "it is a 3g.20gb, and mig_strategy single offers one profile, which is 1g.5gb here",
        uuid(1): "it is not divided, and mig_strategy single offers the 1g.5gb devices of other GPUs",
    }


def test_boards_for_a_display_are_left_out(machine: Machine) -> None:
    """A workstation's display board is no GPU for pods."""
    machine.gpus[1]["product"] = "NVIDIA DGX Display"
    machine.write()

    assert [device.id for device in machine.discover()] == [uuid(0)]


def test_a_gpu_that_is_lost_while_running(machine: Machine) -> None:
    """P13: it stays what it was, MIG devices and all, with the driver's words; its neighbours are as they were."""
    machine.keys = {"mig_strategy": "mixed"}
    machine.gpus[0] |= {"mig_enabled": True, "mig": [mig(0, 7), mig(0, 8)]}
    machine.write()
    before = machine.discover()
    machine.gpus[0]["error"] = "GPU_IS_LOST"
    machine.write()

    assert machine.discover() == before
    assert machine.reasons() == dict.fromkeys([device.id for device in before[:2]], "NVML cannot read it: GPU is lost")


@pytest.mark.parametrize(
    ("told", "id_", "paths"),
    [
        (f"GPU-{U}", f"GPU-{U}", ("/dev/nvidia1",)),
        ("GPU-????????-????-????-????-????????????", "GPU-unread-0000:00:01.0", ("/dev/nvidia1",)),
    ],
)
def test_a_gpu_that_is_lost_from_the_start(
    machine: Machine, fake_node: FakeNode, told: str, id_: str, paths: tuple[str, ...]
) -> None:
    """P13: the kernel module still knows which it was, so that it has the id that it will have when it is back."""
    for number, uuid_ in enumerate((uuid(0), told)):
        path = f"/proc/driver/nvidia/gpus/0000:00:{number:02x}.0/information"
        fake_node.add({path: information(number, uuid_)})
    machine.gpus[1]["error"] = "GPU_IS_LOST"
    machine.write()

    _, lost = machine.discover()

    assert (lost.id, lost.resource, lost.paths) == (id_, "nvidia.com/gpu", paths)
    assert machine.reasons() == {id_: "NVML cannot read it: GPU is lost"}


def test_a_gpu_that_nobody_knows(machine: Machine) -> None:
    """Where not even the kernel module knows it, it is counted by its number."""
    machine.gpus[1]["error"] = "UNKNOWN"
    machine.write()

    assert machine.reasons() == {"GPU-unread-1": "NVML cannot read it: Unknown"}


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("DRIVER_NOT_LOADED", "the NVIDIA driver's kernel module is not loaded"),
        ("LIBRARY_NOT_FOUND", "no NVIDIA driver is installed"),
        ("LIB_RM_VERSION_MISMATCH", "are of different versions"),
        ("UNKNOWN", "the NVIDIA driver does not answer"),
    ],
)
def test_no_driver_is_a_normal_state(machine: Machine, error: str, words: str) -> None:
    """Each way of having no driver is a reason for a person, and the next look finds the one that came."""
    machine.document["error"] = error
    machine.write()
    with pytest.raises(BackendUnavailable, match=words):
        machine.discover()
    del machine.document["error"]
    machine.write()

    assert len(machine.discover()) == 2


def test_a_new_driver_is_opened(machine: Machine, fake_node: FakeNode) -> None:
    """A module of another version than the library's means an upgrade: the library is opened anew."""
    fake_node.add({"/proc/driver/nvidia/version": "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue\n"})
    machine.discover()
    version = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  560.35.03  Release Build\n"
    fake_node.add({"/proc/driver/nvidia/version": version})
    machine.document["driver_version"] = "560.35.03"
    machine.write()

    assert {device.attributes["driver_version"] for device in machine.discover()} == {"560.35.03"}


def test_the_order_is_the_drivers(machine: Machine) -> None:
    """P14: the same hardware is the same list, by the driver's numbers."""
    machine.load("mig-mixed")
    machine.keys = {"mig_strategy": "mixed"}

    assert [device.attributes["index"] for device in machine.discover()] == [
        *("0:0", "0:1", "0:2", "0:3"),
        *("1:0", "1:1", "1:2"),
        2,
    ]
