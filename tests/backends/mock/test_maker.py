"""Making a tree where there is no hardware, and leaving nothing behind."""

import errno
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from devbay.api import BackendUnavailable, Node
from devbay_mock import Backend, Settings
from tests.backends.mock.trees import NOBODY, Tree, as_nobody, eventually, open_place

FILES = {"vendor", "model", "serial", "numa_node", "status", "error_count", "temperature"}

HOST = """
import sys, msgspec, json
from devbay_mock import Backend, Settings
from devbay.api import Node
backend = Backend()
settings = msgspec.convert(json.loads(sys.argv[1]), Settings)
print(*(d.id for d in backend.discover(Node(name="n"), settings)), flush=True)
sys.stdin.readline()
backend.close()
"""


@contextmanager
def another_process(tree: Tree, **keys: object) -> Iterator["subprocess.Popen[str]"]:
    """Run the backend on the same root in another process; ended by a line on its standard input."""
    with making(tree, **keys) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process


@contextmanager
def making(tree: Tree, **keys: object) -> Iterator["subprocess.Popen[str]"]:
    """As `another_process`, from the moment at which it begins."""
    settings = {"root": str(tree.root), "device_dir": str(tree.dev), **keys}
    command = [sys.executable, "-c", HOST, str(settings).replace("'", '"')]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def second(tree: Tree) -> Tree:
    """Return another backend on the same place, as a process that starts later has."""
    return Tree(tree.place)


def test_made_devices_are_devices(tree: Tree) -> None:
    """A count makes that many healthy devices, spread over the NUMA nodes, with all the files of a real one."""
    devices = tree.discover(count=3, numa_nodes=2)

    assert [(device.id, device.numa_nodes) for device in devices] == [("acc0", (0,)), ("acc1", (1,)), ("acc2", (0,))]
    assert tree.reasons(count=3, numa_nodes=2) == {"acc0": "", "acc1": "", "acc2": ""}
    assert {path.name for path in (tree.root / "acc0").iterdir() if not path.name.startswith(".")} == FILES
    assert "acc1" in (tree.dev / "acc1").read_text()


def test_names_and_numbers_are_settings(tree: Tree) -> None:
    """Prefix, first number and the device file's prefix are the operator's."""
    devices = tree.discover(count=2, prefix="Dev-", start=1, device_prefix="card-")

    assert [(d.id, d.paths, d.numa_nodes) for d in devices] == [
        ("Dev-1", (f"{tree.dev}/card-Dev-1",), ()),
        ("Dev-2", (f"{tree.dev}/card-Dev-2",), ()),
    ]
    assert (tree.root / "Dev-1/numa_node").read_text() == "-1\n"


def test_close_leaves_nothing(tree: Tree) -> None:
    """What was made is removed at the end, edits, directories and all, and what was there is left."""
    (tree.place / "other").write_text("x")
    tree.discover(count=2)
    (tree.root / "acc0/status").write_text("offline\n")
    (tree.root / "acc1/temperature").unlink()
    (tree.dev / "acc0").write_text("written by a container")

    tree.backend.close()

    assert tree.listing() == {"other"}


def test_close_removes_parents_that_were_made(tree: Tree) -> None:
    """Directories that were made on the way to the root go too, up to the first that holds something else."""
    outer = tree.place / "a"
    outer.mkdir()
    (outer / "other").write_text("x")
    tree.discover(count=1, root=str(outer / "b/c/class"), device_dir=str(outer / "b/dev"))

    tree.backend.close()

    assert tree.listing() == {"a", "a/other"}


def test_close_without_anything_made(tree: Tree) -> None:
    """Closing twice, or before anything was asked, is no trouble."""
    tree.backend.close()
    tree.discover(count=1)
    tree.backend.close()
    tree.backend.close()

    assert tree.listing() == set()


def test_what_others_made_is_left_alone(tree: Tree) -> None:
    """A directory or device file that is there already is used as it is, and stays."""
    tree.add("acc0", status="offline")
    (tree.dev / "acc1").symlink_to("/dev/null")
    before = tree.listing()

    assert tree.reasons(count=3) == {"acc0": "status is offline, not online", "acc1": "", "acc2": ""}
    tree.backend.close()

    assert tree.listing() == before
    assert (tree.dev / "acc1").is_char_device()
    assert (tree.root / "acc0/status").read_text() == "offline\n"


def test_others_files_in_our_directories_stay(tree: Tree) -> None:
    """What someone put beside our files is not ours to remove."""
    tree.discover(count=1)
    (tree.root / "acc0/notes").write_text("x")
    (tree.root / "acc0/error_count").unlink()
    (tree.root / "acc0/error_count").mkdir()
    (tree.root / "mine").mkdir()

    tree.backend.close()

    assert tree.listing() == {"class", "class/acc0", "class/acc0/notes", "class/acc0/error_count", "class/mine"}


