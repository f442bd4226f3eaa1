"""The fpga backend keeps the contract: with ports of one board, with boards as a whole, with cards, with a chip's."""

import pytest

from devbay.api import Device
from devbay.testing import BackendConformance, FakeNode, Rig, Tree
from devbay_fpga import Backend
from tests.backends.fpga import trees

LIBRARIES = ["asyncinotify"]
"""What comes with the backend wherever it is installed, and is imported with it."""


class TestPorts(BackendConformance):
    """DFL, as it comes: each port is a device."""

    @pytest.fixture
    def rig(self, fake_node: FakeNode) -> Rig:
        """Give three ports of one board."""

        def set_devices(count: int) -> None:
            fake_node.replace(trees.dfl(ports=[trees.AFU] * count))

        def fail(device: Device) -> None:
            base = "/sys/devices/pci0000:00/0000:00:01.0/0000:3b:00.0/fpga_region/region0"
            fake_node.add({f"{base}/{device.id}/power_state": "0x6\n"})

        set_devices(3)
        return Rig(Backend, fake_node.node, set_devices=set_devices, fail=fail, libraries=LIBRARIES)


class TestCards(BackendConformance):
    """XRT: each card is a device."""

    @pytest.fixture
    def rig(self, fake_node: FakeNode) -> Rig:
        """Give three cards."""

        def set_devices(count: int) -> None:
            tree: Tree = {}
            for number in range(count):
                slot = f"{number >> 8:04x}:{number & 255:02x}:00"
                tree |= trees.Card(slot=slot, serial=f"{number}", render=128 + number).tree
            fake_node.replace(tree)

        def fail(device: Device) -> None:
            fake_node.add({f"/sys/devices/pci0000:00/0000:00:03.0/{device.id}/dev_offline": "1\n"})

        set_devices(3)
        settings = {"libraries": ["/opt/xilinx/xrt"]}
        return Rig(Backend, fake_node.node, settings, set_devices=set_devices, fail=fail, libraries=LIBRARIES)


class TestBoards(BackendConformance):
    """DFL in mode `region`: each board is a device, with a hook of its own."""

    @pytest.fixture
    def rig(self, fake_node: FakeNode) -> Rig:
        """Give three boards of two ports."""

        def set_devices(count: int) -> None:
            tree: Tree = {}
            for number in range(count):
                address = f"{number >> 8:04x}:{number & 255:02x}:00.0"
                tree |= trees.dfl(number, [trees.AFU, trees.AFU], address=address, first_port=2 * number)
            fake_node.replace(tree)

        set_devices(3)
        settings = {"mode": "region"}
        return Rig(Backend, fake_node.node, settings, set_devices=set_devices, libraries=LIBRARIES)
