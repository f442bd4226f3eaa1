"""A node made of a dict."""

import os
import stat
from pathlib import Path

import pytest

from devbay.testing import DIRECTORY, BlockDevice, CharacterDevice, FakeNode, Link, Tree
from tests.backends.mock.trees import as_nobody, open_place

TREE: Tree = {
    "/sys/devices/pci0/widget0/status": "online\n",
    "/sys/class/widget/widget0": Link("/sys/devices/pci0/widget0"),
    "/sys/bus": DIRECTORY,
    "/proc/modules": b"widget 16384 0 - Live 0x0\n",
    "/dev/widget0": "a device file",
}


def listing(node: FakeNode) -> dict[str, str]:
    """Return what the node has: each file's and link's content, and ``/`` for an empty directory."""
    top = node.node.sys.parent
    found = {}
    for path in sorted(top.rglob("*")):
        name = f"/{path.relative_to(top)}"
        if path.is_symlink():
            found[name] = str(path.readlink())
        elif path.is_file():
            found[name] = path.read_text()
        elif not any(path.iterdir()):
            found[name] = "/"
    return found


def test_files_directories_and_links(fake_node: FakeNode) -> None:
    """Each entry is found where `Node.locate` says, with the directories above it; links stay inside."""
    fake_node.add(TREE)

    assert listing(fake_node) == {
        "/sys/devices/pci0/widget0/status": "online\n",
        "/sys/class/widget/widget0": "../../devices/pci0/widget0",
        "/sys/bus": "/",
        "/proc/modules": "widget 16384 0 - Live 0x0\n",
        "/dev/widget0": "a device file",
    }
    assert (fake_node.node.locate("/sys/class/widget/widget0") / "status").read_text() == "online\n"


def test_a_tree_replaces_another(fake_node: FakeNode) -> None:
    """What is not in the new tree is gone, with the directories that it leaves empty; what stays is not touched."""
    fake_node.add(TREE)
    file = fake_node.locate("/dev/widget0")
    before = file.stat()

    fake_node.replace({"/dev/widget0": "a device file", "/sys/bus/widget/new": "1"})

    assert listing(fake_node) == {"/dev/widget0": "a device file", "/proc": "/", "/sys/bus/widget/new": "1"}
    assert file.stat() == before


def test_a_file_changes_in_place(fake_node: FakeNode) -> None:
    """New content is in the same file, as the kernel's files change."""
    fake_node.add(TREE)
    before = fake_node.locate("/dev/widget0").stat().st_ino

    fake_node.add({"/dev/widget0": "another text"})

    assert fake_node.locate("/dev/widget0").read_text() == "another text"
    assert fake_node.locate("/dev/widget0").stat().st_ino == before


def test_an_entry_changes_its_kind(fake_node: FakeNode) -> None:
    """A path may become something else: a file a link, a directory a file."""
    fake_node.add(TREE)
    fake_node.add({"/dev/widget0": Link("null"), "/sys/devices": "flat"})

    assert listing(fake_node)["/dev/widget0"] == "null"
    assert listing(fake_node)["/sys/devices"] == "flat"


def test_removing_takes_what_is_below(fake_node: FakeNode) -> None:
    """A directory goes with all that is in it; another path is an error, as a file system has it."""
    fake_node.add(TREE)
    fake_node.remove("/sys/devices")

    assert "/sys/devices" not in {path[:12] for path in listing(fake_node)}
    with pytest.raises(FileNotFoundError):
        fake_node.remove("/sys/devices")


@pytest.mark.parametrize("path", ["dev/widget0", "/etc/passwd", "/dev", "/dev/../etc/passwd"])
def test_nothing_is_made_elsewhere(fake_node: FakeNode, path: str) -> None:
    """A path outside of the three trees is an error, and not a file on the machine that runs the test."""
    with pytest.raises(ValueError, match="below /sys, /dev and /proc"):
        fake_node.add({path: ""})


def test_device_nodes_are_real_where_they_can_be(fake_node: FakeNode) -> None:
    """Who may make device nodes gets them, of the kind and number that were asked for."""
    fake_node.add({"/dev/widget0": CharacterDevice(1, 3), "/dev/disk": BlockDevice(259, 7)})
    if fake_node.stand_ins:
        pytest.skip("this process may not make device nodes")

    null, disk = (fake_node.locate(path).stat() for path in ("/dev/widget0", "/dev/disk"))
    assert (stat.S_ISCHR(null.st_mode), null.st_rdev) == (True, os.makedev(1, 3))
    assert (stat.S_ISBLK(disk.st_mode), disk.st_rdev) == (True, os.makedev(259, 7))


def test_files_stand_in_for_device_nodes_elsewhere() -> None:
    """Anyone else gets regular files where device nodes were asked for, and a list of them."""
    with open_place() as place:
        place.chmod(0o777)
        with as_nobody():
            node = FakeNode(Path(place) / "node")
            node.add({"/dev/widget0": CharacterDevice(), "/dev/widget1": "a file anyway"})

            assert node.locate("/dev/widget0").is_file()
            assert node.stand_ins == {"/dev/widget0"}
