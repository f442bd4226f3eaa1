"""Hearing that something changed."""

import msgspec
import pytest

from devbay.testing import FakeNode
from devbay_sriov import Settings, watcher
from tests.backends.sriov import trees

# Of `udevadm monitor --kernel --property` under Linux 6.12, while virtual functions of an 82576 were made and bound,
# and of a node with pods.
EVENTS = {
    "ACTION=add DEVPATH=/devices/pci0000:20/0000:20:00.0/0000:21:10.0 SUBSYSTEM=pci PCI_ID=8086:10CA": True,
    "ACTION=bind DEVPATH=/devices/pci0000:20/0000:20:00.0/0000:21:10.0 SUBSYSTEM=pci DRIVER=igbvf": True,
    "ACTION=add DEVPATH=/devices/pci0000:20/0000:20:00.0/0000:21:10.0/net/eth0 SUBSYSTEM=net INTERFACE=eth0": True,
    "ACTION=add DEVPATH=/devices/virtual/vfio/18 SUBSYSTEM=vfio DEVNAME=vfio/18": True,
    "ACTION=add DEVPATH=/devices/pci0000:00/0000:00:01.0/mlx5_core.sf.4 SUBSYSTEM=auxiliary": True,
    "ACTION=add DEVPATH=/devices/virtual/net/cali1 SUBSYSTEM=net INTERFACE=cali1": False,
    "ACTION=add DEVPATH=/devices/pci0000:20/0000:21:10.0/net/eth0/queues/rx-0 SUBSYSTEM=queues": False,
    "ACTION=change DEVPATH=/devices/virtual/block/loop0 SUBSYSTEM=block": False,
}


@pytest.mark.parametrize("event", EVENTS)
def test_events_that_matter(event: str) -> None:
    """Functions, their interfaces and nodes matter; pods' own interfaces come and go unheeded."""
    packet = b"\0".join([b"add@/devices/x", *event.encode().split(), b"SEQNUM=1", b""])

    assert watcher.is_event(packet) is EVENTS[event]


@pytest.mark.parametrize("packet", [b"", b"\0", b"libudev\0\xfe\xed\xca\xfe", b"add@/x\0SUBSYSTEM", b"\xff" * 40])
def test_noise_does_not_matter(packet: bytes) -> None:
    """What is no event is none."""
    assert not watcher.is_event(packet)


def test_a_glance_tells_of_functions_interfaces_and_the_file(fake_node: FakeNode) -> None:
    """Where the kernel's word is not heard, names tell, and the file's time."""
    file = fake_node.locate("/proc/config.json")
    settings = msgspec.convert({"config_file": "/proc/config.json"}, Settings)
    seen = [watcher.glance(fake_node.node, settings)]
    for change in (
        lambda: fake_node.add(trees.function("0000:00:00.1")),
        lambda: fake_node.add(trees.netdev("0000:00:00.1", "eth0")),
        lambda: file.write_text("{}"),
        lambda: file.write_text("{ }"),
    ):
        change()
        seen.append(watcher.glance(fake_node.node, settings))

    assert len(set(seen)) == 5
