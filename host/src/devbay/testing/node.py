"""A node made of a dict: its ``/sys``, ``/dev`` and ``/proc`` as directories of a test's own.

Paths are the node's (``/sys/class/widget/w0/status``); `FakeNode.node` is what a backend is given, and its `locate`
finds the files. Links to such a path stay inside, as the kernel's own do.
"""

import os
import shutil
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path, PurePosixPath
from typing import TypeAlias

from devbay.model import Node

_ROOTS = ("sys", "dev", "proc")


class _Kind(Enum):
    DIRECTORY = "directory"


DIRECTORY = _Kind.DIRECTORY
"""An empty directory; one with something in it needs no entry of its own."""


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link; a `target` under ``/sys``, ``/dev`` or ``/proc`` is the fake node's."""

    target: str


@dataclass(frozen=True, slots=True)
class CharacterDevice:
    """A character device node; by default the one of ``/dev/null``, which does nothing."""

    major: int = 1
    minor: int = 3


@dataclass(frozen=True, slots=True)
class BlockDevice:
    """A block device node; by default one that no driver answers for."""

    major: int = 259
    minor: int = 1048575


Entry: TypeAlias = str | bytes | Link | CharacterDevice | BlockDevice | _Kind
"""What is at a path: a file's content, a link, a device node, or `DIRECTORY`."""

Tree: TypeAlias = dict[str, Entry]
"""What a node has, by path."""


class FakeNode:
    """A node in directory `place`.

    Root makes device nodes, with the capability for it. Otherwise a regular file stands where one was asked for,
    `stand_ins` lists them, and the host gives such a file to a container as a mount.

    Attributes:
        node: what a backend is given.
        stand_ins: the paths at which a regular file stands for a device node.
    """

    def __init__(self, place: Path, name: str = "node") -> None:
        self._entries: dict[str, Entry] = {}
        self.stand_ins: set[str] = set()
        self.node = Node(name=name, sys=place / "sys", dev=place / "dev", proc=place / "proc")
        for root in _ROOTS:
            (place / root).mkdir(parents=True, exist_ok=True)

    def locate(self, path: str) -> Path:
        """Return where the node's `path` is found on this machine."""
        _check(path)
        return self.node.locate(path)

    def add(self, tree: Mapping[str, Entry]) -> None:
        """Put `tree` onto the node; what is at one of its paths already is replaced, a file's content in place."""
        for path, entry in tree.items():
            _check(path)
            if self._entries.get(path) != entry:
                self._put(path, entry)

    def remove(self, *paths: str) -> None:
        """Take paths away, with everything below them and the directories that are left empty."""
        for path in paths:
            place = self.locate(path)
            if place.is_dir() and not place.is_symlink():
                shutil.rmtree(place)
            else:
                place.unlink()
            self._forget(path)
            self._prune(PurePosixPath(path).parent)

    def replace(self, tree: Mapping[str, Entry]) -> None:
        """Make `tree` all that the node has. What stays the same is not touched."""
        gone = [path for path in self._entries if path not in tree]
        for path in sorted(gone, key=len, reverse=True):
            if os.path.lexists(self.locate(path)):
                self.remove(path)
            else:
                self._forget(path)
        self.add(tree)

    def _put(self, path: str, entry: Entry) -> None:
        place = self.locate(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(entry, str | bytes) and isinstance(self._entries.get(path), str | bytes):
            place.write_bytes(_bytes(entry))  # as the kernel changes a file: the same one, read anew
        else:
            if os.path.lexists(place) and not (entry is DIRECTORY and place.is_dir()):
                self.remove(path)
                place.parent.mkdir(parents=True, exist_ok=True)
            self._make(path, place, entry)
        self._entries[path] = entry

    def _make(self, path: str, place: Path, entry: Entry) -> None:
        match entry:
            case Link(target):
                place.symlink_to(self._inside(target, place))
            case CharacterDevice(major, minor):
                self._make_device(path, place, stat.S_IFCHR, os.makedev(major, minor))
            case BlockDevice(major, minor):
                self._make_device(path, place, stat.S_IFBLK, os.makedev(major, minor))
            case str() | bytes():
                place.write_bytes(_bytes(entry))
            case _:
                place.mkdir(exist_ok=True)

    def _make_device(self, path: str, place: Path, kind: int, number: int) -> None:
        try:
            os.mknod(place, kind | 0o600, number)
        except PermissionError:
            place.write_bytes(b"")
            self.stand_ins.add(path)

    def _inside(self, target: str, place: Path) -> str:
        if PurePosixPath(target).parts[:1] == ("/",) and target.split("/")[1] in _ROOTS:
            return os.path.relpath(self.node.locate(target), place.parent)
        return target

    def _forget(self, path: str) -> None:
        for known in [known for known in self._entries if PurePosixPath(known).is_relative_to(path)]:
            del self._entries[known]
            self.stand_ins.discard(known)

    def _prune(self, directory: PurePosixPath) -> None:
        while len(directory.parts) > 2 and str(directory) not in self._entries:  # noqa: PLR2004 - the slash and one of the roots
            place = self.node.locate(str(directory))
            if not place.is_dir() or any(place.iterdir()):
                return
            place.rmdir()
            directory = directory.parent


def _check(path: str) -> None:
    parts = PurePosixPath(path).parts
    if len(parts) < 3 or parts[0] != "/" or parts[1] not in _ROOTS or ".." in parts:  # noqa: PLR2004 - a slash, a root, more
        raise ValueError(f"a fake node has paths below /sys, /dev and /proc, not {path!r}")


def _bytes(content: str | bytes) -> bytes:
    return content.encode() if isinstance(content, str) else content
