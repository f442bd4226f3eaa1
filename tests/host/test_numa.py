"""NUMA nodes from sysfs. The PCI and DFL trees are a recorded machine's: two nodes, one on each of two root buses."""

import os
from pathlib import Path

import pytest

from devbay.model import Node
from devbay.numa import numa_nodes
from devbay.testing import BlockDevice, CharacterDevice, FakeNode, Link, Tree
from tests.backends.mock.trees import as_nobody, open_place

FPGA = "/sys/devices/pci0000:20/0000:20:02.0/0000:23:00.0"
PORT = f"{FPGA}/fpga_region/region0/dfl-port.0"
BRIDGE = "/sys/devices/pci0000:60/0000:60:01.0"
NVME = f"{BRIDGE}/0000:62:00.0"
PASSED = f"{BRIDGE}/0000:62:00.2"
VFIO = "/sys/devices/virtual/vfio/22"
RECORDED: Tree = {  # of an emulated machine's /sys and /dev: the hierarchy, names, numbers and NUMA nodes, and no more
    "/sys/devices/pci0000:20/0000:20:02.0/numa_node": "0\n",
    f"{FPGA}/numa_node": "0\n",
    f"{PORT}/numa_node": "0\n",
    f"{BRIDGE}/numa_node": "1\n",
    f"{NVME}/numa_node": "1\n",
    f"{NVME}/nvme/nvme0/uevent": "MAJOR=244\nMINOR=0\nDEVNAME=nvme0\n",
    f"{PASSED}/numa_node": "1\n",
    f"{VFIO}/uevent": "MAJOR=238\nMINOR=3\nDEVNAME=vfio/22\n",
    "/sys/kernel/iommu_groups/22/devices/0000:62:00.2": Link(PASSED),
    "/sys/dev/char/238:3": Link(VFIO),
    "/sys/dev/char/241:0": Link(PORT),
    "/sys/dev/char/244:0": Link(f"{NVME}/nvme/nvme0"),
    "/dev/dfl-port.0": CharacterDevice(241, 0),
    "/dev/nvme0": CharacterDevice(244, 0),
    "/dev/vfio/22": CharacterDevice(238, 3),
    "/dev/vfio/vfio": CharacterDevice(10, 196),
}


@pytest.fixture
def fake(fake_node: FakeNode) -> FakeNode:
    """Return the recorded machine, with real device nodes."""
    fake_node.add(RECORDED)
    if fake_node.stand_ins:
        pytest.skip("making device nodes needs root")
    return fake_node


def pci(address: str, number: str | int) -> Tree:
    """Return a PCI function."""
    return {f"/sys/devices/pci0000:00/{address}/numa_node": f"{number}\n"}


@pytest.mark.parametrize(
    ("paths", "found"),
    [
        (["/dev/nvme0"], (1,)),
        (["/dev/dfl-port.0"], (0,)),
        (["/dev/vfio/22"], (1,)),
        (["/dev/vfio/22", "/dev/vfio/vfio"], (1,)),
        (["/dev/vfio/vfio"], ()),
        (["/dev/nvme0", "/dev/dfl-port.0", "/dev/nvme0"], (0, 1)),
        (["/dev/absent"], ()),
        (["/dev/absent", "/dev/nvme0"], (1,)),
        ([], ()),
    ],
)
def test_a_device_is_where_its_parents_are(fake: FakeNode, paths: list[str], found: tuple[int, ...]) -> None:
    """P17: a device node has the NUMA node of the first parent that says one; several have each of theirs, once."""
    assert numa_nodes(fake.node, paths) == found


def test_a_platform_device_that_does_not_know(fake: FakeNode) -> None:
    """P17: a parent's -1 is passed over: the next one may know."""
    fake.add({f"{PORT}/numa_node": "-1\n"})

    assert numa_nodes(fake.node, ["/dev/dfl-port.0"]) == (0,)


def test_a_link_among_device_nodes(fake: FakeNode) -> None:
    """P17: a name that udev made for a device node is as good as the node's own."""
    fake.add({"/dev/by-id/nvme": Link("/dev/nvme0")})

    assert numa_nodes(fake.node, ["/dev/by-id/nvme"]) == (1,)


@pytest.mark.parametrize("text", ["-1\n", "", "one\n", "4294967295 nodes", b"\xff\xfe"])
def test_no_parent_that_knows(fake: FakeNode, text: str | bytes) -> None:
    """P17: the kernel's -1, and what is no number, is unknown; nothing is sent for it."""
    fake.add(dict.fromkeys([f"{NVME}/numa_node", f"{BRIDGE}/numa_node"], text))

    assert numa_nodes(fake.node, ["/dev/nvme0"]) == ()


def test_a_bridge_knows_what_its_function_does_not(fake: FakeNode) -> None:
    """P17: where firmware placed only the bridge, what is behind it is as near."""
    fake.add({f"{NVME}/numa_node": "-1\n"})

    assert numa_nodes(fake.node, ["/dev/nvme0"]) == (1,)


@pytest.mark.parametrize(
    ("path", "name"), [("/dev/vfio/5", "5"), ("/dev/vfio/noiommu-5", "noiommu-5"), ("/dev/pass-through", "5")]
)
def test_a_vfio_group_is_where_its_members_are(fake: FakeNode, path: str, name: str) -> None:
    """P17: a vfio group's node is virtual: its hardware is the IOMMU group's functions, whatever it is called."""
    functions = {"0000:00:01.0": 1, "0000:00:02.0": 0, "0000:00:03.0": -1}
    fake.add({f"/sys/devices/pci0000:00/{a}/numa_node": f"{number}\n" for a, number in functions.items()})
    fake.add({f"/sys/kernel/iommu_groups/5/devices/{a}": Link(f"/sys/devices/pci0000:00/{a}") for a in functions})
    fake.add(
        {
            f"/sys/devices/virtual/vfio/{name}/dev": "238:9\n",
            "/sys/dev/char/238:9": Link(f"/sys/devices/virtual/vfio/{name}"),
            path: CharacterDevice(238, 9),
        }
    )

    assert numa_nodes(fake.node, [path]) == (0, 1)


