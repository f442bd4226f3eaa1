"""Listening to the tree with inotify."""

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import pytest
from asyncinotify import Inotify

from tests.backends.mock.trees import Tree, as_nobody, eventually

INSTANCES = int(Path("/proc/sys/fs/inotify/max_user_instances").read_text())


class Listener:
    """A thread in the backend's `watch`, and the times of its wakes."""

    def __init__(self, tree: Tree, **keys: object) -> None:
        self.wakes: list[float] = []
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._run, args=(tree, keys), daemon=True)
        self.failure: Exception | None = None

    def _run(self, tree: Tree, keys: dict[str, object]) -> None:
        try:
            tree.backend.watch(tree.node, tree.settings(**keys), lambda: self.wakes.append(time.monotonic()), self.stop)
        except OSError as error:
            self.failure = error

    def heard(self, change: Callable[[], object]) -> float:
        """Make a change; return after how many seconds it was heard, and wait until all is quiet again."""
        self.quiet()
        before = len(self.wakes)
        begin = time.monotonic()
        change()
        eventually(lambda: len(self.wakes) > before)
        return self.wakes[before] - begin

    def hears_nothing_of(self, change: Callable[[], object]) -> bool:
        """Make a change; return whether it woke nobody. That nothing comes can only be waited for."""
        self.quiet()
        before = len(self.wakes)
        change()
        time.sleep(0.3)
        return len(self.wakes) == before

    def quiet(self) -> None:
        """Wait until the echoes of earlier changes have died away."""
        eventually(lambda: self.wakes and time.monotonic() - self.wakes[-1] > 0.15)


@contextmanager
def listening(tree: Tree, **keys: object) -> Iterator[Listener]:
    """Run `watch` in a thread until the end of the block; it has begun when the block begins."""
    listener = Listener(tree, **keys)
    listener.thread.start()
    try:
        eventually(lambda: listener.wakes or listener.failure)
        yield listener
    finally:
        listener.stop.set()
        listener.thread.join(10)
    assert not listener.thread.is_alive()


def test_edits_are_heard_at_once(tree: Tree) -> None:
    """P11: an edit of any of a device's files is heard far within 500 ms."""
    directory = tree.add("acc0")
    with listening(tree) as listener:
        for change in (
            lambda: (directory / "status").write_text("offline\n"),
            (directory / "temperature").unlink,
            lambda: (directory / "temperature").write_text("91\n"),
            lambda: (directory / "error_count").chmod(0),
            lambda: (tree.place / "new").write_text("7\n") and (tree.place / "new").rename(directory / "error_count"),
        ):
            assert listener.heard(change) < 0.4


def test_open_files_are_heard(tree: Tree) -> None:
    """P11: a writer that does not close its file is heard too."""
    directory = tree.add("acc0")
    with listening(tree) as listener, (directory / "status").open("rb+", buffering=0) as file:
        assert listener.heard(lambda: file.write(b"offline")) < 0.4


def test_device_files_are_heard(tree: Tree) -> None:
    """P11: a device file that goes or comes is heard."""
    tree.add("acc0")
    with listening(tree) as listener:
        assert listener.heard((tree.dev / "acc0").unlink) < 0.4
        assert listener.heard(lambda: (tree.dev / "acc0").symlink_to("/dev/null")) < 0.4


def test_new_devices_are_heard(tree: Tree) -> None:
    """P11: a device that appears is heard, and so is every later edit of it and of its device file."""
    tree.add("acc0")
    with listening(tree) as listener:
        assert listener.heard(lambda: tree.add("acc1")) < 0.4
        assert listener.heard(lambda: (tree.root / "acc1/status").write_text("offline\n")) < 0.4
        assert listener.heard((tree.dev / "acc1").unlink) < 0.4
        assert listener.heard(lambda: shutil.rmtree(tree.root / "acc1")) < 0.4


def test_linked_devices_are_heard(tree: Tree) -> None:
    """P11: an edit in a directory that the tree only links to is heard."""
    tree.add("acc0").rename(tree.place / "real")
    (tree.root / "acc0").symlink_to(tree.place / "real")
    with listening(tree) as listener:
        assert listener.heard(lambda: (tree.place / "real/status").write_text("offline\n")) < 0.4


def test_tree_that_comes_later(tree: Tree) -> None:
    """P11: a tree that is not there yet is heard coming, from however far up it is made."""
    keys = {"root": str(tree.place / "a/b/class")}
    with listening(tree, **keys) as listener:
        assert listener.heard((tree.place / "a").mkdir) < 0.4
        assert listener.heard((tree.place / "a/b").mkdir) < 0.4
        tree.add("acc0")
        assert listener.heard(lambda: tree.root.rename(tree.place / "a/b/class")) < 0.4
        assert listener.heard(lambda: (tree.place / "a/b/class/acc0/status").write_text("x")) < 0.4


