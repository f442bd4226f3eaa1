"""What a container gets beside its nodes, which `test_discover.py` is about."""

from devbay.api import Hook, Mount
from tests.backends.fpga import trees
from tests.backends.fpga.conftest import Ask
from tests.backends.fpga.trees import AFU, INTERFACE, OTHER_AFU, Card


def test_variables_follow_the_request(ask: Ask) -> None:
    """Variables list the devices in the order of the request, and are not set where there is nothing to list."""
    asked = ask(trees.dfl(ports=[AFU, OTHER_AFU]))

    assert asked.edits("dfl-port.1", "dfl-port.0").env == {
        "FPGA_DEVICES": "dfl-port.1,dfl-port.0",
        "FPGA_PCI_ADDRESSES": "0000:3b:00.0,0000:3b:00.0",
        "FPGA_PORTS": "1,0",
        "FPGA_AFU_IDS": f"{OTHER_AFU},{AFU}",
        "FPGA_INTERFACE_IDS": f"{INTERFACE},{INTERFACE}",
    }


def test_what_one_device_lacks(ask: Ask) -> None:
    """In a list a `-` stands for a device that has nothing to say."""
    tree = Card().tree | Card(slot="0000:05:00", serial="", render=129).tree

    assert ask(tree).edits().env["FPGA_SERIALS"] == "213047802,-"


def test_libraries_are_mounted_when_asked_for(ask: Ask) -> None:
    """The OpenCL vendor file and XRT's libraries are mounted read-only, once, for XRT devices, and by no default."""
    file, directory = "/etc/OpenCL/vendors/xilinx.icd", "/opt/xilinx/xrt"
    both = {"opencl_file": file, "libraries": [directory, directory]}

    assert ask(Card().tree).edits().mounts == ()
    assert ask(trees.dfl(), **both).edits().mounts == ()
    assert ask(Card().tree | trees.U50_CARD.tree, **both).edits().mounts == (
        Mount(container_path=file, host_path=file, read_only=True),
        Mount(container_path=directory, host_path=directory, read_only=True),
    )


def test_intels_hook_is_called_when_asked_for(ask: Ask) -> None:
    """In mode `region` a runtime is told of Intel's hook as Intel's plugin tells it; in other modes of none."""
    hook = "/opt/intel/fpga-sw/intel-fpga-crihook"

    region = ask(trees.dfl(), mode="region", hook=hook).edits()

    assert region.annotations == {"com.intel.fpga.mode": "fpga.intel.com/region"}
    assert region.hooks == (Hook(hook_name="createRuntime", path=hook, args=(hook,)),)
    for other in ({"mode": "region"}, {"mode": "af", "hook": hook}, {"mode": "regiondevel", "hook": hook}):
        edits = ask(trees.dfl(), **other).edits()
        assert (edits.annotations, edits.hooks) == ({}, ())


def test_how_close_devices_are(ask: Ask) -> None:
    """Devices of one card are closest, then those below one switch, then those of one NUMA node."""
    far = Card(slot="0000:09:00", bridge="0000:00:05.0", render=131, serial="4").tree
    near = Card(slot="0000:05:00", render=129, serial="2").tree | Card(slot="0000:06:00", render=130, serial="3").tree
    asked = ask(trees.dfl(ports=[AFU, AFU]) | near | far)
    devices = {device.id: device for device in asked.devices()}

    def close(a: str, b: str) -> float:
        there, back = (asked.backend.affinity(devices[x], devices[y]) for x, y in ((a, b), (b, a)))
        assert there == back
        return there

    card = close("dfl-port.0", "dfl-port.1")
    switch = close("0000:05:00.1", "0000:06:00.1")
    numa = close("0000:05:00.1", "0000:09:00.1")
    assert card > switch > numa > 0


def test_where_a_device_is_from(ask: Ask) -> None:
    """Whoever asks why a device is here is told the directory it was found by, and what its files said."""
    asked = ask(trees.dfl())
    (device,) = asked.devices()

    told = asked.backend.explain(asked.node.node, asked.settings, device)

    assert told is not None
    assert "/sys/devices/pci0000:00/0000:00:01.0/0000:3b:00.0/fpga_region/region0/dfl-port.0" in told
    assert f"afu_id {AFU}" in told