def test_pulled_device_stays_away(tree: Tree) -> None:
    """A device whose directory someone removes is gone for this process's life, as a card that was pulled."""
    tree.discover(count=3)
    shutil.rmtree(tree.root / "acc1")

    assert tree.ids(count=3) == ["acc0", "acc2"]
    assert tree.ids(count=4) == ["acc0", "acc2", "acc3"], "not even when others are added"
    tree.backend.close()
    assert tree.listing() == set(), "its device file is removed with the others"


def test_pulled_device_comes_back_with_the_next_process(tree: Tree) -> None:
    """The next process makes the whole tree anew."""
    tree.discover(count=2)
    shutil.rmtree(tree.root / "acc1")
    tree.backend.close()

    later = second(tree)
    assert later.ids(count=2) == ["acc0", "acc1"]
    later.backend.close()


def test_vanished_device_file_stays_away(tree: Tree) -> None:
    """A made device file that someone removes is a failure that stays to be seen."""
    tree.discover(count=1)
    (tree.dev / "acc0").unlink()

    assert tree.reasons(count=1) == {"acc0": f"device node {tree.dev}/acc0 is missing"}


def test_whole_tree_removed(tree: Tree) -> None:
    """Where someone removes the whole tree, the backend says so, and still removes the device files at the end."""
    tree.discover(count=1)
    shutil.rmtree(tree.root)

    with pytest.raises(BackendUnavailable, match="does not exist: it was removed"):
        tree.discover(count=1)
    tree.backend.close()
    assert tree.listing() <= {"class", "dev"}


def test_kill_leaves_a_tree_that_is_known(tree: Tree) -> None:
    """After kill -9 the next process takes its tree over, edits and all, and removes it at its own end."""
    with another_process(tree, count=3) as process:
        (tree.root / "acc1/status").write_text("offline\n")
        (tree.root / "acc2/model").unlink()
        process.send_signal(signal.SIGKILL)
        process.wait()

    assert tree.reasons(count=3) == {"acc0": "", "acc1": "status is offline, not online", "acc2": ""}
    assert (tree.root / "acc2/model").exists()
    tree.backend.close()
    assert tree.listing() == set()


@pytest.mark.parametrize("when", ["half-made", "planned", "unrecorded", "cut-off"])
def test_kill_in_the_middle(tree: Tree, when: str) -> None:
    """Whatever moment a kill -9 came at, the next process finishes the work and leaves nothing at its end."""
    with another_process(tree, count=2) as process:
        process.kill()
        process.wait()
    if when == "half-made":
        (tree.root / "acc1").rename(tree.root / ".devbay-mock.new")
    elif when == "planned":
        shutil.rmtree(tree.root / "acc1")
        (tree.dev / "acc1").unlink()
    elif when == "unrecorded":
        (tree.root / ".devbay-mock").write_text("")
    else:
        (tree.root / ".devbay-mock").write_text('{"directories": ["')

    assert tree.ids(count=2) == ["acc0", "acc1"]
    tree.backend.close()
    assert not {path for path in tree.listing() if "acc" in path or ".devbay" in path}


@pytest.mark.parametrize("wanted", [1, 100, 500])
def test_kill_while_making(tree: Tree, wanted: int) -> None:
    """A process that is killed among its devices leaves nothing that the next one does not know."""
    with making(tree, count=300) as process:
        eventually(lambda: len(list(tree.root.glob("acc*"))) > 20)
        process.kill()
        process.wait()
    assert len(list(tree.root.glob("acc*"))) < 300

    assert len(tree.ids(count=wanted)) == wanted
    tree.backend.close()
    assert tree.listing() == set()


def test_record_lost(tree: Tree) -> None:
    """Without the record, the marks in the devices' directories still tell what is ours to remove."""
    with another_process(tree, count=3) as process:
        process.kill()
        process.wait()
    (tree.root / ".devbay-mock").unlink()
    tree.add("mine")

    assert tree.ids(count=1) == ["acc0", "mine"]


def test_tree_removed_by_the_other(tree: Tree) -> None:
    """A process whose tree another one removes makes it anew, since nobody pulled a device."""
    tree.discover(count=2)
    other = second(tree)
    other.discover(count=2)
    shutil.rmtree(tree.root)
    shutil.rmtree(tree.dev)

    assert other.reasons(count=2) == {"acc0": "", "acc1": ""}
    other.backend.close()


def test_count_lowered_between_runs(tree: Tree) -> None:
    """What an earlier process made and is no longer wanted is removed."""
    with another_process(tree, count=4) as process:
        process.kill()
        process.wait()

    assert tree.ids(count=2) == ["acc0", "acc1"]
    assert not (tree.dev / "acc3").exists()


def test_settings_that_change(tree: Tree) -> None:
    """A new count, NUMA spread, device file or root takes effect while running; no edit is lost without need."""
    tree.discover(count=2)
    (tree.root / "acc0/temperature").write_text("50\n")

    assert tree.ids(count=3) == ["acc0", "acc1", "acc2"]
    assert [d.numa_nodes for d in tree.discover(count=3, numa_nodes=3)] == [(0,), (1,), (2,)]
    assert tree.ids(count=1) == ["acc0"]
    assert (tree.root / "acc0/temperature").read_text() == "50\n"
    assert tree.discover(count=1, device_prefix="x-")[0].paths == (f"{tree.dev}/x-acc0",)
    assert sorted(path.name for path in tree.dev.iterdir()) == ["x-acc0"]
    assert tree.ids(count=1, root=str(tree.place / "other")) == ["acc0"]
    assert not tree.root.exists()


