"""Listening to the tree with inotify, so that an edit is seen at once. In a thread of its own; changes nothing.

Watched are the root and each device's directory; the directory of the device files, for the names that matter only,
since a real ``/dev`` has much else going on; and, so that a tree that comes later is heard coming, the parents. The
files of the kernel's own ``/sys`` tell inotify nothing when the hardware changes them, unless their driver says so
itself (``sysfs_notify``): there, the host's regular scan finds what is not heard here.
"""

import errno
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from asyncinotify import Event, Inotify, Mask

from devbay.api import Node
from devbay_mock.places import Places, nearest_existing, places
from devbay_mock.settings import Settings

_PATIENCE = 0.25  # seconds between looks at `stop`
_QUIET = 0.02  # seconds without an event that end a burst, such as one shell line that truncates and writes
_BURST = 0.1  # seconds after which even an unending burst is reported
_GLANCE = 1.0  # seconds after which the outer directories are looked at, for what no event told (a renamed parent)

_ENTRIES = Mask.CREATE | Mask.DELETE | Mask.MOVE | Mask.DELETE_SELF | Mask.MOVE_SELF | Mask.ONLYDIR
_CONTENT = _ENTRIES | Mask.MODIFY | Mask.CLOSE_WRITE | Mask.ATTRIB

_LIMITS = {
    errno.ENOSPC: "the limit of inotify watches is reached (sysctl fs.inotify.max_user_watches)",
    errno.EMFILE: "the limit of inotify instances (sysctl fs.inotify.max_user_instances) or of open files is reached",
}


def watch(node: Node, settings: Settings, wake: Callable[[], None], stop: threading.Event) -> None:
    """Call `wake` at each change that may matter, until `stop` is set; at once too, for what came before the watching.

    Raises:
        OSError: the kernel's limits leave no room for the watches; the text names the setting.
    """
    try:
        with Inotify(sync_timeout=_PATIENCE) as inotify:
            ear = Ear(inotify, node, settings)
            ear.arm()
            wake()
            while not stop.is_set():
                if ear.hear():
                    wake()
    except OSError as error:
        raise OSError(error.errno, _LIMITS.get(error.errno or 0, error.strerror), error.filename) from None


@dataclass(frozen=True, slots=True)
class _Interest:
    """What is worth hearing about one directory.

    Attributes:
        path: where it is.
        mask: the events to ask the kernel for.
        names: the entries that matter; None means all but hidden ones.
    """

    path: Path
    mask: Mask
    names: frozenset[str] | None

    def join(self, other: "_Interest") -> "_Interest":
        """Return both as one, for two paths that are one directory. The kernel keeps the later mask."""
        names = None if self.names is None or other.names is None else self.names | other.names
        return _Interest(self.path, other.mask, names)


class Ear:
    """The watches of one tree."""

    def __init__(self, inotify: Inotify, node: Node, settings: Settings) -> None:
        self._inotify = inotify
        self._node = node
        self._settings = settings
        self._held: dict[int, _Interest] = {}
        self._outer: tuple[object, ...] = ()
        self._glanced = 0.0

    def hear(self) -> bool:
        """Wait for an event, for a moment; return whether something changed that may matter."""
        event = self._next(_PATIENCE)
        if event is not None and self._matters(event):
            end = time.monotonic() + _BURST
            while time.monotonic() < end and self._next(_QUIET) is not None:
                pass
        elif not self._is_elsewhere():
            return False
        self.arm()
        return True

    def arm(self) -> None:
        """Watch what there is to watch now."""
        here = places(self._node, self._settings)
        self._outer = _outer(here)
        held: dict[int, _Interest] = {}
        for interest in _interests(here):
            wd = self._add(interest)
            if wd is not None:
                held[wd] = held[wd].join(interest) if wd in held else interest
        for wd in self._held.keys() - held.keys():
            self._drop(wd)
        self._held = held

    def _is_elsewhere(self) -> bool:
        """Return, when it is time to look, whether the root or the device files' directory is another one by now."""
        if time.monotonic() - self._glanced < _GLANCE:
            return False
        self._glanced = time.monotonic()
        return _outer(places(self._node, self._settings)) != self._outer

    def _next(self, timeout: float) -> Event | None:
        self._inotify.sync_timeout = timeout
        return self._inotify.sync_get()

    def _matters(self, event: Event) -> bool:
        if Mask.Q_OVERFLOW in event.mask:
            return True
        interest = self._held.get(event.watch.wd) if event.watch is not None else None
        if interest is None:
            return False  # a directory that is no longer ours to watch
        if event.name is None:
            return Mask.IGNORED not in event.mask
        name = str(event.name)
        return not name.startswith(".") if interest.names is None else name in interest.names

    def _add(self, interest: _Interest) -> int | None:
        try:
            return self._inotify.add_watch(interest.path, interest.mask).wd
        except OSError as error:
            if error.errno in _LIMITS:
                raise
            return None  # gone again, or not ours to look at: the scan tells what there is to tell

    def _drop(self, wd: int) -> None:
        for held in self._inotify.watches:
            if held.wd == wd:
                try:
                    self._inotify.rm_watch(held)
                except OSError:
                    return  # the directory is gone, and the kernel has dropped the watch itself
                return


def _interests(here: Places) -> Iterator[_Interest]:
    """Return what to listen to, each outer directory before what is listed in it: nothing new slips between.

    The wider masks come last, so that a directory in two roles keeps the wider one.
    """
    yield from _coming(here.tree)
    yield _Interest(here.tree, _ENTRIES, None)
    names = _subdirectories(here.tree)
    yield from _coming(here.devices)
    yield _Interest(here.devices, _ENTRIES, frozenset(f"{here.device_prefix}{name}" for name in names))
    for name in names:
        yield _Interest(here.tree / name, _CONTENT, None)


def _outer(here: Places) -> tuple[object, ...]:
    """Return which directories the root and the device files' directory are."""
    return tuple(_identity(path) for path in (here.tree, here.devices))


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _coming(path: Path) -> Iterator[_Interest]:
    """Return what tells that a directory comes, goes or is replaced: its nearest parent that is there."""
    parent = nearest_existing(path.parent)
    yield _Interest(parent, _ENTRIES, frozenset({path.relative_to(parent).parts[0]}))


def _subdirectories(root: Path) -> list[str]:
    try:
        with os.scandir(root) as entries:
            return [entry.name for entry in entries if not entry.name.startswith(".") and _is_directory(entry)]
    except OSError:
        return []


def _is_directory(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False
