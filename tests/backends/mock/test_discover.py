"""What is found in a tree."""

import os
import shutil
from pathlib import Path

import pytest

from devbay.api import BackendUnavailable, Device, Node
from tests.backends.mock.trees import Tree


def test_device_is_its_directory(tree: Tree) -> None:
    """A subdirectory whose device file exists is a device, with what its files say about it."""
    tree.add("acc0")

    assert tree.discover() == [
        Device(
            id="acc0",
            resource="example.com/custom-accelerator",
            numa_nodes=(1,),
            paths=(f"{tree.dev}/acc0",),
            attributes={"vendor": "Acme", "model": "A1", "product": "A1", "serial": "SN-7"},
        )
    ]


def test_only_directories_with_a_device_file(tree: Tree) -> None:
    """Files, hidden directories and directories without a device file are no devices."""
    tree.add("acc0")
    tree.add("nofile", device_file=None)
    tree.add(".hidden")
    (tree.root / "README").write_text("x")
    (tree.dev / "README").write_text("x")

    assert tree.ids() == ["acc0"]


def test_real_device_nodes(tree: Tree) -> None:
    """Device files may be real nodes of the node's /dev."""
    tree.add("null", device_file=None)

    assert [device.paths for device in tree.discover(device_dir="/dev")] == [("/dev/null",)]
    assert tree.reasons(device_dir="/dev") == {"null": ""}


def test_paths_are_the_nodes_own(tmp_path: Path) -> None:
    """Where the host finds /sys and /dev elsewhere, devices still carry the node's paths."""
    tree = Tree(tmp_path, node=Node(name="n", sys=tmp_path / "sys", dev=tmp_path / "dev"))
    (tmp_path / "sys/class").mkdir(parents=True)
    Tree.add(tree, "acc0")
    shutil.move(tree.root, tmp_path / "sys/class/custom-accelerator")
    keys = {"root": "/sys/class/custom-accelerator", "device_dir": "/dev"}

    assert [device.paths for device in tree.discover(**keys)] == [("/dev/acc0",)]
    assert tree.reasons(**keys) == {"acc0": ""}


def test_links_are_followed(tree: Tree) -> None:
    """The entries of a class in /sys are links to the devices' directories: they are devices too."""
    real = tree.add("acc0")
    real.rename(tree.place / "pci-device")
    (tree.root / "acc0").symlink_to(tree.place / "pci-device")
    (tree.root / "loop").symlink_to("loop")
    (tree.root / "nowhere").symlink_to("gone")

    assert tree.ids() == ["acc0"]


def test_root_that_is_missing(tree: Tree) -> None:
    """Without a tree the backend is unavailable, and says what would help."""
    with pytest.raises(BackendUnavailable, match=r"class does not exist: .*DEVBAY_MOCK__COUNT=4.*mock.root"):
        tree.discover()


def test_root_that_is_no_directory(tree: Tree) -> None:
    """A root that cannot be listed is not the same as one that is not there."""
    tree.root.write_text("x")

    with pytest.raises(BackendUnavailable, match="class cannot be read: Not a directory"):
        tree.discover()


def test_empty_root(tree: Tree) -> None:
    """A driver without devices is available and has none."""
    tree.root.mkdir()

    assert tree.discover() == []


@pytest.mark.parametrize(
    ("text", "nodes"),
    [
        ("0", (0,)),
        ("3", (3,)),
        ("-1", ()),
        ("", ()),
        ("garbage", ()),
        ("0x1", ()),
        ("1.0", ()),
        ("²", ()),
        ("1 2", ()),
        ("99999999999999999999", ()),
        ("1024", ()),
        (None, ()),
    ],
)
def test_numa_node(tree: Tree, text: str | None, nodes: tuple[int, ...]) -> None:
    """P17: a NUMA node is told only when it is known."""
    tree.add("acc0", numa_node=text)

    assert tree.discover()[0].numa_nodes == nodes


def test_one_unreadable_device_hides_no_other(tree: Tree) -> None:
    """P13: whatever stands in place of one device's files, its neighbours are found whole."""
    odd = tree.add("odd", vendor=None, model=None, serial=None, status=None)
    (odd / "vendor").mkdir()
    (odd / "model").write_bytes(b"\xff\xfe\x00")
    os.mkfifo(odd / "serial")
    os.mkfifo(odd / "status")
    tree.add("acc0")

    assert tree.ids() == ["acc0", "odd"]
    assert tree.reasons() == {"acc0": "", "odd": "status is empty, not online"}


def test_names_are_handed_on(tree: Tree) -> None:
    """P13: a name that is no legal id is left to the host to refuse by name, and hides no other."""
    for name in ("with space", "with,comma", "a::b", "é"):
        tree.add(name)
    bad = os.fsencode(tree.root) + b"/\xff"
    os.mkdir(bad)  # noqa: PTH102 - pathlib has no names that are no text
    (tree.dev / os.fsdecode(b"\xff")).write_text("x")
    tree.add("acc0")

    assert set(tree.ids()) == {"acc0", "with space", "with,comma", "a::b", "é", "\ufffd"}


def test_device_whose_file_vanishes_stays(tree: Tree) -> None:
    """A device whose file vanishes is an unhealthy device with that reason, not one that is gone."""
    tree.add("acc0")
    tree.add("acc1")
    tree.discover()
    (tree.dev / "acc0").unlink()

    assert tree.reasons() == {"acc0": f"device node {tree.dev}/acc0 is missing", "acc1": ""}


def test_device_whose_directory_vanishes_is_gone(tree: Tree) -> None:
    """A device is gone with its directory, and a later one of that name begins anew."""
    directory = tree.add("acc0")
    tree.discover()
    shutil.rmtree(directory)
    (tree.dev / "acc0").unlink()

    assert tree.ids() == []
    tree.add("acc0", device_file=None)
    assert tree.ids() == []


def test_known_devices_are_those_of_one_place(tree: Tree) -> None:
    """Where the settings name another directory of device files, what was in the old one is no reason to list it."""
    tree.add("acc0")
    tree.discover()

    assert tree.ids(device_dir=str(tree.place / "other")) == []


def test_library_is_a_fact_of_the_device(tree: Tree) -> None:
    """Whether the library directory is there is seen while discovering, so that `edit` need not look."""
    tree.add("acc0")
    library = tree.place / "lib"

    assert "library" not in tree.discover(library_dir=str(library))[0].attributes
    library.mkdir()
    assert tree.discover(library_dir=str(library))[0].attributes["library"] == str(library)
    assert "library" not in tree.discover(library_dir=str(library), library_mount="never")[0].attributes


def test_near_devices_share_a_numa_node(tree: Tree) -> None:
    """P15: two devices are close if they are on one NUMA node; unknown nodes are close to nothing."""
    for device_id, node in (("a", "0"), ("b", "0"), ("c", "1"), ("d", "-1"), ("e", "-1")):
        tree.add(device_id, numa_node=node)
    a, b, c, d, e = tree.discover()

    assert [tree.backend.affinity(a, other) for other in (b, c, d)] == [1, 0, 0]
    assert tree.backend.affinity(d, e) == 0
