"""The nvidia backend keeps the contract: with whole GPUs, with MIG devices, and where a container gets all from it."""

from pathlib import Path

import pytest

from devbay.api import Device
from devbay.testing import BackendConformance, CharacterDevice, FakeNode, Rig, Tree
from devbay_nvidia import Backend
from tests.backends.nvidia.machines import Machine, gpu, mig

CONTROL: Tree = {"/dev/nvidiactl": CharacterDevice(), "/dev/nvidia-uvm": CharacterDevice()}


def rig(machine: Machine, fake_node: FakeNode, **keys: object) -> Rig:
    """Return a rig of whole GPUs."""

    def set_devices(count: int) -> None:
        nodes: Tree = {f"/dev/nvidia{number}": CharacterDevice() for number in range(count)}
        fake_node.replace(CONTROL | nodes)
        machine.document["gpus"] = [gpu(number) for number in range(count)]
        machine.write()

    def fail(device: Device) -> None:
        machine.gpus[int(device.attributes["index"])]["error"] = "GPU_IS_LOST"
        machine.write()

    def remove() -> None:
        machine.document["error"] = "DRIVER_NOT_LOADED"
        machine.write()

    set_devices(3)
    return Rig(
        Backend,
        fake_node.node,
        {"nvml": f"fake:{machine.path}"} | keys,
        set_devices=set_devices,
        fail=fail,
        remove_hardware=remove,
    )


class TestGpus(BackendConformance):
    """As it comes."""

    @pytest.fixture
    def rig(self, machine: Machine, fake_node: FakeNode) -> Rig:
        """Give three GPUs."""
        return rig(machine, fake_node)


class TestEverything(BackendConformance):
    """A container gets nodes, the driver's files and a hook from us."""

    @pytest.fixture
    def rig(self, machine: Machine, fake_node: FakeNode, tmp_path: Path) -> Rig:
        """Give three GPUs, and a driver's installation."""
        root = tmp_path / "root"
        for file in ("usr/lib64/libcuda.so.550.54.15", "usr/bin/nvidia-cdi-hook"):
            (root / file).parent.mkdir(parents=True)
            (root / file).touch()
        keys = {"device_list_strategy": "cdi-cri", "driver_root_ctr_path": f"{root}", "device_id_strategy": "index"}
        return rig(machine, fake_node, **keys)


class TestMig(BackendConformance):
    """With MIG devices under names of their own."""

    @pytest.fixture
    def rig(self, machine: Machine, fake_node: FakeNode) -> Rig:
        """Give a GPU that is divided."""

        def set_devices(count: int) -> None:
            instances: Tree = {f"/proc/driver/nvidia/capabilities/gpu0/mig/gi{n}/ci0/access": "" for n in range(count)}
            fake_node.replace(CONTROL | instances | {"/dev/nvidia0": CharacterDevice()})
            machine.document["gpus"] = [gpu(0, mig_enabled=True, mig=[mig(0, n) for n in range(count)])]
            machine.write()

        set_devices(3)
        return Rig(
            Backend,
            fake_node.node,
            {"nvml": f"fake:{machine.path}", "mig_strategy": "mixed", "pass_device_specs": True},
            set_devices=set_devices,
            remove_hardware=machine.path.unlink,
        )
