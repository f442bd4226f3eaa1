"""The mock backend keeps the contract: with a driver's accelerators in ``/sys``, and with those that it makes."""

from pathlib import Path

import pytest

from devbay.api import Device
from devbay.testing import DIRECTORY, BackendConformance, CharacterDevice, FakeNode, Rig, Tree
from devbay_mock import Backend

CLASS = "/sys/class/custom-accelerator"


class TestFound(BackendConformance):
    """As it comes: the driver's tree is read, and nothing is made."""

    @pytest.fixture
    def rig(self, fake_node: FakeNode) -> Rig:
        """Give three accelerators of a driver."""

        def set_devices(count: int) -> None:
            files: Tree = {CLASS: DIRECTORY}
            for number in range(count):
                files[f"{CLASS}/acc{number}/status"] = "online\n"
                files[f"{CLASS}/acc{number}/numa_node"] = "0\n"
                files[f"/dev/acc{number}"] = CharacterDevice()
            fake_node.replace(files)

        def fail(device: Device) -> None:
            fake_node.add({f"{CLASS}/{device.id}/status": "offline\n"})

        def mend(device: Device) -> None:
            fake_node.add({f"{CLASS}/{device.id}/status": "online\n"})

        def remove(device: Device) -> None:
            fake_node.remove(f"{CLASS}/{device.id}", f"/dev/{device.id}")

        set_devices(3)
        return Rig(Backend, fake_node.node, set_devices=set_devices, fail=fail, mend=mend, remove=remove)


class TestMade(BackendConformance):
    """With a count: it makes its tree, in directories that the settings name."""

    @pytest.fixture
    def rig(self, fake_node: FakeNode, tmp_path: Path) -> Rig:
        """Give three accelerators that the backend makes."""
        made = tmp_path / "made"

        def fail(device: Device) -> None:
            (made / "class" / device.id / "status").write_text("offline\n")

        def mend(device: Device) -> None:
            (made / "class" / device.id / "status").write_text("online\n")

        settings = {"count": 3, "root": f"{made}/class", "device_dir": f"{made}/dev"}
        return Rig(Backend, fake_node.node, settings, fail=fail, mend=mend, places=[tmp_path])

    @pytest.mark.skip(reason="what it makes needs no hardware")
    def test_without_hardware_it_is_unavailable_or_empty(self, *_: object, **__: object) -> None:
        """Not so: with a count there are devices on any node."""