def test_tree_that_is_replaced(tree: Tree) -> None:
    """P11: a new directory in the old one's place is the one that is listened to."""
    tree.add("acc0")
    with listening(tree) as listener:
        assert listener.heard(lambda: tree.root.rename(tree.place / "old")) < 0.4
        assert listener.heard(lambda: shutil.copytree(tree.place / "old", tree.root)) < 0.4
        assert listener.heard(lambda: (tree.root / "acc0/status").write_text("offline\n")) < 0.4
        assert listener.hears_nothing_of(lambda: (tree.place / "old/acc0/status").write_text("offline\n"))


@pytest.mark.parametrize("inner", ["class", "inner/class"])
def test_parent_that_is_replaced(tree: Tree, inner: str) -> None:
    """What no event tells, such as a grandparent that is renamed, is noticed within two seconds."""
    outer = tree.place / "outer"
    tree.add("acc0")
    (outer / inner).parent.mkdir(parents=True)
    tree.root.rename(outer / inner)
    with listening(tree, root=str(outer / inner)) as listener:
        shutil.copytree(outer, tree.place / "later")
        assert listener.heard(lambda: (outer.rename(tree.place / "old"), (tree.place / "later").rename(outer))) < 2
        assert listener.heard(lambda: (outer / inner / "acc0/status").write_text("offline\n")) < 0.4


def test_watches_do_not_pile_up(tree: Tree) -> None:
    """A directory that was moved away is no longer watched: the kernel's watches are few."""
    tree.add("acc0")
    with listening(tree) as listener:
        before = watches()
        for number in range(5):
            listener.heard(partial((tree.root / "acc0").rename, tree.place / f"old{number}"))
            listener.heard(lambda: tree.add("acc0"))
        listener.quiet()

        assert watches() == before


def watches() -> int:
    """Return how many inotify watches this process has."""
    return sum(path.read_text().count("inotify wd:") for path in Path("/proc/self/fdinfo").iterdir() if path.exists())


def test_other_things_are_not_heard(tree: Tree) -> None:
    """Other files of a busy /dev or /tmp, hidden files, and reading wake nobody."""
    directory = tree.add("acc0")
    tree.add("acc1", status=None)

    def noise() -> None:
        for number in range(50):
            (tree.dev / f"tty{number}").write_text("x")
            (tree.place / f"tmp{number}").mkdir()
            (directory / ".status.swp").write_text("x")
            (tree.dev / "acc0").write_text("a container writes to its device")
        tree.reasons()

    with listening(tree) as listener:
        assert listener.hears_nothing_of(noise)


def test_one_root_for_two_processes_is_quiet(tree: Tree) -> None:
    """A look at a tree that another process holds makes no event: looking and hearing would chase each other."""
    tree.discover(count=1)
    other = Tree(tree.place)
    other.discover(count=2)
    with listening(tree) as listener:
        assert listener.hears_nothing_of(lambda: other.discover(count=2))
    other.backend.close()


def test_bursts_are_one_wake(tree: Tree) -> None:
    """A change that is several writes is told when it is whole, and not once for each."""
    directory = tree.add("acc0")
    with listening(tree) as listener:
        listener.quiet()
        before = len(listener.wakes)
        for number in range(100):
            (directory / "temperature").write_text(f"{number}\n")
        listener.quiet()

        assert len(listener.wakes) - before <= 5


def test_an_unending_burst_is_told(tree: Tree) -> None:
    """A driver that writes all the time does not drown the news."""
    directory = tree.add("acc0")
    halt = threading.Event()

    def chatter() -> None:
        while not halt.wait(0.001):
            (directory / "temperature").write_text("40\n")

    with listening(tree) as listener:
        thread = threading.Thread(target=chatter)
        thread.start()
        before = len(listener.wakes)
        eventually(lambda: len(listener.wakes) > before + 3)
        halt.set()
        thread.join()


def test_root_and_device_files_in_one_directory(tree: Tree) -> None:
    """One directory in two roles is listened to in both."""
    tree.add("acc0")
    shutil.move(tree.dev / "acc0", tree.place / "acc0")
    with listening(tree, device_dir=str(tree.place)) as listener:
        assert listener.heard((tree.place / "acc0").unlink) < 0.4
        assert listener.heard(lambda: shutil.rmtree(tree.root)) < 0.4


def test_stop_is_prompt(tree: Tree) -> None:
    """`watch` returns within a second of being told to."""
    tree.add("acc0")
    with listening(tree) as listener:
        begin = time.monotonic()
        listener.stop.set()
        listener.thread.join(10)

        assert time.monotonic() - begin < 1


def test_nothing_is_left_open(tree: Tree) -> None:
    """Each `watch` closes what it opened."""
    tree.add("acc0")
    with listening(tree):
        pass
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - counting
    for _ in range(3):
        with listening(tree):
            pass

    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208 - counting


@pytest.mark.skipif(os.geteuid() != 0 or INSTANCES > 200, reason="needs a user of its own, and a limit within reach")
def test_limit_of_instances_is_named(tree: Tree) -> None:
    """Where the kernel's limit leaves no room, the error names the setting, not "Too many open files"."""
    with as_nobody(), ExitStack() as stack:
        for _ in range(INSTANCES):
            stack.enter_context(Inotify())
        with listening(tree) as listener:
            assert "fs.inotify.max_user_instances" in str(listener.failure)