def test_a_vfio_group_without_an_entry_of_its_own(fake: FakeNode) -> None:
    """P17: the name ``/dev/vfio/<group>`` is enough, where sysfs has nothing under its number."""
    fake.remove("/sys/dev/char/238:3")
    fake.add({"/dev/vfio/8": CharacterDevice()})

    assert numa_nodes(fake.node, ["/dev/vfio/22"]) == (1,)
    assert numa_nodes(fake.node, ["/dev/vfio/8"]) == ()


def test_a_vfio_device_has_a_parent(fake: FakeNode) -> None:
    """P17: a device of the newer interface, ``/dev/vfio/devices/vfioN``, is below its PCI function."""
    fake.add(
        {
            f"{NVME}/vfio-dev/vfio3/dev": "511:3\n",
            "/sys/dev/char/511:3": Link(f"{NVME}/vfio-dev/vfio3"),
            "/dev/vfio/devices/vfio3": CharacterDevice(511, 3),
        }
    )

    assert numa_nodes(fake.node, ["/dev/vfio/devices/vfio3"]) == (1,)


def test_a_volume_is_where_its_disks_are(fake: FakeNode) -> None:
    """P17: a block device made of others has their NUMA nodes, also when they are made of others, or of each other."""
    virtual = "/sys/devices/virtual/block"
    fake.add(
        {
            f"{virtual}/dm-1/slaves/dm-0": Link(f"{virtual}/dm-0"),
            f"{virtual}/dm-0/slaves/nvme0n1": Link("/sys/devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1"),
            "/sys/devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1/dev": "259:1\n",
            "/sys/devices/virtual/nvme-subsystem/nvme-subsys0/nvme0": Link(f"{NVME}/nvme/nvme0"),
            "/sys/dev/block/259:1": Link("/sys/devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1"),
            "/dev/nvme0n1": BlockDevice(259, 1),
            f"{virtual}/dm-0/slaves/dm-1": Link(f"{virtual}/dm-1"),
            "/sys/dev/block/253:1": Link(f"{virtual}/dm-1"),
            "/dev/dm-1": BlockDevice(253, 1),
        }
    )

    assert numa_nodes(fake.node, ["/dev/nvme0n1"]) == (1,)
    assert numa_nodes(fake.node, ["/dev/dm-1"]) == (1,)


def test_what_is_no_device_node_is_unknown(fake: FakeNode) -> None:
    """P17: a file, a directory, a link that leads nowhere, and a path that cannot be one say nothing."""
    fake.add({"/dev/file": "244:0", "/dev/dir/file": "", "/dev/link": Link("/dev/nowhere")})

    assert numa_nodes(fake.node, ["/dev/file", "/dev/dir", "/dev/link", "/dev/nul\0", "/dev/" + "x" * 300]) == ()


@pytest.mark.parametrize(
    "target", ["/sys/dev/char/244:0", "/sys/devices/nowhere", "/sys/kernel/elsewhere", "/sys/devices", "/usr"]
)
def test_an_entry_that_leads_astray(fake: FakeNode, target: str) -> None:
    """P17: links in a circle, into nothing, or to what is no device, are unknown."""
    fake.add({"/sys/kernel/elsewhere/numa_node": "1\n", "/sys/dev/char/244:0": Link(target)})

    assert numa_nodes(fake.node, ["/dev/nvme0"]) == ()


def test_without_sysfs(fake: FakeNode, tmp_path: Path) -> None:
    """P17: where the node's /sys is not to be found, all is unknown."""
    node = Node(name="n", sys=tmp_path / "nowhere", dev=fake.node.dev)

    assert numa_nodes(node, ["/dev/nvme0"]) == ()


@pytest.mark.parametrize(
    ("closed", "found"), [("/dev", ()), ("/sys/dev", ()), ("/sys/devices", ()), (NVME, ()), (f"{NVME}/numa_node", (1,))]
)
def test_what_may_not_be_read(closed: str, found: tuple[int, ...]) -> None:
    """P17: a part of /sys or of /dev that does not let us in is unknown, and no error; a parent may still say it."""
    with open_place() as place:
        fake = FakeNode(place / "node")
        fake.add(RECORDED)
        where = place / "node" / closed.lstrip("/")
        where.chmod(0o000)
        with as_nobody():
            before = numa_nodes(fake.node, ["/dev/nvme0"])
        where.chmod(0o755)
        if fake.stand_ins:
            pytest.skip("making device nodes needs root")

    assert before == found


def test_sysfs_behind_a_link(fake: FakeNode, tmp_path: Path) -> None:
    """P17: a /sys that is itself a link, as a pod's mount may be, is followed."""
    (tmp_path / "link").symlink_to(fake.node.sys)

    assert numa_nodes(Node(name="n", sys=tmp_path / "link", dev=fake.node.dev), ["/dev/nvme0"]) == (1,)


def test_this_machine() -> None:
    """P17: on a real /sys nothing raises, and what is said are NUMA nodes that this machine has."""
    devices = [os.fspath(path) for path in Path("/dev").rglob("*") if not path.is_dir()]
    known = {int(path.name.removeprefix("node")) for path in Path("/sys/devices/system/node").glob("node[0-9]*")}

    assert set(numa_nodes(Node(name="here"), devices)) <= known