def test_count_switched_off(tree: Tree) -> None:
    """A count of 0 removes what was made."""
    tree.root.mkdir()
    tree.discover(count=2)

    assert tree.ids(count=0) == []
    assert tree.listing() == {"class"}


def test_two_processes_on_one_root(tree: Tree) -> None:
    """During a rolling update the tree stays until the last of its users ends."""
    tree.discover(count=2)
    with another_process(tree, count=2) as process:
        tree.backend.close()
        assert tree.listing() > {"class/acc0", "class/acc1", "dev/acc0", "dev/acc1"}

        process.communicate("\n")
    assert tree.listing() == set()


def test_second_process_changes_nothing_until_it_is_alone(tree: Tree) -> None:
    """A process with other settings on a root that is in use takes what is there, and gets its own later."""
    with another_process(tree, count=2) as process:
        assert tree.ids(count=1) == ["acc0", "acc1"]
        assert tree.ids(count=3) == ["acc0", "acc1"]
        process.communicate("\n")

    assert tree.ids(count=3) == ["acc0", "acc1", "acc2"]


def test_many_processes_at_once(tree: Tree) -> None:
    """Processes that start and end in any order neither fail nor leave anything."""
    keys = {"root": str(tree.root), "device_dir": str(tree.dev), "count": 5}
    command = [sys.executable, "-c", HOST, str(keys).replace("'", '"')]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(5)
    ]

    answers = [process.communicate("\n") for process in processes]

    assert answers == [("acc0 acc1 acc2 acc3 acc4\n", "")] * 5
    assert tree.listing() == set()


def test_root_that_cannot_be_written() -> None:
    """Where a tree cannot be made the backend is unavailable, and names the place and the system's reason."""
    with open_place() as place:
        tree = Tree(place)

        with as_nobody(), pytest.raises(BackendUnavailable) as error:
            tree.discover(count=2)
        tree.backend.close()

        assert str(error.value) == f"the tree cannot be made: {tree.root}: Permission denied"


def test_root_that_cannot_be_written_but_has_devices(caplog: pytest.LogCaptureFixture) -> None:
    """P13: devices that are there are offered, though others cannot be made; that is told once."""
    with open_place() as place:
        tree = Tree(place)
        tree.add("acc0")

        with as_nobody():
            assert tree.ids(count=2) == ["acc0"]
            assert tree.ids(count=2) == ["acc0"]

        assert [r.getMessage() for r in caplog.records] == [
            f"the tree cannot be made: {tree.root}/.devbay-mock: Permission denied"
        ]


def test_no_room_for_device_files(tree: Tree) -> None:
    """A directory of device files that cannot be made is a reason too, and what was made on the way is removed."""
    tree.dev.write_text("x")

    with pytest.raises(BackendUnavailable, match=rf"the tree cannot be made: {tree.dev}: Not a directory"):
        tree.discover(count=1)
    tree.backend.close()
    assert tree.listing() == {"dev"}


def test_trouble_that_passes(tree: Tree) -> None:
    """Making is tried again until it succeeds."""
    tree.dev.write_text("x")
    with pytest.raises(BackendUnavailable):
        tree.discover(count=1)
    tree.dev.unlink()

    assert tree.reasons(count=1) == {"acc0": ""}


@pytest.mark.skipif(not os.path.ismount("/sys"), reason="no sysfs here")
def test_the_real_sys_is_never_written(tmp_path: Path) -> None:
    """With a root on the kernel's own /sys, the tree and its device files are made in `made_dir` instead."""
    backend = Backend()
    settings = Settings(count=1, made_dir=str(tmp_path / "made"))

    devices = backend.discover(Node(name="n"), settings)

    assert [device.paths for device in devices] == [(f"{tmp_path}/made/dev/acc0",)]
    assert backend.check(Node(name="n"), settings, devices)["acc0"].healthy
    backend.close()
    assert list(tmp_path.iterdir()) == []


def test_a_sys_that_is_not_the_kernels_is_written(tmp_path: Path) -> None:
    """A /sys that the host was told to find in another directory is as good as any."""
    backend = Backend()
    node = Node(name="n", sys=tmp_path / "sys", dev=tmp_path / "dev")

    devices = backend.discover(node, Settings(count=1))

    assert [device.paths for device in devices] == [("/dev/acc0",)]
    assert (tmp_path / "sys/class/custom-accelerator/acc0/status").exists()
    assert (tmp_path / "dev/acc0").exists()
    backend.close()


def test_as_nobody_is_somebody_else() -> None:
    """The tests' own stand-in for an ordinary user is refused what root is not."""
    with open_place() as place, as_nobody():
        assert os.geteuid() == NOBODY or os.geteuid() != 0
        with pytest.raises(OSError, match=os.strerror(errno.EACCES)):
            (place / "x").mkdir()
